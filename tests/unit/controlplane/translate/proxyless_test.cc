// What gRPC's own clients get: names that they dial, and nothing that they refuse.
#include "controlplane/translate/translate.h"

#include "rules.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

namespace weft::translate {
namespace {

const std::string kGrpc = R"({"GENERATOR":"grpc"})";
const std::string kSubset =
    "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d}\nspec:\n  host: shop\n"
    "  trafficPolicy: {loadBalancer: {simple: RANDOM}, connectionPool: {http: {http2MaxRequests: 7}}, outlierDetection: "
    "{consecutive5xxErrors: 1}}\n"
    "  subsets: [{name: v1, labels: {version: v1}}]\n";

RouteConfiguration grpc_routes(const std::string& http) {
  auto view = view_of(kShop + rule("r", http));
  auto node = node_of("sidecar~127.0.0.5~x.default~default.svc.cluster.local", kGrpc);
  auto all = route_configurations(*view, client_of(*view, node, {}));
  EXPECT_EQ(all.size(), 1u);
  return all.empty() ? RouteConfiguration() : all[0];
}

TEST(Proxyless, ListenersHaveTheNamesThatClientsDial) {
  auto view = view_of(kShop);
  Lines names;
  for (const auto& listener : proxyless_listeners(*view, Scope{"default"})) {
    names.push_back(listener.name());
    envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager manager;
    ASSERT_TRUE(manager.ParseFromString(listener.api_listener().api_listener().value()));
    EXPECT_EQ(manager.rds().route_config_name(), "outbound|8080||shop.default.svc.cluster.local");
    ASSERT_EQ(manager.http_filters_size(), 2);
    EXPECT_EQ(manager.http_filters(1).name(), "envoy.filters.http.router");
  }
  EXPECT_EQ(names, (Lines{"shop.default.svc.cluster.local:8080", "shop.default.svc:8080", "shop.default:8080", "shop:8080"}));
  EXPECT_EQ(proxyless_listeners(*view, Scope{"other"}).size(), 3u) << "the short name is the own namespace's";
}

TEST(Proxyless, ClustersHaveNoBalancerThatGrpcLacks) {
  auto clusters = proxyless_clusters(*view_of(kShop + kSubset), Scope{"default"});
  ASSERT_EQ(clusters.size(), 2u);
  for (const Cluster& cluster : clusters) {
    EXPECT_EQ(cluster.lb_policy(), Cluster::ROUND_ROBIN);
    EXPECT_FALSE(cluster.has_outlier_detection());
    EXPECT_EQ(cluster.circuit_breakers().thresholds(0).max_requests().value(), 7u);
    EXPECT_EQ(cluster.eds_cluster_config().service_name(), cluster.name());
  }
}

TEST(Proxyless, RoutesSayWhatGrpcUnderstands) {
  const RouteConfiguration routes = grpc_routes(
      "  - {name: query, match: [{queryParams: {a: {exact: b}}}], route: [{destination: {host: shop}}]}\n"
      "  - {name: get, match: [{method: {exact: GET}}], route: [{destination: {host: shop}}]}\n"
      "  - {name: authority, match: [{authority: {exact: x}}], route: [{destination: {host: shop}}]}\n"
      "  - {name: post, match: [{method: {exact: POST}, headers: {h: {exact: v}}}], corsPolicy: {allowMethods: [GET]}, timeout: 3s, "
      "retries: {attempts: 0}, "
      "route: [{destination: {host: shop, subset: a}, weight: 3}, {destination: {host: shop, subset: b}, weight: 4}]}\n"
      "  - {name: fault, match: [{uri: {prefix: /a}}], fault: {abort: {httpStatus: 503, percentage: {value: 100}}}, route: [{destination: "
      "{host: shop}}]}\n"
      "  - {name: answer, directResponse: {status: 410}}\n");
  EXPECT_EQ(routes.name(), "outbound|8080||shop.default.svc.cluster.local");
  ASSERT_EQ(routes.virtual_hosts_size(), 1);
  EXPECT_EQ(routes.virtual_hosts(0).domains(0), "*");
  const auto& all = routes.virtual_hosts(0).routes();
  ASSERT_EQ(all.size(), 3);
  EXPECT_EQ(all[0].name(), "post");
  ASSERT_EQ(all[0].match().headers_size(), 1);
  EXPECT_EQ(all[0].match().headers(0).name(), "h");
  EXPECT_EQ(all[0].match().headers(0).header_match_specifier_case(), envoy::config::route::v3::HeaderMatcher::kExactMatch)
      << "gRPC 1.51 refuses string_match";
  EXPECT_TRUE(all[0].typed_per_filter_config().empty());
  EXPECT_EQ(all[0].route().weighted_clusters().clusters_size(), 2);
  EXPECT_EQ(all[0].route().max_stream_duration().max_stream_duration().seconds(), 3);
  EXPECT_FALSE(all[0].route().has_retry_policy());
  EXPECT_EQ(all[1].typed_per_filter_config().count("envoy.filters.http.fault"), 1u);
  EXPECT_TRUE(all[2].has_non_forwarding_action());
}

TEST(Proxyless, PrefixesOfTheGatewayApiEndAtASlash) {
  auto view = view_of(kShop +
                      "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec:\n"
                      "  parentRefs: [{group: '', kind: Service, name: shop}]\n  rules: [{matches: [{path: {value: /a.B}}]}]\n");
  auto node = node_of("sidecar~127.0.0.5~x.default~default.svc.cluster.local", kGrpc);
  const auto all = route_configurations(*view, client_of(*view, node, {}));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].virtual_hosts(0).routes(0).match().prefix(), "/a.B/");
}

TEST(Proxyless, ServersGetAListenerForEachAddress) {
  auto view = view_of(
      "---\napiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {selector: {app: shop}, ports: [{name: grpc, port: 80, "
      "targetPort: 8080}]}\n"
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: shop-1, labels: {app: shop}}\nstatus: {podIP: 127.0.0.7}\n");
  Lines names;
  for (const auto& listener :
       proxyless_server_listeners(*view, node_of("sidecar~127.0.0.7~shop-1.default~default.svc.cluster.local", kGrpc))) {
    names.push_back(listener.name());
    EXPECT_EQ(listener.address().socket_address().port_value(), 8080u);
    EXPECT_EQ(listener.filter_chains_size(), 1);
  }
  const std::string head = "xds.istio.io/grpc/lds/inbound/";
  EXPECT_EQ(names, (Lines{head + "127.0.0.7:8080", head + "0.0.0.0:8080", head + "[::]:8080"}));
}

}  // namespace
}  // namespace weft::translate
