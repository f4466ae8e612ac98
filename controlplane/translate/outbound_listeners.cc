// LDS of a captured sidecar for what its application calls: virtualOutbound takes every connection and hands it to the listener of the
// address that it was for, which binds nothing itself.
#include "controlplane/translate/connection_manager.h"
#include "controlplane/translate/inspectors.h"
#include "controlplane/translate/messages.h"
#include "controlplane/translate/names.h"
#include "controlplane/translate/outbound_plan.h"

#include "envoy/config/listener/v3/listener.pb.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>

namespace weft::translate {
namespace {

constexpr auto kTransportConnectTimeout = std::chrono::seconds(15);

void set_cidr(envoy::config::core::v3::CidrRange& out, std::string_view cidr) {
  const size_t slash = cidr.find('/');
  uint32_t length = 0;
  std::from_chars(cidr.data() + slash + 1, cidr.data() + cidr.size(), length);
  out.set_address_prefix(std::string(cidr.substr(0, slash)));
  out.mutable_prefix_len()->set_value(length);
}

// Builds one listener's chains: the first of several with equal matches stands.
class Chains {
 public:
  explicit Chains(Listener& out) : out_(out) {}

  void add(FilterChain chain) {
    const std::string match = chain.has_filter_chain_match() ? serialise(chain.filter_chain_match()) : std::string();
    if (!matches_.insert(match).second) return;
    set_duration(*chain.mutable_transport_socket_connect_timeout(), kTransportConnectTimeout);
    *out_.add_filter_chains() = std::move(chain);
  }
  bool match_all() const { return matches_.contains(""); }

 private:
  Listener& out_;
  std::set<std::string> matches_;
};

bool is_tls(const TcpPlace& place) {
  return place.port->protocol == model::Protocol::kTls || place.port->protocol == model::Protocol::kHttps;
}

FilterChain http_chain(const OutboundListener& planned, const std::string& name) {
  FilterChain chain;
  if (planned.wildcard || !planned.tcp.empty()) {
    chain.mutable_filter_chain_match()->set_transport_protocol(std::string(kRawBuffer));
    for (std::string_view protocol : kPlainHttp) chain.mutable_filter_chain_match()->add_application_protocols(std::string(protocol));
  }
  HttpConnectionManager manager = connection_manager("outbound_" + name + ";", planned.grpc_web);
  set_rds(manager, planned.routes);
  add_http(chain, manager);
  return chain;
}

// Calls to where no service is.
FilterChain elsewhere(std::string name, bool allowed) {
  FilterChain chain;
  chain.set_name(std::move(name));
  add_tcp(chain, allowed ? kPassthroughCluster : kBlackHoleCluster);
  return chain;
}

Listener listener_of(const model::View& view, const Client& client, const OutboundListener& planned, bool allowed) {
  Listener out;
  out.set_name(listener_name(planned.address, planned.port));
  set_address(*out.mutable_address(), planned.address, planned.port);
  out.set_traffic_direction(envoy::config::core::v3::OUTBOUND);
  if (!planned.bound) out.mutable_bind_to_port()->set_value(false);
  Chains chains(out);
  for (const TcpPlace& place : planned.tcp) {
    std::vector<FilterChain> routed = routed_chains(view, client, place);
    const bool by_name = is_tls(place) && !routed.empty();  // what no route's SNI names is not the service's
    for (FilterChain& chain : routed) chains.add(std::move(chain));
    if (!by_name) chains.add(service_chain(place));
  }
  if (!planned.routes.empty()) chains.add(http_chain(planned, out.name()));
  if (planned.wildcard && !chains.match_all()) *out.mutable_default_filter_chain() = elsewhere("PassthroughFilterChain", allowed);
  add_inspectors(out);
  wait_for_inspectors(out);
  return out;
}

Listener virtual_outbound(const Client& client, bool allowed) {
  Listener out;
  out.set_name("virtualOutbound");
  set_address(*out.mutable_address(), wildcard_address(client.ipv6), kVirtualOutboundPort);
  out.set_traffic_direction(envoy::config::core::v3::OUTBOUND);
  out.mutable_use_original_dst()->set_value(true);
  if (client.transparent) out.mutable_transparent()->set_value(true);
  // What was sent to the very port of this listener would go round for ever.
  FilterChain& hole = *out.add_filter_chains();
  hole.set_name("virtualOutbound-blackhole");
  hole.mutable_filter_chain_match()->mutable_destination_port()->set_value(kVirtualOutboundPort);
  add_tcp(hole, kBlackHoleCluster);
  *out.add_filter_chains() = elsewhere("virtualOutbound-catchall-tcp", allowed);
  return out;
}

}  // namespace

FilterChain service_chain(const TcpPlace& place) {
  FilterChain chain;
  if (!place.cidr.empty()) {
    set_cidr(*chain.mutable_filter_chain_match()->add_prefix_ranges(), place.cidr);
  } else if (place.wildcard && is_tls(place)) {
    chain.mutable_filter_chain_match()->add_server_names(place.service->hostname);
  }
  add_tcp(chain, outbound_cluster(place.port->number, {}, place.service->hostname));
  return chain;
}

std::vector<Listener> outbound_listeners(const model::View& view, const Client& client) {
  const Scope scope = scope_of(client);
  const bool allowed = allows_any(view, scope);
  std::vector<Listener> all;
  for (const OutboundListener& planned : outbound_plan(view, scope).listeners) all.push_back(listener_of(view, client, planned, allowed));
  all.push_back(virtual_outbound(client, allowed));
  std::sort(all.begin(), all.end(), [](const Listener& a, const Listener& b) { return a.name() < b.name(); });
  return all;
}

bool is_for_self(std::string_view name, const model::Node& node) {
  return name.size() > node.ip.size() && name.starts_with(node.ip) && name[node.ip.size()] == '_';
}

}  // namespace weft::translate
