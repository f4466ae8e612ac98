// The whole of what three proxies get for tests/golden/mesh.yaml, as JSON files; and the layout that a real istiod gave the same
// services, retyped here as expectations. WEFT_REFRESH=1 rewrites the files.
#include "controlplane/translate/translate.h"

#include "world.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"

#include <google/protobuf/util/json_util.h>

#include <cstdlib>

namespace weft::translate {
namespace {

const std::string kGolden = std::string(WEFT_SOURCE_DIR) + "/tests/golden/";

const model::View& mesh() {
  static const auto view = view_of(read_file(kGolden + "mesh.yaml"));
  return *view;
}

const char* const kApp = "sidecar~10.0.0.1~app-1.default~default.svc.cluster.local";
const char* const kProduction = "sidecar~10.0.1.1~order-1.production~production.svc.cluster.local";
const char* const kIngress = "router~10.0.2.1~ingress-1.istio-system~istio-system.svc.cluster.local";

// With the keys sorted: protobuf shows maps in any order.
void append(const yaml::Node& node, const std::string& indent, std::string& out) {
  const std::string inner = indent + " ";
  if (node.is_sequence() && !node.items.empty()) {
    out += "[";
    for (size_t i = 0; i < node.items.size(); ++i) {
      out += (i == 0 ? "\n" : ",\n") + inner;
      append(node.items[i], inner, out);
    }
    out += "\n" + indent + "]";
  } else if (node.is_map() && !node.entries.empty()) {
    std::map<std::string, const yaml::Node*> sorted;
    for (const yaml::Entry& entry : node.entries) sorted[entry.key] = &entry.value;
    out += "{";
    for (const auto& [key, value] : sorted) {
      out += (out.back() == '{' ? "\n" : ",\n") + inner + "\"" + key + "\": ";
      append(*value, inner, out);
    }
    out += "\n" + indent + "}";
  } else {
    out += yaml::to_json(node);
  }
}

template <class Message>
std::string json(const std::vector<Message>& messages) {
  std::string all = "[";
  for (const Message& message : messages) {
    std::string text;
    EXPECT_TRUE(google::protobuf::util::MessageToJsonString(message, &text).ok());
    all += (all.size() > 1 ? "," : "") + text;
  }
  all += "]";
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  EXPECT_TRUE(yaml::parse(all, "json", documents, problem)) << problem.message;
  std::string out;
  append(documents.at(0).root, "", out);
  return out + "\n";
}

void compare(const std::string& name, const std::string& text) {
  const std::string path = kGolden + name + ".json";
  if (std::getenv("WEFT_REFRESH") != nullptr) std::ofstream(path) << text;
  const std::string kept = read_file(path);
  if (kept == text) return;
  size_t at = 0;
  while (at < kept.size() && at < text.size() && kept[at] == text[at]) ++at;
  const size_t from = at > 300 ? at - 300 : 0;
  ADD_FAILURE() << path << " differs; WEFT_REFRESH=1 rewrites it. Now, around the first difference:\n" << text.substr(from, 600);
}

class Golden : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Golden, IsAsKept) {
  auto [name, id] = GetParam();
  const model::Node node = node_of(id);
  const ListenerPlan plan = listener_plan(mesh(), node);
  std::vector<Cluster> clusters = outbound_clusters(mesh(), scope_of(mesh(), node));
  for (Cluster& own : inbound_clusters(mesh(), node, plan)) clusters.push_back(std::move(own));
  compare(std::string(name) + ".clusters", json(clusters));
  compare(std::string(name) + ".endpoints", json(load_assignments(mesh(), scope_of(mesh(), node))));
  compare(std::string(name) + ".listeners", json(listeners(plan)));
  compare(std::string(name) + ".routes", json(route_configurations(mesh(), client_of(mesh(), node, plan))));
}
INSTANTIATE_TEST_SUITE_P(Proxies, Golden,
                         testing::Values(std::pair("app-1.default", kApp), std::pair("order-1.production", kProduction),
                                         std::pair("ingress-1.istio-system", kIngress)));

using Strings = std::vector<std::string>;

Strings strings(const google::protobuf::RepeatedPtrField<std::string>& field) { return {field.begin(), field.end()}; }

RouteConfiguration routes_named(const char* id, const std::string& name) {
  const model::Node node = node_of(id);
  for (RouteConfiguration& found : route_configurations(mesh(), client_of(mesh(), node, listener_plan(mesh(), node)))) {
    if (found.name() == name) return found;
  }
  ADD_FAILURE() << "no route configuration " << name;
  return {};
}

envoy::config::route::v3::VirtualHost host_named(const RouteConfiguration& routes, const std::string& name) {
  for (const auto& host : routes.virtual_hosts()) {
    if (host.name() == name) return host;
  }
  ADD_FAILURE() << "no virtual host " << name;
  return {};
}

TEST(Istiod, ClusterNames) {
  Strings names;
  for (const Cluster& cluster : outbound_clusters(mesh(), Scope{"default"})) names.push_back(cluster.name());
  EXPECT_EQ(names,
            (Strings{"BlackHoleCluster", "outbound|443||istio-ingressgateway.istio-system.svc.cluster.local",
                     "outbound|8080|v1|order-service.default.svc.cluster.local", "outbound|8080|v2|order-service.default.svc.cluster.local",
                     "outbound|8080||api-gateway.production.svc.cluster.local", "outbound|8080||order-service-v2.default.svc.cluster.local",
                     "outbound|8080||order-service.default.svc.cluster.local", "outbound|8080||order-service.production.svc.cluster.local",
                     "outbound|8080||payment-service.default.svc.cluster.local", "outbound|8080||product-service.default.svc.cluster.local",
                     "outbound|8080||user-service.default.svc.cluster.local",
                     "outbound|80||istio-ingressgateway.istio-system.svc.cluster.local"}));
  Strings inbound;
  for (const Cluster& cluster : inbound_clusters(mesh(), node_of(kApp), listener_plan(mesh(), node_of(kApp))))
    inbound.push_back(cluster.name());
  EXPECT_EQ(inbound, Strings{"inbound|8080||"});
}

TEST(Istiod, VirtualHostsAndDomains) {
  RouteConfiguration routes = routes_named(kApp, "8080");
  Strings names;
  for (const auto& host : routes.virtual_hosts()) names.push_back(host.name());
  EXPECT_EQ(names, (Strings{"api-gateway.production.svc.cluster.local:8080", "order-service-v2.default.svc.cluster.local:8080",
                            "order-service.default.svc.cluster.local:8080", "order-service.production.svc.cluster.local:8080",
                            "payment-service.default.svc.cluster.local:8080", "product-service.default.svc.cluster.local:8080",
                            "user-service.default.svc.cluster.local:8080", "block_all"}));
  EXPECT_EQ(strings(host_named(routes, "order-service.default.svc.cluster.local:8080").domains()),
            (Strings{"order-service.default.svc.cluster.local", "order-service.default.svc.cluster.local.", "order-service",
                     "order-service.default.svc", "order-service.default", "10.96.0.11"}));
  EXPECT_EQ(strings(host_named(routes, "order-service.production.svc.cluster.local:8080").domains()),
            (Strings{"order-service.production.svc.cluster.local", "order-service.production.svc.cluster.local.",
                     "order-service.production", "order-service.production.svc", "10.96.0.16"}));
  EXPECT_EQ(routes.validate_clusters().value(), false);
  EXPECT_TRUE(routes.ignore_port_in_host_matching());

  RouteConfiguration http = routes_named(kApp, "80");
  names.clear();
  for (const auto& host : http.virtual_hosts()) names.push_back(host.name());
  EXPECT_EQ(names, (Strings{"istio-ingressgateway.istio-system.svc.cluster.local:80", "payment-service.default.svc.cluster.local:80",
                            "user-service.default.svc.cluster.local:80", "block_all"}))
      << "rules' hosts are on port 80 too";
}

TEST(Istiod, CanaryRoutes) {
  auto host = host_named(routes_named(kApp, "8080"), "user-service.default.svc.cluster.local:8080");
  ASSERT_EQ(host.routes_size(), 2);
  EXPECT_EQ(host.routes(0).match().prefix(), "/");
  EXPECT_TRUE(host.routes(0).match().case_sensitive().value());
  EXPECT_EQ(host.routes(0).match().headers(0).name(), "canary");
  EXPECT_EQ(host.routes(0).match().headers(0).string_match().exact(), "true");
  EXPECT_EQ(host.routes(0).route().cluster(), "outbound|8080|v2|user-service.default.svc.cluster.local");
  EXPECT_FALSE(host.routes(1).match().has_case_sensitive());
  const auto& clusters = host.routes(1).route().weighted_clusters().clusters();
  ASSERT_EQ(clusters.size(), 2);
  EXPECT_EQ(clusters[0].name(), "outbound|8080|v1|user-service.default.svc.cluster.local");
  EXPECT_EQ(clusters[0].weight().value(), 95u);
  EXPECT_EQ(clusters[1].weight().value(), 5u);
  const auto& retry = host.routes(1).route().retry_policy();
  EXPECT_EQ(retry.retry_on(), "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes");
  EXPECT_EQ(retry.num_retries().value(), 2u);
  EXPECT_EQ(retry.host_selection_retry_max_attempts(), 5);
  EXPECT_EQ(retry.retry_host_predicate(0).name(), "envoy.retry_host_predicates.previous_hosts");
  EXPECT_EQ(host.routes(1).route().timeout().seconds(), 0);
}

TEST(Istiod, GatewayRoutes) {
  RouteConfiguration routes = routes_named(kIngress, "http.8080");
  auto host = host_named(routes, "api.ecommerce.com:80");
  EXPECT_EQ(strings(host.domains()), Strings{"api.ecommerce.com"});
  ASSERT_EQ(host.routes_size(), 1);
  EXPECT_EQ(host.routes(0).match().prefix(), "/api/orders");
  EXPECT_EQ(host.routes(0).route().retry_policy().num_retries().value(), 3u);
  EXPECT_EQ(host.routes(0).route().retry_policy().per_try_timeout().seconds(), 2);
  envoy::extensions::filters::http::fault::v3::HTTPFault fault;
  ASSERT_TRUE(host.routes(0).typed_per_filter_config().at("envoy.filters.http.fault").UnpackTo(&fault));
  EXPECT_EQ(fault.delay().fixed_delay().seconds(), 5);
  EXPECT_EQ(fault.delay().percentage().numerator(), 1000u);
  auto made = listeners(listener_plan(mesh(), node_of(kIngress)));
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].name(), "10.0.2.1_8080");
  made = listeners(listener_plan(mesh(), node_of(kIngress, "{}")));
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].name(), "0.0.0.0_8080");
}

TEST(Istiod, PoliciesAndEndpoints) {
  std::map<std::string, Cluster> clusters;
  for (Cluster& cluster : outbound_clusters(mesh(), Scope{"default"})) clusters[cluster.name()] = cluster;
  const Cluster& v2 = clusters.at("outbound|8080|v2|order-service.default.svc.cluster.local");
  EXPECT_EQ(v2.circuit_breakers().thresholds(0).max_connections().value(), 50u);
  EXPECT_EQ(v2.circuit_breakers().thresholds(0).max_pending_requests().value(), 4294967295u) << "a block replaces, it does not merge";
  EXPECT_EQ(v2.lb_policy(), Cluster::LEAST_REQUEST);
  EXPECT_EQ(v2.typed_extension_protocol_options_size(), 0);
  EXPECT_EQ(clusters.at("outbound|8080||order-service.default.svc.cluster.local").typed_extension_protocol_options_size(), 1);
  const Cluster& payment = clusters.at("outbound|8080||payment-service.default.svc.cluster.local");
  EXPECT_EQ(payment.outlier_detection().consecutive_5xx().value(), 3u);
  EXPECT_EQ(payment.outlier_detection().enforcing_success_rate().value(), 0u);
  EXPECT_TRUE(payment.outlier_detection().has_enforcing_success_rate());
  EXPECT_TRUE(payment.common_lb_config().has_healthy_panic_threshold());
  for (const LoadAssignment& assignment : load_assignments(mesh(), Scope{"default"})) {
    if (assignment.cluster_name() != v2.name()) continue;
    ASSERT_EQ(assignment.endpoints_size(), 1);
    ASSERT_EQ(assignment.endpoints(0).lb_endpoints_size(), 1);
    EXPECT_EQ(assignment.endpoints(0).lb_endpoints(0).endpoint().address().socket_address().address(), "10.0.0.2");
    EXPECT_EQ(assignment.endpoints(0).load_balancing_weight().value(), 1u);
  }
}

}  // namespace
}  // namespace weft::translate
