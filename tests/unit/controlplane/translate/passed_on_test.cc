// Connections that are passed on: tls and tcp routes, TLS services that share a port, and gateways' servers, as filter chains.
#include "controlplane/translate/translate.h"

#include "world.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"

namespace weft::translate {
namespace {

using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;

std::string tcp_service(const std::string& name, const std::string& port, uint32_t number) {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  ports: [{name: " + port +
         ", port: " + std::to_string(number) + "}]\n";
}
std::string object(const std::string& kind, const std::string& name, const std::string& spec) {
  return "---\napiVersion: networking.istio.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n";
}

// "tls a.com,b.com 10.0.0.0/8 [alpn] -> cluster*weight ..." of each chain.
std::vector<std::string> chains_of(const Listener& listener) {
  std::vector<std::string> out;
  for (const auto& chain : listener.filter_chains()) {
    std::string& line = out.emplace_back();
    const auto& match = chain.filter_chain_match();
    auto add = [&](const std::string& text) { line += (line.empty() ? "" : " ") + text; };
    EXPECT_TRUE(match.transport_protocol().empty() || match.transport_protocol() == "tls");
    if (!match.transport_protocol().empty() || match.server_names_size() > 0) add("tls");
    for (const std::string& name : match.server_names()) add(name);
    for (const auto& range : match.prefix_ranges()) add(range.address_prefix() + "/" + std::to_string(range.prefix_len().value()));
    for (const std::string& name : match.application_protocols()) add("[" + name + "]");
    add("->");
    TcpProxy proxy;
    EXPECT_EQ(chain.filters_size(), 1);
    EXPECT_TRUE(chain.filters(0).typed_config().UnpackTo(&proxy)) << chain.filters(0).typed_config().type_url();
    if (proxy.has_weighted_clusters()) {
      for (const auto& cluster : proxy.weighted_clusters().clusters()) add(cluster.name() + "*" + std::to_string(cluster.weight()));
      add("as " + proxy.stat_prefix());
    } else {
      add(proxy.cluster());
      EXPECT_EQ(proxy.stat_prefix(), proxy.cluster());
    }
  }
  return out;
}

using Lines = std::vector<std::string>;
const char* const kClient = "sidecar~127.0.0.5~c-1.default~default.svc.cluster.local";
const char* const kRouter = "router~127.0.0.7~g-1.default~default.svc.cluster.local";

Lines chains_on(const std::string& world, const std::string& name, const char* node = kClient,
                const std::string& metadata = R"({"INTERCEPTION_MODE":"NONE","LABELS":{"app":"c","istio":"in"}})") {
  for (const Listener& listener : listeners(listener_plan(*view_of(world), node_of(node, metadata)))) {
    if (listener.name() != name) continue;
    Lines lines = chains_of(listener);
    const bool tls = std::any_of(lines.begin(), lines.end(), [](const std::string& line) { return line.starts_with("tls "); });
    EXPECT_EQ(listener.listener_filters_size(), tls ? 1 : 0) << "the TLS inspector, where it is needed";
    return lines;
  }
  return {"no listener"};
}

TEST(TcpRoutes, WeightsSubnetsAndLabels) {
  const std::string services = tcp_service("db", "tcp", 5432) + tcp_service("new", "tcp", 5432 + 1);
  EXPECT_EQ(chains_on(services, "127.0.0.5_5432"), Lines{"-> outbound|5432||db.default.svc.cluster.local"});
  EXPECT_EQ(chains_on(services + object("VirtualService", "db",
                                        "hosts: [db], tcp: [{match: [{sourceLabels: {app: other}}], route: [{destination: {host: db}}]}, "
                                        "{match: [{destinationSubnets: [10.0.0.0/8, 10.9.9.9]}], route: [{destination: {host: new}}]}, "
                                        "{route: [{destination: {host: db, subset: v1}, weight: 90}, {destination: {host: new}, weight: "
                                        "10}, {destination: {host: none}, weight: 0}]}, {route: [{destination: {host: never}}]}]"),
                      "127.0.0.5_5432"),
            (Lines{"10.0.0.0/8 10.9.9.9/32 -> outbound|5433||new.default.svc.cluster.local",
                   "-> outbound|5432|v1|db.default.svc.cluster.local*90 outbound|5433||new.default.svc.cluster.local*10 as db.default"}));
  EXPECT_EQ(chains_on(services + object("VirtualService", "db",
                                        "hosts: [db], tcp: [{match: [{port: 9}, {gateways: [g]}, {sourceNamespace: far}], "
                                        "route: [{destination: {host: new}}]}]"),
                      "127.0.0.5_5432"),
            Lines{"-> outbound|5432||db.default.svc.cluster.local"})
      << "what no match of the rule is about stays the service's";
}

TEST(TlsRoutes, AreByName) {
  const std::string one = tcp_service("a", "tls", 443), two = one + tcp_service("b", "https", 443) + tcp_service("c", "tcp", 443);
  EXPECT_EQ(chains_on(one, "127.0.0.5_443"), Lines{"-> outbound|443||a.default.svc.cluster.local"}) << "alone it has the port";
  EXPECT_EQ(chains_on(two, "127.0.0.5_443"), (Lines{"tls a.default.svc.cluster.local -> outbound|443||a.default.svc.cluster.local",
                                                    "tls b.default.svc.cluster.local -> outbound|443||b.default.svc.cluster.local",
                                                    "-> outbound|443||c.default.svc.cluster.local"}))
      << "TCP takes what is left";
  const std::string rule =
      object("VirtualService", "r",
             "hosts: [\"*.x.com\", a], tls: [{match: [{sniHosts: [one.x.com, two.x.com], port: 443}], route: "
             "[{destination: {host: b}}]}, {match: [{sniHosts: [two.x.com, three.x.com]}], route: [{destination: {host: "
             "a}}]}, {match: [{sniHosts: [\"*.x.com\"], port: 8443}], route: [{destination: {host: a}}]}]");
  EXPECT_EQ(chains_on(two + rule, "127.0.0.5_443"), (Lines{"tls one.x.com two.x.com -> outbound|443||b.default.svc.cluster.local",
                                                           "tls three.x.com -> outbound|443||a.default.svc.cluster.local",
                                                           "tls b.default.svc.cluster.local -> outbound|443||b.default.svc.cluster.local",
                                                           "-> outbound|443||c.default.svc.cluster.local"}))
      << "a name is its first rule's";
}

TEST(GatewayServers, PassConnectionsOn) {
  const std::string services = tcp_service("a", "tls", 443) + tcp_service("db", "tcp", 5432) + tcp_service("far", "http", 80);
  const std::string gateway = object(
      "Gateway", "g",
      "selector: {istio: in}, servers: [{port: {number: 443, name: t, protocol: TLS}, tls: {mode: PASSTHROUGH}, hosts: [\"*.x.com\"]}, "
      "{port: {number: 5432, name: d, protocol: TCP}, hosts: [\"*\"]}, {port: {number: 9000, name: n, protocol: TCP}, hosts: [\"*\"]}]");
  const std::string rules =
      object("VirtualService", "t",
             "hosts: [a.x.com], gateways: [g], tls: [{match: [{sniHosts: [a.x.com], port: 443}], route: [{destination: {host: a}}]}]") +
      object("VirtualService", "o",
             "hosts: [a.y.com], gateways: [g], tls: [{match: [{sniHosts: [a.y.com]}], route: [{destination: {host: a}}]}]") +
      object("VirtualService", "d", "hosts: [\"*\"], gateways: [g], tcp: [{match: [{port: 5432}], route: [{destination: {host: db}}]}]");
  EXPECT_EQ(chains_on(services + gateway + rules, "127.0.0.7_443", kRouter),
            Lines{"tls a.x.com -> outbound|443||a.default.svc.cluster.local"});
  EXPECT_EQ(chains_on(services + gateway + rules, "127.0.0.7_5432", kRouter), Lines{"-> outbound|5432||db.default.svc.cluster.local"});
  EXPECT_EQ(chains_on(services + gateway + rules, "127.0.0.7_9000", kRouter), Lines{"no listener"}) << "nobody says where to";
}

TEST(GatewayServers, OfSeveralGatewaysMeet) {
  auto gateway = [](const std::string& name, const std::string& servers) {
    return object("Gateway", name, "selector: {istio: in}, servers: [" + servers + "]");
  };
  auto tls = [](const std::string& host) {
    return "{port: {number: 443, name: t, protocol: TLS}, tls: {mode: PASSTHROUGH}, hosts: [" + host + "]}";
  };
  auto rule = [](const std::string& gateway_name, const std::string& host) {
    return object("VirtualService", host.substr(0, 1),
                  "hosts: [" + host + "], gateways: [" + gateway_name + "], tls: [{match: [{sniHosts: [" + host +
                      "]}], route: [{destination: {host: s}}]}]");
  };
  const std::string service = tcp_service("s", "tls", 443);
  EXPECT_EQ(chains_on(service + gateway("g", tls("a.com")) + gateway("h", tls("b.com")) + rule("g", "a.com") + rule("h", "b.com"),
                      "127.0.0.7_443", kRouter),
            (Lines{"tls a.com -> outbound|443||s.default.svc.cluster.local", "tls b.com -> outbound|443||s.default.svc.cluster.local"}));
  const std::string http = "{port: {number: 443, name: h, protocol: HTTP}, hosts: [\"*\"]}";
  auto view = view_of(service + gateway("g", tls("a.com")) + gateway("h", http) + rule("g", "a.com"));
  const ListenerPlan plan = listener_plan(*view, node_of(kRouter, R"({"LABELS":{"istio":"in"}})"));
  ASSERT_EQ(plan.conflicts.size(), 1u);
  EXPECT_EQ(plan.conflicts[0].text, "gateway default/h port 443: port 443 serves TLS");
  // A server may say where it binds.
  const std::string bound = "{port: {number: 80, name: h, protocol: HTTP}, bind: 127.0.0.9, hosts: [\"*\"]}";
  view = view_of(gateway("g", bound));
  const model::Node node = node_of(kRouter, R"({"LABELS":{"istio":"in"}})");
  const auto written = listeners(listener_plan(*view, node));
  ASSERT_EQ(written.size(), 1u);
  EXPECT_EQ(written[0].name(), "127.0.0.9_80");
  EXPECT_EQ(route_configurations(*view, client_of(*view, node, listener_plan(*view, node)))[0].name(), "http.80.127.0.0.9");
}

TEST(GatewayServers, AutoPassthroughNamesEveryCluster) {
  const std::string world =
      tcp_service("a", "http", 80) + tcp_service("hidden", "http", 80) +
      object("DestinationRule", "a", "host: a, subsets: [{name: v1, labels: {version: v1}}]") +
      object("Gateway", "g",
             "selector: {istio: in}, servers: [{port: {number: 15443, name: t, protocol: TLS}, tls: {mode: AUTO_PASSTHROUGH}, hosts: "
             "[a.default.svc.cluster.local]}]");
  const std::string alpn = " [istio] [istio-peer-exchange] [istio-http/1.0] [istio-http/1.1] [istio-h2] -> ";
  const std::string whole = "outbound_.80_._.a.default.svc.cluster.local", subset = "outbound_.80_.v1_.a.default.svc.cluster.local";
  EXPECT_EQ(chains_on(world, "127.0.0.7_15443", kRouter), (Lines{"tls " + whole + alpn + whole, "tls " + subset + alpn + subset}));
  auto view = view_of(world);
  const model::Node router = node_of(kRouter, R"({"LABELS":{"istio":"in"}})");
  std::map<std::string, std::string> found;
  for (const Cluster& cluster : outbound_clusters(*view, scope_of(*view, router)))
    if (cluster.name().starts_with("outbound_")) found[cluster.name()] = cluster.eds_cluster_config().service_name();
  EXPECT_EQ(found.at(subset), "outbound|80|v1|a.default.svc.cluster.local") << "the endpoints are those of the plain cluster";
  EXPECT_EQ(found.size(), 3u);
  for (const Cluster& cluster : outbound_clusters(*view, scope_of(*view, node_of(kClient))))
    EXPECT_FALSE(cluster.name().starts_with("outbound_"));
}

std::string kube(const std::string& kind, const std::string& name, const std::string& spec) {
  return "---\napiVersion: gateway.networking.k8s.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n";
}
const char* const kOwned = R"({"INTERCEPTION_MODE":"NONE","LABELS":{"gateway.networking.k8s.io/gateway-name":"g"}})";
const std::string kKube =
    tcp_service("db", "tcp", 5432) + tcp_service("a", "tls", 443) +
    kube("Gateway", "g",
         "gatewayClassName: weft, listeners: [{name: tcp, port: 5432, protocol: TCP}, {name: tls, port: 443, protocol: TLS, hostname: "
         "\"*.x.com\", tls: {mode: Passthrough}}, {name: https, port: 444, protocol: HTTPS, tls: {certificateRefs: [{name: c}]}}]");

// "type status reason" of each condition of a route's first parent.
Lines conditions(const model::View& view, const std::string& kind, const std::string& name) {
  const model::ObjectStatus* status = view.status({kind, "default", name});
  Lines lines;
  if (status == nullptr || status->parents.empty()) return lines;
  for (const model::Condition& one : status->parents[0].conditions)
    lines.push_back(one.type + (one.status ? " True " : " False ") + one.reason);
  return lines;
}

TEST(GatewayApi, RoutesPassConnectionsOn) {
  const std::string routes =
      kube("TCPRoute", "t",
           "parentRefs: [{name: g, sectionName: tcp}], rules: [{backendRefs: [{name: db, port: 5432, weight: 3}, {name: a, port: 443}]}]") +
      kube("TLSRoute", "s", "parentRefs: [{name: g}], hostnames: [one.x.com, y.com], rules: [{backendRefs: [{name: a, port: 443}]}]");
  const std::string db = "outbound|5432||db.default.svc.cluster.local", a = "outbound|443||a.default.svc.cluster.local";
  const Lines tcp = chains_on(kKube + routes, "127.0.0.7_5432", kRouter, kOwned);
  ASSERT_EQ(tcp.size(), 1u);
  EXPECT_TRUE(tcp[0].starts_with("-> " + db + "*3 " + a + "*1 as ")) << tcp[0];
  EXPECT_EQ(chains_on(kKube + routes, "127.0.0.7_443", kRouter, kOwned), Lines{"tls one.x.com -> " + a}) << "the listener's names";
  auto view = view_of(kKube + routes);
  const Lines good = {"Accepted True Accepted", "ResolvedRefs True ResolvedRefs"};
  EXPECT_EQ(conditions(*view, "TCPRoute", "t"), good);
  EXPECT_EQ(conditions(*view, "TLSRoute", "s"), good);
  const model::ObjectStatus* gateway = view->status({std::string(model::kKubeGateway), "default", "g"});
  ASSERT_TRUE(gateway != nullptr && gateway->listeners.size() == 3);
  EXPECT_EQ(gateway->listeners[0].supported_kinds, (std::vector<model::AllowedKind>{{std::string(model::kGatewayApi), "TCPRoute"}}));
  EXPECT_EQ(gateway->listeners[1].attached_routes, 1u);
  EXPECT_EQ(gateway->listeners[2].conditions[0].reason, "UnsupportedProtocol");
}

TEST(GatewayApi, RoutesThatCannotAttachSayWhy) {
  auto view = view_of(
      kKube + kube("TCPRoute", "kind", "parentRefs: [{name: g, sectionName: tls}], rules: [{backendRefs: [{name: db, port: 5432}]}]") +
      kube("TCPRoute", "gone", "parentRefs: [{name: g, sectionName: tcp}], rules: [{backendRefs: [{name: none, port: 1}]}]") +
      kube("TCPRoute", "foreign",
           "parentRefs: [{name: g, sectionName: tcp}], rules: [{backendRefs: [{name: db, namespace: far, port: 1}]}]") +
      kube("TLSRoute", "host",
           "parentRefs: [{name: g, sectionName: tls}], hostnames: [y.com], rules: [{backendRefs: [{name: "
           "a, port: 443}]}]"));
  EXPECT_EQ(conditions(*view, "TCPRoute", "kind")[0], "Accepted False NotAllowedByListeners");
  EXPECT_EQ(conditions(*view, "TCPRoute", "gone")[1], "ResolvedRefs False BackendNotFound");
  EXPECT_EQ(conditions(*view, "TCPRoute", "foreign")[1], "ResolvedRefs False RefNotPermitted");
  EXPECT_EQ(conditions(*view, "TLSRoute", "host")[0], "Accepted False NoMatchingListenerHostname");
}

TEST(GatewayApi, RoutesOfAServiceAreForItsClients) {
  const std::string routes =
      kube("TCPRoute", "t", "parentRefs: [{group: '', kind: Service, name: db}], rules: [{backendRefs: [{name: a, port: 443}]}]") +
      kube("TLSRoute", "s",
           "parentRefs: [{group: '', kind: Service, name: a, port: 443}], rules: [{backendRefs: [{name: db, port: 5432}]}]");
  EXPECT_EQ(chains_on(kKube + routes, "127.0.0.5_5432"), Lines{"-> outbound|443||a.default.svc.cluster.local"});
  EXPECT_EQ(chains_on(kKube + routes, "127.0.0.5_443"),
            Lines{"tls a.default.svc.cluster.local -> outbound|5432||db.default.svc.cluster.local"});
}

}  // namespace
}  // namespace weft::translate
