// View and client to xDS resources, laid out as istiod does. Pure: no clock, no I/O, equal arguments give equal bytes. What a function
// takes is all that its result depends on, so a result is shared by the proxies that have the same argument: clusters and endpoints
// by namespace, routes by client, listeners by node.
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
class Listener;
}
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
using RouteConfiguration = envoy::config::route::v3::RouteConfiguration;
using NameTable = istio::networking::nds::v1::NameTable;

// Where a proxy listens, and for what. Without capture a node's inbound and outbound listeners share its own address; docs/no-capture.md
// tells the rules.
struct Binding {
  enum class Kind : unsigned char { kInbound, kOutboundHttp, kOutboundTcp, kGateway };
  Kind kind = Kind::kInbound;
  std::string address;
  uint32_t port = 0;                                   // bound
  uint32_t service_port = 0;                           // whose traffic it is: a service's or gateway server's port
  bool grpc_web = false;                               // calls from browsers become plain gRPC here
  model::InboundPort inbound;                          // kInbound
  const model::ServiceInfo* tcp_service = nullptr;     // kOutboundTcp
  std::vector<model::Key> gateways;                    // kGateway: those with a server here
  std::vector<model::Typed<model::RateLimit>> limits;  // kInbound, kGateway
};
struct Conflict {
  enum class Kind : unsigned char { kInbound, kHttpOverTcp, kTcpUnderHttp, kTcpOverTcp, kGateway, kNoPort };
  Kind kind = Kind::kInbound;
  std::string text;  // one sentence
};
struct ListenerPlan {
  std::vector<Binding> bindings;    // by address and port
  std::vector<Conflict> conflicts;  // what had to give way
};
ListenerPlan listener_plan(const model::View& view, const model::Node& node);

// What the routes of a proxy depend on, besides the view.
struct Client {
  std::string ns;
  model::Labels labels;  // of the workload; left empty when no VirtualService asks for source labels
  bool router = false;
  bool proxyless = false;                                    // gRPC's own client
  std::vector<std::pair<uint32_t, uint32_t>> gateway_ports;  // router: (server port, bound port), from listener_plan
  auto operator<=>(const Client&) const = default;
};
Client client_of(const model::View& view, const model::Node& node, const ListenerPlan& plan);

// CDS of everything that clients in `ns` may call, BlackHoleCluster included, by name.
std::vector<Cluster> outbound_clusters(const model::View& view, const std::string& ns);
// CDS of the ports that the node's own workload serves: inbound|PORT||, STATIC, to the application. Empty for routers.
std::vector<Cluster> inbound_clusters(const model::View& view, const model::Node& node, const ListenerPlan& plan);

// EDS, one for each EDS cluster of outbound_clusters.
std::vector<LoadAssignment> load_assignments(const model::View& view, const std::string& ns);
// The same for the clusters of one host only: what an endpoint change touches.
std::vector<LoadAssignment> load_assignments_of(const model::View& view, const std::string& ns, const std::string& hostname);

// Where a route was written: "spec.http[2].match[0]" of an object. No object: nobody wrote it (a service's default route).
struct RouteOrigin {
  model::Key object;
  std::string field;
};
// In the order of the routes, by configuration and virtual host.
using RouteOrigins = std::map<std::pair<std::string, std::string>, std::vector<RouteOrigin>>;

// RDS: "8080" per HTTP port for sidecars, "http.8080" per bound port for routers. `origins`, where asked for, tells of each route.
std::vector<RouteConfiguration> route_configurations(const model::View& view, const Client& client, RouteOrigins* origins = nullptr);

// LDS.
std::vector<Listener> listeners(const ListenerPlan& plan);

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
// LDS "HOST:PORT" for each name that a client in `ns` may dial; of servers, for each address that they may listen on.
std::vector<Listener> proxyless_listeners(const model::View& view, const std::string& ns);
std::vector<Listener> proxyless_server_listeners(const model::View& view, const model::Node& node);
std::vector<Cluster> proxyless_clusters(const model::View& view, const std::string& ns);
// RDS "outbound|8080||HOST", each for one service port; what route_configurations gives for a proxyless client.
std::vector<RouteConfiguration> proxyless_routes(const model::View& view, const Client& client);

// The address of the application behind an inbound port: metadata APP_ADDRESS and APP_PORTS.
std::pair<std::string, uint32_t> application_address(const model::Node& node, uint32_t target_port);

// The protocol with which a service port is served here: what nobody told is taken for HTTP, until protocols are sniffed.
model::Protocol served_protocol(const model::ServicePort& port);

}  // namespace weft::translate
