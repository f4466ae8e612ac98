// Network filters into values, all but the connection manager: those that stand before the last one of a chain, and the last ones that
// serve a connection's bytes as they are (tcp_proxy, echo, direct_response).
#include "envoy/config/listener/v3/listener_components.pb.h"
#include "envoy/extensions/filters/network/direct_response/v3/config.pb.h"
#include "envoy/extensions/filters/network/echo/v3/echo.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "proxy/config/access_logs.h"
#include "proxy/config/listeners.h"
#include "proxy/config/proto_loader.h"
#include "proxy/filters/bodies/config.h"
#include "proxy/filters/matching/config.h"
#include "proxy/filters/network/table.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include <limits>

namespace weft::config {
namespace {

namespace network = envoy::extensions::filters::network;
using network::tcp_proxy::v3::TcpProxy_TunnelingConfig;
using Proto = network::tcp_proxy::v3::TcpProxy;

std::shared_ptr<const TcpTunnel> build_tunnel(const TcpProxy_TunnelingConfig& from, const Where& where) {
  auto to = std::make_shared<TcpTunnel>();
  to->hostname = filters::text_format(from.hostname(), {.omit_empty = true}, Where(where, "hostname"));
  if (from.use_post())
    to->post_path = from.post_path().empty() ? "/" : from.post_path();
  else if (!from.post_path().empty())
    Where(where, "post_path").fail("can only be set where use_post is");
  to->headers = filters::headers_to_add(from.headers_to_add(), where, "headers_to_add");
  return to;
}

void set_destinations(const Proto& from, TcpProxy& to, const Where& where) {
  if (!from.has_weighted_clusters()) {
    if (from.cluster().empty()) Where(where, "cluster").fail("must not be empty");
    to.destinations.push_back({from.cluster(), 1});
    return;
  }
  uint64_t total = 0;
  for (const auto& one : from.weighted_clusters().clusters()) {
    to.destinations.push_back({one.name(), one.weight()});
    total += one.weight();
  }
  if (total > std::numeric_limits<uint32_t>::max()) Where(where, "weighted_clusters").fail("the weights add up to more than 4294967295");
  to.total_weight = static_cast<uint32_t>(total);
}

void build_tcp_proxy(const Proto& from, const BuildContext& context, TcpProxy& to, const Where& where) {
  to.stat_prefix = from.stat_prefix();
  set_destinations(from, to, where);
  if (from.has_idle_timeout()) to.idle_timeout = milliseconds(from.idle_timeout());
  if (from.has_max_downstream_connection_duration()) to.max_connection_duration = milliseconds(from.max_downstream_connection_duration());
  to.duration_jitter = from.max_downstream_connection_duration_jitter_percentage().value();
  if (from.has_max_connect_attempts()) to.max_connect_attempts = from.max_connect_attempts().value();
  if (from.has_backoff_options()) {
    to.backoff_base = milliseconds(from.backoff_options().base_interval());
    to.backoff_max = from.backoff_options().has_max_interval() ? milliseconds(from.backoff_options().max_interval()) : 10 * to.backoff_base;
    if (to.backoff_max < to.backoff_base)
      Where(Where(where, "backoff_options"), "max_interval").fail("must be greater than or equal to base_interval");
  }
  to.hash_source_ip = from.hash_policy_size() > 0 && from.hash_policy(0).has_source_ip();
  if (from.has_tunneling_config()) to.tunnel = build_tunnel(from.tunneling_config(), Where(where, "tunneling_config"));
  to.log_on_connected = from.access_log_options().flush_access_log_on_connected();
  if (from.access_log_options().has_access_log_flush_interval())
    to.log_interval = milliseconds(from.access_log_options().access_log_flush_interval());
  to.access_logs = build_access_logs(from.access_log(), context, where, "access_log");
}

}  // namespace

std::shared_ptr<const TcpProxy> build_raw_terminal(const envoy::config::listener::v3::Filter& from, const BuildContext& context,
                                                   const Where& where, filters::NetworkFilters before) {
  const size_t problems = where.problems().size();
  auto to = std::make_shared<TcpProxy>();
  to->before = std::move(before);
  Proto proxy;
  network::echo::v3::Echo echo;
  network::direct_response::v3::Config response;
  if (from.typed_config().UnpackTo(&proxy)) {
    build_tcp_proxy(proxy, context, *to, Where(where, "(TcpProxy)"));
  } else if (from.typed_config().UnpackTo(&echo)) {
    to->serves = TcpProxy::Serves::kEcho;
    to->idle_timeout = Milliseconds(0);
  } else if (from.typed_config().UnpackTo(&response)) {
    to->serves = TcpProxy::Serves::kDirectResponse;
    to->idle_timeout = Milliseconds(0);
    if (response.has_response()) {
      const Where config(where, "(Config)");
      const auto text = filters::data(response.response(), Where(config, "response"));
      if (text) to->response = *text;
    }
  } else if (filters::find_network_filter(type_name(from.typed_config().type_url()))) {
    where.fail("does not serve connections, so it cannot be the last filter of a chain: add one that does (a TcpProxy, say)");
  } else {
    where.fail("is required: the configuration of an HttpConnectionManager, a TcpProxy, an Echo or a direct response");
  }
  return where.problems().size() == problems ? to : nullptr;
}

filters::NetworkFilters network_filters_before_last(const envoy::config::listener::v3::FilterChain& from, const BuildContext& context,
                                                    const Where& where) {
  filters::NetworkFilters all;
  for (int i = 0; i + 1 < from.filters_size(); ++i) {
    const Where at(where, "filters", i);
    const Where config(at, "typed_config");
    const google::protobuf::Any& any = from.filters(i).typed_config();
    const filters::NetworkFilterType* type = filters::find_network_filter(type_name(any.type_url()));
    if (!type) {
      config.fail("serves connections, so it must be the last filter of its chain");
    } else if (auto made = type->make(any.value(), {context.runtime, context.registry}, config)) {
      all.push_back(std::move(made));
    }
  }
  return all;
}

}  // namespace weft::config
