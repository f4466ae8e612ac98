// What a redirected connection was meant for (iptables' REDIRECT, or TPROXY with a transparent socket).
#pragma once
#include "common/net/stream.h"

#include <optional>

namespace weft::net {

// Nothing: the kernel knows of no other destination than the socket's own address.
std::optional<Endpoint> original_destination(int fd);

// An IPv4 address that an IPv6 socket shows as ::ffff:1.2.3.4, as itself.
Endpoint unmapped(const Endpoint& endpoint);

}  // namespace weft::net
