// What a proxy sees of the mesh: everything that is exported to its namespace, or what its Sidecar names, and whether it may call what
// no service is.
#include "controlplane/translate/outbound_plan.h"

#include <algorithm>

namespace weft::translate {

Scope scope_of(const model::View& view, const model::Node& node) {
  Scope scope;
  scope.ns = node.ns;
  scope.sidecar = view.scope(node).sidecar;
  scope.router = node.type == model::Node::Type::kRouter;
  if (scope.router) {
    for (const auto& gateway : view.gateways(view.labels(node), node.ns))
      scope.sni_dnat = scope.sni_dnat || std::any_of(gateway->servers.begin(), gateway->servers.end(),
                                                     [](const auto& server) { return server.tls == model::GatewayTls::kAutoPassthrough; });
    return scope;
  }
  scope.captured = node.type == model::Node::Type::kSidecar && !node.proxyless && node.interception != model::Node::Interception::kNone;
  scope.ipv6 = scope.captured && node.ip.find(':') != std::string::npos;
  return scope;
}

Scope scope_of(const Client& client) {
  Scope scope;
  scope.ns = client.ns;
  scope.captured = client.captured;
  scope.ipv6 = client.ipv6;
  scope.sidecar = client.sidecar;
  scope.router = client.router;
  return scope;
}

std::vector<Egress> egress_of(const model::View& view, const Scope& scope) {
  std::vector<Egress> all;
  for (model::Egress& seen : view.egress(scope)) {
    Egress& out = all.emplace_back();
    out.services = std::move(seen.services);
    out.rules = std::move(seen.rules);
    if (seen.spec == nullptr) continue;
    out.port = seen.port();
    if (seen.spec->port) out.protocol = seen.spec->port->protocol;
    out.bind = seen.spec->bind;
    out.bound = seen.spec->capture == model::CaptureMode::kNone || out.bind.starts_with("unix://");
  }
  return all;
}

std::vector<const model::ServiceInfo*> services_of(const model::View& view, const Scope& scope) { return view.visible_services(scope); }

// The rules that any of its egress listeners knows.
std::vector<model::Typed<model::VirtualService>> rules_of(const model::View& view, const Scope& scope) {
  std::vector<model::Typed<model::VirtualService>> all;
  if (scope.sidecar.empty()) return view.virtual_services(scope.ns);
  for (const model::Egress& seen : view.egress(scope))
    for (const auto& rule : seen.rules)
      if (std::none_of(all.begin(), all.end(), [&](const auto& other) { return other.spec == rule.spec; })) all.push_back(rule);
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return older(*a.resource, *b.resource); });
  return all;
}

// Without capture nobody knows where a call wanted to go.
bool allows_any(const model::View& view, const Scope& scope) {
  if (!scope.captured) return false;
  const model::Sidecar* sidecar = view.sidecar(scope);
  const auto said = sidecar ? sidecar->outbound_policy : std::nullopt;
  return said.value_or(view.mesh().outbound_policy) == model::OutboundPolicy::kAllowAny;
}

}  // namespace weft::translate
