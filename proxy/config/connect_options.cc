#include "proxy/config/connect_options.h"

#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/core/v3/socket_option.pb.h"
#include "proxy/config/protocol_options.h"

#include <algorithm>
#include <limits>

namespace weft::config {
namespace {

namespace core = envoy::config::core::v3;

int bounded(uint32_t value) { return static_cast<int>(std::min<uint32_t>(value, std::numeric_limits<int>::max())); }

std::optional<net::Endpoint> source_address(const core::SocketAddress& from, const Where& where) {
  core::Address whole;
  *whole.mutable_socket_address() = from;
  return endpoint(whole, where);
}

}  // namespace

std::vector<net::SocketOption> socket_options(const google::protobuf::RepeatedPtrField<core::SocketOption>& from, const Where& where) {
  std::vector<net::SocketOption> all;
  for (int i = 0; i < from.size(); ++i) {
    const core::SocketOption& one = from.Get(i);
    const Where at(where, "socket_options", i);
    if (one.state() != core::SocketOption::STATE_PREBIND)
      Where(at, "state").unsupported("must be STATE_PREBIND: sockets to hosts have no other moment in this version");
    if (one.type().has_datagram()) Where(at, "type").fail("is of UDP sockets, and clusters have none");
    net::SocketOption to;
    to.level = static_cast<int>(one.level());
    to.name = static_cast<int>(one.name());
    if (one.value_case() == core::SocketOption::kBufValue) {
      to.value = one.buf_value();
    } else {
      const int number = static_cast<int>(one.int_value());
      to.value.assign(reinterpret_cast<const char*>(&number), sizeof number);
    }
    if (one.ip_version() == core::SocketOption::SOCKET_IP_VERSION_IPV4) to.family = net::SocketOption::Family::kV4;
    if (one.ip_version() == core::SocketOption::SOCKET_IP_VERSION_IPV6) to.family = net::SocketOption::Family::kV6;
    all.push_back(std::move(to));
  }
  return all;
}

std::optional<net::BindOptions> bind_options(const core::BindConfig& from, const Where& where) {
  const size_t before = where.problems().size();
  net::BindOptions to;
  to.freebind = from.freebind().value();
  to.options = socket_options(from.socket_options(), where);
  if (from.has_source_address()) {
    if (const auto address = source_address(from.source_address(), Where(where, "source_address"))) to.sources.push_back({*address, {}});
  }
  const auto add = [&](const core::SocketAddress& one, std::optional<std::vector<net::SocketOption>> options, const Where& at) {
    const auto address = source_address(one, at);
    if (!address) return;
    if (!to.sources.empty() && to.sources.front().address.address().is_v6() == address->address().is_v6())
      at.fail("must be of another IP version than source_address");
    to.sources.push_back({*address, std::move(options)});
  };
  const bool extra = from.extra_source_addresses_size() > 0;
  const char* field = extra ? "extra_source_addresses" : "additional_source_addresses";
  const int count = extra ? from.extra_source_addresses_size() : from.additional_source_addresses_size();
  const Where list(where, field);
  if (extra && from.additional_source_addresses_size() > 0) list.fail("must not be set beside additional_source_addresses");
  if (count > 1) list.fail("must have at most 1 item, found " + std::to_string(count));
  if (count > 0 && !from.has_source_address()) list.fail("needs a source_address");
  if (count == 1 && extra) {
    const core::ExtraSourceAddress& one = from.extra_source_addresses(0);
    std::optional<std::vector<net::SocketOption>> options;
    const Where at(where, field, 0);
    if (one.has_socket_options()) options = socket_options(one.socket_options().socket_options(), Where(at, "socket_options"));
    add(one.address(), std::move(options), Where(at, "address"));
  } else if (count == 1) {
    add(from.additional_source_addresses(0), {}, Where(where, field, 0));
  }
  if (where.problems().size() != before) return {};
  return to;
}

net::TcpKeepalive tcp_keepalive(const core::TcpKeepalive& from) {
  net::TcpKeepalive to;
  if (from.has_keepalive_probes()) to.probes = bounded(from.keepalive_probes().value());
  if (from.has_keepalive_time()) to.time_s = bounded(from.keepalive_time().value());
  if (from.has_keepalive_interval()) to.interval_s = bounded(from.keepalive_interval().value());
  return to;
}

}  // namespace weft::config
