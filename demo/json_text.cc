#include "demo/json_text.h"

#include <boost/json/serialize.hpp>

#include <charconv>
#include <cmath>

namespace weft::demo {
namespace {

namespace json = boost::json;

// json::serialize writes 73.1 as 7.31E1.
std::string digits(double number) {
  char text[330];  // the largest double has 309 digits
  const auto end = std::to_chars(text, text + sizeof text, std::round(number * 1000) / 1000, std::chars_format::fixed).ptr;
  return {text, end};
}

}  // namespace

std::string json_text(const json::value& value, const std::string& indent) {
  const std::string inner = indent + "  ";
  std::string out;
  if (const json::object* object = value.if_object(); object != nullptr && !object->empty()) {
    for (const auto& entry : *object) {
      out += (out.empty() ? "{\n" : ",\n") + inner + json::serialize(entry.key()) + ": " + json_text(entry.value(), inner);
    }
    return out + "\n" + indent + "}";
  }
  if (const json::array* array = value.if_array(); array != nullptr && !array->empty()) {
    for (const json::value& item : *array) out += (out.empty() ? "[\n" : ",\n") + inner + json_text(item, inner);
    return out + "\n" + indent + "]";
  }
  return value.is_double() ? digits(value.get_double()) : json::serialize(value);
}

}  // namespace weft::demo
