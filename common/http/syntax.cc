#include "common/http/syntax.h"

#include <algorithm>
#include <cstring>

namespace weft::http {
namespace {

// What may stand in a path or query: visible ASCII but "#". More than RFC 3986 allows (quotes, braces, ...), since clients
// send it and no two readers differ about it.
bool is_path_byte(char c) { return c > 0x20 && c < 0x7f && c != '#'; }

// What an authority may hold: 1 anywhere, 2 for the signs that part it.
constexpr auto kAuthorityBytes = [] {
  std::array<uint8_t, 256> table{};
  for (char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%!$&'()*+,;="))
    table[static_cast<uint8_t>(c)] = 1;
  for (char c : std::string_view(":[]")) table[static_cast<uint8_t>(c)] = 2;
  return table;
}();

bool is_port(std::string_view text) {
  return text.empty() || (text.front() == ':' && text.find_first_not_of("0123456789", 1) == text.npos);
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return token_lower(c) != 0; });
}

bool is_path(std::string_view text) {
  if (text == "*") return true;
  return !text.empty() && text.front() == '/' && std::all_of(text.begin(), text.end(), is_path_byte);
}

// A host, or an address in brackets, and perhaps a port (RFC 3986 3.2).
bool is_authority(std::string_view text) {
  size_t host = 0;
  while (host < text.size() && kAuthorityBytes[static_cast<uint8_t>(text[host])] == 1) ++host;
  if (host > 0 || text.empty()) return host > 0 && is_port(text.substr(host));
  const size_t closing = text.find(']');
  if (text.front() != '[' || closing == text.npos || closing == 1) return false;
  const std::string_view address = text.substr(1, closing - 1);
  return std::all_of(address.begin(), address.end(), [](char c) { return c == ':' || kAuthorityBytes[static_cast<uint8_t>(c)] == 1; }) &&
         is_port(text.substr(closing + 1));
}

bool is_field_value(std::string_view text) {
  // Eight bytes at a time while none of them can be below 0x20 or be 0x7f; a false alarm is only slow.
  constexpr uint64_t kOnes = 0x0101010101010101, kHighs = kOnes * 0x80;
  while (text.size() >= 8) {
    uint64_t bytes;
    std::memcpy(&bytes, text.data(), 8);
    const uint64_t erased = bytes ^ kOnes * 0x7f;
    if ((((bytes - kOnes * 0x20) & ~bytes) | ((erased - kOnes) & ~erased)) & kHighs) break;
    text.remove_prefix(8);
  }
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) >= 0x20 ? c != 0x7f : c == '\t'; });
}

bool equals_ignoring_case(std::string_view text, std::string_view lower_case) {
  return text.size() == lower_case.size() &&
         std::equal(text.begin(), text.end(), lower_case.begin(), [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

std::optional<uint64_t> parse_length(std::string_view digits) {
  uint64_t value = 0;
  if (digits.empty()) return std::nullopt;
  for (char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    if (value > (uint64_t{1} << 63) / 10 - 1) return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

bool is_forbidden_trailer(HeaderId id) {
  switch (id) {
    case HeaderId::kHost:
    case HeaderId::kContentLength:
    case HeaderId::kTransferEncoding:
    case HeaderId::kConnection:
    case HeaderId::kKeepAlive:
    case HeaderId::kProxyConnection:
    case HeaderId::kTe:
    case HeaderId::kTrailer:
    case HeaderId::kUpgrade:
    case HeaderId::kAuthorization:
    case HeaderId::kExpect:
    case HeaderId::kCookie:
    case HeaderId::kSetCookie:
    case HeaderId::kContentEncoding:
    case HeaderId::kContentType:
    case HeaderId::kCacheControl:
    case HeaderId::kXForwardedFor:
    case HeaderId::kXForwardedClientCert: return true;
    default: return false;
  }
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace weft::http
