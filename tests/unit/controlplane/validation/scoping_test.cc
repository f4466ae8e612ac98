// Sidecar, WorkloadGroup, the ways of ServiceEntries, and what VirtualServices and Gateways pass on: what is taken and what is refused.
#include "controlplane/validation/validation.h"

#include <gtest/gtest.h>

using namespace weft;
using namespace weft::validation;

namespace {

// "code field: message" of each error, a line each; warnings with "~" in front.
std::string said_of(const std::string& text) {
  std::string out;
  for (const Diagnostic& f : validate_text(text, "f.yaml").findings)
    out += (out.empty() ? "" : "\n") + std::string(f.severity == Severity::kError ? "" : "~") + f.code + " " + f.field + ": " + f.message;
  return out;
}

std::string object(const std::string& kind, const std::string& spec, const std::string& ns = "default") {
  return "apiVersion: networking.istio.io/v1\nkind: " + kind + "\nmetadata: {name: a, namespace: " + ns + "}\nspec: {" + spec + "}\n";
}

template <class T>
T only(const std::string& text) {
  Verdicts verdicts = validate_text(text, "f.yaml");
  EXPECT_TRUE(verdicts.ok()) << render(verdicts.findings);
  return verdicts.resources.size() == 1 && verdicts.resources[0].as<T>() ? *verdicts.resources[0].as<T>() : T{};
}

TEST(Sidecar, IsReadWhole) {
  const auto sidecar = only<model::Sidecar>(object("Sidecar", R"(
  workloadSelector: {labels: {app: a}},
  egress: [{port: {number: 9080, protocol: HTTP, name: e}, bind: 127.0.0.9, captureMode: NONE, hosts: ["prod/*"]},
           {hosts: ["./*", "*/x.com", "~prod/secret.com"]}],
  ingress: [{port: {number: 80, protocol: HTTP, name: h}, defaultEndpoint: "127.0.0.1:8080", captureMode: IPTABLES,
             connectionPool: {tcp: {maxConnections: 3}}},
            {port: {number: 81, protocol: TCP, name: s}, defaultEndpoint: "unix:///run/a.sock"},
            {port: {number: 82, protocol: TCP, name: t}, defaultEndpoint: "[::1]:82", bind: 10.0.0.1}],
  outboundTrafficPolicy: {mode: ALLOW_ANY},
  inboundConnectionPool: {http: {http2MaxRequests: 7}})"));
  ASSERT_EQ(sidecar.egress.size(), 2u);
  EXPECT_EQ(sidecar.egress[0].port->number, 9080u);
  EXPECT_EQ(sidecar.egress[0].capture, model::CaptureMode::kNone);
  EXPECT_FALSE(sidecar.egress[1].port);
  EXPECT_TRUE(sidecar.egress[1].takes("default", "b.default.svc.cluster.local", "default"));
  EXPECT_FALSE(sidecar.egress[1].takes("prod", "b.prod.svc.cluster.local", "default"));
  EXPECT_TRUE(sidecar.egress[1].takes("prod", "x.com", "default"));
  EXPECT_FALSE(sidecar.egress[1].takes("prod", "secret.com", "prod")) << "taken away again";
  ASSERT_EQ(sidecar.ingress.size(), 3u);
  EXPECT_EQ(sidecar.ingress[0].endpoint_address, "127.0.0.1");
  EXPECT_EQ(sidecar.ingress[0].endpoint_port, 8080u);
  EXPECT_EQ(sidecar.ingress[0].connection_pool->max_connections, 3u);
  EXPECT_EQ(sidecar.ingress[1].endpoint_address, "unix:///run/a.sock");
  EXPECT_EQ(sidecar.ingress[2].endpoint_address, "::1");
  EXPECT_EQ(sidecar.outbound_policy, model::OutboundPolicy::kAllowAny);
  EXPECT_EQ(only<model::Sidecar>(object("Sidecar", "outboundTrafficPolicy: {}")).outbound_policy, model::OutboundPolicy::kRegistryOnly)
      << "the zero value of the mode";
}

TEST(Sidecar, TheRulesHold) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "found an empty Sidecar"},
      {"egress: [{hosts: [a.com]}]", "expected namespace/host"},
      {"egress: [{hosts: [\"A_/a.com\"]}]", "expected *, ., ~ or the name of a namespace"},
      {"egress: [{hosts: [\"~/*\", \"./*\"]}]", "found ~/ (nothing) beside other hosts"},
      {"egress: [{}]", "found no hosts"},
      {"egress: [{hosts: [\"./*\"]}, {hosts: [\"*/*\"]}]", "found a listener without port before others"},
      {"egress: [{port: {number: 1}, hosts: [\"./*\"]}]", "found no protocol"},
      {"egress: [{port: {number: 1, protocol: UDP}, hosts: [\"./*\"]}]", "found \"UDP\", expected HTTP"},
      {"egress: [{port: {number: 1, protocol: TCP, targetPort: 2}, hosts: [\"./*\"]}]", "port.targetPort is not supported"},
      {"egress: [{bind: nowhere, hosts: [\"./*\"]}]", "expected an IP address or unix:// and a path"},
      {"egress: [{bind: \"unix://x\", hosts: [\"./*\"]}]", "expected unix:// and an absolute path"},
      {"ingress: [{}]", "found no port"},
      {"ingress: [{port: {number: 1, protocol: TCP}, defaultEndpoint: \"10.0.0.1:80\"}]", "expected 127.0.0.1:PORT"},
      {"ingress: [{port: {number: 1, protocol: TCP}, defaultEndpoint: \"127.0.0.1:0\"}]", "expected 127.0.0.1:PORT"},
      {"ingress: [{port: {number: 1, protocol: TCP}, bind: \"unix:///x\"}]", "expected an IP address"},
      {"ingress: [{port: {number: 1, protocol: TCP}}, {port: {number: 1, protocol: TCP}}]", "found port 1 twice"},
      {"ingress: [{port: {number: 1, protocol: TCP}, tls: {mode: SIMPLE}}]", "spec.ingress[0].tls is not supported"},
      {"outboundTrafficPolicy: {egressProxy: {host: a.com}}", "spec.outboundTrafficPolicy.egressProxy is not supported"},
      {"outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}", "ALLOW_ANY_DYNAMIC_DNS is not supported"},
  };
  for (const auto& [spec, expected] : cases)
    EXPECT_NE(said_of(object("Sidecar", spec)).find(expected), std::string::npos) << spec << "\n" << said_of(object("Sidecar", spec));
  EXPECT_NE(said_of(object("Sidecar", "egress: [{hosts: [\"./orders\"]}]")).find("~WEFT0122 spec.egress[0].hosts[0]: found the short name"),
            std::string::npos);
}

TEST(WorkloadGroup, IsCheckedAndSaysThatNothingComesOfIt) {
  const std::string group = "metadata: {labels: {app: a}}, template: {ports: {http: 80}, serviceAccount: s}, ";
  EXPECT_EQ(said_of(object("WorkloadGroup", group + "probe: {httpGet: {port: 80, path: /}, periodSeconds: 5}")),
            "~WEFT0121 spec.probe: the probe is taken but nobody runs it\n"
            "~WEFT0121 spec.template: the template is taken, but workloads do not register by themselves");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"metadata: {}", "found no template"},
      {"template: {address: 10.0.0.1}", "found an address in a template"},
      {group + "probe: {}", "found a probe that asks nothing"},
      {group + "probe: {httpGet: {port: 80}, tcpSocket: {port: 80}}", "expected one"},
      {group + "probe: {httpGet: {}}", "found no port"},
      {group + "probe: {exec: {}}", "found no command"},
      {group + "probe: {grpc: {port: 70000}}", "found 70000, expected a number"},
  };
  for (const auto& [spec, expected] : cases)
    EXPECT_NE(said_of(object("WorkloadGroup", spec)).find(expected), std::string::npos) << spec << "\n"
                                                                                        << said_of(object("WorkloadGroup", spec));
}

TEST(ServiceEntryResolution, EachHasItsRules) {
  const std::string http = "hosts: [a.com], ports: [{number: 80, name: h, protocol: HTTP}], ";
  EXPECT_EQ(only<model::ServiceEntry>(object("ServiceEntry", http + "resolution: DNS_ROUND_ROBIN")).resolution,
            model::Resolution::kDnsRoundRobin);
  EXPECT_EQ(only<model::ServiceEntry>(object("ServiceEntry", http)).resolution, model::Resolution::kNone) << "when nothing is said";
  EXPECT_EQ(said_of(object("ServiceEntry", http + "resolution: STATIC, endpoints: [{address: \"unix:///run/a.sock\"}]")), "");
  EXPECT_EQ(said_of(object("ServiceEntry", http + "resolution: DNS, endpoints: [{address: b.com, locality: r/z, weight: 2}]")), "");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {http + "resolution: NONE, endpoints: [{address: 10.0.0.1}]", "found endpoints where resolution is NONE"},
      {http + "resolution: DNS, endpoints: [{address: \"unix:///x\"}]", "found a Unix socket where DNS finds the endpoints"},
      {http + "resolution: STATIC, endpoints: [{address: \"unix://x\"}]", "expected unix:// and an absolute path"},
      {http + "resolution: STATIC, endpoints: [{address: \"unix:///x\", ports: {h: 80}}]", "found ports beside a Unix socket"},
      {http + "resolution: STATIC, endpoints: [{network: n}]", "only the gateway of their network reaches"},
      {http + "resolution: DNS_ROUND_ROBIN, endpoints: [{address: b.com}, {address: c.com}]", "expected one at most"},
      {http + "resolution: DNS, addresses: [10.0.0.0/8]", "expected single addresses"},
      {http + "resolution: STATIC, endpoints: [{address: b.com}]", "expected an IP address"},
      {"hosts: [\"*.a.com\"], ports: [{number: 80, name: h, protocol: HTTP}], resolution: DNS", "found the wildcard *.a.com where DNS"},
      {http + "resolution: DYNAMIC_DNS", "DYNAMIC_DNS is not supported"},
      {http + "resolution: DNS, subjectAltNames: [b.com]", "spec.subjectAltNames is not supported"},
  };
  for (const auto& [spec, expected] : cases)
    EXPECT_NE(said_of(object("ServiceEntry", spec)).find(expected), std::string::npos) << spec << "\n"
                                                                                       << said_of(object("ServiceEntry", spec));
}

TEST(PassedOn, VirtualServicesAreChecked) {
  const std::string to = "route: [{destination: {host: b, port: {number: 443}}}]";
  const auto rule = only<model::VirtualService>(
      object("VirtualService",
             "hosts: [\"*.a.com\"], gateways: [g, mesh], tls: [{match: [{sniHosts: [X.a.com], port: 443, destinationSubnets: "
             "[10.0.0.0/8], sourceLabels: {app: c}, sourceNamespace: n, gateways: [mesh]}], " +
                 to + "}], tcp: [{" + to + "}]"));
  ASSERT_EQ(rule.tls.size(), 1u);
  EXPECT_EQ(rule.tls[0].matches[0].sni_hosts, std::vector<std::string>{"x.a.com"});
  EXPECT_EQ(rule.tls[0].matches[0].port, 443u);
  ASSERT_EQ(rule.tcp.size(), 1u);
  EXPECT_EQ(rule.tcp[0].routes[0].destination.host, "b.default.svc.cluster.local");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"hosts: [a.com], tls: [{match: [{port: 443}], " + to + "}]", "found no sniHosts"},
      {"hosts: [a.com], tls: [{match: [{sniHosts: [b.com]}], " + to + "}]", "which is in none of spec.hosts"},
      {"hosts: [a.com], tls: [{match: [{sniHosts: [a.com]}]}]", "found no route"},
      {"hosts: [a.com], tcp: [{match: [{destinationSubnets: [x]}], " + to + "}]", "expected an IP address or a CIDR"},
      {"hosts: [a.com], tcp: [{match: [{sourceSubnet: 10.0.0.0/8}], " + to + "}]", "sourceSubnet is not supported"},
      {"hosts: [a.com], tcp: [{route: [{destination: {host: b}, weight: 0}, {destination: {host: c}, weight: 0}]}]",
       "total destination weight"},
      {"tcp: [{" + to + "}]", "only http is delegated"},
      {"hosts: [a.com]", "at least one route of http, tls or tcp"},
  };
  for (const auto& [spec, expected] : cases)
    EXPECT_NE(said_of(object("VirtualService", spec)).find(expected), std::string::npos) << spec << "\n"
                                                                                         << said_of(object("VirtualService", spec));
}

TEST(PassedOn, GatewaysAreChecked) {
  auto server = [](const std::string& text) { return object("Gateway", "servers: [{hosts: [\"*\"], " + text + "}]"); };
  auto tls = [&](const std::string& text) {
    const auto gateway = only<model::Gateway>(server("port: {number: 443, protocol: TLS, name: t}, tls: " + text));
    return gateway.servers.empty() ? model::GatewayTls::kNone : gateway.servers[0].tls;
  };
  EXPECT_EQ(tls("{mode: PASSTHROUGH}"), model::GatewayTls::kPassthrough);
  EXPECT_EQ(tls("{minProtocolVersion: TLSV1_2}"), model::GatewayTls::kPassthrough) << "the zero value of the mode";
  EXPECT_EQ(tls("{mode: AUTO_PASSTHROUGH}"), model::GatewayTls::kAutoPassthrough);
  EXPECT_EQ(tls("{mode: SIMPLE, credentialName: c}"), model::GatewayTls::kTerminate);
  EXPECT_NE(said_of(server("port: {number: 443, protocol: HTTPS, name: t}, tls: {mode: SIMPLE}")).find("~WEFT0121"), std::string::npos);
  EXPECT_EQ(said_of(server("port: {number: 443, protocol: HTTPS, name: t}, tls: {mode: PASSTHROUGH}")), "");
  EXPECT_EQ(said_of(server("port: {number: 27017, protocol: MONGO, name: m}, bind: 127.0.0.1")), "");
  EXPECT_NE(said_of(server("port: {number: 443, protocol: TLS, name: t}")).find("found no tls"), std::string::npos);
  EXPECT_NE(said_of(server("port: {number: 443, protocol: TLS, name: t}, tls: {mode: PASSTHROUGH, credentialName: c}"))
                .find("found credentialName where TLS is passed on as it is"),
            std::string::npos);
  EXPECT_NE(said_of(server("port: {number: 80, protocol: TCP, name: t}, tls: {mode: SIMPLE}")).find("is not supported"), std::string::npos);
  EXPECT_NE(said_of(server("port: {number: 80, protocol: TCP, name: t}, bind: here")).find("expected an IP address"), std::string::npos);
}

TEST(PassedOn, RoutesOfTheGatewayApiAreChecked) {
  auto route = [](const std::string& kind, const std::string& spec) {
    return said_of("apiVersion: gateway.networking.k8s.io/v1\nkind: " + kind + "\nmetadata: {name: a}\nspec: {parentRefs: [{name: g}], " +
                   spec + "}\n");
  };
  const std::string to = "{backendRefs: [{name: b, port: 80, weight: 2}]}";
  EXPECT_EQ(route("TCPRoute", "rules: [" + to + "]"), "");
  EXPECT_EQ(route("TLSRoute", "hostnames: [\"*.a.com\"], rules: [" + to + "]"), "");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "found no rules"},
      {"rules: [{}]", "found no backendRefs"},
      {"rules: [" + to + ", " + to + "]", "found 2 rules, expected one"},
      {"rules: [{backendRefs: [{name: b}]}]", "found no port"},
      {"rules: [{matches: []}]", "unknown field \"matches\""},
      {"hostnames: [a.com], rules: [" + to + "]", "unknown field \"hostnames\""},
  };
  for (const auto& [spec, expected] : cases)
    EXPECT_NE(route("TCPRoute", spec).find(expected), std::string::npos) << spec << "\n" << route("TCPRoute", spec);
  EXPECT_NE(route("TLSRoute", "hostnames: [10.0.0.1], rules: [" + to + "]").find("found the address 10.0.0.1"), std::string::npos);
}

TEST(MeshConfig, IsOneOfTheRootNamespaceAndOfFieldsThatAreRead) {
  auto mesh = [](const std::string& spec, const std::string& ns = "istio-system") {
    return said_of("apiVersion: weft.dev/v1\nkind: MeshConfig\nmetadata: {name: a, namespace: " + ns + "}\nspec: {" + spec + "}\n");
  };
  EXPECT_EQ(mesh("outboundTrafficPolicy: {mode: REGISTRY_ONLY}, defaultServiceExportTo: [\".\"], rootNamespace: istio-system"), "");
  EXPECT_NE(mesh("", "default").find("expected it in istio-system"), std::string::npos);
  EXPECT_NE(mesh("rootNamespace: other").find("found the string \"other\", expected istio-system"), std::string::npos);
  EXPECT_NE(mesh("trustDomain: td").find("spec.trustDomain is not supported"), std::string::npos);
  EXPECT_NE(mesh("protocolDetectionTimeout: 1s").find("unknown field"), std::string::npos);
  EXPECT_NE(said_of("apiVersion: v1\nkind: Service\nmetadata: {name: a, annotations: {networking.istio.io/exportTo: \"., B_\"}}\n"
                    "spec: {ports: [{port: 80}]}\n")
                .find("found \"B_\", expected"),
            std::string::npos);
}

TEST(Sidecars, ThatContendAreTold) {
  auto findings = [](const std::string& text) {
    Verdicts verdicts = validate_text(text, "w.yaml");
    EXPECT_TRUE(verdicts.ok()) << render(verdicts.findings);
    std::vector<model::ResourcePtr> resources;
    for (model::Resource& resource : verdicts.resources) {
      resource.created = resources.size() + 1;
      resources.push_back(std::make_shared<const model::Resource>(std::move(resource)));
    }
    std::vector<std::string> out;
    for (const Diagnostic& finding : check_references(*model::View::build(1, resources)))
      out.push_back(finding.alias + " " + finding.object);
    return out;
  };
  auto sidecar = [](const std::string& name, const std::string& selector) {
    return "---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: " + name + "}\nspec: {" + selector +
           "egress: [{hosts: [\"./*\"]}]}\n";
  };
  const std::string pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: a, tier: x}}\nstatus: {podIP: 10.0.0.1}\n";
  using Lines = std::vector<std::string>;
  EXPECT_EQ(findings(pod + sidecar("a", "") + sidecar("b", "")), Lines{"IST0111 Sidecar default/b"});
  EXPECT_EQ(
      findings(pod + sidecar("b", "workloadSelector: {labels: {app: a}}, ") + sidecar("a", "workloadSelector: {labels: {tier: x}}, ")),
      Lines{"IST0110 Sidecar default/a"});
  EXPECT_EQ(findings(pod + sidecar("a", "workloadSelector: {labels: {app: none}}, ")), Lines{"IST0127 Sidecar default/a"});
  EXPECT_EQ(findings(pod + sidecar("a", "") + sidecar("b", "workloadSelector: {labels: {app: a}}, ")), Lines{});
}

}  // namespace
