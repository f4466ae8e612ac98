#include "proxy/config/listeners.h"

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "proxy/config/access_logs.h"
#include "proxy/config/listening_places.h"
#include "proxy/config/proto_loader.h"
#include "proxy/filters/matching/config.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <map>

namespace weft::config {
namespace {

namespace listener_v3 = envoy::config::listener::v3;
using Manager = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

FilterChain filter_chain(const listener_v3::FilterChain& from, uint32_t buffer_limit, const BuildContext& context, const Where& where) {
  FilterChain to;
  to.name = from.name();
  if (from.filters_size() == 0) {
    Where(where, "filters").fail("must hold the filter that serves the connection (an HttpConnectionManager or a TcpProxy, say)");
    return to;
  }
  const int last = from.filters_size() - 1;
  const filters::NetworkFilters before = network_filters_before_last(from, context, where);
  const Where at(where, "filters", last);
  const Where config(at, "typed_config");
  Manager manager;
  if (from.filters(last).typed_config().UnpackTo(&manager))
    to.terminal = build_connection_manager(manager, buffer_limit, context, Where(config, "(HttpConnectionManager)"), before);
  else
    to.terminal = build_raw_terminal(from.filters(last), context, config, before);
  return to;
}

FilterChainMatch chain_match(const listener_v3::FilterChainMatch& from, const Where& where) {
  using Match = listener_v3::FilterChainMatch;
  FilterChainMatch to;
  const auto ranges = [&where](const auto& list, const char* field, std::vector<routing::AddressRange>& into) {
    for (int i = 0; i < list.size(); ++i)
      if (const auto range = filters::address_range(list[i].address_prefix(), list[i].prefix_len().value(), Where(where, field, i)))
        into.push_back(*range);
  };
  to.destination_port = static_cast<uint16_t>(from.destination_port().value());
  ranges(from.prefix_ranges(), "prefix_ranges", to.prefixes);
  ranges(from.direct_source_prefix_ranges(), "direct_source_prefix_ranges", to.direct_source_prefixes);
  ranges(from.source_prefix_ranges(), "source_prefix_ranges", to.source_prefixes);
  for (int i = 0; i < from.server_names_size(); ++i) {
    const std::string& name = from.server_names(i);
    const bool wildcard = name.starts_with("*.");
    if (name.find('*', wildcard ? 1 : 0) != std::string::npos)
      Where(where, "server_names", i).fail("partial wildcards are not supported in \"server_names\": \"" + name + "\"");
    to.server_names.push_back(wildcard ? name.substr(1) : name);
  }
  to.transport_protocol = from.transport_protocol();
  to.application_protocols.assign(from.application_protocols().begin(), from.application_protocols().end());
  if (from.source_type() == Match::SAME_IP_OR_LOOPBACK) to.source = FilterChainMatch::Source::kSameIpOrLoopback;
  if (from.source_type() == Match::EXTERNAL) to.source = FilterChainMatch::Source::kExternal;
  for (const uint32_t port : from.source_ports()) to.source_ports.push_back(static_cast<uint16_t>(port));
  return to;
}

std::string in_json(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  return google::protobuf::util::MessageToJsonString(message, &text, options).ok() ? text : std::string("?");
}

// The chains, and the index that finds the right one.
void filter_chains(const listener_v3::Listener& from, const BuildContext& context, Listener& to, const Where& where) {
  if (from.filter_chains_size() == 0 && !from.has_default_filter_chain())
    return Where(where, "filter_chains").fail("no filter chains specified");
  std::map<std::string, size_t> by_match;
  for (int i = 0; i < from.filter_chains_size(); ++i) {
    const listener_v3::FilterChain& chain = from.filter_chains(i);
    const Where at(where, "filter_chains", i);
    to.chains.push_back(filter_chain(chain, to.buffer_limit, context, at));
    const Where match(at, "filter_chain_match");
    FilterChain& added = to.chains.back();
    chain.filter_chain_match().SerializeToString(&added.key);
    const auto number = static_cast<uint32_t>(i);
    if (const auto [same, fresh] = by_match.emplace(added.key, number); !fresh) {
      match.fail("filter chain '" + added.name + "' has the same matching rules defined as '" + to.chains[same->second].name +
                 "'. duplicate matcher is: " + in_json(chain.filter_chain_match()));
      continue;
    }
    if (const auto other = to.index.add(chain_match(chain.filter_chain_match(), match), number)) {
      const std::string& name = to.chains[*other].name;
      match.fail("multiple filter chains with overlapping matching rules are defined" +
                 (*other == number ? std::string(": it repeats itself")
                                   : ": filter_chains[" + std::to_string(*other) + "]" + (name.empty() ? "" : " ('" + name + "')") +
                                         " matches the same"));
    }
  }
  to.takes_any = to.chains.size() == 1 && to.chains.front().key.empty() && !from.has_default_filter_chain();
  if (from.has_default_filter_chain()) {
    to.default_chain = to.chains.size();
    to.chains.push_back(filter_chain(from.default_filter_chain(), to.buffer_limit, context, Where(where, "default_filter_chain")));
    to.chains.back().key = "default";  // no match is that in bytes
    to.takes_any = to.chains.size() == 1;
  }
}

}  // namespace

std::shared_ptr<const Listener> build_listener(const listener_v3::Listener& from, uint64_t hash, const BuildContext& context,
                                               const Where& where) {
  const size_t before = where.problems().size();
  auto to = std::make_shared<Listener>();
  to->hash = hash;
  to->places = listening_places(from, where);
  if (to->places.empty()) to->places.emplace_back();
  const std::string address = net::to_string(to->places.front());
  to->name = from.name().empty() ? address : from.name();
  to->stat_prefix = from.stat_prefix().empty() ? address : from.stat_prefix();
  std::replace(to->stat_prefix.begin(), to->stat_prefix.end(), ':', '_');
  if (from.has_per_connection_buffer_limit_bytes() && from.per_connection_buffer_limit_bytes().value() > 0)
    to->buffer_limit = from.per_connection_buffer_limit_bytes().value();
  to->inbound = from.traffic_direction() == envoy::config::core::v3::INBOUND;
  to->drains_on_health_failure = from.drain_type() == listener_v3::Listener::DEFAULT;
  if (from.has_tcp_backlog_size()) to->backlog = from.tcp_backlog_size().value();
  if (from.has_max_connections_to_accept_per_socket_event())
    to->accepts_per_event = from.max_connections_to_accept_per_socket_event().value();
  to->exact_balance = from.connection_balance_config().has_exact_balance();
  to->bound = !from.has_bind_to_port() || from.bind_to_port().value();
  to->hands_over = from.use_original_dst().value();
  for (int i = 0; i < from.listener_filters_size(); ++i)
    to->filters.push_back(build_listener_filter(from.listener_filters(i), context, Where(where, "listener_filters", i)));
  if (to->hands_over) to->filters.push_back({OriginalDst{}});
  if (from.has_listener_filters_timeout()) to->filters_timeout = milliseconds(from.listener_filters_timeout());
  to->continues_on_timeout = from.continue_on_listener_filters_timeout();
  to->access_logs = build_access_logs(from.access_log(), context, where, "access_log");
  filter_chains(from, context, *to, where);
  for_each_manager(*to, [&to](const HttpConnectionManager& manager) {
    to->extensions.insert(to->extensions.end(), manager.extensions.begin(), manager.extensions.end());
  });
  if (!to->extensions.empty()) to->source = std::make_shared<const std::string>(from.SerializeAsString());
  return where.problems().size() == before ? to : nullptr;
}

}  // namespace weft::config
