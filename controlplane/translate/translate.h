// View and client to xDS resources, laid out as istiod does. Pure: no clock, no I/O, equal arguments give equal bytes. What a function
// takes is all that its result depends on, so a result is shared by the proxies that have the same argument: clusters and endpoints
// by scope (a namespace's clients, or those that a Sidecar picks), routes by client, listeners by node.
#pragma once
#include "controlplane/model/view.h"

#include <compare>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace envoy::config::cluster::v3 {
class Cluster;
}
namespace envoy::config::endpoint::v3 {
class ClusterLoadAssignment;
}
namespace envoy::config::listener::v3 {
class FilterChain;
class Listener;
}  // namespace envoy::config::listener::v3
namespace envoy::config::route::v3 {
class RouteConfiguration;
}
namespace istio::networking::nds::v1 {
class NameTable;
}

namespace weft::translate {

using Cluster = envoy::config::cluster::v3::Cluster;
using LoadAssignment = envoy::config::endpoint::v3::ClusterLoadAssignment;
using Listener = envoy::config::listener::v3::Listener;
using FilterChain = envoy::config::listener::v3::FilterChain;
using RouteConfiguration = envoy::config::route::v3::RouteConfiguration;
using NameTable = istio::networking::nds::v1::NameTable;

// A way for connections that are passed on as bytes: what they must ask for or have dialled, and where they go.
struct TcpTarget {
  std::string cluster;
  uint32_t weight = 1;
};
struct TcpChain {
  std::vector<std::string> server_names;  // that TLS asks for; empty: any
  bool any_tls = false;                   // TLS alone, whatever it asks for
  std::vector<std::string> alpn;
  std::vector<std::string> prefixes;  // addresses and CIDRs that were dialled; empty: any
  std::vector<TcpTarget> targets;     // at least one
  std::string stat_prefix;
};

// Where a proxy listens, and for what. Without capture a node's inbound and outbound listeners share its own address; docs/no-capture.md
// tells the rules. With capture the inbound ports are here, the outbound ones in outbound_plan.h; docs/captured-layout.md.
struct Binding {
  enum class Kind : unsigned char { kInbound, kOutboundHttp, kOutboundTcp, kGateway, kGatewayTcp };
  Kind kind = Kind::kInbound;
  std::string address;                                 // or "unix://PATH"
  uint32_t port = 0;                                   // bound
  uint32_t service_port = 0;                           // whose traffic it is: a service's or gateway server's port
  bool grpc_web = false;                               // calls from browsers become plain gRPC here
  model::InboundPort inbound;                          // kInbound
  std::vector<TcpChain> chains;                        // kOutboundTcp, kGatewayTcp
  std::string written_bind;                            // kGateway: the server's
  std::vector<model::Key> gateways;                    // kGateway: those with a server here
  std::vector<model::Typed<model::RateLimit>> limits;  // kInbound, kGateway
};
struct Conflict {
  enum class Kind : unsigned char { kInbound, kHttpOverTcp, kTcpUnderHttp, kTcpOverTcp, kGateway, kNoPort, kReserved };
  Kind kind = Kind::kInbound;
  std::string text;  // one sentence
};
struct ListenerPlan {
  std::vector<Binding> bindings;    // by address and port
  std::vector<Conflict> conflicts;  // what had to give way
  bool captured = false;            // of a sidecar whose traffic is: only inbound ports, chains of virtualInbound
  bool ipv6 = false, transparent = false;
};
ListenerPlan listener_plan(const model::View& view, const model::Node& node);

// What a proxy may call and how its calls reach it, besides the view: equal scopes have equal clusters.
struct Scope {
  std::string ns;
  bool captured = false;  // calls come by redirection, with the address that they were for
  bool ipv6 = false;      // captured: its own addresses are IPv6
  std::string sidecar;    // as in model::Scope
  bool router = false;    // gateways know no original destination
  bool sni_dnat = false;  // routers with an AUTO_PASSTHROUGH server: clusters are named as SNI names them, too
  auto operator<=>(const Scope&) const = default;
  operator model::Scope() const { return model::Scope(ns, sidecar); }
};
Scope scope_of(const model::View& view, const model::Node& node);

// What the routes of a proxy depend on, besides the view, and the listeners of its outbound calls when they are captured.
struct GatewayPort {
  uint32_t server = 0, bound = 0;
  std::string bind;  // as the server says it; empty: it does not
  auto operator<=>(const GatewayPort&) const = default;
};
struct Client {
  std::string ns;
  std::string sidecar;   // as of its scope
  model::Labels labels;  // of the workload; left empty when no VirtualService asks for source labels
  bool router = false;
  bool proxyless = false;                                    // gRPC's own client
  bool captured = false, ipv6 = false, transparent = false;  // of sidecars: how their traffic comes to them
  std::vector<GatewayPort> gateway_ports;                    // router: those of HTTP, from listener_plan
  auto operator<=>(const Client&) const = default;
};
Client client_of(const model::View& view, const model::Node& node, const ListenerPlan& plan);
Scope scope_of(const Client& client);

// CDS of everything that clients of a scope may call, BlackHoleCluster included, by name.
std::vector<Cluster> outbound_clusters(const model::View& view, const Scope& scope);
// CDS of the ports that the node's own workload serves: inbound|PORT||, to the application. Empty for routers.
std::vector<Cluster> inbound_clusters(const model::View& view, const model::Node& node, const ListenerPlan& plan);

// EDS, one for each EDS cluster of outbound_clusters.
std::vector<LoadAssignment> load_assignments(const model::View& view, const Scope& scope);
// The same for the clusters of one host only: what an endpoint change touches.
std::vector<LoadAssignment> load_assignments_of(const model::View& view, const Scope& scope, const std::string& hostname);

// Where a route was written: "spec.http[2].match[0]" of an object. No object: nobody wrote it (a service's default route).
struct RouteOrigin {
  model::Key object;
  std::string field;
};
// In the order of the routes, by configuration and virtual host.
using RouteOrigins = std::map<std::pair<std::string, std::string>, std::vector<RouteOrigin>>;

// RDS: "8080" per HTTP port for sidecars, "HOST:8080" where a captured one looks what a service's port carries, "http.8080" per bound
// port for routers. `origins`, where asked for, tells of each route.
std::vector<RouteConfiguration> route_configurations(const model::View& view, const Client& client, RouteOrigins* origins = nullptr);

// LDS, a node's own: what it binds, or virtualInbound.
std::vector<Listener> listeners(const ListenerPlan& plan);
// LDS of captured sidecars for the calls of their applications: virtualOutbound and those behind it, by name.
std::vector<Listener> outbound_listeners(const model::View& view, const Client& client);
// One of them that a node goes without: for calls to its own address, which are inbound's.
bool is_for_self(std::string_view listener_name, const model::Node& node);

// NDS: the names that the DNS proxy of a sidecar answers for. Nothing for a node that has none (metadata DNS_CAPTURE).
struct NamesFor {
  std::string ns;
  bool automatic = false;       // metadata DNS_AUTO_ALLOCATE: hosts without an address have one given
  bool v4 = false, v6 = false;  // what the node's own addresses are
  auto operator<=>(const NamesFor&) const = default;
};
std::optional<NamesFor> names_for(const model::Node& node);
NameTable name_table(const model::View& view, const NamesFor& whom);

// gRPC's own clients and servers, which have no proxy beside them (Node::proxyless). Their endpoints are those of all.
// LDS "HOST:PORT" for each name that a client may dial; of servers, for each address that they may listen on.
std::vector<Listener> proxyless_listeners(const model::View& view, const Scope& scope);
std::vector<Listener> proxyless_server_listeners(const model::View& view, const model::Node& node);
std::vector<Cluster> proxyless_clusters(const model::View& view, const Scope& scope);
// RDS "outbound|8080||HOST", each for one service port; what route_configurations gives for a proxyless client.
std::vector<RouteConfiguration> proxyless_routes(const model::View& view, const Client& client);

// The address of the application behind an inbound port: metadata APP_ADDRESS and APP_PORTS.
std::pair<std::string, uint32_t> application_address(const model::Node& node, uint32_t target_port);
// The same, but where a Sidecar's ingress listener says it: that.
std::pair<std::string, uint32_t> application_address(const model::Node& node, const model::InboundPort& inbound);

// The protocol with which a service port is served without capture: what nobody told is taken for HTTP. With capture it is looked at.
model::Protocol served_protocol(const model::ServicePort& port);

}  // namespace weft::translate
