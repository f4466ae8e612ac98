// What a Sidecar leaves of the mesh in clusters, endpoints, listeners and routes; and the clusters of ServiceEntries.
#include "controlplane/model/changes.h"
#include "controlplane/translate/outbound_plan.h"

#include "world.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"

namespace weft::translate {
namespace {

std::string web_service(const std::string& name, const std::string& ns, const std::string& port = "{name: http, port: 80}") {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", namespace: " + ns + "}\nspec:\n  selector: {app: " + name +
         "}\n  ports: [" + port + "]\n";
}
std::string istio(const std::string& kind, const std::string& name, const std::string& ns, const std::string& spec) {
  return "---\napiVersion: networking.istio.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + ", namespace: " + ns + "}\nspec: {" +
         spec + "}\n";
}
model::Node client(const std::string& ns = "one", const std::string& app = "c") {
  return node_of("sidecar~127.0.0.5~c-1." + ns + "~" + ns + ".svc.cluster.local",
                 R"({"INTERCEPTION_MODE":"NONE","LABELS":{"app":")" + app + R"("}})");
}

// Services of which a client has clusters, endpoints and routes, and its listeners.
struct Seen {
  std::set<std::string> clusters, assignments, hosts, listeners;
};
Seen seen_by(const model::View& view, const model::Node& node) {
  Seen seen;
  const Scope scope = scope_of(view, node);
  for (const Cluster& cluster : outbound_clusters(view, scope)) seen.clusters.insert(cluster.name());
  seen.clusters.erase("BlackHoleCluster");
  for (const LoadAssignment& one : load_assignments(view, scope)) seen.assignments.insert(one.cluster_name());
  const ListenerPlan plan = listener_plan(view, node);
  for (const RouteConfiguration& routes : route_configurations(view, client_of(view, node, plan)))
    for (const auto& host : routes.virtual_hosts())
      if (host.name() != "block_all") seen.hosts.insert(routes.name() + " " + host.name());
  for (const Listener& listener : listeners(plan)) seen.listeners.insert(listener.name());
  return seen;
}
using Names = std::set<std::string>;
std::string cluster(const std::string& host, uint32_t port = 80) {
  return "outbound|" + std::to_string(port) + "||" + host + ".svc.cluster.local";
}

const std::string kMesh = web_service("a", "one") + web_service("b", "one", "{name: http, port: 81}") + web_service("a", "two") +
                          web_service("z", "two", "{name: http, port: 82}");

TEST(Sidecar, ScopesWhatItsProxiesSee) {
  auto view = view_of(kMesh + istio("Sidecar", "s", "one", "egress: [{hosts: [\"./*\", \"two/z.two.svc.cluster.local\"]}]"));
  const Seen seen = seen_by(*view, client());
  EXPECT_EQ(seen.clusters, (Names{cluster("a.one"), cluster("b.one", 81), cluster("z.two", 82)}));
  EXPECT_EQ(seen.assignments, seen.clusters);
  EXPECT_EQ(seen.hosts, (Names{"80 a.one.svc.cluster.local:80", "81 b.one.svc.cluster.local:81", "82 z.two.svc.cluster.local:82"}));
  EXPECT_EQ(seen.listeners, (Names{"127.0.0.5_80", "127.0.0.5_81", "127.0.0.5_82"}));
  EXPECT_EQ(seen_by(*view, client("two")).clusters.size(), 4u) << "another namespace has no Sidecar";
  const Seen none = seen_by(*view_of(kMesh + istio("Sidecar", "s", "one", "egress: [{hosts: [\"~/*\"]}]")), client());
  EXPECT_EQ(none.clusters, Names{});
  EXPECT_EQ(none.listeners, Names{});
}

TEST(Sidecar, TheNearestOneCounts) {
  const std::string root = istio("Sidecar", "default", "istio-system", "egress: [{hosts: [\"./*\"]}]"),
                    ns = istio("Sidecar", "ns", "one", "egress: [{hosts: [\"two/*\"]}]"),
                    second = istio("Sidecar", "later", "one", "egress: [{hosts: [\"*/*\"]}]"),
                    own = istio("Sidecar", "own", "one",
                                "workloadSelector: {labels: {app: c}}, egress: [{hosts: [\"*/b.one.svc.cluster.local\"]}]");
  EXPECT_EQ(seen_by(*view_of(kMesh + root), client()).clusters, (Names{cluster("a.one"), cluster("b.one", 81)})) << "one's own of each";
  EXPECT_EQ(seen_by(*view_of(kMesh + root + ns), client()).clusters, (Names{cluster("a.two"), cluster("z.two", 82)}));
  EXPECT_EQ(seen_by(*view_of(kMesh + root + ns + second), client()).clusters, (Names{cluster("a.two"), cluster("z.two", 82)}))
      << "the oldest";
  EXPECT_EQ(seen_by(*view_of(kMesh + root + ns + own), client()).clusters, Names{cluster("b.one", 81)});
  EXPECT_EQ(seen_by(*view_of(kMesh + root + ns + own), client("one", "d")).clusters, (Names{cluster("a.two"), cluster("z.two", 82)}));
}

TEST(Sidecar, RulesBringTheirDestinations) {
  const std::string rule =
      istio("VirtualService", "r", "one", "hosts: [a], http: [{route: [{destination: {host: z.two.svc.cluster.local}}]}]");
  auto view = view_of(kMesh + rule + istio("Sidecar", "s", "one", "egress: [{hosts: [\"./a.one.svc.cluster.local\"]}]"));
  const Seen seen = seen_by(*view, client());
  EXPECT_EQ(seen.clusters, (Names{cluster("a.one"), cluster("z.two", 82)}));
  EXPECT_EQ(seen.hosts, Names{"80 a.one.svc.cluster.local:80"}) << "but no name and no listener of their own";
  EXPECT_EQ(seen.listeners, Names{"127.0.0.5_80"});
}

TEST(Sidecar, EgressListenersHaveTheirOwnServices) {
  auto view = view_of(kMesh + istio("Sidecar", "s", "one",
                                    "egress: [{port: {number: 80, protocol: HTTP, name: h}, bind: 127.0.0.9, hosts: [\"two/*\"]}, "
                                    "{port: {number: 81, protocol: HTTP, name: i}, hosts: [\"two/*\"]}, {hosts: [\"./*\"]}]"));
  const Seen seen = seen_by(*view, client());
  EXPECT_EQ(seen.hosts, (Names{"80 a.two.svc.cluster.local:80"})) << "80 and 81 are listed, so no other services come there";
  EXPECT_EQ(seen.listeners, (Names{"127.0.0.9_80", "127.0.0.5_81"}));
  EXPECT_EQ(seen.clusters.size(), 4u);
}

TEST(Sidecar, IngressListenersStandForThePortsOfServices) {
  const std::string pod =
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: c-1, namespace: one, labels: {app: c}}\nstatus: {podIP: 127.0.0.5}\n";
  auto view =
      view_of(web_service("c", "one", "{name: http, port: 80, targetPort: 8080}") + pod +
              istio("Sidecar", "s", "one",
                    "ingress: [{port: {number: 9080, protocol: HTTP, name: h}, defaultEndpoint: \"unix:///run/app.sock\", connectionPool: "
                    "{tcp: {maxConnections: 3}}}, {port: {number: 80, protocol: HTTP, name: g}, defaultEndpoint: \"0.0.0.0:8081\"}, "
                    "{port: {number: 9090, protocol: TCP, name: t}, bind: 127.0.0.8, defaultEndpoint: \"127.0.0.1:7\"}], "
                    "inboundConnectionPool: {tcp: {maxConnections: 9}}, egress: [{hosts: [\"~/*\"]}]"));
  const model::Node node = client();
  const ListenerPlan plan = listener_plan(*view, node);
  Names names;
  for (const Listener& listener : listeners(plan)) names.insert(listener.name());
  EXPECT_EQ(names, (Names{"127.0.0.5_80", "127.0.0.5_9080", "127.0.0.8_9090"}));
  std::map<std::string, Cluster> clusters;
  for (const Cluster& one : inbound_clusters(*view, node, plan)) clusters[one.name()] = one;
  auto address = [&](const std::string& name) {
    const auto& at = clusters.at(name).load_assignment().endpoints(0).lb_endpoints(0).endpoint().address();
    return at.has_pipe() ? at.pipe().path() : at.socket_address().address() + ":" + std::to_string(at.socket_address().port_value());
  };
  EXPECT_EQ(address("inbound|9080||"), "/run/app.sock");
  EXPECT_EQ(address("inbound|80||"), "127.0.0.5:8081");
  EXPECT_EQ(address("inbound|9090||"), "127.0.0.1:7");
  EXPECT_EQ(clusters.at("inbound|9080||").circuit_breakers().thresholds(0).max_connections().value(), 3u);
  EXPECT_EQ(clusters.at("inbound|80||").circuit_breakers().thresholds(0).max_connections().value(), 9u) << "of the whole Sidecar";
}

TEST(Sidecar, SaysWhetherOthersMayBeCalled) {
  auto allows = [](const std::string& world) {
    auto view = view_of(world);
    const model::Node captured = node_of("sidecar~10.0.0.5~c-1.one~one.svc.cluster.local", "{}");
    return allows_any(*view, scope_of(*view, captured));
  };
  EXPECT_TRUE(allows(kMesh));
  EXPECT_TRUE(allows(kMesh + istio("Sidecar", "s", "one", "egress: [{hosts: [\"./*\"]}]")));
  EXPECT_FALSE(allows(kMesh + istio("Sidecar", "s", "one", "outboundTrafficPolicy: {mode: REGISTRY_ONLY}")));
  EXPECT_TRUE(allows(kMesh + istio("Sidecar", "s", "one", "outboundTrafficPolicy: {mode: ALLOW_ANY}")));
}

std::string mesh_config(const std::string& spec) {
  return "---\napiVersion: weft.dev/v1\nkind: MeshConfig\nmetadata: {name: mesh, namespace: istio-system}\nspec: {" + spec + "}\n";
}

TEST(MeshConfig, HoldsWhereNothingElseIsSaid) {
  const model::Node captured = node_of("sidecar~10.0.0.5~c-1.one~one.svc.cluster.local", "{}");
  auto allows = [&](const std::string& world) {
    auto view = view_of(world);
    return allows_any(*view, scope_of(*view, captured));
  };
  const std::string strict = mesh_config("outboundTrafficPolicy: {mode: REGISTRY_ONLY}");
  EXPECT_FALSE(allows(kMesh + strict));
  EXPECT_TRUE(allows(kMesh + strict + istio("Sidecar", "s", "one", "outboundTrafficPolicy: {mode: ALLOW_ANY}")));
  EXPECT_FALSE(allows(kMesh + strict + istio("Sidecar", "s", "one", "egress: [{hosts: [\"./*\"]}]")));
  const std::string own = mesh_config("defaultServiceExportTo: [\".\"], defaultVirtualServiceExportTo: [\".\"]");
  EXPECT_EQ(seen_by(*view_of(kMesh + own), client()).clusters, (Names{cluster("a.one"), cluster("b.one", 81)}));
  const std::string rule = istio("VirtualService", "r", "two", "hosts: [a.one.svc.cluster.local], http: [{directResponse: {status: 200}}]");
  EXPECT_EQ(view_of(kMesh + rule)->virtual_services("one").size(), 1u);
  EXPECT_EQ(view_of(kMesh + rule + own)->virtual_services("one").size(), 0u);
  const model::Changes changes = model::difference(*view_of(kMesh), *view_of(kMesh + own));
  EXPECT_EQ(changes.services.size(), 4u) << "anybody may see others now";
}

TEST(Sidecar, AChangeIsSeen) {
  auto before = view_of(kMesh), after = view_of(kMesh + istio("Sidecar", "s", "one", "egress: [{hosts: [\"./*\"]}]"));
  const model::Changes changes = model::difference(*before, *after);
  EXPECT_EQ(changes.sidecars.size(), 1u);
  EXPECT_FALSE(changes.nothing());
}

// One cluster of a ServiceEntry for x.com.
Cluster entry_cluster(const std::string& spec, const std::string& more = "", bool router = false) {
  auto view =
      view_of(istio("ServiceEntry", "e", "one", "hosts: [x.com], ports: [{number: 80, name: http, protocol: HTTP}], " + spec) + more);
  Scope scope{"one"};
  scope.router = router;
  std::set<std::string> told;
  for (const LoadAssignment& one : load_assignments(*view, scope)) told.insert(one.cluster_name());
  for (const Cluster& one : outbound_clusters(*view, scope)) {
    if (one.name() != "outbound|80||x.com") continue;
    EXPECT_EQ(told.contains(one.name()), one.type() == Cluster::EDS) << "EDS for those that ask for it alone";
    return one;
  }
  ADD_FAILURE() << "no cluster";
  return {};
}
// "address:port" of each endpoint.
std::vector<std::string> hosts_of(const Cluster& one) {
  std::vector<std::string> out;
  for (const auto& locality : one.load_assignment().endpoints())
    for (const auto& endpoint : locality.lb_endpoints()) {
      const auto& at = endpoint.endpoint().address().socket_address();
      out.push_back(at.address() + ":" + std::to_string(at.port_value()));
    }
  return out;
}
using Hosts = std::vector<std::string>;

TEST(ServiceEntry, EachResolutionHasItsCluster) {
  EXPECT_EQ(entry_cluster("resolution: STATIC, endpoints: [{address: 10.0.0.1}]").type(), Cluster::EDS);
  const Cluster none = entry_cluster("resolution: NONE");
  EXPECT_EQ(none.type(), Cluster::ORIGINAL_DST);
  EXPECT_EQ(none.lb_policy(), Cluster::CLUSTER_PROVIDED);
  EXPECT_EQ(entry_cluster("resolution: NONE", "", true).type(), Cluster::EDS) << "a router knows no original destination";
  const Cluster dns = entry_cluster("resolution: DNS");
  EXPECT_EQ(dns.type(), Cluster::STRICT_DNS);
  EXPECT_EQ(hosts_of(dns), Hosts{"x.com:80"}) << "the host itself";
  EXPECT_EQ(dns.dns_lookup_family(), Cluster::V4_ONLY);
  const Cluster named =
      entry_cluster("resolution: DNS, endpoints: [{address: b.com, ports: {http: 8080}, weight: 3, locality: r/z}, {address: 10.0.0.9}]");
  EXPECT_EQ(hosts_of(named), (Hosts{"10.0.0.9:80", "b.com:8080"}));
  EXPECT_EQ(named.load_assignment().endpoints(1).locality().region(), "r");
  EXPECT_EQ(named.load_assignment().endpoints(1).lb_endpoints(0).load_balancing_weight().value(), 3u);
  const Cluster robin = entry_cluster("resolution: DNS_ROUND_ROBIN, endpoints: [{address: b.com}]");
  EXPECT_EQ(robin.type(), Cluster::LOGICAL_DNS);
  EXPECT_EQ(hosts_of(robin), Hosts{"b.com:80"});
  EXPECT_TRUE(dns.metadata().filter_metadata().at("istio").fields().at("external").bool_value());
}

TEST(ServiceEntry, WorkloadEntriesMayBeNamesAndSockets) {
  const std::string entries = istio("WorkloadEntry", "w1", "one", "address: vm.example.com, labels: {app: vm}") +
                              istio("WorkloadEntry", "w2", "one", "address: 10.0.0.3, labels: {app: vm}");
  EXPECT_EQ(hosts_of(entry_cluster("resolution: DNS, workloadSelector: {labels: {app: vm}}", entries)),
            (Hosts{"10.0.0.3:80", "vm.example.com:80"}));
  auto view =
      view_of(istio("ServiceEntry", "e", "one",
                    "hosts: [x.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: "
                    "\"unix:///run/a.sock\"}]") +
              istio("ServiceEntry", "f", "one",
                    "hosts: [y.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, workloadSelector: {labels: "
                    "{app: vm}}") +
              entries);
  std::map<std::string, LoadAssignment> told;
  for (const LoadAssignment& one : load_assignments(*view, Scope{"one"})) told[one.cluster_name()] = one;
  const auto& socket = told.at("outbound|80||x.com");
  ASSERT_EQ(socket.endpoints_size(), 1);
  EXPECT_EQ(socket.endpoints(0).lb_endpoints(0).endpoint().address().pipe().path(), "/run/a.sock");
  ASSERT_EQ(told.at("outbound|80||y.com").endpoints_size(), 1);
  EXPECT_EQ(told.at("outbound|80||y.com").endpoints(0).lb_endpoints_size(), 1) << "EDS knows addresses alone";
}

TEST(ServiceEntry, EndpointsOfDnsAreTheClustersOwn) {
  auto with = [](const std::string& address) {
    return view_of(
        istio("ServiceEntry", "e", "one",
              "hosts: [x.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS, workloadSelector: {labels: {app: vm}}") +
        istio("WorkloadEntry", "w", "one", "address: " + address + ", labels: {app: vm}"));
  };
  const model::Changes changes = model::difference(*with("a.com"), *with("b.com"));
  EXPECT_EQ(changes.services, (std::set<std::string>{"x.com"}));
  EXPECT_TRUE(changes.endpoints.empty());
}

}  // namespace
}  // namespace weft::translate
