// HTTP/2 frames built by hand, for peers that no library would be.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace weft::http::frames {

enum Type : uint8_t { kData, kHeaders, kPriority, kRstStream, kSettings, kPushPromise, kPing, kGoAway, kWindowUpdate, kContinuation };
inline constexpr uint8_t kEndStream = 1, kEndHeaders = 4;

inline std::string number(uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}
inline std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload = {}) {
  return number(static_cast<uint32_t>(payload.size()), 3) + static_cast<char>(type) + static_cast<char>(flags) + number(stream, 4) +
         std::string(payload);
}
inline std::string integer(size_t value, int prefix) {  // RFC 7541 5.1, the first byte's upper bits 0
  const size_t most = (1u << prefix) - 1;
  if (value < most) return std::string(1, static_cast<char>(value));
  std::string text(1, static_cast<char>(most));
  for (value -= most; value >= 128; value >>= 7) text += static_cast<char>((value & 127) | 128);
  return text + static_cast<char>(value);
}
// A literal without indexing, no Huffman.
inline std::string field(std::string_view name, std::string_view value) {
  return '\0' + integer(name.size(), 7) + std::string(name) + integer(value.size(), 7) + std::string(value);
}
inline std::string request(std::string_view path = "/", std::string_view method = "GET") {
  return field(":method", method) + field(":scheme", "http") + field(":path", path) + field(":authority", "x.test");
}
inline std::string start() { return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kSettings, 0, 0); }
inline std::string get(uint32_t stream, std::string_view fields) { return frame(kHeaders, kEndStream | kEndHeaders, stream, fields); }

}  // namespace weft::http::frames
