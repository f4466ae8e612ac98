// Free places on loopback. Each workload of the demo has an address of its own, 127.0.x.y; x is picked so that nobody else, not even
// a second demo, uses it. Where a port is taken on all addresses, another one is taken in its place.
#pragma once
#include "common/base/error.h"
#include "demo/blocking_http.h"

#include <string>
#include <vector>

namespace weft::demo {

// Whether `address` can be bound now.
bool can_bind(const Address& address);
// A free port of this address.
Result<unsigned short> free_port(const std::string& ip);
// `wanted` where it is free on all of `ips`, else a port that is.
Result<unsigned short> common_port(const std::vector<std::string>& ips, unsigned short wanted);
// A prefix such as "127.0.77." of which `hosts` (last parts) are free on `port`; `first` is tried first. Should none have that
// port free, one where `hosts` have any.
Result<std::string> free_prefix(int first, const std::vector<int>& hosts, unsigned short port);
// A listening socket on a free port of `ip`, inheritable by the child that is to serve it.
struct Listening {
  int fd = -1;
  unsigned short port = 0;
};
Result<Listening> listen_on(const std::string& ip);

}  // namespace weft::demo
