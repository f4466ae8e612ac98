// The layout of a captured sidecar where istiod's recorded mesh says nothing: protocols, merging, headless services, policies.
#include "controlplane/translate/outbound_plan.h"

#include "world.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

namespace weft::translate {
namespace {

using Lines = std::vector<std::string>;
const char* const kNode = "sidecar~10.0.0.5~shop-1.default~default.svc.cluster.local";

// A Service with one port, in namespace default. `ip`: an address, "None", or empty for none.
std::string service(const std::string& name, const std::string& port, uint32_t number, const std::string& ip,
                    const std::string& more = "") {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  " + (ip.empty() ? "" : "clusterIP: " + ip + "\n  ") +
         "selector: {app: " + name + "}\n  ports: [{name: " + port + ", port: " + std::to_string(number) + more + "}]\n";
}
std::string pod(const std::string& name, const std::string& app, const std::string& ip) {
  return "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\n  labels: {app: " + app + "}\nstatus: {podIP: " + ip + "}\n";
}
std::string entry(const std::string& name, const std::string& host, const std::string& port, const std::string& addresses) {
  return "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: " + name + "}\nspec:\n  hosts: [\"" + host +
         "\"]\n  addresses: [" + addresses + "]\n  ports: [" + port + "]\n  resolution: STATIC\n  endpoints: [{address: 192.0.2.1}]\n";
}

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& list) {
  std::string out;
  for (const std::string& item : list) out += (out.empty() ? "" : ",") + item;
  return out;
}

// "[port alpn sni range] routes 8080", "[...] to outbound|...".
std::string show(const FilterChain& chain) {
  const auto& match = chain.filter_chain_match();
  std::string out = "[";
  if (match.has_destination_port()) out += " " + std::to_string(match.destination_port().value());
  if (!match.transport_protocol().empty()) out += " " + match.transport_protocol();
  if (match.application_protocols_size() > 0) out += " " + joined(match.application_protocols());
  if (match.server_names_size() > 0) out += " sni " + joined(match.server_names());
  for (const auto& range : match.prefix_ranges()) out += " " + range.address_prefix() + "/" + std::to_string(range.prefix_len().value());
  out += out.size() > 1 ? " ]" : "]";
  for (const auto& filter : chain.filters()) {
    envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy proxy;
    envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager manager;
    if (filter.typed_config().UnpackTo(&proxy)) out += " to " + proxy.cluster();
    if (filter.typed_config().UnpackTo(&manager)) out += " routes " + (manager.has_rds() ? manager.rds().route_config_name() : "inline");
  }
  return out;
}

Lines show(const Listener& listener) {
  Lines lines;
  for (const auto& filter : listener.listener_filters()) lines.push_back("looks " + filter.name().substr(filter.name().rfind('.') + 1));
  for (const FilterChain& chain : listener.filter_chains()) lines.push_back(show(chain));
  if (listener.has_default_filter_chain()) lines.push_back("else " + show(listener.default_filter_chain()));
  return lines;
}

// All that one captured sidecar is sent, by name.
struct Sent {
  std::map<std::string, Listener> listeners;
  std::map<std::string, Cluster> clusters;
  std::map<std::string, RouteConfiguration> routes;
  std::vector<Conflict> conflicts;

  Sent(const std::string& yaml, const std::string& id = kNode, const std::string& metadata = "{}") {
    auto view = view_of(yaml);
    const model::Node node = node_of(id, metadata);
    const ListenerPlan plan = listener_plan(*view, node);
    const Client client = client_of(*view, node, plan);
    const Scope scope = scope_of(*view, node);
    EXPECT_EQ(scope, scope_of(client));
    for (Listener& one : translate::listeners(plan)) listeners[one.name()] = one;
    for (Listener& one : outbound_listeners(*view, client))
      if (!is_for_self(one.name(), node)) listeners[one.name()] = one;
    for (Cluster& one : outbound_clusters(*view, scope)) clusters[one.name()] = one;
    for (Cluster& one : inbound_clusters(*view, node, plan)) clusters[one.name()] = one;
    for (RouteConfiguration& one : route_configurations(*view, client)) routes[one.name()] = one;
    conflicts = outbound_plan(*view, scope).conflicts;
    conflicts.insert(conflicts.end(), plan.conflicts.begin(), plan.conflicts.end());
  }
  Lines names() const {
    Lines all;
    for (const auto& [name, listener] : listeners) all.push_back(name);
    return all;
  }
  Lines domains(const std::string& configuration) const {
    Lines all;
    for (const auto& host : routes.at(configuration).virtual_hosts()) all.push_back(host.name() + " " + joined(host.domains()));
    return all;
  }
};

const std::string kHttpChain = "[ raw_buffer http/1.1,h2c ] routes ";
const std::string kElsewhere = "else [] to PassthroughCluster";

TEST(Captured, EachProtocolHasItsListener) {
  const Sent sent(service("web", "http", 80, "10.96.0.1") + service("db", "tcp", 5432, "10.96.0.2") +
                  service("odd", "odd", 9000, "10.96.0.3") + service("mail", "mail", 25, "10.96.0.4"));
  EXPECT_EQ(sent.names(), (Lines{"0.0.0.0_80", "10.96.0.2_5432", "10.96.0.3_9000", "10.96.0.4_25", "virtualInbound", "virtualOutbound"}));
  EXPECT_EQ(show(sent.listeners.at("0.0.0.0_80")), (Lines{"looks http_inspector", kHttpChain + "80", kElsewhere}));
  EXPECT_EQ(show(sent.listeners.at("10.96.0.2_5432")), (Lines{"[] to outbound|5432||db.default.svc.cluster.local"}));
  EXPECT_EQ(show(sent.listeners.at("10.96.0.3_9000")), (Lines{"looks http_inspector", "[] to outbound|9000||odd.default.svc.cluster.local",
                                                              kHttpChain + "odd.default.svc.cluster.local:9000"}));
  EXPECT_EQ(show(sent.listeners.at("10.96.0.4_25")), (Lines{"[] to outbound|25||mail.default.svc.cluster.local"}))
      << "its server speaks first: nothing is looked at";
  for (const auto& [name, listener] : sent.listeners) {
    if (name.starts_with("virtual")) continue;
    EXPECT_TRUE(listener.has_bind_to_port() && !listener.bind_to_port().value()) << name;
  }
  EXPECT_EQ(sent.domains("odd.default.svc.cluster.local:9000"), (Lines{"odd.default.svc.cluster.local:9000 *"}));
  EXPECT_EQ(sent.domains("80").back(), "allow_any *");
  EXPECT_EQ(sent.routes.at("80").virtual_hosts(1).routes(0).route().cluster(), "PassthroughCluster");
  EXPECT_EQ(sent.routes.size(), 2u) << "TCP needs none";
}

TEST(Captured, WhatIsUnknownGoesOnAsItCame) {
  const Sent sent(service("odd", "odd", 9000, "10.96.0.3") + service("web", "http", 80, "10.96.0.1"));
  for (const char* name : {"outbound|9000||odd.default.svc.cluster.local", "PassthroughCluster"}) {
    envoy::extensions::upstreams::http::v3::HttpProtocolOptions options;
    const auto& all = sent.clusters.at(name).typed_extension_protocol_options();
    ASSERT_EQ(all.size(), 1u) << name;
    ASSERT_TRUE(all.begin()->second.UnpackTo(&options));
    EXPECT_TRUE(options.use_downstream_protocol_config().has_http_protocol_options()) << name;
    EXPECT_TRUE(options.use_downstream_protocol_config().has_http2_protocol_options()) << name;
  }
  EXPECT_TRUE(sent.clusters.at("outbound|80||web.default.svc.cluster.local").typed_extension_protocol_options().empty());
}

TEST(Captured, VirtualListeners) {
  const Sent sent("", kNode, R"({"INTERCEPTION_MODE":"REDIRECT"})");
  const Listener& out = sent.listeners.at("virtualOutbound");
  EXPECT_TRUE(out.use_original_dst().value());
  EXPECT_FALSE(out.has_transparent());
  EXPECT_EQ(out.address().socket_address().port_value(), 15001u);
  EXPECT_EQ(show(out), (Lines{"[ 15001 ] to BlackHoleCluster", "[] to PassthroughCluster"}));
  const Listener& in = sent.listeners.at("virtualInbound");
  EXPECT_EQ(in.address().socket_address().port_value(), 15006u);
  EXPECT_EQ(show(in), (Lines{"looks original_dst", "looks http_inspector", "[ 15006 ] to BlackHoleCluster",
                             "[ raw_buffer http/1.1,h2c ] routes inline", "[ raw_buffer ] to InboundPassthroughCluster"}));
  EXPECT_TRUE(in.has_listener_filters_timeout() && in.continue_on_listener_filters_timeout());
  EXPECT_EQ(in.listener_filters(1).filter_disabled().destination_port_range().start(), 15006);
  const Cluster& through = sent.clusters.at("InboundPassthroughCluster");
  EXPECT_EQ(through.type(), Cluster::ORIGINAL_DST);
  EXPECT_EQ(through.lb_policy(), Cluster::CLUSTER_PROVIDED);
  EXPECT_EQ(through.upstream_bind_config().source_address().address(), "127.0.0.6");
  EXPECT_FALSE(sent.clusters.at("PassthroughCluster").has_upstream_bind_config());
}

TEST(Captured, InboundPorts) {
  const Sent sent(service("shop", "http", 80, "10.96.0.1", ", targetPort: 8080") +
                  "---\napiVersion: v1\nkind: Service\nmetadata: {name: all}\nspec:\n  clusterIP: 10.96.0.2\n  selector: {app: shop}\n"
                  "  ports: [{name: tcp, port: 5432}, {name: odd, port: 7000}, {name: grpc, port: 81, targetPort: 8080},"
                  " {name: http-own, port: 82, targetPort: 15006}]\n" +
                  pod("shop-1", "shop", "10.0.0.5"));
  const Listener& in = sent.listeners.at("virtualInbound");
  Lines chains = show(in);
  EXPECT_EQ(Lines(chains.begin() + 5, chains.end()),
            (Lines{"[ 5432 raw_buffer ] to inbound|5432||", "[ 7000 raw_buffer http/1.1,h2c ] routes inline",
                   "[ 7000 raw_buffer ] to inbound|7000||", "[ 8080 raw_buffer ] routes inline"}))
      << "8080 is the older service's";
  const auto& off = in.listener_filters(1).filter_disabled().or_match();
  ASSERT_EQ(off.rules_size(), 3);
  EXPECT_EQ(off.rules(0).destination_port_range().start(), 5432);
  EXPECT_EQ(off.rules(1).destination_port_range().start(), 8080);
  EXPECT_EQ(off.rules(2).destination_port_range().end(), 15007);
  const Cluster& own = sent.clusters.at("inbound|8080||");
  EXPECT_EQ(own.type(), Cluster::ORIGINAL_DST);
  EXPECT_EQ(own.upstream_bind_config().source_address().address(), "127.0.0.6");
  EXPECT_FALSE(own.has_load_assignment());
  EXPECT_FALSE(sent.clusters.contains("inbound|15006||"));
  Lines texts;
  for (const Conflict& conflict : sent.conflicts) texts.push_back(conflict.text);
  EXPECT_EQ(texts, (Lines{"inbound port 8080: shop.default.svc.cluster.local has it, all.default.svc.cluster.local shares its listener",
                          "inbound port 15006: all.default.svc.cluster.local is not served, the port is the proxy's own"}));
}

TEST(Captured, HttpAndTcpOfOnePortShareItsListener) {
  // Without an address TCP has only the port to go by.
  const std::string tcp = entry("db", "db.example.com", "{number: 9000, name: tcp, protocol: TCP}", "");
  const std::string other = entry("old", "old.example.com", "{number: 9000, name: tcp, protocol: TCP}", "");
  const std::string web = service("web", "http", 9000, "10.96.0.1");
  const std::string to_db = "[] to outbound|9000||db.example.com";
  for (const std::string& yaml : {tcp + web, web + tcp}) {
    EXPECT_EQ(show(Sent(yaml).listeners.at("0.0.0.0_9000")), (Lines{"looks http_inspector", to_db, kHttpChain + "9000"}));
  }
  EXPECT_EQ(show(Sent(tcp).listeners.at("0.0.0.0_9000")), (Lines{to_db}));
  const Sent both(tcp + other + web);
  EXPECT_EQ(show(both.listeners.at("0.0.0.0_9000")), (Lines{"looks http_inspector", to_db, kHttpChain + "9000"})) << "the oldest";
  ASSERT_EQ(both.conflicts.size(), 1u);
  EXPECT_EQ(both.conflicts[0].text, "outbound port 9000: TCP of old.example.com gives way to TCP of db.example.com");
}

TEST(Captured, AddressesTellTcpApart) {
  const Sent sent(entry("one", "one.example.com", "{number: 9000, name: tcp, protocol: TCP}", "192.0.2.7, 192.0.2.8") +
                  entry("range", "range.example.com", "{number: 9000, name: tcp, protocol: TCP}", "198.51.100.0/24") +
                  entry("rest", "rest.example.com", "{number: 9000, name: tcp, protocol: TCP}", "") +
                  entry("six", "six.example.com", "{number: 9001, name: tcp, protocol: TCP}", "'2001:db8::1'"));
  EXPECT_EQ(show(sent.listeners.at("192.0.2.7_9000")), (Lines{"[] to outbound|9000||one.example.com"}));
  EXPECT_EQ(show(sent.listeners.at("192.0.2.8_9000")), (Lines{"[] to outbound|9000||one.example.com"}));
  EXPECT_EQ(show(sent.listeners.at("0.0.0.0_9000")),
            (Lines{"[ 198.51.100.0/24 ] to outbound|9000||range.example.com", "[] to outbound|9000||rest.example.com"}));
  EXPECT_TRUE(sent.conflicts.empty());
}

TEST(Captured, TlsWithoutAnAddressGoesByName) {
  const Sent sent(entry("a", "a.example.com", "{number: 443, name: tls, protocol: TLS}", "") +
                  entry("b", "b.example.com", "{number: 443, name: https, protocol: HTTPS}", "") +
                  entry("c", "c.example.com", "{number: 443, name: tls, protocol: TLS}", "192.0.2.9"));
  EXPECT_EQ(show(sent.listeners.at("0.0.0.0_443")), (Lines{"looks tls_inspector", "[ sni a.example.com ] to outbound|443||a.example.com",
                                                           "[ sni b.example.com ] to outbound|443||b.example.com", kElsewhere}));
  EXPECT_EQ(show(sent.listeners.at("192.0.2.9_443")), (Lines{"[] to outbound|443||c.example.com"})) << "the address says it all";
  EXPECT_TRUE(sent.conflicts.empty());
}

TEST(Captured, HeadlessServicesAreCalledPodByPod) {
  const std::string pods = pod("shop-1", "db", "10.0.0.5") + pod("db-1", "db", "10.0.0.6") + pod("db-2", "db", "10.0.0.7");
  const Sent sent(service("db", "tcp", 5432, "None") + service("peer", "http", 80, "None") + pods);
  EXPECT_EQ(sent.names(), (Lines{"0.0.0.0_80", "10.0.0.6_5432", "10.0.0.7_5432", "virtualInbound", "virtualOutbound"}))
      << "a call to its own address is inbound's";
  EXPECT_EQ(show(sent.listeners.at("10.0.0.6_5432")), (Lines{"[] to outbound|5432||db.default.svc.cluster.local"}));
  for (const char* name : {"outbound|5432||db.default.svc.cluster.local", "outbound|80||peer.default.svc.cluster.local"}) {
    EXPECT_EQ(sent.clusters.at(name).type(), Cluster::ORIGINAL_DST);
    EXPECT_EQ(sent.clusters.at(name).lb_policy(), Cluster::CLUSTER_PROVIDED);
    EXPECT_FALSE(sent.clusters.at(name).has_eds_cluster_config());
  }
  const Sent odd(service("db", "odd", 5432, "None") + pods);
  EXPECT_EQ(show(odd.listeners.at("10.0.0.7_5432")), (Lines{"looks http_inspector", "[] to outbound|5432||db.default.svc.cluster.local",
                                                            kHttpChain + "db.default.svc.cluster.local:5432"}));
  EXPECT_EQ(odd.routes.size(), 1u) << "one for all pods";
}

TEST(Captured, PortsOfTheProxyItselfAreNobodyElses) {
  for (uint32_t port : {15001u, 15006u, 15021u, 15090u}) {
    const Sent sent(service("web", "http", port, "10.96.0.1") + service("db", "tcp", port, "10.96.0.2"));
    EXPECT_EQ(sent.names(), (Lines{"10.96.0.2_" + std::to_string(port), "virtualInbound", "virtualOutbound"}));
    ASSERT_EQ(sent.conflicts.size(), 1u);
    EXPECT_EQ(sent.conflicts[0].text,
              "outbound port " + std::to_string(port) + ": web.default.svc.cluster.local is not listened for, the port is the proxy's own");
  }
}

TEST(Captured, Ipv6) {
  const Sent sent(service("web", "http", 80, "'2001:db8::1'") + service("db", "tcp", 5432, "'2001:db8::2'"),
                  "sidecar~2001:db8::5~shop-1.default~default.svc.cluster.local");
  EXPECT_EQ(sent.names(), (Lines{"2001:db8::2_5432", "::_80", "virtualInbound", "virtualOutbound"}));
  EXPECT_EQ(sent.listeners.at("virtualInbound").address().socket_address().address(), "::");
  EXPECT_EQ(sent.clusters.at("InboundPassthroughCluster").upstream_bind_config().source_address().address(), "::6");
}

TEST(Captured, Tproxy) {
  const Sent sent("", kNode, R"({"INTERCEPTION_MODE":"TPROXY"})");
  EXPECT_TRUE(sent.listeners.at("virtualOutbound").transparent().value());
  EXPECT_TRUE(sent.listeners.at("virtualInbound").transparent().value());
}

TEST(Captured, RulesReachWhatIsLookedAt) {
  const std::string rule =
      "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: r}\nspec:\n  hosts: [odd]\n  http:\n"
      "  - {name: late, timeout: 3s, route: [{destination: {host: odd}}]}\n";
  const Sent sent(service("odd", "odd", 80, "10.96.0.3") + service("web", "http", 80, "10.96.0.1") + rule);
  EXPECT_EQ(sent.routes.at("odd.default.svc.cluster.local:80").virtual_hosts(0).routes(0).name(), "late");
  EXPECT_EQ(sent.routes.at("odd.default.svc.cluster.local:80").virtual_hosts_size(), 1);
  EXPECT_EQ(sent.domains("80").size(), 3u) << "by its name it is known there too";
}

TEST(Captured, WithoutCaptureNothingChanges) {
  auto view = view_of(service("odd", "odd", 9000, "10.96.0.3"));
  for (const char* mode : {"NONE", "REDIRECT"}) {
    const model::Node node = node_of(kNode, "{\"INTERCEPTION_MODE\":\"" + std::string(mode) + "\"}");
    EXPECT_EQ(scope_of(*view, node).captured, std::string(mode) == "REDIRECT");
  }
  const model::Node node = node_of(kNode);
  const auto all = listeners(listener_plan(*view, node));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].name(), "10.0.0.5_9000");
  EXPECT_FALSE(scope_of(*view, node_of("router~10.0.0.9~gw.default~default.svc.cluster.local", "{}")).captured);
  EXPECT_FALSE(scope_of(*view, node_of(kNode, R"({"GENERATOR":"grpc"})")).captured);
}

}  // namespace
}  // namespace weft::translate
