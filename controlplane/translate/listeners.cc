// LDS of what a proxy binds itself: one listener per port of the plan.
#include "controlplane/translate/connection_manager.h"
#include "controlplane/translate/messages.h"
#include "controlplane/translate/names.h"
#include "controlplane/translate/tcp_chains.h"
#include "controlplane/translate/virtual_inbound.h"

#include "envoy/config/listener/v3/listener.pb.h"

namespace weft::translate {
namespace {

void fill_inbound(Listener& out, const Binding& binding) {
  out.set_traffic_direction(envoy::config::core::v3::INBOUND);
  if (is_http(served_protocol(*binding.inbound.port))) {
    add_http(*out.add_filter_chains(),
             inbound_manager("inbound_" + out.name() + ";", inbound_routes(binding), binding.grpc_web, binding.limits));
  } else {
    add_tcp(*out.add_filter_chains(), inbound_cluster(binding.port));
  }
}

void fill_outbound(Listener& out, const Binding& binding) {
  out.set_traffic_direction(envoy::config::core::v3::OUTBOUND);
  if (binding.kind == Binding::Kind::kOutboundTcp || binding.kind == Binding::Kind::kGatewayTcp) {
    write_chains(out, binding.chains);
    return;
  }
  HttpConnectionManager manager = connection_manager("outbound_" + out.name() + ";", binding.grpc_web, binding.limits);
  if (binding.kind == Binding::Kind::kGateway) {
    manager.set_server_name(kServerName);
    manager.mutable_use_remote_address()->set_value(true);  // the edge: what the client says about itself is not believed
    tell_client_certificate(manager, HttpConnectionManager::SANITIZE_SET, true);
    set_rds(manager, gateway_routes_name(binding.port, binding.written_bind));
  } else {
    set_rds(manager, std::to_string(binding.service_port));
  }
  add_http(*out.add_filter_chains(), manager);
}

}  // namespace

std::vector<Listener> listeners(const ListenerPlan& plan) {
  std::vector<Listener> all;
  if (plan.captured) {
    all.push_back(virtual_inbound(plan));
    return all;
  }
  for (const Binding& binding : plan.bindings) {
    Listener& out = all.emplace_back();
    out.set_name(listener_name(binding.address, binding.port));
    if (binding.kind == Binding::Kind::kInbound) {
      fill_inbound(out, binding);
    } else {
      fill_outbound(out, binding);
    }
    set_address(*out.mutable_address(), binding.address, binding.port);
  }
  return all;
}

}  // namespace weft::translate
