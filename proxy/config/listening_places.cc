#include "proxy/config/listening_places.h"

#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/core/v3/socket_option.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "proxy/config/protocol_options.h"

#include <google/protobuf/wrappers.pb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <limits>
#include <string>

namespace weft::config {
namespace {

using filters::Where;
using net::ListeningOption;
using net::ListeningPlace;
namespace core = envoy::config::core::v3;

std::string bytes_of(int value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

// Of another family or type of socket: nothing.
void socket_option(const core::SocketOption& from, ListeningPlace& to, const Where& where) {
  if (from.type().has_datagram()) return;
  if (to.path.empty() && from.ip_version() == core::SocketOption::SOCKET_IP_VERSION_IPV4 && to.endpoint.address().is_v6()) return;
  if (to.path.empty() && from.ip_version() == core::SocketOption::SOCKET_IP_VERSION_IPV6 && to.endpoint.address().is_v4()) return;
  ListeningOption option;
  const auto number = [&where](const char* field, int64_t value) {
    if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max())
      Where(where, field).fail("is out of range: " + std::to_string(value));
    return static_cast<int>(value);
  };
  option.level = number("level", from.level());
  option.name = number("name", from.name());
  option.value = from.value_case() == core::SocketOption::kBufValue ? from.buf_value() : bytes_of(number("int_value", from.int_value()));
  switch (from.state()) {
    case core::SocketOption::STATE_BOUND: option.state = ListeningOption::State::kBound; break;
    case core::SocketOption::STATE_LISTENING: option.state = ListeningOption::State::kListening; break;
    default: break;
  }
  to.options.push_back(std::move(option));
}

// The sockets that it accepts inherit them.
void keepalive(const core::TcpKeepalive& from, ListeningPlace& to) {
  const auto add = [&to](int level, int name, int value) { to.options.push_back({level, name, bytes_of(value)}); };
  add(SOL_SOCKET, SO_KEEPALIVE, 1);
  if (from.has_keepalive_probes()) add(IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(from.keepalive_probes().value()));
  if (from.has_keepalive_time()) add(IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(from.keepalive_time().value()));
  if (from.has_keepalive_interval()) add(IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(from.keepalive_interval().value()));
}

bool address(const core::Address& from, ListeningPlace& to, const Where& where) {
  if (!from.has_pipe()) {
    const auto taken = endpoint(from, where);
    if (taken) to.endpoint = *taken;
    to.ipv4_too = from.socket_address().ipv4_compat();
    return taken.has_value();
  }
  const Where pipe(where, "pipe");
  to.path = from.pipe().path();
  to.mode = from.pipe().mode();
  if (to.path.size() >= sizeof(sockaddr_un::sun_path)) {
    Where(pipe, "path")
        .fail("is longer than the " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes that a Unix socket's may have");
    return false;
  }
  return true;
}

}  // namespace

std::vector<ListeningPlace> listening_places(const envoy::config::listener::v3::Listener& from, const Where& where) {
  std::vector<ListeningPlace> places;
  ListeningPlace common;
  common.transparent = from.transparent().value();
  common.freebind = from.freebind().value();
  common.reuse_port = !from.has_enable_reuse_port() || from.enable_reuse_port().value();
  if (from.has_tcp_fast_open_queue_length()) common.fast_open_queue = static_cast<int>(from.tcp_fast_open_queue_length().value());
  const auto add = [&](const core::Address& at, const auto& options, const core::TcpKeepalive* probes, const Where& here,
                       const Where& list) {
    ListeningPlace place = common;
    if (!address(at, place, Where(here, "address"))) return;
    for (int i = 0; i < options.size(); ++i) socket_option(options[i], place, Where(list, "socket_options", i));
    if (probes) keepalive(*probes, place);
    const bool fixed = !place.path.empty() || place.endpoint.port() != 0;
    if (fixed && std::any_of(places.begin(), places.end(), [&](const ListeningPlace& other) { return other.same_address(place); }))
      return Where(here, "address").fail("the listener has " + net::to_string(place) + " already");
    places.push_back(std::move(place));
  };
  if (!from.has_address()) {
    Where(where, "address").fail("is required");
    return places;
  }
  const core::TcpKeepalive* own = from.has_tcp_keepalive() ? &from.tcp_keepalive() : nullptr;
  add(from.address(), from.socket_options(), own, where, where);
  for (int i = 0; i < from.additional_addresses_size(); ++i) {
    const auto& one = from.additional_addresses(i);
    const Where here(where, "additional_addresses", i);
    const core::TcpKeepalive* probes = one.has_tcp_keepalive() ? &one.tcp_keepalive() : own;
    const Where override(here, "socket_options");
    if (one.has_socket_options())
      add(one.address(), one.socket_options().socket_options(), probes, here, override);
    else
      add(one.address(), from.socket_options(), probes, here, where);
  }
  return places;
}

}  // namespace weft::config
