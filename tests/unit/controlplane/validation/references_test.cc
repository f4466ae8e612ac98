// What objects say about each other: warnings with Istio's codes, never a refusal.
#include "controlplane/validation/validation.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

using namespace weft;
using namespace weft::validation;

namespace {

std::string customer_text(const std::string& name) {
  std::ifstream in(std::string(WEFT_SOURCE_DIR) + "/config/customer/" + name);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string service(const std::string& name, const std::string& ns = "default") {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", namespace: " + ns + "}\nspec:\n  selector: {app: " + name +
         "}\n  ports: [{name: http, port: 8080}]\n";
}
std::string pod(const std::string& name, const std::string& app, const std::string& version, const std::string& ip) {
  return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", labels: {app: " + app + ", version: " + version +
         "}}\nstatus: {podIP: " + ip + "}\n";
}
std::string rule(const std::string& name, const std::string& host, const std::string& subsets) {
  return "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: " + name + "}\nspec:\n  host: " + host +
         "\n  subsets: [" + subsets + "]\n";
}
std::string route(const std::string& name, const std::string& hosts, const std::string& http, const std::string& more = "") {
  return "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: " + name + "}\nspec:\n  hosts: [" + hosts +
         "]\n" + more + "  http:\n" + http;
}

std::shared_ptr<const model::View> view_of(const std::vector<std::pair<std::string, std::string>>& files) {
  Verdicts verdicts = validate_texts(files);
  EXPECT_TRUE(verdicts.ok()) << render(verdicts.findings);
  std::vector<model::ResourcePtr> resources;
  uint64_t age = 0;
  for (model::Resource& resource : verdicts.resources) {
    resource.created = ++age;
    resources.push_back(std::make_shared<const model::Resource>(std::move(resource)));
  }
  return model::View::build(1, std::move(resources));
}

// "IST0101 default/canary: message" per finding.
std::vector<std::string> findings(const std::string& text) {
  std::vector<std::string> out;
  for (const Diagnostic& f : check_references(*view_of({{"f.yaml", text}}))) {
    EXPECT_NE(f.severity, Severity::kError);
    EXPECT_GT(f.mark.line, 0);
    EXPECT_EQ(f.file, "f.yaml");
    out.push_back(f.alias + " " + f.message);
  }
  return out;
}
using Lines = std::vector<std::string>;

}  // namespace

TEST(References, TheCustomersSubsetsThatNobodyDefines) {
  auto view = view_of({{"canary.yaml", customer_text("canary.yaml")},
                       {"ab.yaml", customer_text("ab-testing.yaml")},
                       {"s.yaml", service("user-service") + service("product-service")}});
  std::string shown;
  for (const Diagnostic& f : check_references(*view))
    shown += f.alias + " " + f.object + " " + std::to_string(f.mark.line) + " " + f.message + "\n";
  EXPECT_EQ(
      shown,
      "IST0101 VirtualService default/ab-testing 16 Referenced host+subset in destinationrule not found: "
      "\"product-service+premium-features\"\n"
      "IST0101 VirtualService default/ab-testing 24 Referenced host+subset in destinationrule not found: "
      "\"product-service+standard-features\"\n"
      "IST0101 VirtualService default/ab-testing 28 Referenced host+subset in destinationrule not found: "
      "\"product-service+standard-features\"\n"
      "IST0101 VirtualService default/canary-deployment 16 Referenced host+subset in destinationrule not found: \"user-service+v2\"\n"
      "IST0101 VirtualService default/canary-deployment 20 Referenced host+subset in destinationrule not found: \"user-service+v1\"\n"
      "IST0101 VirtualService default/canary-deployment 24 Referenced host+subset in destinationrule not found: \"user-service+v2\"\n");
}

TEST(References, AWholeMeshHasNoFindings) {
  EXPECT_EQ(findings(service("a") + pod("p", "a", "v1", "10.0.0.1") + rule("r", "a", "{name: v1, labels: {version: v1}}") +
                     route("x", "a", "  - route: [{destination: {host: a, subset: v1}}]\n")),
            Lines{});
}

TEST(References, HostsAndSubsets) {
  EXPECT_EQ(findings(service("a") + route("x", "a", "  - route: [{destination: {host: b}}]\n")),
            Lines{"IST0101 Referenced host not found: \"b\""});
  EXPECT_EQ(findings(service("a") + route("x", "a", "  - route: [{destination: {host: a, port: {number: 81}}}]\n")),
            Lines{"IST0101 Referenced host:port not found: \"a:81\""});
  EXPECT_EQ(findings(service("a") + rule("r", "b", "")), Lines{"IST0174 no service has the host \"b\" of the DestinationRule"});
  EXPECT_EQ(findings(service("a") + rule("r", "\"*.local\"", "")), Lines{});
  EXPECT_EQ(findings(service("a") + pod("p", "a", "v1", "10.0.0.1") + rule("r", "a", "{name: v2, labels: {version: v2}}")),
            Lines{"IST0173 the subset v2 selects no pods of a; requests to it get 503"});
  const auto found =
      check_references(*view_of({{"f.yaml", service("orders") + route("x", "orders", "  - route: [{destination: {host: order}}]\n")}}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].fix, "did you mean orders? Otherwise add a Service or ServiceEntry for order");
  EXPECT_EQ(found[0].field, "spec.http[0].route[0].destination.host");
}

TEST(References, Gateways) {
  const std::string gateway =
      "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n  servers: [{port: {number: 80, name: http, "
      "protocol: HTTP}, hosts: [\"*.a.com\"]}]\n";
  const std::string http = "  - route: [{destination: {host: a}}]\n";
  EXPECT_EQ(findings(service("a") + gateway + route("x", "api.a.com", http, "  gateways: [edge]\n")), Lines{});
  EXPECT_EQ(findings(service("a") + gateway + route("x", "\"*\"", http, "  gateways: [edge]\n")), Lines{});
  EXPECT_EQ(findings(service("a") + gateway + route("x", "api.b.com", http, "  gateways: [edge]\n")),
            Lines{"IST0132 host api.b.com of the VirtualService is in no server of Gateway default/edge"});
  EXPECT_EQ(findings(service("a") + gateway + route("x", "api.a.com", http, "  gateways: [egde]\n")),
            Lines{"IST0101 Referenced gateway not found: \"egde\""});
}

TEST(References, TheOlderVirtualServiceOfAHostWins) {
  const std::string http = "  - route: [{destination: {host: a}}]\n";
  EXPECT_EQ(findings(service("a") + route("x", "a", http) + route("y", "a", http)),
            Lines{"IST0109 the VirtualServices default/x and default/y define the same mesh host a.default.svc.cluster.local; the older "
                  "one, default/x, wins"});
  EXPECT_EQ(findings(service("a") + route("x", "a", http) + route("y", "a", http, "  exportTo: [other]\n")).size(), 1u);
  EXPECT_EQ(findings(service("a") + route("x", "a", http, "  exportTo: [\".\"]\n") + route("y", "a", http, "  exportTo: [other]\n")),
            Lines{});
}

TEST(References, RoutesThatNothingReaches) {
  const std::string to = "    route: [{destination: {host: a}}]\n";
  auto of = [&](const std::string& http) { return findings(service("a") + route("x", "a", http)); };
  EXPECT_EQ(of("  - route: [{destination: {host: a}}]\n  - match: [{uri: {prefix: /x}}]\n" + to),
            Lines{"IST0130 VirtualService rule #1 not used (only the last rule can have no matches)"});
  EXPECT_EQ(of("  - match: [{uri: {prefix: /a}}]\n" + to + "  - match: [{uri: {exact: /ab}}]\n" + to),
            Lines{"IST0130 VirtualService rule #1 not used (rule #0 takes everything first)"});
  EXPECT_EQ(of("  - match: [{uri: {prefix: /a}}]\n" + to + "  - match: [{uri: {exact: /ab}}, {uri: {exact: /b}}]\n" + to),
            Lines{"IST0131 VirtualService rule #1 match #0 is not used (overlaps with a match in rule #0)"});
  EXPECT_EQ(of("  - match: [{uri: {prefix: /a}, headers: {h: {exact: x}}}]\n" + to + "  - match: [{uri: {prefix: /a}}]\n" + to), Lines{})
      << "narrower first is how it should be";
  EXPECT_EQ(of("  - match: [{uri: {prefix: /a}, port: 80}]\n" + to + "  - match: [{uri: {prefix: /a}, port: 81}]\n" + to), Lines{});
  EXPECT_EQ(of("  - match: [{withoutHeaders: {h: {exact: x}}}]\n" + to + "  - match: [{uri: {prefix: /a}}]\n" + to), Lines{});
}

TEST(References, Delegates) {
  const std::string to = "    route: [{destination: {host: a}}]\n",
                    leaf = "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n";
  const std::string root = service("a") + route("r", "a", "  - {match: [{uri: {prefix: /a}}], delegate: {name: leaf}}\n");
  EXPECT_EQ(findings(root), Lines{"IST0101 Referenced delegate not found: \"default/leaf\"; the route is left out"});
  EXPECT_EQ(findings(root + leaf + "metadata: {name: leaf}\nspec:\n  http:\n  - match: [{uri: {prefix: /a/b}}]\n" + to), Lines{});
  EXPECT_EQ(findings(root + leaf + "metadata: {name: leaf}\nspec:\n  http:\n  - match: [{uri: {prefix: /b}}]\n" + to),
            Lines{" VirtualService default/r hands over less than this route asks for at spec.http[0]; the route is left out there"});
  EXPECT_EQ(findings(root + leaf + "metadata: {name: leaf}\nspec:\n  hosts: [b]\n  http:\n  -" + to.substr(3)),
            Lines{"IST0101 the delegate default/leaf has hosts of its own; the route is left out"});
  EXPECT_EQ(findings(service("a") + leaf + "metadata: {name: leaf}\nspec:\n  http:\n  -" + to.substr(3)),
            Lines{" the VirtualService has no hosts and no other one delegates to it, so it does nothing"});
  EXPECT_EQ(findings(service("a") + route("r", "a", "  - {delegate: {name: leaf}}\n  -" + to.substr(3)) + leaf +
                     "metadata: {name: leaf}\nspec:\n  http:\n  - match: [{uri: {prefix: /a/b}}]\n" + to),
            Lines{})
      << "what a delegate leaves goes on";
}

TEST(References, MirrorsAreDestinationsToo) {
  const std::string head = service("a") + route("r", "a", "  - route: [{destination: {host: a}}]\n");
  EXPECT_EQ(findings(head + "    mirror: {host: gone}\n"), Lines{"IST0101 Referenced host not found: \"gone\""});
  EXPECT_EQ(findings(head + "    mirrors: [{destination: {host: a, port: {number: 9}}}]\n"),
            Lines{"IST0101 Referenced host:port not found: \"a:9\""});
}

TEST(References, APortIsChosenWhereSeveralAre) {
  const std::string two =
      "---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: [{name: http, port: 80}, {name: http-x, port: 81}]}\n";
  EXPECT_EQ(
      findings(service("a") + two + route("r", "a", "  - route: [{destination: {host: b}}]\n")),
      Lines{
          "IST0112 This VirtualService routes to a service \"b\" that exposes multiple ports: 80 81. Specifying a port in the destination "
          "is required to disambiguate"});
  EXPECT_EQ(findings(service("a") + two + route("r", "a", "  - route: [{destination: {host: b, port: {number: 81}}}]\n")), Lines{});
  EXPECT_EQ(findings(two + route("r", "b", "  - route: [{destination: {host: b}}]\n")), Lines{}) << "its own port stays";
  EXPECT_EQ(findings(service("a") + two + route("r", "a", "  - {route: [{destination: {host: a}}], mirror: {host: b}}\n")).size(), 1u);
}

TEST(References, GatewaysAndTheirServices) {
  auto gateway = [](const std::string& name, int port, const std::string& host) {
    return "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: " + name +
           "}\nspec:\n  selector: {app: edge}\n  servers: [{port: {number: " + std::to_string(port) +
           ", name: http, protocol: HTTP}, hosts: ['" + host + "']}]\n";
  };
  EXPECT_EQ(findings(gateway("g", 99, "*")), Lines{}) << "proxies may come without pods";
  const std::string world = service("edge") + pod("edge-1", "edge", "v1", "10.0.0.1");
  EXPECT_EQ(findings(world + gateway("g", 8080, "*")), Lines{});
  const std::string mapped =
      "---\napiVersion: v1\nkind: Service\nmetadata: {name: edge}\nspec: {selector: {app: edge}, ports: [{name: http, port: 80, "
      "targetPort: "
      "99}]}\n" +
      pod("edge-1", "edge", "v1", "10.0.0.1");
  for (int port : {80, 99}) EXPECT_EQ(findings(mapped + gateway("g", port, "*")), Lines{}) << "the Service leads there";
  EXPECT_EQ(
      findings(world + gateway("g", 99, "*")),
      Lines{
          "IST0162 the gateway listens on port 99, which the Service of its workload (default/edge; pod selector app=edge) does not have"});
  EXPECT_EQ(findings(gateway("a", 80, "x.com") + gateway("b", 80, "x.com") + gateway("c", 81, "x.com") + gateway("d", 80, "y.com")),
            Lines{"IST0145 Conflict with gateways default/a (workload selector app=edge, port 80, hosts x.com)"});
}

TEST(References, SelectorsThatNobodyHas) {
  const std::string gateway =
      "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec:\n  selector: {app: edge}\n"
      "  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [x.com]}]\n";
  EXPECT_EQ(findings(gateway + pod("a", "shop", "v1", "10.0.0.1")), Lines{"IST0101 Referenced selector not found: \"app=edge\""});
  const std::string limit =
      "---\napiVersion: weft.dev/v1\nkind: RateLimit\nmetadata: {name: l}\nspec: {selector: {matchLabels: {app: shop, version: v2}}, "
      "rules: "
      "[{requests: 1, unit: SECOND}]}\n";
  EXPECT_EQ(findings(limit), Lines{}) << "proxies may come without pods";
  EXPECT_EQ(findings(limit + pod("a", "shop", "v2", "10.0.0.1")), Lines{});
  EXPECT_EQ(findings(limit + pod("a", "shop", "v1", "10.0.0.1")),
            Lines{"IST0127 No matching workloads for this resource with the following labels: \"app=shop,version=v2\""});
  const std::string entry =
      "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e}\nspec:\n  hosts: [x.com]\n  resolution: STATIC\n"
      "  workloadSelector: {labels: {app: vm}}\n  ports: [{number: 80, name: http, protocol: HTTP}]\n";
  const std::string vm =
      "---\napiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: vm}\nspec: {address: 10.0.0.9, labels: {app: vm}}\n";
  EXPECT_EQ(findings(entry + vm), Lines{});
  EXPECT_EQ(findings(entry + pod("a", "shop", "v1", "10.0.0.1")),
            Lines{"IST0127 No matching workloads for this resource with the following labels: \"app=vm\""});
}

TEST(References, ServicesThatShareAWorkload) {
  auto of = [](const std::string& name, const std::string& ports, const std::string& app = "shop") {
    return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec: {selector: {app: " + app + "}, ports: [" + ports +
           "]}\n";
  };
  const std::string pods = pod("p1", "shop", "v1", "10.0.0.1") + pod("p2", "shop", "v2", "10.0.0.2");
  const std::string first = of("first", "{name: http, port: 80, targetPort: 8080}");
  EXPECT_EQ(findings(pods + first + of("second", "{name: http, port: 80, targetPort: 8080}, {name: tcp, port: 90}")), Lines{});
  EXPECT_EQ(findings(pods + first + of("second", "{name: grpc, port: 80, targetPort: 9090}")),
            Lines{"IST0116 port 80 is GRPC here and HTTP in Service default/first, which selects the same pods (p1)"});
  EXPECT_EQ(findings(pods + first + of("second", "{name: http, port: 81, targetPort: 8080}")),
            Lines{"IST0137 targetPort 8080 is port 81 here and port 80 in Service default/first, which selects the same pods (p1)"});
  EXPECT_EQ(findings(pods + first + of("second", "{name: grpc, port: 80, targetPort: 9090}", "other")), Lines{});
  EXPECT_EQ(findings(pods + first + of("second", "{name: dns, port: 80, protocol: UDP}")), Lines{});
}

TEST(References, SubsetsThatAGatewaysRequestsDoNotGet) {
  const std::string world = service("shop") + pod("shop-1", "shop", "v1", "10.0.0.1") + pod("edge-1", "edge", "v1", "10.0.0.2") +
                            rule("d", "shop", "{name: v1, labels: {version: v1}}") +
                            "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec:\n  selector: {app: edge}\n"
                            "  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [x.com]}]\n" +
                            route("mesh", "shop", "  - route: [{destination: {host: shop, subset: v1}}]\n");
  auto edge = [&](const std::string& subset) {
    return route("edge", "x.com", "  - route: [{destination: {host: shop" + subset + "}}]\n", "  gateways: [g]\n");
  };
  EXPECT_EQ(findings(world + edge("")),
            Lines{"IST0140 Subset in virtual service default/mesh has no effect on ingress gateway default/edge requests"});
  EXPECT_EQ(findings(world + edge(", subset: v1")), Lines{});
}

TEST(References, ServiceEntriesAndLimits) {
  auto entry = [](const std::string& name, const std::string& protocol, const std::string& more = "") {
    return "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: " + name +
           "}\nspec:\n  hosts: [x.com]\n  resolution: STATIC\n" + more + "  ports: [{number: 80, name: p, protocol: " + protocol +
           "}]\n  endpoints: [{address: 10.0.0.1}]\n";
  };
  EXPECT_EQ(findings(entry("a", "HTTP") + entry("b", "HTTP")), Lines{});
  EXPECT_EQ(findings(entry("a", "HTTP") + entry("b", "GRPC")),
            Lines{"IST0177 port 80 of x.com is GRPC here and HTTP in ServiceEntry default/a"});
  EXPECT_EQ(findings(entry("a", "TCP")),
            Lines{"IST0134 port 80 serves TCP and the ServiceEntry has no addresses, so nothing but the port tells "
                  "its traffic from others'"});
  EXPECT_EQ(findings(entry("a", "TCP", "  addresses: [10.1.0.1]\n")), Lines{});
  const std::string limit =
      "---\napiVersion: weft.dev/v1\nkind: RateLimit\nmetadata: {name: l}\nspec: {targetRefs: [{kind: Service, name: shpo}], rules: "
      "[{requests: 1, unit: SECOND}]}\n";
  EXPECT_EQ(findings(service("shop") + limit), Lines{"IST0101 Referenced Service not found: \"default/shpo\""});
}

TEST(References, TheExamplesAreGood) {
  for (const char* name : {"delegate.yaml", "rate-limit.yaml", "scoping.yaml", "passthrough.yaml"}) {
    std::ifstream in(std::string(WEFT_SOURCE_DIR) + "/config/rules/" + name);
    std::ostringstream text;
    text << in.rdbuf();
    const Verdicts verdicts = validate_text(text.str(), name);
    EXPECT_TRUE(verdicts.ok()) << render(verdicts.findings);
    EXPECT_TRUE(verdicts.findings.empty()) << render(verdicts.findings);
    EXPECT_FALSE(verdicts.resources.empty()) << name;
  }
}

TEST(References, PortsWhoseProtocolNothingTells) {
  EXPECT_EQ(findings("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{name: web, port: 80}]}\n"),
            Lines{"IST0118 port name \"web\" (port 80) does not follow the naming convention of Istio, so the protocol is unknown"});
}
