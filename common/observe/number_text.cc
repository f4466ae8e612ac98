#include "common/observe/number_text.h"

#include <charconv>
#include <cmath>

namespace weft::observe {

void append_number(std::string& out, double value) {
  char text[64];
  if (std::isnan(value)) return void(out += "nan");
  auto result = std::abs(value) < 1e16 ? std::to_chars(text, text + sizeof text, value, std::chars_format::fixed)
                                       : std::to_chars(text, text + sizeof text, value);
  out.append(text, result.ptr);
}

void append_json_number(std::string& out, double value) {
  char text[64];
  if (!std::isfinite(value)) return void(out += "null");
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void append_brief(std::string& out, double value) {
  char text[64];
  out.append(text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6).ptr);
}

}  // namespace weft::observe
