#include "common/net/original_destination.h"

#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace weft::net {
namespace {

std::optional<Endpoint> endpoint_of(const sockaddr_storage& address) {
  Endpoint endpoint;
  if (address.ss_family == AF_INET) {
    endpoint = Endpoint(asio::ip::tcp::v4(), 0);
    *reinterpret_cast<sockaddr_in*>(endpoint.data()) = reinterpret_cast<const sockaddr_in&>(address);
  } else if (address.ss_family == AF_INET6) {
    endpoint = Endpoint(asio::ip::tcp::v6(), 0);
    *reinterpret_cast<sockaddr_in6*>(endpoint.data()) = reinterpret_cast<const sockaddr_in6&>(address);
  } else {
    return {};
  }
  return unmapped(endpoint);
}

}  // namespace

std::optional<Endpoint> original_destination(int fd) {
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0) return {};
  const std::optional<Endpoint> local = endpoint_of(own);
  if (!local) return {};
  const bool v6 = local->address().is_v6();
  sockaddr_storage original{};
  size = sizeof original;
  const int found = v6 ? ::getsockopt(fd, IPPROTO_IPV6, IP6T_SO_ORIGINAL_DST, &original, &size)
                       : ::getsockopt(fd, IPPROTO_IP, SO_ORIGINAL_DST, &original, &size);
  if (found == 0) return endpoint_of(original);
  // No translation: a transparent socket has the destination's address as its own.
  int transparent = 0;
  size = sizeof transparent;
  const bool v6_socket = own.ss_family == AF_INET6;
  if (::getsockopt(fd, v6_socket ? IPPROTO_IPV6 : IPPROTO_IP, v6_socket ? IPV6_TRANSPARENT : IP_TRANSPARENT, &transparent, &size) == 0 &&
      transparent != 0)
    return local;
  return {};
}

Endpoint unmapped(const Endpoint& endpoint) {
  const auto address = endpoint.address();
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return endpoint;
  return {asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()), endpoint.port()};
}

}  // namespace weft::net
