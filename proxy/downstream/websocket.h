// What a WebSocket's handshake has in HTTP/1 and does without in HTTP/2 (RFC 8441 5), for tunnels that go from one to the other.
#pragma once
#include "common/net/loop.h"

#include <string>
#include <string_view>

namespace weft::downstream {

// A sec-websocket-key: sixteen random bytes in base64 (RFC 6455 4.1).
std::string websocket_key(net::Loop& loop);
// The sec-websocket-accept that belongs to it (RFC 6455 4.2.2).
std::string websocket_accept(std::string_view key);

}  // namespace weft::downstream
