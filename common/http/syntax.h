// The grammar that both HTTP versions share: token characters, what may stand in a path or an authority, numbers, lists.
// Strict where two readers could differ: what is refused here is never passed on.
#pragma once
#include "common/http/head.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weft::http {

// The lower case of a token character (RFC 9110 5.6.2), 0 for every other byte.
inline constexpr auto kTokenLower = [] {
  std::array<char, 256> table{};
  for (char c : std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")) table[static_cast<uint8_t>(c)] = c;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<uint8_t>(c)] = static_cast<char>(c + 32);
  return table;
}();

inline char token_lower(char c) { return kTokenLower[static_cast<uint8_t>(c)]; }

bool is_token(std::string_view text);
// Visible ASCII beginning with "/", without a fragment; or "*".
bool is_path(std::string_view text);
// host[:port] as RFC 3986 has it, without user information.
bool is_authority(std::string_view text);
// No control character but tab. (Bytes above 0x7f pass: obs-text.)
bool is_field_value(std::string_view text);

bool equals_ignoring_case(std::string_view text, std::string_view lower_case);

// Digits only; nothing if empty, too large for 63 bits or anything else.
std::optional<uint64_t> parse_length(std::string_view digits);

// Never merged from trailers: framing, routing, and what decides about the whole message (RFC 9110 6.5.1).
bool is_forbidden_trailer(HeaderId id);

std::string_view trim(std::string_view text);  // spaces and tabs

// Calls `visit` with each element of a comma-separated list, trimmed, empty ones left out.
template <class Visit>
void for_each_element(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view element = trim(list.substr(0, comma));
    if (!element.empty()) visit(element);
    if (comma == list.npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace weft::http
