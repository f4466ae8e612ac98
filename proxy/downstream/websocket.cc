#include "proxy/downstream/websocket.h"

#include "common/base/base64.h"

#include <boost/uuid/detail/sha1.hpp>

namespace weft::downstream {

std::string websocket_key(net::Loop& loop) {
  uint8_t bytes[16];
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(loop.random());
  return to_base64({reinterpret_cast<const char*>(bytes), sizeof bytes});
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
  return to_base64({reinterpret_cast<const char*>(digest), sizeof digest});
}

}  // namespace weft::downstream
