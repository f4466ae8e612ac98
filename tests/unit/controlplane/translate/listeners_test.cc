// Connection managers: filters, and the routes of what a workload itself serves.
#include "rules.h"

#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

namespace weft::translate {
namespace {

using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

// The connection managers of a node's listeners, by the listeners' names.
std::map<std::string, HttpConnectionManager> managers(const std::string& world, const std::string& id, const std::string& labels) {
  auto view = view_of(world);
  std::map<std::string, HttpConnectionManager> out;
  const auto node = node_of(id, R"({"INTERCEPTION_MODE":"NONE","LABELS":{)" + labels + "}}");
  for (const Listener& listener : listeners(listener_plan(*view, node)))
    EXPECT_TRUE(listener.filter_chains(0).filters(0).typed_config().UnpackTo(&out[listener.name()]));
  return out;
}

Lines filters_of(const HttpConnectionManager& manager) {
  Lines names;
  for (const auto& filter : manager.http_filters()) names.push_back(filter.name());
  return names;
}

std::string service(const std::string& port) {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {selector: {app: shop}, ports: [{name: " + port +
         ", port: 8080}]}\n";
}

HttpConnectionManager inbound(const std::string& port) {
  return managers(service(port), "sidecar~127.0.0.5~shop-1.default~default.svc.cluster.local", R"("app":"shop")").at("127.0.0.5_8080");
}

TEST(Listeners, FiltersAreIstiosInItsOrder) {
  const Lines usual = {"envoy.filters.http.grpc_stats", "envoy.filters.http.fault", "envoy.filters.http.cors", "envoy.filters.http.router"};
  EXPECT_EQ(filters_of(inbound("http")), usual);
  Lines web = usual;
  web.insert(web.begin(), "envoy.filters.http.grpc_web");
  EXPECT_EQ(filters_of(inbound("grpc-web")), web);
  EXPECT_EQ(filters_of(managers(service("grpc-web"), "sidecar~127.0.0.6~x.default~default.svc.cluster.local", "").at("127.0.0.6_8080")),
            web);

  auto gateway = [](const std::string& protocols) {
    std::string out =
        "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec:\n  selector: {istio: in}\n  servers:\n";
    for (const char* host : {"a", "b"})
      out += std::string("  - {port: {number: 8080, name: p, protocol: ") + (host == std::string("a") ? "HTTP" : protocols) +
             "}, hosts: [" + host + "]}\n";
    return managers(out, "router~127.0.0.7~gw.default~default.svc.cluster.local", R"("istio":"in")").at("127.0.0.7_8080");
  };
  EXPECT_EQ(filters_of(gateway("HTTP")), usual);
  EXPECT_EQ(filters_of(gateway("GRPC-WEB")), web) << "one server of it is enough";
  EXPECT_EQ(gateway("HTTP").forward_client_cert_details(), HttpConnectionManager::SANITIZE_SET);
  EXPECT_EQ(inbound("http").forward_client_cert_details(), HttpConnectionManager::APPEND_FORWARD);
}

TEST(Listeners, RoutesToTheWorkloadItself) {
  const auto http = inbound("http").route_config().virtual_hosts(0).routes(0);
  EXPECT_EQ(http.decorator().operation(), "shop.default.svc.cluster.local:8080/*");
  EXPECT_EQ(http.route().retry_policy().retry_on(), "reset-before-request");
  EXPECT_EQ(http.route().retry_policy().num_retries().value(), 2u);
  EXPECT_TRUE(http.route().max_stream_duration().has_grpc_timeout_header_max()) << "clients' deadlines hold";
  EXPECT_FALSE(inbound("grpc").route_config().virtual_hosts(0).routes(0).route().has_retry_policy());
}

}  // namespace
}  // namespace weft::translate
