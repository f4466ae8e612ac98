// Whether text is UTF-8, and making it so: what goes into JSON must be, and what comes out of people's files need not.
#pragma once
#include <string>
#include <string_view>

namespace weft {

// The first byte that is no part of a character; npos when all are. No overlong forms, no surrogates, nothing above U+10FFFF.
size_t find_invalid_utf8(std::string_view text);
// With U+FFFD for each byte that is no part of a character.
std::string repair_utf8(std::string text);

}  // namespace weft
