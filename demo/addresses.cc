#include "demo/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>

namespace weft::demo {
namespace {

sockaddr_in socket_address(const Address& address) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(address.port);
  inet_pton(AF_INET, address.ip.c_str(), &result.sin_addr);
  return result;
}

// A bound socket, or -1. SO_REUSEADDR: connections that linger from a run before are no obstacle, listeners are.
int bound(const Address& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in place = socket_address(address);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0 && listen(fd, 512) == 0) return fd;
  const int failure = errno;
  close(fd);
  errno = failure;
  return -1;
}

unsigned short port_of(int fd) {
  sockaddr_in place{};
  socklen_t size = sizeof place;
  getsockname(fd, reinterpret_cast<sockaddr*>(&place), &size);
  return ntohs(place.sin_port);
}

}  // namespace

bool can_bind(const Address& address) {
  const int fd = bound(address);
  if (fd < 0) return false;
  close(fd);
  return true;
}

Result<Listening> listen_on(const std::string& ip) {
  const int fd = bound({ip, 0});
  if (fd < 0) return system_error("cannot listen on " + ip, errno);
  return Listening{fd, port_of(fd)};
}

Result<unsigned short> free_port(const std::string& ip) {
  Result<Listening> found = listen_on(ip);
  if (!found) return found.error();
  close(found->fd);
  return found->port;
}

Result<unsigned short> common_port(const std::vector<std::string>& ips, unsigned short wanted) {
  const auto fits = [&](unsigned short port) {
    return std::all_of(ips.begin(), ips.end(), [&](const std::string& ip) { return can_bind({ip, port}); });
  };
  if (fits(wanted)) return wanted;
  for (int attempt = 0; attempt < 50; ++attempt) {
    const Result<unsigned short> port = free_port(ips.front());
    if (!port) return port.error();
    if (fits(*port)) return *port;
  }
  return Error{Error::Kind::kUnavailable, "no port is free on all of " + ips.front() + " .. " + ips.back()};
}

Result<std::string> free_prefix(int first, const std::vector<int>& hosts, unsigned short port) {
  std::string fallback;
  for (int step = 0; step < 240; ++step) {
    const std::string prefix = "127.0." + std::to_string((first - 10 + step) % 240 + 10) + ".";
    const auto all = [&](unsigned short number) {
      return std::all_of(hosts.begin(), hosts.end(), [&](int host) { return can_bind({prefix + std::to_string(host), number}); });
    };
    if (all(port)) return prefix;
    if (fallback.empty() && all(0)) fallback = prefix;
  }
  if (fallback.empty()) return Error{Error::Kind::kUnavailable, "no address 127.0.x.y can be bound here"};
  return fallback;
}

}  // namespace weft::demo
