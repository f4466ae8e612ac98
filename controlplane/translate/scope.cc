// What a sidecar sees of the mesh: everything that is exported to its namespace, and anything outside.
#include "controlplane/translate/outbound_plan.h"

namespace weft::translate {

Scope scope_of(const model::View&, const model::Node& node) {
  Scope scope;
  scope.ns = node.ns;
  scope.captured = node.type == model::Node::Type::kSidecar && !node.proxyless && node.interception != model::Node::Interception::kNone;
  scope.ipv6 = scope.captured && node.ip.find(':') != std::string::npos;
  return scope;
}

Scope scope_of(const Client& client) { return {.ns = client.ns, .captured = client.captured, .ipv6 = client.ipv6}; }

std::vector<Egress> egress_of(const model::View& view, const Scope& scope) {
  Egress everything;
  everything.services = services_of(view, scope);
  std::vector<Egress> all;
  all.push_back(std::move(everything));
  return all;
}

std::vector<const model::ServiceInfo*> services_of(const model::View& view, const Scope& scope) { return view.visible_services(scope.ns); }

std::vector<model::Typed<model::VirtualService>> rules_of(const model::View& view, const Scope& scope) {
  return view.virtual_services(scope.ns);
}

// Without capture nobody knows where a call wanted to go.
bool allows_any(const model::View&, const Scope& scope) { return scope.captured; }

}  // namespace weft::translate
