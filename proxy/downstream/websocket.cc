#include "proxy/downstream/websocket.h"

#include <boost/uuid/detail/sha1.hpp>

#include <span>

namespace weft::downstream {
namespace {

std::string base64(std::span<const uint8_t> bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t here = std::min<size_t>(3, bytes.size() - i);
    uint32_t three = 0;
    for (size_t j = 0; j < 3; ++j) three = three << 8 | (j < here ? bytes[i + j] : 0u);
    for (size_t j = 0; j < 4; ++j) text += j <= here ? kAlphabet[three >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

}  // namespace

std::string websocket_key(net::Loop& loop) {
  uint8_t bytes[16];
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(loop.random());
  return base64(bytes);
}

std::string websocket_accept(std::string_view key) {
  constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  boost::uuids::detail::sha1 sha1;
  sha1.process_bytes(key.data(), key.size());
  sha1.process_bytes(kGuid.data(), kGuid.size());
  unsigned int words[5];
  sha1.get_digest(words);
  uint8_t digest[20];
  for (size_t i = 0; i < sizeof digest; ++i) digest[i] = static_cast<uint8_t>(words[i / 4] >> (24 - 8 * (i % 4)));
  return base64(digest);
}

}  // namespace weft::downstream
