// What this machine calls itself.
#pragma once
#include <boost/asio/ip/address.hpp>

namespace weft::net {

// The first IPv4 address of an interface other than loopback; unspecified if there is none.
boost::asio::ip::address machine_address();

}  // namespace weft::net
