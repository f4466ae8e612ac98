#include "proxy/config/listeners.h"

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "proxy/config/proto_loader.h"

#include <google/protobuf/wrappers.pb.h>

#include <algorithm>

namespace weft::config {
namespace {

namespace listener_v3 = envoy::config::listener::v3;
using Manager = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

void filter_chain(const listener_v3::FilterChain& from, const BuildContext& context, Listener& to, const Where& where) {
  to.chain.name = from.name();
  if (from.filters_size() == 0) {
    Where(where, "filters").fail("must hold the filter that serves the connection (an HttpConnectionManager or a TcpProxy, say)");
    return;
  }
  const int last = from.filters_size() - 1;
  const filters::NetworkFilters before = network_filters_before_last(from, context, where);
  const Where at(where, "filters", last);
  const Where config(at, "typed_config");
  Manager manager;
  if (from.filters(last).typed_config().UnpackTo(&manager)) {
    to.chain.terminal = build_connection_manager(manager, to.buffer_limit, context, Where(config, "(HttpConnectionManager)"), before);
  } else {
    to.chain.terminal = build_raw_terminal(from.filters(last), context, config, before);
  }
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

}  // namespace weft::config
