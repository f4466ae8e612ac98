// Values that a peer chose must not break out of a log line (CR, LF, ESC, quotes, broken UTF-8). Each function rewrites the
// end of `out`, from `start` on, and touches nothing when nothing needs it.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace weft::format {

// For text lines: '"' and '\' get a backslash, control bytes become \xHH.
void escape_text(std::string& out, size_t start);
// For the inside of a JSON string; bytes that are no UTF-8 become U+FFFD.
void escape_json(std::string& out, size_t start);
// Appends a whole JSON string, quotes included.
void append_json_string(std::string& out, std::string_view text);

}  // namespace weft::format
