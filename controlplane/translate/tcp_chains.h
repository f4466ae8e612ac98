// Filter chains for connections that are passed on as bytes: which of them a listener tells apart, by the name that TLS asks for or by
// the address that was dialled, and the clusters they go to. What VirtualServices say under `tls` and `tcp` ends here.
#pragma once
#include "controlplane/translate/translate.h"

namespace weft::translate {

// Who the chains are for, and on which port.
struct ChainScope {
  const model::View& view;
  const Scope& scope;
  const model::Labels& labels;  // of the workload
  std::string gateway;          // "mesh" or "ns/name"
  uint32_t port = 0;            // as clients see it
};
using ChainRules = std::vector<model::Typed<model::VirtualService>>;

// TLS that is passed on, whose first message says for whom it is.
inline bool tells_sni(model::Protocol protocol) { return protocol == model::Protocol::kHttps || protocol == model::Protocol::kTls; }

// What the rules say of a service's port, in their order. Of TCP, one that takes everything is the last.
std::vector<TcpChain> rule_chains(const ChainScope& scope, const ChainRules& rules, const model::ServiceInfo& service,
                                  const model::ServicePort& port);
// The same, and behind it what is left: all of it to the service. `shared`: others use the listener, so that what has no rule is known by
// its SNI.
std::vector<TcpChain> service_chains(const ChainScope& scope, const ChainRules& rules, const model::ServiceInfo& service,
                                     const model::ServicePort& port, bool shared);
// A gateway's server: TCP, or TLS by the SNI that rules name.
std::vector<TcpChain> server_chains(const ChainScope& scope, const ChainRules& rules, const model::GatewayServer& server);
// A gateway's AUTO_PASSTHROUGH server: one chain for every port and subset of the mesh, by the SNI outbound_.PORT_.SUBSET_.HOST.
std::vector<TcpChain> passthrough_chains(const ChainScope& scope, const model::GatewayServer& server);

// Those that no earlier one takes away: a listener must not have two for the same connections.
void add_chains(std::vector<TcpChain>& to, std::vector<TcpChain> more);
void write_chain(FilterChain& out, const TcpChain& chain);
// With the TLS inspector, where any asks for a name.
void write_chains(Listener& out, const std::vector<TcpChain>& chains);

}  // namespace weft::translate
