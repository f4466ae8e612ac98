#include "common/net/connect_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace weft::net {
namespace {

void set_number(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); }

std::string text_of(int error) {
  char text[128];
  return strerror_r(error, text, sizeof text);
}

}  // namespace

int SocketOption::apply(int fd, bool v6) const {
  if (family != Family::kAny && (family == Family::kV6) != v6) return 0;
  return ::setsockopt(fd, level, name, value.data(), static_cast<socklen_t>(value.size())) == 0 ? 0 : errno;
}

const BindOptions::Source* BindOptions::source_for(const Endpoint& host) const {
  for (const Source& one : sources)
    if (one.address.address().is_v6() == host.address().is_v6()) return &one;
  return sources.empty() ? nullptr : &sources.front();
}

std::string prepare_socket(int fd, const Endpoint& host, const ConnectOptions& options) {
  if (options.keepalive) {
    set_number(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (options.keepalive->probes) set_number(fd, IPPROTO_TCP, TCP_KEEPCNT, *options.keepalive->probes);
    if (options.keepalive->time_s) set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, *options.keepalive->time_s);
    if (options.keepalive->interval_s) set_number(fd, IPPROTO_TCP, TCP_KEEPINTVL, *options.keepalive->interval_s);
  }
  if (!options.bind) return {};
  const bool v6 = host.address().is_v6();
  const BindOptions::Source* source = options.bind->source_for(host);
  for (const SocketOption& option : source && source->options ? *source->options : options.bind->options)
    if (const int error = option.apply(fd, v6)) return "failed to set socket options: " + text_of(error);
  if (options.bind->freebind) set_number(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, 1);
  if (!source) return {};
  // The port is chosen with the connection's other end in view: else one address would have 28,000 connections at most.
  if (source->address.port() == 0) set_number(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  if (::bind(fd, source->address.data(), static_cast<socklen_t>(source->address.size())) == 0) return {};
  return "failed to bind to " + to_string(source->address) + ": " + text_of(errno);
}

}  // namespace weft::net
