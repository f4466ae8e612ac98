#include "controlplane/translate/translate.h"

#include "world.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"

namespace weft::translate {
namespace {

// A Service with one port, in namespace default.
std::string service(const std::string& name, const std::string& port, uint32_t number, const std::string& target = "") {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  selector: {app: " + name +
         "}\n  ports: [{name: " + port + ", port: " + std::to_string(number) + (target.empty() ? "" : ", targetPort: " + target) + "}]\n";
}
std::string pod(const std::string& name, const std::string& app, const std::string& ip) {
  return "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\n  labels: {app: " + app + "}\nstatus: {podIP: " + ip + "}\n";
}

// "address_port kind service port", a line each.
std::vector<std::string> show(const ListenerPlan& plan) {
  static constexpr const char* kKinds[] = {"inbound", "http", "tcp", "gateway"};
  std::vector<std::string> lines;
  for (const Binding& binding : plan.bindings) {
    lines.push_back(binding.address + "_" + std::to_string(binding.port) + " " + kKinds[static_cast<int>(binding.kind)] + " " +
                    std::to_string(binding.service_port));
  }
  return lines;
}

using Lines = std::vector<std::string>;
const char* const kShop = "sidecar~127.0.0.5~shop-1.default~default.svc.cluster.local";

TEST(ListenerPlan, OutboundMovesWhereInboundHasThePort) {
  auto view = view_of(service("shop", "http", 8080) + service("db", "tcp", 5432) + service("web", "http", 80, "8081") +
                      pod("shop-1", "shop", "127.0.0.5"));
  EXPECT_EQ(show(listener_plan(*view, node_of(kShop))),
            (Lines{"127.0.0.5_80 http 80", "127.0.0.5_5432 tcp 5432", "127.0.0.5_8080 inbound 8080", "127.0.0.5_23080 http 8080"}));
  EXPECT_EQ(show(listener_plan(
                *view, node_of(kShop, R"({"INTERCEPTION_MODE":"NONE","OUTBOUND_BIND_ADDRESS":"127.0.1.5","UNPRIVILEGED_POD":"true"})"))),
            (Lines{"127.0.0.5_8080 inbound 8080", "127.0.1.5_5432 tcp 5432", "127.0.1.5_8080 http 8080", "127.0.1.5_15080 http 80"}));
  EXPECT_EQ(show(listener_plan(*view, node_of(kShop, R"({"INTERCEPTION_MODE":"NONE","OUTBOUND_PORT_OFFSET":1})"))),
            (Lines{"127.0.0.5_80 http 80", "127.0.0.5_5432 tcp 5432", "127.0.0.5_8080 inbound 8080", "127.0.0.5_8081 http 8080"}));
}

TEST(ListenerPlan, ProtocolsThatMeetOnAPortAreToldApart) {
  auto view = view_of(service("a", "tcp", 9000) + service("b", "http", 9000) + service("c", "tcp", 9001) + service("d", "tcp", 9001) +
                      service("e", "http", 9002) + service("f", "tcp", 9002));
  ListenerPlan plan = listener_plan(*view, node_of(kShop));
  EXPECT_EQ(show(plan), (Lines{"127.0.0.5_9000 http 9000", "127.0.0.5_9001 tcp 9001", "127.0.0.5_9002 http 9002"}));
  ASSERT_EQ(plan.conflicts.size(), 3u);
  EXPECT_EQ(plan.conflicts[0].text, "outbound port 9000: HTTP stands over TCP of a.default.svc.cluster.local");
  EXPECT_EQ(plan.conflicts[1].text,
            "outbound port 9001: TCP of d.default.svc.cluster.local gives way to TCP of c.default.svc.cluster.local");
  EXPECT_EQ(plan.conflicts[2].text, "outbound port 9002: TCP of f.default.svc.cluster.local gives way to HTTP");
}

TEST(ListenerPlan, TheApplicationIsWhereTheNodeSays) {
  auto view = view_of(service("shop", "http", 8080) + pod("shop-1", "shop", "127.0.0.5"));
  const model::Node node = node_of(kShop, R"({"INTERCEPTION_MODE":"NONE","APP_ADDRESS":"127.0.0.9","APP_PORTS":{"8080":18080}})");
  auto clusters = inbound_clusters(*view, node, listener_plan(*view, node));
  ASSERT_EQ(clusters.size(), 1u);
  EXPECT_EQ(clusters[0].name(), "inbound|8080||");
  const auto& address = clusters[0].load_assignment().endpoints(0).lb_endpoints(0).endpoint().address().socket_address();
  EXPECT_EQ(address.address(), "127.0.0.9");
  EXPECT_EQ(address.port_value(), 18080u);
  EXPECT_EQ(application_address(node_of(kShop), 8080), (std::pair<std::string, uint32_t>("127.0.0.1", 8080)));
}

TEST(ListenerPlan, GatewaysListenOnTheTargetPort) {
  const std::string gateway =
      "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec:\n  selector: {istio: in}\n"
      "  servers:\n  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}\n"
      "  - {port: {number: 8888, name: more, protocol: HTTP}, hosts: ['*']}\n";
  const char* const id = "router~127.0.0.7~gw-1.default~default.svc.cluster.local";
  auto view = view_of(gateway);
  EXPECT_EQ(show(listener_plan(*view, node_of(id, R"({"LABELS":{"istio":"in"}})"))),
            (Lines{"0.0.0.0_80 gateway 80", "0.0.0.0_8888 gateway 8888"}));
  ListenerPlan plan = listener_plan(*view, node_of(id, R"({"LABELS":{"istio":"in"},"UNPRIVILEGED_POD":"true"})"));
  EXPECT_EQ(show(plan), Lines{"0.0.0.0_8888 gateway 8888"});
  EXPECT_EQ(plan.conflicts.at(0).text, "gateway default/g port 80: an unprivileged pod cannot listen on 80");
  EXPECT_EQ(show(listener_plan(*view, node_of(id, R"({"LABELS":{"istio":"other"}})"))), Lines{});
  view = view_of(gateway + service("gw", "http", 80, "8080") +
                 "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: gw-1\n  labels: {app: gw, istio: in}\n");
  EXPECT_EQ(show(listener_plan(*view, node_of(id))), (Lines{"127.0.0.7_8080 gateway 80", "127.0.0.7_8888 gateway 8888"}));
}

}  // namespace
}  // namespace weft::translate
