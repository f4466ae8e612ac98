#include "controlplane/model/view.h"

#include "controlplane/model/changes.h"
#include "tests/unit/controlplane/model/build.h"

#include <gtest/gtest.h>

#include <chrono>

using namespace weft;
using namespace weft::model;
using namespace weft::model::testing;

namespace {

std::string listed(const EndpointList& list) {
  std::string out;
  for (const Endpoint& e : list)
    out += (out.empty() ? "" : " ") + e.address + ":" + std::to_string(e.port) + (e.workload.empty() ? "" : "=" + e.workload) +
           (e.health == Endpoint::Health::kHealthy ? "" : "!");
  return out;
}
std::string endpoints(const View& view, const std::string& host, uint32_t port = 8080, const std::string& ns = "default") {
  const ServiceInfo* service = view.find_service(host, ns);
  return service ? listed(view.endpoints(*service, port)) : "no service";
}
const std::string kA = "a.default.svc.cluster.local";

Node node(const std::string& name, const std::string& ip, Labels labels = {}, const std::string& ns = "default") {
  Node node;
  node.name = name;
  node.ns = ns;
  node.ip = ip;
  node.labels = std::move(labels);
  return node;
}

std::string inbound(const View& view, const Node& node) {
  std::string out;
  for (const InboundPort& p : view.inbound(node))
    out += (out.empty() ? "" : " ") + p.service->name + ":" + std::to_string(p.port->number) + ">" + std::to_string(p.target_port);
  return out;
}

SliceEndpoint at(const std::string& ip, const std::string& pod_name = {}, bool ready = true, bool terminating = false) {
  return {{ip}, ready, terminating, "", "", {"default", pod_name}};
}

}  // namespace

TEST(View, AServiceOfAKubernetesService) {
  auto v = view({service("a", {{"app", "a"}}, 7)});
  ASSERT_EQ(v->services().size(), 1u);
  const ServiceInfo& info = *v->services()[0];
  EXPECT_EQ(info.hostname, kA);
  EXPECT_TRUE(info.kubernetes);
  EXPECT_EQ(info.addresses, std::vector<std::string>{"10.96.0.1"});
  EXPECT_EQ(info.created, 7u);
  ASSERT_TRUE(info.port(8080));
  EXPECT_EQ(info.port(8080)->protocol, Protocol::kHttp);
  EXPECT_EQ(info.port(81), nullptr);
}

TEST(View, EndpointsComeFromSlicesJoinedWithPods) {
  auto v = view({service("a", {{"app", "a"}}),
                 pod("p1",
                     {{"app", "a"},
                      {"version", "v1"},
                      {"security.istio.io/tlsMode", "istio"},
                      {"topology.kubernetes.io/region", "r"},
                      {"topology.kubernetes.io/zone", "z"}},
                     ""),
                 pod("p2", {{"app", "a"}}, "10.0.0.2"),
                 slice("s", "a", {at("10.0.0.1", "p1"), at("10.0.0.2"), at("10.0.0.3", "", false), at("10.0.0.4", "", false, true)})});
  EXPECT_EQ(endpoints(*v, kA), "10.0.0.1:8080=p1 10.0.0.2:8080=p2 10.0.0.3:8080!")
      << "by targetRef, by address, unknown pod; terminating is gone";
  const Endpoint& first = v->endpoints(*v->find_service(kA, "default"), 8080)[0];
  EXPECT_EQ(first.labels.at("version"), "v1");
  EXPECT_EQ(first.tls_mode, "istio");
  EXPECT_EQ(first.locality, (Locality{"r", "z", ""}));
  EXPECT_EQ(first.service_account, "p1-sa");
}

TEST(View, WithoutSlicesEndpointsThenPodsStandIn) {
  Endpoints classic;
  classic.subsets.push_back({{{"10.0.0.9", "", "", {}}}, {{"10.0.0.8", "", "", {}}}, {{"http", "TCP", 1234}}});
  auto pods = std::vector<ResourcePtr>{service("a", {{"app", "a"}}), pod("p1", {{"app", "a"}}, "10.0.0.1"),
                                       pod("p2", {{"app", "a"}}, "10.0.0.2", false), pod("q", {{"app", "b"}}, "10.0.0.3"),
                                       pod("far", {{"app", "a"}}, "10.0.0.4", true, "other")};
  EXPECT_EQ(endpoints(*view(pods), kA), "10.0.0.1:8080=p1 10.0.0.2:8080=p2!");
  auto with = pods;
  with.push_back(make("Endpoints", "default", "a", classic));
  EXPECT_EQ(endpoints(*view(with), kA), "10.0.0.8:1234! 10.0.0.9:1234");
  with.push_back(slice("s", "a", {}));
  EXPECT_EQ(endpoints(*view(with), kA), "") << "a slice, even an empty one, is the truth";
}

TEST(View, NamedTargetPortsComeFromThePod) {
  Service spec;
  spec.selector = {{"app", "a"}};
  spec.ports.push_back({"http", "TCP", "", 80, TargetPort{0, "web"}});
  spec.ports.push_back({"udp", "UDP", "", 81, {}});
  auto v = view({make("Service", "default", "a", spec), pod("p", {{"app", "a"}}, "10.0.0.1")});
  EXPECT_EQ(endpoints(*v, kA, 80), "10.0.0.1:9090=p");
  EXPECT_EQ(v->services()[0]->ports.size(), 1u) << "UDP is left out";
  EXPECT_EQ(inbound(*v, node("p", "10.0.0.1")), "a:80>9090");
}

TEST(View, ServiceEntriesWithEndpointsAndSelectors) {
  ServiceEntry inline_entry;
  inline_entry.hosts = {"x.com", "y.com"};
  inline_entry.ports = {{80, "http", Protocol::kHttp, 8000}, {81, "tcp", Protocol::kTcp, {}}};
  inline_entry.endpoints.push_back({"1.1.1.1", {{"http", 9000}}, {{"v", "1"}}, "", parse_locality("r/z/s"), 5, "sa"});
  inline_entry.endpoints.push_back({"1.1.1.2"});
  ServiceEntry selecting;
  selecting.hosts = {"z.com"};
  selecting.ports = {{80, "http", Protocol::kHttp, {}}};
  selecting.location = Location::kMeshInternal;
  selecting.workload_selector = Labels{{"app", "vm"}};
  WorkloadEntry vm{"2.2.2.2", {{"http", 7000}}, {{"app", "vm"}}};
  auto v = view({make("ServiceEntry", "default", "e", inline_entry), make("ServiceEntry", "default", "f", selecting),
                 make("WorkloadEntry", "default", "vm1", vm), pod("p", {{"app", "vm"}}, "3.3.3.3")});
  EXPECT_EQ(v->services().size(), 3u);
  EXPECT_EQ(endpoints(*v, "x.com", 80), "1.1.1.1:9000 1.1.1.2:8000");
  EXPECT_EQ(endpoints(*v, "y.com", 81), "1.1.1.1:81 1.1.1.2:81");
  EXPECT_EQ(endpoints(*v, "z.com", 80), "2.2.2.2:7000=vm1 3.3.3.3:80=p");
  const Endpoint& first = v->endpoints(*v->find_service("x.com", "default"), 80)[0];
  EXPECT_EQ(first.weight, 5u);
  EXPECT_EQ(first.locality, (Locality{"r", "z", "s"}));
  EXPECT_TRUE(v->find_service("x.com", "default")->mesh_external);
  EXPECT_FALSE(v->find_service("z.com", "default")->mesh_external);
  EXPECT_EQ(inbound(*v, node("vm1", "2.2.2.2")), "f:80>7000");
}

TEST(View, VisibilityAndPrecedenceOfServices) {
  auto entry = [](const std::string& ns, std::vector<std::string> to, uint64_t created) {
    ServiceEntry spec;
    spec.hosts = {"x.com"};
    spec.ports = {{80, "http", Protocol::kHttp, {}}};
    spec.export_to = std::move(to);
    return make("ServiceEntry", ns, "e", spec, created);
  };
  auto v = view({entry("one", {}, 1), entry("two", {}, 2), entry("three", {"."}, 0), service("a", {}, 5)});
  EXPECT_EQ(v->find_service("x.com", "default")->ns, "one") << "the oldest that is visible";
  EXPECT_EQ(v->find_service("x.com", "two")->ns, "two") << "their own";
  EXPECT_EQ(v->find_service("x.com", "three")->ns, "three");
  ASSERT_EQ(v->visible_services("default").size(), 2u);
  EXPECT_EQ(v->visible_services("default")[0]->ns, "one");
  EXPECT_EQ(v->visible_services("default")[1]->name, "a");
}

TEST(View, VirtualServicesInOrderOfAge) {
  VirtualService mesh, edge, hidden;
  mesh.hosts = edge.hosts = hidden.hosts = {"x.com"};
  mesh.gateways = {"mesh", "default/edge"};
  edge.gateways = {"default/edge"};
  hidden.gateways = {"mesh"};
  hidden.export_to = {"."};
  auto v = view({make("VirtualService", "default", "m", mesh, 3), make("VirtualService", "default", "e", edge, 2),
                 make("VirtualService", "other", "h", hidden, 1), make("VirtualService", "default", "b", mesh, 3)});
  auto names = [&](std::string_view ns, std::string_view gateway) {
    std::string out;
    for (const auto& found : v->virtual_services(ns, gateway)) out += found.resource->key.name;
    return out;
  };
  EXPECT_EQ(names("default", "mesh"), "bm") << "equal age: by name";
  EXPECT_EQ(names("other", "mesh"), "hbm");
  EXPECT_EQ(names("default", "default/edge"), "ebm");
  EXPECT_EQ(names("default", "no/such"), "");
}

TEST(View, DestinationRulesInIstiosOrder) {
  auto v = view({rule("client", "own", "*.cluster.local", {}, LoadBalancer::kRandom),
                 rule("default", "svc", "a", {"v1"}, LoadBalancer::kRoundRobin),
                 rule("default", "private", "b", {}, LoadBalancer::kRoundRobin, {"."}),
                 rule("istio-system", "root", "*", {}, LoadBalancer::kLeastRequest)});
  auto name = [&](const std::string& host, const std::string& service_ns, const std::string& client_ns) {
    const MergedRule* found = v->destination_rule(host, service_ns, client_ns);
    return found ? found->name : std::string("none");
  };
  EXPECT_EQ(name(kA, "default", "client"), "own") << "the client's namespace first, though less specific";
  EXPECT_EQ(name(kA, "default", "elsewhere"), "svc");
  EXPECT_EQ(name("b.default.svc.cluster.local", "default", "default"), "private");
  EXPECT_EQ(name("b.default.svc.cluster.local", "default", "elsewhere"), "root") << "not exported";
  EXPECT_EQ(name("x.com", "default", "elsewhere"), "root");
}

TEST(View, TheMostSpecificRuleHostWins) {
  auto v = view({rule("default", "all", "*", {}), rule("default", "com", "*.com", {}), rule("default", "xcom", "*.x.com", {}),
                 rule("default", "exact", "a.x.com", {})});
  auto name = [&](const std::string& host) { return v->destination_rule(host, "default", "default")->name; };
  EXPECT_EQ(name("a.x.com"), "exact");
  EXPECT_EQ(name("b.x.com"), "xcom");
  EXPECT_EQ(name("y.com"), "com");
  EXPECT_EQ(name("y.org"), "all");
}

TEST(View, RulesOfOneHostAreMerged) {
  auto v =
      view({rule("default", "second", "a", {"v2", "v1"}, LoadBalancer::kRandom, {}, 2), rule("default", "first", "a", {"v1"}, {}, {}, 1),
            rule("default", "third", "a", {"v3"}, LoadBalancer::kRoundRobin, {}, 3)});
  const MergedRule* merged = v->destination_rule(kA, "default", "default");
  ASSERT_TRUE(merged);
  ASSERT_EQ(merged->subsets.size(), 3u);
  EXPECT_EQ(merged->subsets[0].name, "v1");
  EXPECT_EQ(merged->subsets[1].name, "v2");
  EXPECT_EQ(merged->policy()->load_balancer, LoadBalancer::kRandom) << "the first policy wins";
  EXPECT_EQ(merged->name, "second");
}

TEST(View, GatewaysBySelector) {
  Gateway edge, all;
  edge.selector = {{"istio", "ingressgateway"}};
  auto v = view({make("Gateway", "default", "edge", edge, 2), make("Gateway", "other", "all", all, 1)});
  ASSERT_EQ(v->gateways({{"istio", "ingressgateway"}, {"x", "y"}}, "default").size(), 2u);
  EXPECT_EQ(v->gateways({{"istio", "ingressgateway"}}, "default")[0].resource->key.name, "all");
  EXPECT_EQ(v->gateways({}, "default").size(), 1u);
}

TEST(View, InboundByEndpointAndByLabel) {
  auto v = view({service("a", {{"app", "a"}}, 2), service("b", {{"team", "x"}}, 1, "default", 81), service("c", {{"app", "c"}}),
                 pod("p", {{"app", "a"}, {"team", "x"}}, "10.0.0.1"), pod("q", {{"app", "a"}}, "10.0.0.1"),
                 slice("s", "a", {at("10.0.0.1", "p")})});
  EXPECT_EQ(inbound(*v, node("p", "10.0.0.1")), "b:81>8080 a:8080>8080") << "a by its slice, b by label; the older service first";
  EXPECT_EQ(inbound(*v, node("fresh", "10.0.0.7", {{"app", "c"}})), "c:8080>8080") << "no pod yet: the node's own labels";
  EXPECT_EQ(inbound(*v, node("nobody", "10.0.0.8")), "");
  EXPECT_EQ(v->workload(node("p", ""))->key.name, "p");
  EXPECT_EQ(v->labels(node("p", "")).at("team"), "x");
}

TEST(View, UnchangedServicesAreShared) {
  std::vector<ResourcePtr> resources{service("a", {{"app", "a"}}), service("b", {{"app", "b"}}), pod("p", {{"app", "a"}}, "10.0.0.1"),
                                     pod("q", {{"app", "b"}}, "10.0.0.2")};
  auto before = view(resources);
  resources[2] = pod("p", {{"app", "a"}}, "10.0.0.9");
  auto after = view(resources, 2, before), fresh = view(resources, 2);
  EXPECT_EQ(before->find_service("b.default.svc.cluster.local", "default"), after->find_service("b.default.svc.cluster.local", "default"));
  EXPECT_NE(before->find_service(kA, "default"), after->find_service(kA, "default"));
  EXPECT_EQ(endpoints(*after, kA), endpoints(*fresh, kA));
  EXPECT_EQ(endpoints(*after, kA), "10.0.0.9:8080=p");
}

TEST(View, AThousandServicesBuildQuickly) {
  std::vector<ResourcePtr> resources;
  for (int s = 0; s < 1000; ++s) {
    const std::string name = "s" + std::to_string(s);
    resources.push_back(service(name, {{"app", name}}, static_cast<uint64_t>(s)));
    std::vector<SliceEndpoint> list;
    for (int e = 0; e < 10; ++e) {
      const std::string ip = "10." + std::to_string(s / 250) + "." + std::to_string(s % 250) + "." + std::to_string(e),
                        pod_name = name + "-" + std::to_string(e);
      resources.push_back(pod(pod_name, {{"app", name}}, ip));
      list.push_back(at(ip, pod_name));
    }
    resources.push_back(slice(name, name, std::move(list)));
  }
  const auto start = std::chrono::steady_clock::now();
  auto v = view(resources);
  const auto built = std::chrono::steady_clock::now();
  auto again = view(resources, 2, v);
  const auto rebuilt = std::chrono::steady_clock::now();
  EXPECT_TRUE(difference(*v, *again).nothing());
  EXPECT_EQ(again->services().size(), 1000u);
  auto ms = [](auto d) { return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()); };
  RecordProperty("build_ms", ms(built - start));
  RecordProperty("rebuild_ms", ms(rebuilt - built));
  RecordProperty("difference_ms", ms(std::chrono::steady_clock::now() - rebuilt));
}

TEST(Changes, AreAsNarrowAsTheyCanBe) {
  const std::vector<ResourcePtr> base{service("a", {{"app", "a"}}), service("b", {{"app", "b"}}), slice("s", "a", {at("10.0.0.1")}),
                                      rule("default", "r", "a", {"v1"})};
  auto before = view(base);
  auto with = [&](size_t index, ResourcePtr resource) {
    auto resources = base;
    if (resource)
      resources[index] = resource;
    else
      resources.erase(resources.begin() + static_cast<long>(index));
    return difference(*before, *view(resources, 2, before));
  };
  Changes changes = with(2, slice("s", "a", {at("10.0.0.1"), at("10.0.0.2")}, "default", "two"));
  EXPECT_TRUE(changes.endpoints_only());
  EXPECT_EQ(changes.endpoints, std::set<std::string>{kA});
  EXPECT_EQ(changes.keys.size(), 1u);

  changes = with(1, nullptr);
  EXPECT_EQ(changes.services, std::set<std::string>{"b.default.svc.cluster.local"});
  EXPECT_FALSE(changes.endpoints_only());

  changes = with(3, nullptr);
  EXPECT_EQ(changes.rule_hosts, std::set<std::string>{kA});
  EXPECT_TRUE(changes.services.empty());

  auto added = base;
  added.push_back(make("VirtualService", "default", "x", VirtualService{}));
  added.push_back(pod("p", {{"app", "z"}}, "10.1.1.1"));
  changes = difference(*before, *view(added, 2, before));
  EXPECT_EQ(changes.virtual_services.size(), 1u);
  EXPECT_EQ(changes.workloads.size(), 1u);
  EXPECT_TRUE(changes.endpoints.empty());
  EXPECT_TRUE(difference(*before, *view(base, 3, before)).nothing());
}
