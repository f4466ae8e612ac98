// The tcp and tls routes of VirtualServices as filter chains of a captured sidecar's listeners.
#include "controlplane/translate/outbound_plan.h"
#include "controlplane/translate/tcp_chains.h"

#include "envoy/config/listener/v3/listener_components.pb.h"

namespace weft::translate {

std::vector<FilterChain> routed_chains(const model::View& view, const Client& client, const TcpPlace& place) {
  const Scope scope = scope_of(client);
  const ChainScope chains{view, scope, client.labels, std::string(model::kMesh), place.listener_port};
  std::vector<FilterChain> out;
  for (TcpChain& chain : rule_chains(chains, rules_of(view, scope), *place.service, *place.port)) {
    if (!place.cidr.empty() && chain.prefixes.empty()) chain.prefixes.push_back(place.cidr);
    write_chain(out.emplace_back(), chain);
  }
  return out;
}

}  // namespace weft::translate
