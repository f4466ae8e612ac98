// What a captured sidecar does with the calls of its application: the listeners that stand behind virtualOutbound, as a plan. Two things
// are asked for here and answered elsewhere: which services a sidecar sees (`egress_of`), and which chains the tcp and tls routes of
// VirtualServices make of a TCP port (`routed_chains`).
#pragma once
#include "controlplane/translate/translate.h"

namespace weft::translate {

// Services that are called by way of one listener, or, without a port, each by way of listeners for its own ports.
struct Egress {
  uint32_t port = 0;
  model::Protocol protocol = model::Protocol::kUnknown;  // of `port`
  std::string bind;                                      // empty: services' own addresses, and 0.0.0.0 for what many share
  bool bound = false;                                    // really listens: what nobody captures
  std::vector<const model::ServiceInfo*> services;       // oldest first
  std::vector<model::Typed<model::VirtualService>> rules;
};
// In the order in which they take ports; the one without a port is the last.
std::vector<Egress> egress_of(const model::View& view, const Scope& scope);
// All of them, each once, oldest first: whatever clusters are made for.
std::vector<const model::ServiceInfo*> services_of(const model::View& view, const Scope& scope);
// The rules for the calls of its sidecars, oldest first.
std::vector<model::Typed<model::VirtualService>> rules_of(const model::View& view, const Scope& scope);
// Whether a call to what no service is goes where it wanted to go (else it is refused).
bool allows_any(const model::View& view, const Scope& scope);

// A TCP, TLS, HTTPS or unknown port of a service, and where it is listened for.
struct TcpPlace {
  const model::ServiceInfo* service = nullptr;
  const model::ServicePort* port = nullptr;
  uint32_t listener_port = 0;
  std::string cidr;       // of a service whose address is a range ("10.1.0.0/16"): its chains are for those destinations
  bool wildcard = false;  // listens on all addresses, so that TLS is told apart by SNI
};
// By the tls and tcp routes of the VirtualServices for this host, in their order, with matches; empty where none concerns it.
std::vector<FilterChain> routed_chains(const model::View& view, const Client& client, const TcpPlace& place);
// Everything to the service's own cluster.
FilterChain service_chain(const TcpPlace& place);

// One listener: HTTP by a route configuration, TCP by chains, or both, told apart by a look at the first bytes.
struct OutboundListener {
  std::string address;
  uint32_t port = 0;
  bool wildcard = false;  // all addresses: HTTP is only what looks like it
  bool bound = false;
  size_t egress = 0;                         // whose it is: a later one adds nothing to one that was asked for by its port
  std::string routes;                        // route configuration; empty: no HTTP
  const model::ServiceInfo* sole = nullptr;  // whose routes they are; null: of all that have the port
  bool grpc_web = false;
  std::vector<TcpPlace> tcp;  // oldest first: it has what several want
};
struct OutboundPlan {
  std::vector<OutboundListener> listeners;                          // by address and port
  std::map<uint32_t, std::vector<const model::ServiceInfo*>> http;  // by port: who has routes in the configuration named after it
  std::vector<Conflict> conflicts;
};
OutboundPlan outbound_plan(const model::View& view, const Scope& scope);

}  // namespace weft::translate
