// Where a listener listens: its address and additional addresses, with the options of their sockets.
#pragma once
#include "common/net/listener_socket.h"
#include "proxy/filters/where.h"

#include <vector>

namespace envoy::config::listener::v3 {
class Listener;
}

namespace weft::config {

// Its own address first. Fewer than asked for after a complaint.
std::vector<net::ListeningPlace> listening_places(const envoy::config::listener::v3::Listener& from, const filters::Where& where);

}  // namespace weft::config
