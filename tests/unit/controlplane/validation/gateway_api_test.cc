// The Gateway API's kinds: what their CRDs take is taken, what those refuse, CEL rules included, is refused at its field.
#include "controlplane/validation/validation.h"

#include <gtest/gtest.h>

using namespace weft;
using namespace weft::validation;

namespace {

std::string errors_of(const std::string& text, Severity severity = Severity::kError) {
  std::string out;
  for (const Diagnostic& f : validate_text(text, "f.yaml").findings)
    if (f.severity == severity) out += (out.empty() ? "" : "\n") + f.code + " " + f.field + ": " + f.message;
  return out;
}
std::string route_text(const std::string& spec, const std::string& kind = "HTTPRoute", const std::string& version = "v1") {
  return "apiVersion: gateway.networking.k8s.io/" + version + "\nkind: " + kind +
         "\nmetadata: {name: r}\nspec:\n  parentRefs: [{name: web}]\n" + spec;
}
std::string in_rule(const std::string& rule) { return errors_of(route_text("  rules: [{" + rule + "}]\n")); }
std::string in_grpc(const std::string& rule) { return errors_of(route_text("  rules: [{" + rule + "}]\n", "GRPCRoute")); }
std::string filter(const std::string& text) { return in_rule("filters: [" + text + "]"); }
std::string path(const std::string& text) { return in_rule("matches: [{path: {" + text + "}}]"); }
std::string gateway_text(const std::string& listeners) {
  return "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: web}\nspec:\n  gatewayClassName: istio\n  listeners: " +
         listeners + "\n";
}

}  // namespace

TEST(GatewayApiKinds, VersionsAsTheyAreServed) {
  for (const char* version : {"v1", "v1beta1", "v1alpha2"}) EXPECT_EQ(errors_of(route_text("  rules: [{}]\n", "HTTPRoute", version)), "");
  EXPECT_EQ(errors_of(route_text("", "GRPCRoute")), "");
  EXPECT_EQ(errors_of(route_text("", "HTTPRoute", "v2")),
            "WEFT0105 apiVersion: found apiVersion gateway.networking.k8s.io/v2 for a HTTPRoute, expected gateway.networking.k8s.io/v1");
}

TEST(GatewayApiKinds, BothGatewaysLiveSideBySide) {
  const std::string both = gateway_text("[{name: a, port: 80, protocol: HTTP}]") +
                           "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: web}\nspec:\n  servers: [{port: "
                           "{number: 80, name: h, protocol: HTTP}, hosts: ['*']}]\n";
  Verdicts verdicts = validate_text(both, "f.yaml");
  ASSERT_TRUE(verdicts.ok()) << render(verdicts.findings);
  ASSERT_EQ(verdicts.resources.size(), 2u);
  EXPECT_EQ(verdicts.resources[0].key.kind, model::kKubeGateway);
  EXPECT_EQ(verdicts.resources[1].key.kind, "Gateway");
}

TEST(GatewayApiKinds, WhatIsNotCarriedIsRefusedByName) {
  EXPECT_EQ(in_rule("sessionPersistence: {type: Cookie}"),
            "WEFT0103 spec.rules[0].sessionPersistence: spec.rules[0].sessionPersistence is not supported by this version of Weft");
  EXPECT_EQ(
      filter("{type: ExtensionRef, extensionRef: {group: a.b, kind: C, name: d}}"),
      "WEFT0103 spec.rules[0].filters[0].type: spec.rules[0].filters[0].type: ExtensionRef is not supported by this version of Weft\n"
      "WEFT0103 spec.rules[0].filters[0].extensionRef: spec.rules[0].filters[0].extensionRef is not supported by this version of Weft");
  EXPECT_NE(filter("{type: ExternalAuth}").find("ExternalAuth is not supported"), std::string::npos);
  EXPECT_EQ(in_rule("wieght: 1").substr(0, 8), "WEFT0101");
}

TEST(GatewayApiKinds, Paths) {
  EXPECT_EQ(path("value: /a"), "");
  for (const char* bad : {"value: a", "value: /a//b", "value: /./a", "value: /a/..", "value: /%2fa", "value: '/a#b'", "value: '/a b'",
                          "type: Exact, value: '/ü'"})
    EXPECT_EQ(path(bad).substr(0, 44), "WEFT0108 spec.rules[0].matches[0].path.value") << bad;
  EXPECT_EQ(path("type: RegularExpression, value: '('").substr(0, 44), "WEFT0111 spec.rules[0].matches[0].path.value");
  EXPECT_EQ(path("type: Prefix, value: /a").substr(0, 43), "WEFT0109 spec.rules[0].matches[0].path.type");
}

TEST(GatewayApiKinds, RulesOfTheRoutesCrd) {
  EXPECT_EQ(in_rule("filters: [{type: RequestRedirect, requestRedirect: {}}], backendRefs: [{name: a, port: 1}]"),
            "WEFT0110 spec.rules[0].backendRefs: found backendRefs beside a RequestRedirect filter, which sends nothing there");
  EXPECT_EQ(filter("{type: RequestRedirect, requestRedirect: {}}, {type: URLRewrite, urlRewrite: {}}"),
            "WEFT0110 spec.rules[0].filters: found RequestRedirect and URLRewrite, expected one of them");
  EXPECT_EQ(filter("{type: CORS, cors: {}}, {type: CORS, cors: {}}"),
            "WEFT0113 spec.rules[0].filters[1]: found the filter CORS twice; it cannot be repeated");
  EXPECT_EQ(filter("{type: CORS, urlRewrite: {}}"),
            "WEFT0110 spec.rules[0].filters[0].urlRewrite: found urlRewrite in a filter of type CORS\n"
            "WEFT0106 spec.rules[0].filters[0].cors: found no cors, expected what a filter of type CORS does");
  EXPECT_EQ(filter("{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath}}}"),
            "WEFT0106 spec.rules[0].filters[0].urlRewrite.path.replaceFullPath: found no replaceFullPath, expected a path, as type is "
            "ReplaceFullPath");
  EXPECT_EQ(in_rule("matches: [{path: {value: /a}}, {path: {value: /b}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: "
                    "ReplacePrefixMatch, replacePrefixMatch: /c}}}]"),
            "WEFT0110 spec.rules[0].filters[0].urlRewrite.path.type: found ReplacePrefixMatch in a rule with 2 matches, expected exactly "
            "one match, of type PathPrefix");
  EXPECT_EQ(filter("{type: RequestRedirect, requestRedirect: {statusCode: 304}}"),
            "WEFT0109 spec.rules[0].filters[0].requestRedirect.statusCode: found 304, expected 301, 302, 303, 307 or 308");
  EXPECT_EQ(filter("{type: RequestMirror, requestMirror: {backendRef: {name: a, port: 1}, percent: 5, fraction: {numerator: 1}}}"),
            "WEFT0110 spec.rules[0].filters[0].requestMirror: found percent and fraction, expected one of them");
  EXPECT_EQ(filter("{type: RequestMirror, requestMirror: {backendRef: {name: a, port: 1}, fraction: {numerator: 3, denominator: 2}}}"),
            "WEFT0108 spec.rules[0].filters[0].requestMirror.fraction: found the numerator 3 above the denominator 2");
  EXPECT_EQ(filter("{type: CORS, cors: {allowOrigins: ['*', 'http://a']}}"),
            "WEFT0110 spec.rules[0].filters[0].cors.allowOrigins: found \"*\" beside others, expected it alone");
  EXPECT_EQ(in_rule("timeouts: {request: 1s, backendRequest: 2s}"),
            "WEFT0110 spec.rules[0].timeouts.backendRequest: found 2s, which is longer than the request's 1s");
  EXPECT_EQ(in_rule("timeouts: {request: 0s, backendRequest: 2s}"), "");
  EXPECT_EQ(in_rule("timeouts: {request: 1.5s}").substr(0, 41), "WEFT0108 spec.rules[0].timeouts.request: ");
  EXPECT_EQ(in_rule("backendRefs: [{name: a}]"),
            "WEFT0106 spec.rules[0].backendRefs[0].port: found no port, expected the port of the Service");
  EXPECT_EQ(in_rule("backendRefs: [{name: a, port: 1, weight: 1000001}]"),
            "WEFT0108 spec.rules[0].backendRefs[0].weight: found 1000001, expected a number from 0 to 1000000");
  EXPECT_EQ(in_rule("matches: [{headers: [{name: a, value: b}, {name: A, value: c}]}]"),
            "WEFT0113 spec.rules[0].matches[0].headers[1].name: found A twice; case makes no difference");
  EXPECT_EQ(in_rule("retry: {codes: [503, 99]}"), "WEFT0108 spec.rules[0].retry.codes[1]: found 99, expected a number from 400 to 599");
  EXPECT_EQ(in_rule("name: a}, {name: a"), "WEFT0113 spec.rules[1].name: found the rule a twice; names are unique within a route");
  EXPECT_EQ(errors_of(route_text("  hostnames: ['*', a_b, 10.0.0.1]\n")),
            "WEFT0112 spec.hostnames[0]: found \"*\", expected a host name in lower case, perhaps with \"*.\" in front\n"
            "WEFT0112 spec.hostnames[1]: found \"a_b\", expected a host name in lower case, perhaps with \"*.\" in front\n"
            "WEFT0112 spec.hostnames[2]: found the address 10.0.0.1, expected a host name");
  std::string matches;
  for (int i = 0; i < 65; ++i) matches += (i ? ", " : "") + std::string("{path: {value: /") + std::to_string(i) + "}}";
  EXPECT_EQ(in_rule("matches: [" + matches + "]"), "WEFT0114 spec.rules[0].matches: found 65 of them, expected at most 64");
}

TEST(GatewayApiKinds, GrpcMethods) {
  EXPECT_EQ(in_grpc("matches: [{method: {service: a.B, method: C}}]"), "");
  EXPECT_EQ(in_grpc("matches: [{method: {}}]"),
            "WEFT0106 spec.rules[0].matches[0].method: found neither service nor method, expected one or both of them");
  EXPECT_EQ(in_grpc("matches: [{method: {service: 'a/b'}}]").substr(0, 52), "WEFT0107 spec.rules[0].matches[0].method.service: fo");
  EXPECT_EQ(in_grpc("filters: [{type: URLRewrite}]").substr(0, 8), "WEFT0109");
}

TEST(GatewayApiKinds, ParentsTellEachOtherApart) {
  auto parents = [](const std::string& list) {
    return errors_of("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec: {parentRefs: [" + list +
                     "]}\n");
  };
  EXPECT_EQ(parents("{name: a, sectionName: x}, {name: a, sectionName: y}"), "");
  EXPECT_EQ(parents("{name: a}, {name: a}"),
            "WEFT0113 spec.parentRefs[1]: found the same parent twice; sectionName or port must be unique");
  EXPECT_EQ(parents("{name: a}, {name: a, port: 80}"),
            "WEFT0110 spec.parentRefs[1]: found the same parent with and without sectionName or port; it must be specified in both");
  EXPECT_NE(errors_of("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec: {parentRefs: [{kind: Service, "
                      "name: a}]}\n",
                      Severity::kWarning)
                .find("which Weft is no controller of"),
            std::string::npos);
}

TEST(GatewayApiKinds, RulesOfTheGatewaysCrd) {
  EXPECT_EQ(errors_of(gateway_text("[]")), "WEFT0106 spec.listeners: found no listeners, expected at least one listener");
  EXPECT_EQ(errors_of(gateway_text("[{name: a, port: 80, protocol: HTTP}, {name: a, port: 81, protocol: HTTP}]")),
            "WEFT0113 spec.listeners[1].name: found the listener a twice; names are unique within a Gateway");
  EXPECT_EQ(errors_of(gateway_text("[{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTP}]")),
            "WEFT0113 spec.listeners[1]: found a second listener of port 80, protocol HTTP and hostname \"\"; the combination is unique");
  EXPECT_EQ(errors_of(gateway_text("[{name: a, port: 80, protocol: HTTP, tls: {options: {a: b}}}]")),
            "WEFT0110 spec.listeners[0].tls: found tls in a listener of protocol HTTP");
  EXPECT_EQ(errors_of(gateway_text("[{name: a, port: 443, protocol: HTTPS, tls: {mode: Passthrough}}]")),
            "WEFT0110 spec.listeners[0].tls.mode: found Passthrough where protocol is HTTPS, expected Terminate");
  EXPECT_EQ(errors_of(gateway_text("[{name: a, port: 443, protocol: TCP, hostname: a.b}]")),
            "WEFT0110 spec.listeners[0].hostname: found hostname in a listener of protocol TCP");
  const std::string https = gateway_text("[{name: a, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: c}]}}]");
  EXPECT_EQ(errors_of(https), "");
  EXPECT_EQ(errors_of(https, Severity::kWarning),
            "WEFT0121 spec.listeners[0].protocol: the HTTPS listener a is taken but not served until TLS comes");
}

TEST(GatewayApiKinds, WhatTheStatusComplainsAboutIsAFinding) {
  Verdicts verdicts = validate_text(route_text("  rules: [{backendRefs: [{name: gone, port: 8080}]}]\n"), "f.yaml");
  ASSERT_TRUE(verdicts.ok());
  std::vector<model::ResourcePtr> resources;
  for (model::Resource& resource : verdicts.resources) resources.push_back(std::make_shared<const model::Resource>(std::move(resource)));
  const Diagnostics findings = check_references(*model::View::build(1, std::move(resources)));
  ASSERT_EQ(findings.size(), 2u) << render(findings);
  EXPECT_EQ(findings[0].message, "parent gateway \"default/web\" not found (NoMatchingParent)");
  EXPECT_EQ(findings[0].code, "WEFT0221");
  EXPECT_EQ(findings[1].code, "WEFT0222");
  EXPECT_EQ(findings[1].field, "spec.rules[0].backendRefs[0]");
  EXPECT_EQ(findings[1].mark.line, 6);
}

TEST(GatewayApiKinds, ARouteBesideAVirtualServiceOfTheSameHost) {
  Verdicts verdicts = validate_text(
      "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{name: http, port: 80}]}\n"
      "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: old}\nspec:\n  hosts: [a]\n  http: [{route: "
      "[{destination: {host: a}}]}]\n"
      "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: young}\nspec:\n  parentRefs: [{group: '', kind: "
      "Service, name: a}]\n",
      "f.yaml");
  ASSERT_TRUE(verdicts.ok());
  std::vector<model::ResourcePtr> resources;
  uint64_t age = 0;
  for (model::Resource& resource : verdicts.resources) {
    resource.created = ++age;
    resources.push_back(std::make_shared<const model::Resource>(std::move(resource)));
  }
  const Diagnostics findings = check_references(*model::View::build(1, std::move(resources)));
  ASSERT_EQ(findings.size(), 1u) << render(findings);
  EXPECT_EQ(findings[0].message,
            "HTTPRoute default/young and VirtualService default/old define the same mesh host a.default.svc.cluster.local; the older one, "
            "VirtualService default/old, wins");
}
