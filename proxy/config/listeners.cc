#include "proxy/config/listeners.h"

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "proxy/config/access_logs.h"
#include "proxy/config/proto_loader.h"

#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <limits>

namespace weft::config {
namespace {

namespace listener_v3 = envoy::config::listener::v3;
namespace tcp = envoy::extensions::filters::network::tcp_proxy::v3;
using Manager = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

void filter_chain(const listener_v3::FilterChain& from, const BuildContext& context, Listener& to, const Where& where) {
  to.chain.name = from.name();
  if (from.filters_size() != 1) {
    Where(where, "filters")
        .fail("must hold exactly one filter (an HttpConnectionManager or a TcpProxy), found " + std::to_string(from.filters_size()));
    return;
  }
  const Where at(where, "filters", 0);
  const Where config(at, "typed_config");
  const google::protobuf::Any& any = from.filters(0).typed_config();
  Manager manager;
  tcp::TcpProxy proxy;
  if (any.UnpackTo(&manager))
    to.chain.terminal = build_connection_manager(manager, to.buffer_limit, context, Where(config, "(HttpConnectionManager)"));
  else if (any.UnpackTo(&proxy))
    to.chain.terminal = build_tcp_proxy(proxy, context, Where(config, "(TcpProxy)"));
  else
    config.fail("is required: the configuration of an HttpConnectionManager or a TcpProxy");
}

}  // namespace

std::shared_ptr<const Listener> build_listener(const listener_v3::Listener& from, uint64_t hash, const BuildContext& context,
                                               const Where& where) {
  const size_t before = where.problems().size();
  auto to = std::make_shared<Listener>();
  to->hash = hash;
  if (!from.has_address())
    Where(where, "address").fail("is required");
  else if (auto address = endpoint(from.address(), Where(where, "address")))
    to->address = *address;
  to->name = from.name().empty() ? net::to_string(to->address) : from.name();
  to->stat_prefix = from.stat_prefix().empty() ? net::to_string(to->address) : from.stat_prefix();
  std::replace(to->stat_prefix.begin(), to->stat_prefix.end(), ':', '_');
  if (from.has_per_connection_buffer_limit_bytes() && from.per_connection_buffer_limit_bytes().value() > 0)
    to->buffer_limit = from.per_connection_buffer_limit_bytes().value();
  to->inbound = from.traffic_direction() == envoy::config::core::v3::INBOUND;
  if (from.has_tcp_backlog_size()) to->backlog = from.tcp_backlog_size().value();
  if (from.filter_chains_size() + (from.has_default_filter_chain() ? 1 : 0) != 1)
    Where(where, "filter_chains")
        .unsupported("one filter chain (or default_filter_chain) is supported by this version, found " +
                     std::to_string(from.filter_chains_size() + (from.has_default_filter_chain() ? 1 : 0)));
  else if (from.has_default_filter_chain())
    filter_chain(from.default_filter_chain(), context, *to, Where(where, "default_filter_chain"));
  else
    filter_chain(from.filter_chains(0), context, *to, Where(where, "filter_chains", 0));
  const auto* manager = std::get_if<std::shared_ptr<const HttpConnectionManager>>(&to->chain.terminal);
  if (manager && *manager && !(*manager)->extensions.empty()) to->source = std::make_shared<const std::string>(from.SerializeAsString());
  return where.problems().size() == before ? to : nullptr;
}

std::shared_ptr<const TcpProxy> build_tcp_proxy(const tcp::TcpProxy& from, const BuildContext& context, const Where& where) {
  const size_t before = where.problems().size();
  auto to = std::make_shared<TcpProxy>();
  to->stat_prefix = from.stat_prefix();
  if (from.has_weighted_clusters()) {
    uint64_t total = 0;
    for (const auto& one : from.weighted_clusters().clusters()) {
      to->destinations.push_back({one.name(), one.weight()});
      total += one.weight();
    }
    if (total > std::numeric_limits<uint32_t>::max()) Where(where, "weighted_clusters").fail("the weights add up to more than 4294967295");
    to->total_weight = static_cast<uint32_t>(total);
  } else {
    if (from.cluster().empty()) Where(where, "cluster").fail("must not be empty");
    to->destinations.push_back({from.cluster(), 1});
  }
  if (from.has_idle_timeout()) to->idle_timeout = milliseconds(from.idle_timeout());
  if (from.has_max_connect_attempts()) to->max_connect_attempts = from.max_connect_attempts().value();
  to->hash_source_ip = from.hash_policy_size() > 0 && from.hash_policy(0).has_source_ip();
  to->access_logs = build_access_logs(from.access_log(), context, where, "access_log");
  return where.problems().size() == before ? to : nullptr;
}

}  // namespace weft::config
