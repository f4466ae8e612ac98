// What a DestinationRule says about balancing and protocols: on clusters, and on the routes that lead there.
#include "rules.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

namespace weft::translate {
namespace {

using Options = envoy::extensions::upstreams::http::v3::HttpProtocolOptions;

std::string policy(const std::string& text, const std::string& subsets = "") {
  return "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d}\nspec:\n  host: shop\n  trafficPolicy: {" +
         text + "}\n" + subsets;
}

Cluster cluster(const std::string& text, const std::string& service = kShop, const std::string& subset = "") {
  auto view = view_of(service + policy(text));
  for (const Cluster& found : outbound_clusters(*view, Scope{"default"}))
    if (found.name() == "outbound|8080|" + subset + "|shop.default.svc.cluster.local") return found;
  ADD_FAILURE() << "no cluster";
  return {};
}

Options options(const std::string& http, const std::string& service = kShop) {
  Options out;
  const Cluster found = cluster("connectionPool: {http: {" + http + "}}", service);
  for (const auto& [name, config] : found.typed_extension_protocol_options()) EXPECT_TRUE(config.UnpackTo(&out));
  return out;
}

TEST(Balancing, ConsistentHashIsARingOrMaglev) {
  auto ring = cluster("loadBalancer: {consistentHash: {httpHeaderName: x-user}}");
  EXPECT_EQ(ring.lb_policy(), Cluster::RING_HASH);
  EXPECT_EQ(ring.ring_hash_lb_config().minimum_ring_size().value(), 1024u);
  EXPECT_EQ(cluster("loadBalancer: {consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 9}}}")
                .ring_hash_lb_config()
                .minimum_ring_size()
                .value(),
            9u);
  auto maglev = cluster("loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 101}}}");
  EXPECT_EQ(maglev.lb_policy(), Cluster::MAGLEV);
  EXPECT_EQ(maglev.maglev_lb_config().table_size().value(), 101u);
  EXPECT_FALSE(cluster("loadBalancer: {consistentHash: {useSourceIp: true, maglev: {}}}").has_maglev_lb_config());
}

TEST(Balancing, RoutesHashByTheRuleOfTheirDestination) {
  auto action = [](const std::string& balancer, const std::string& http = "", const std::string& subsets = "") {
    auto view = view_of(kShop + policy("loadBalancer: {" + balancer + "}", subsets) + (http.empty() ? "" : rule("r", http)));
    return host(*view, client(*view), "shop.default.svc.cluster.local:8080").routes(0).route();
  };
  auto found = action("consistentHash: {httpHeaderName: x-user}");
  ASSERT_EQ(found.hash_policy_size(), 1);
  EXPECT_EQ(found.hash_policy(0).header().header_name(), "x-user");
  EXPECT_EQ(found.retry_policy().retry_host_predicate_size(), 0) << "the hash has chosen the host";
  EXPECT_EQ(action("consistentHash: {useSourceIp: true}",
                   "  - {retries: {attempts: 1, retryIgnorePreviousHosts: true}, route: [{destination: {host: shop}}]}\n")
                .retry_policy()
                .retry_host_predicate_size(),
            1)
      << "asked for";
  found = action("consistentHash: {httpCookie: {name: c, ttl: 1s, attributes: [{name: SameSite, value: Lax}, {name: Secure}]}}");
  ASSERT_EQ(found.hash_policy(0).cookie().attributes_size(), 2);
  EXPECT_EQ(found.hash_policy(0).cookie().attributes(0).name(), "SameSite");
  EXPECT_EQ(found.hash_policy(0).cookie().attributes(0).value(), "Lax");
  EXPECT_EQ(found.hash_policy(0).cookie().attributes(1).name(), "Secure");
  found = action("consistentHash: {httpCookie: {name: c, path: /p, ttl: 0s}}");
  EXPECT_EQ(found.hash_policy(0).cookie().name(), "c");
  EXPECT_EQ(found.hash_policy(0).cookie().path(), "/p");
  EXPECT_TRUE(found.hash_policy(0).cookie().has_ttl());
  EXPECT_FALSE(action("consistentHash: {httpCookie: {name: c}}").hash_policy(0).cookie().has_ttl());
  EXPECT_EQ(action("consistentHash: {httpQueryParameterName: q}").hash_policy(0).query_parameter().name(), "q");
  EXPECT_TRUE(action("consistentHash: {useSourceIp: true}").hash_policy(0).connection_properties().source_ip());
  EXPECT_EQ(action("simple: RANDOM").hash_policy_size(), 0);
  EXPECT_EQ(action("simple: RANDOM").retry_policy().retry_host_predicate_size(), 1);

  const std::string subsets = "  subsets:\n  - {name: v1, trafficPolicy: {loadBalancer: {simple: RANDOM}}}\n  - {name: v2}\n";
  EXPECT_EQ(
      action("consistentHash: {useSourceIp: true}", "  - {route: [{destination: {host: shop, subset: v1}}]}\n", subsets).hash_policy_size(),
      0);
  EXPECT_EQ(
      action("consistentHash: {useSourceIp: true}", "  - {route: [{destination: {host: shop, subset: v2}}]}\n", subsets).hash_policy_size(),
      1);
}

TEST(Balancing, ProtocolsOfTheUpstream) {
  EXPECT_TRUE(options("h2UpgradePolicy: UPGRADE").explicit_http_config().has_http2_protocol_options());
  EXPECT_FALSE(options("h2UpgradePolicy: DO_NOT_UPGRADE").has_explicit_http_config());
  EXPECT_TRUE(options("useClientProtocol: true").use_downstream_protocol_config().has_http2_protocol_options());
  const auto http2 = options("h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 7, http2KeepAlive: {interval: 3s, timeout: 1s}")
                         .explicit_http_config()
                         .http2_protocol_options();
  EXPECT_EQ(http2.max_concurrent_streams().value(), 7u);
  EXPECT_EQ(http2.connection_keepalive().interval().seconds(), 3);
  EXPECT_EQ(http2.connection_keepalive().timeout().seconds(), 1);
  const std::string tcp = "---\napiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {ports: [{name: tcp, port: 8080}]}\n";
  EXPECT_TRUE(cluster("connectionPool: {http: {h2UpgradePolicy: UPGRADE}}", tcp).typed_extension_protocol_options().empty());

  auto view = view_of(
      "---\napiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {selector: {app: a}, ports: [{name: http, port: 8080}]}\n" +
      policy("connectionPool: {http: {h2UpgradePolicy: UPGRADE}}"));
  const auto node =
      node_of("sidecar~127.0.0.5~a-1.default~default.svc.cluster.local", R"({"LABELS":{"app":"a"},"INTERCEPTION_MODE":"NONE"})");
  for (const Cluster& inbound : inbound_clusters(*view, node, listener_plan(*view, node)))
    EXPECT_TRUE(inbound.typed_extension_protocol_options().empty()) << "the application speaks what its port's name says";
}

TEST(Balancing, WhatIsWrongIsSaid) {
  auto problem = [](const std::string& text) {
    for (const Diagnostic& finding : validation::validate_text(policy(text), "f.yaml").findings)
      if (finding.severity == Severity::kError) return finding.message;
    return std::string();
  };
  auto hash = [&](const std::string& text) { return problem("loadBalancer: {consistentHash: {" + text + "}}"); };
  EXPECT_EQ(hash("useSourceIp: true"), "");
  EXPECT_NE(hash("ringHash: {}").find("found none of httpHeaderName"), std::string::npos);
  EXPECT_NE(hash("useSourceIp: true, httpHeaderName: a").find("found several of"), std::string::npos);
  EXPECT_NE(hash("httpHeaderName: 'a b'").find("expected the name of a header"), std::string::npos);
  EXPECT_NE(hash("httpCookie: {path: /}").find("found no name"), std::string::npos);
  EXPECT_NE(hash("httpCookie: {name: c, attributes: [{value: x}]}").find("found no name"), std::string::npos);
  EXPECT_NE(hash("httpCookie: {name: c, attributes: [{name: Path, value: 'a; b'}]}").find("a semicolon"), std::string::npos);
  EXPECT_NE(hash("useSourceIp: true, ringHash: {}, maglev: {}").find("found ringHash and maglev"), std::string::npos);
  EXPECT_NE(hash("useSourceIp: true, maglev: {tableSize: 100}").find("found 100, expected a prime"), std::string::npos);
  EXPECT_NE(problem("loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}").find("beside simple"), std::string::npos);
  EXPECT_NE(problem("connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}").find("expected one of them"),
            std::string::npos);
  EXPECT_NE(problem("connectionPool: {http: {h2UpgradePolicy: YES}}").find("expected DEFAULT, DO_NOT_UPGRADE or UPGRADE"),
            std::string::npos);
}

}  // namespace
}  // namespace weft::translate
