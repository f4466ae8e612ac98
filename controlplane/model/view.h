// All resources of one revision, indexed for translation. Immutable and shared between threads; a query allocates at most its answer.
// Pointers that a view returns live as long as the view.
#pragma once
#include "controlplane/model/node.h"
#include "controlplane/model/object_status.h"
#include "controlplane/model/resource.h"

#include <span>
#include <unordered_map>

namespace weft::model {

struct ServicePort {
  uint32_t number = 0;
  std::string name;
  Protocol protocol = Protocol::kTcp;
  TargetPort target;  // a named target differs per workload: see InboundPort and Endpoint::port for the number
  bool operator==(const ServicePort&) const = default;
};

// A host that clients can call: a Kubernetes Service, or one host of the ServiceEntries of a namespace.
struct ServiceInfo {
  std::string hostname, ns, name;  // name: of the object
  bool kubernetes = false;
  std::vector<std::string> addresses;  // virtual IPs or CIDRs; empty for headless
  bool headless = false;
  std::vector<ServicePort> ports;  // without UDP
  bool mesh_external = false;
  Resolution resolution = Resolution::kStatic;
  std::vector<std::string> export_to;
  uint64_t created = 0;
  Labels selector;           // of a Kubernetes Service
  std::vector<Key> sources;  // the objects it was made from

  const ServicePort* port(uint32_t number) const;
};

// What a host without addresses of its own goes by.
struct AutomaticAddresses {
  std::string v4, v6;
};

struct Endpoint {
  enum class Health : unsigned char { kHealthy, kUnhealthy };
  std::string address;
  uint32_t port = 0;
  Labels labels;
  Locality locality;
  uint32_t weight = 1;
  Health health = Health::kHealthy;
  std::string service_account, workload, ns, network;
  std::string tls_mode;             // label security.istio.io/tlsMode: "istio" or empty
  std::string hostname, subdomain;  // of a pod that has a name of its own: spec.hostname (else the pod's name) and spec.subdomain
  bool operator==(const Endpoint&) const = default;
};
using EndpointList = std::vector<Endpoint>;

template <class T>
struct Typed {
  const Resource* resource = nullptr;
  const T* spec = nullptr;
  const T* operator->() const { return spec; }
};

// All rules that a namespace has for one host: subsets concatenated oldest first, the first traffic policy wins.
struct MergedRule {
  std::string host, ns, name;  // name of the rule that gave the policy, else of the oldest
  std::optional<TrafficPolicy> traffic_policy;
  std::vector<Subset> subsets;  // the first of a name stands
  std::vector<Key> sources;
  const Subset* subset(std::string_view name) const;
  const TrafficPolicy* policy() const { return traffic_policy ? &*traffic_policy : nullptr; }
};

// A port on which a workload serves, and the service that sends traffic there.
struct InboundPort {
  const ServiceInfo* service = nullptr;  // of a Sidecar's listener that no service leads to: one that bears the Sidecar's name
  const ServicePort* port = nullptr;
  uint32_t target_port = 0;
  const IngressListener* ingress = nullptr;         // of a Sidecar
  const ConnectionPool* connection_pool = nullptr;  // that a Sidecar sets
};

// What one egress listener of a Sidecar knows. Without a Sidecar there is one, without `spec`, that knows all.
struct Egress {
  const EgressListener* spec = nullptr;
  std::vector<const ServiceInfo*> services;                                      // oldest first
  std::vector<Typed<VirtualService>> rules;                                      // of sidecars
  uint32_t port() const { return spec && spec->port ? spec->port->number : 0; }  // 0: the ports of its services
};

class View {
 public:
  // `previous` lets unchanged parts be shared; the result does not depend on it.
  static std::shared_ptr<const View> build(uint64_t revision, std::vector<ResourcePtr> resources,
                                           const std::shared_ptr<const View>& previous = {});
  ~View();
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  uint64_t revision() const;
  std::span<const ResourcePtr> resources() const;  // by key
  const Resource* find(const Key& key) const;

  // Every service, oldest first (ties by hostname, namespace).
  std::span<const ServiceInfo* const> services() const;
  // What clients may call: one per hostname (Kubernetes first, then their own namespace, then the oldest), oldest first. With a Sidecar,
  // what its egress names, and where the rules of that send requests.
  std::vector<const ServiceInfo*> visible_services(const Scope& scope) const;
  // The Sidecar of a proxy: one that selects its workload, else its namespace's, else the root namespace's. Routers have none.
  Scope scope(const Node& node) const;
  const Sidecar* sidecar(const Scope& scope) const;
  // The oldest of the root namespace; the defaults where there is none.
  const MeshConfig& mesh() const;
  // What each egress listener knows, in their order. The last one may have no port: it takes what is left.
  std::vector<Egress> egress(const Scope& scope) const;
  const ServiceInfo* find_service(std::string_view hostname, std::string_view client_ns) const;
  // The endpoints of a service port, in a stable order. Unhealthy ones are listed too.
  const EndpointList& endpoints(const ServiceInfo& service, uint32_t port) const;
  // For a ServiceEntry's host that has no address; null for all others.
  const AutomaticAddresses* automatic_addresses(const ServiceInfo& service) const;

  // Oldest first, delegates merged into their roots. `gateway`: "mesh", or "ns/name".
  std::vector<Typed<VirtualService>> virtual_services(std::string_view client_ns, std::string_view gateway = kMesh) const;
  // Istio's order: client namespace, service namespace (if exported to the client), root namespace; in each the most specific host.
  const MergedRule* destination_rule(std::string_view hostname, std::string_view service_ns, std::string_view client_ns) const;
  // Gateways whose selector picks the router of this namespace with these labels, oldest first.
  std::vector<Typed<Gateway>> gateways(const Labels& labels, std::string_view ns) const;
  // What was derived for an object of the Gateway API; null for others. Their rules stand among virtual_services() and gateways().
  const ObjectStatus* status(const Key& key) const;

  // Of the namespace and of the root namespace, oldest first.
  std::vector<Typed<RateLimit>> rate_limits(std::string_view ns) const;

  // The pod (or workload entry) behind a proxy: by namespace and name, else by ip.
  const Resource* workload(const Node& node) const;
  // The node's own labels, else those of its pod or workload entry.
  const Labels& labels(const Node& node) const;
  // What the proxy's workload serves: every port of every service it belongs to, oldest service first;
  // instead of those the ingress listeners of its Sidecar, where it has any.
  std::vector<InboundPort> inbound(const Node& node) const;

 private:
  struct Index;
  std::vector<InboundPort> service_inbound(const Node& node) const;
  explicit View(std::unique_ptr<Index> index);
  std::unique_ptr<Index> index_;
};

}  // namespace weft::model
