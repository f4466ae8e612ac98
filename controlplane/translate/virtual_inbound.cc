#include "controlplane/translate/virtual_inbound.h"

#include "controlplane/translate/connection_manager.h"
#include "controlplane/translate/inspectors.h"
#include "controlplane/translate/messages.h"
#include "controlplane/translate/names.h"

#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/listener/original_dst/v3/original_dst.pb.h"

namespace weft::translate {
namespace {

// A way to speak to a port, and what tells it from the others: a filter chain each. All are plain text; mutual TLS will be more of them.
struct Way {
  bool http = false;
  std::string_view transport;
  std::span<const std::string_view> application;
};

std::vector<Way> ways_of(model::Protocol protocol) {
  const Way http{true, kRawBuffer, {}}, looks_like_http{true, kRawBuffer, kPlainHttp}, tcp{false, kRawBuffer, {}};
  if (protocol == model::Protocol::kUnknown) return {looks_like_http, tcp};
  return {is_http(protocol) ? http : tcp};
}

FilterChain& add_chain(Listener& out, std::string name, uint32_t port) {
  FilterChain& chain = *out.add_filter_chains();
  chain.set_name(std::move(name));
  if (port != 0) chain.mutable_filter_chain_match()->mutable_destination_port()->set_value(port);
  return chain;
}

void set_match(FilterChain& chain, const Way& way) {
  auto* match = chain.mutable_filter_chain_match();
  match->set_transport_protocol(std::string(way.transport));
  for (std::string_view name : way.application) match->add_application_protocols(std::string(name));
}

// Ports that no service has: on to where they were for.
void add_catch_all(Listener& out) {
  const std::string cluster(kInboundPassthroughCluster);
  for (const Way& way : ways_of(model::Protocol::kUnknown)) {
    FilterChain& chain = add_chain(out, way.http ? "virtualInbound-catchall-http" : "virtualInbound", 0);
    set_match(chain, way);
    if (way.http) {
      add_http(chain, inbound_manager(cluster + ";", {.cluster = cluster, .host = "", .port = 0}));
    } else {
      add_tcp(chain, cluster);
    }
  }
}

void add_port(Listener& out, const Binding& binding) {
  const std::string name = listener_name(binding.address, binding.port);
  for (const Way& way : ways_of(binding.inbound.port->protocol)) {
    FilterChain& chain = add_chain(out, name, binding.port);
    set_match(chain, way);
    if (way.http) {
      add_http(chain, inbound_manager("inbound_" + name + ";", inbound_routes(binding), binding.grpc_web, binding.limits));
    } else {
      add_tcp(chain, inbound_cluster(binding.port));
    }
  }
}

}  // namespace

Listener virtual_inbound(const ListenerPlan& plan) {
  Listener out;
  out.set_name("virtualInbound");
  set_address(*out.mutable_address(), wildcard_address(plan.ipv6), kVirtualInboundPort);
  out.set_traffic_direction(envoy::config::core::v3::INBOUND);
  if (plan.transparent) out.mutable_transparent()->set_value(true);
  // What was sent to the very port of this listener would go round for ever.
  add_tcp(add_chain(out, "virtualInbound-blackhole", kVirtualInboundPort), kBlackHoleCluster);
  add_catch_all(out);
  for (const Binding& binding : plan.bindings) add_port(out, binding);

  auto* original = out.add_listener_filters();
  original->set_name("envoy.filters.listener.original_dst");
  pack(*original->mutable_typed_config(), envoy::extensions::filters::listener::original_dst::v3::OriginalDst());
  add_inspectors(out);
  wait_for_inspectors(out);
  return out;
}

}  // namespace weft::translate
