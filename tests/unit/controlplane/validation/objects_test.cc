// Single objects: what is taken, what is refused, and how the refusal reads.
#include "controlplane/validation/schema.h"
#include "controlplane/validation/validation.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

using namespace weft;
using namespace weft::validation;

namespace {

std::string read(const std::string& path) {
  std::ifstream in(std::string(WEFT_SOURCE_DIR) + "/" + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Verdicts customer(const std::string& name) { return validate_text(read("config/customer/" + name), name); }

const Diagnostic* find(const Diagnostics& findings, std::string_view code) {
  for (const Diagnostic& finding : findings)
    if (finding.code == code) return &finding;
  return nullptr;
}

// The one error of a text, as "code line:column field: message".
std::string error_of(const std::string& text) {
  std::string out;
  for (const Diagnostic& f : validate_text(text, "f.yaml").findings)
    if (f.severity == Severity::kError)
      out += (out.empty() ? "" : "\n") + f.code + " " + std::to_string(f.mark.line) + ":" + std::to_string(f.mark.column) + " " + f.field +
             ": " + f.message;
  return out;
}
std::string fix_of(const std::string& text) {
  for (const Diagnostic& f : validate_text(text, "f.yaml").findings)
    if (f.severity == Severity::kError) return f.fix;
  return {};
}

std::string virtual_service(const std::string& http) {
  return "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n  hosts: [a]\n  http:\n" + http;
}
std::string rule(const std::string& spec) {
  return "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec:\n  host: a\n" + spec;
}
const std::string kRoute = "  - route: [{destination: {host: a}}]\n";

template <class T>
T spec_of(const std::string& text) {
  Verdicts verdicts = validate_text(text, "f.yaml");
  EXPECT_TRUE(verdicts.ok()) << render(verdicts.findings);
  if (verdicts.resources.empty() || !verdicts.resources[0].as<T>()) return {};
  return *verdicts.resources[0].as<T>();
}

}  // namespace

TEST(Customer, ThePlainFilesAreTaken) {
  for (const char* name : {"virtualservice.yaml", "canary.yaml", "ab-testing.yaml", "fault-injection.yaml"}) {
    Verdicts verdicts = customer(name);
    EXPECT_TRUE(verdicts.findings.empty()) << render(verdicts.findings);
    ASSERT_EQ(verdicts.resources.size(), 1u) << name;
  }
}

TEST(Customer, TheOldSpellingsWorkWithAWarning) {
  Verdicts verdicts = customer("destinationrule.yaml");
  ASSERT_TRUE(verdicts.ok()) << render(verdicts.findings);
  const auto* rule = verdicts.resources.at(0).as<model::DestinationRule>();
  ASSERT_TRUE(rule && rule->traffic_policy && rule->traffic_policy->outlier_detection);
  EXPECT_EQ(rule->traffic_policy->outlier_detection->consecutive_5xx_errors, 5u);
  EXPECT_EQ(rule->traffic_policy->outlier_detection->interval, std::chrono::seconds(30));
  EXPECT_EQ(rule->traffic_policy->outlier_detection->max_ejection_percent, 50u);
  EXPECT_EQ(rule->traffic_policy->load_balancer, model::LoadBalancer::kLeastRequest);
  ASSERT_EQ(verdicts.findings.size(), 2u) << render(verdicts.findings);
  for (const Diagnostic& f : verdicts.findings) {
    EXPECT_EQ(f.code, "WEFT0120");
    EXPECT_EQ(f.severity, Severity::kWarning);
  }
  EXPECT_EQ(verdicts.findings[0].field, "spec.trafficPolicy.circuitBreaker");
  EXPECT_EQ(verdicts.findings[0].mark.line, 14);
  EXPECT_NE(verdicts.findings[0].fix.find("outlierDetection"), std::string::npos);
  EXPECT_NE(verdicts.findings[1].fix.find("LEAST_REQUEST"), std::string::npos);
}

TEST(Customer, OutlierDetectionWinsOverCircuitBreaker) {
  Verdicts verdicts = customer("circuit-breaker.yaml");
  ASSERT_TRUE(verdicts.ok()) << render(verdicts.findings);
  const auto& detection = *verdicts.resources.at(0).as<model::DestinationRule>()->traffic_policy->outlier_detection;
  EXPECT_EQ(detection.consecutive_5xx_errors, 3u);
  EXPECT_EQ(detection.consecutive_gateway_errors, 3u);
  EXPECT_EQ(detection.interval, std::chrono::seconds(10));
  EXPECT_EQ(detection.max_ejection_percent, 20u);
  EXPECT_FALSE(detection.min_health_percent) << "the whole block wins";
  EXPECT_TRUE(find(verdicts.findings, "WEFT0122"));
}

TEST(Customer, TheHttpsServerIsTakenAndNotServed) {
  Verdicts verdicts = customer("gateway.yaml");
  ASSERT_TRUE(verdicts.ok()) << render(verdicts.findings);
  const auto& gateway = *verdicts.resources.at(0).as<model::Gateway>();
  ASSERT_EQ(gateway.servers.size(), 2u);
  EXPECT_TRUE(gateway.servers[0].served());
  EXPECT_FALSE(gateway.servers[1].served());
  const Diagnostic* warning = find(verdicts.findings, "WEFT0121");
  ASSERT_TRUE(warning);
  EXPECT_EQ(warning->severity, Severity::kWarning);
  EXPECT_EQ(warning->mark.line, 18);
}

TEST(Customer, TlsAndPolicyAreRefusedByName) {
  Verdicts mtls = customer("mtls.yaml");
  EXPECT_TRUE(mtls.resources.empty());
  const Diagnostic* kind = find(mtls.findings, "WEFT0104");
  ASSERT_TRUE(kind);
  EXPECT_EQ(kind->message, "kind PeerAuthentication of security.istio.io is not supported by this version of Weft");
  const Diagnostic* mode = find(mtls.findings, "WEFT0103");
  ASSERT_TRUE(mode);
  EXPECT_EQ(mode->message, "spec.trafficPolicy.tls.mode: ISTIO_MUTUAL is not supported by this version of Weft");
  EXPECT_EQ(mode->mark.line, 19);
  const Diagnostic* group = find(mtls.findings, "WEFT0120");
  ASSERT_TRUE(group) << "DestinationRule under security.istio.io";
  EXPECT_EQ(group->fix, "write apiVersion: networking.istio.io/v1");

  for (const char* name : {"authorization-policy.yaml", "jwt.yaml", "otel-collector.yaml", "prometheus-alerts.yaml",
                           "prometheus-servicemonitor.yaml", "sidecar-resources.yaml", "envoy-bootstrap-configmap.yaml"}) {
    Verdicts verdicts = customer(name);
    EXPECT_TRUE(verdicts.resources.empty()) << name;
    const Diagnostic* refused = find(verdicts.findings, "WEFT0104");
    ASSERT_TRUE(refused) << name;
    EXPECT_FALSE(refused->fix.empty()) << name;
  }
}

TEST(Customer, DestinationRuleUnderSecurityIsTaken) {
  Verdicts verdicts =
      validate_text("apiVersion: security.istio.io/v1beta1\nkind: DestinationRule\nmetadata: {name: a}\nspec: {host: a}\n", "f.yaml");
  EXPECT_EQ(verdicts.resources.size(), 1u);
  ASSERT_EQ(verdicts.findings.size(), 1u);
  EXPECT_EQ(verdicts.findings[0].severity, Severity::kWarning);
}

TEST(VirtualService, IsReadWhole) {
  const auto service = spec_of<model::VirtualService>(R"(apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: a, namespace: shop}
spec:
  hosts: [reviews, "*.example.com"]
  gateways: [mesh, edge, other/edge]
  export_to: ["."]
  http:
  - name: first
    match:
    - name: m
      uri: {prefix: /api}
      ignoreUriCase: true
      headers: {X-User: {exact: "1"}, x-any: {}, x-re: {regex: "*"}}
      withoutHeaders: {x-no: }
      method: {exact: GET}
      queryParams: {v: {regex: "[0-9]+"}}
      port: 8080
      sourceLabels: {app: web}
      sourceNamespace: shop
      gateways: [edge]
    route:
    - destination: {host: reviews, subset: v1, port: {number: 80}}
      weight: 90
      headers: {response: {set: {x-v: "1"}}}
    - {destination: {host: other.ns.svc.cluster.local}, weight: 10}
    rewrite: {uri: /x, authority: y}
    timeout: 1m30s
    retries: {attempts: 3, per_try_timeout: 500ms, retry_on: "5xx, 503,cancelled", backoff: 25ms, retryIgnorePreviousHosts: false, retryRemoteLocalities: true}
    fault: {delay: {fixedDelay: 2s, percentage: {value: 0.5}}, abort: {httpStatus: 503, percentage: {value: 100}}}
    headers: {request: {add: {x-a: b}, remove: [x-c]}}
  - redirect: {uri: /y, redirectCode: 308, derivePort: FROM_REQUEST_PORT}
    match: [{uri: {exact: /r}}]
  - directResponse: {status: 418, body: {bytes: aGVsbG8=}}
)");
  EXPECT_EQ(service.hosts, (std::vector<std::string>{"reviews.shop.svc.cluster.local", "*.example.com"}));
  EXPECT_EQ(service.gateways, (std::vector<std::string>{"mesh", "shop/edge", "other/edge"}));
  EXPECT_EQ(service.export_to, std::vector<std::string>{"."});
  ASSERT_EQ(service.http.size(), 3u);
  const model::HttpRoute& route = service.http[0];
  const model::HttpMatch& match = route.matches.at(0);
  EXPECT_EQ(match.uri->kind, model::StringMatch::Kind::kPrefix);
  EXPECT_TRUE(match.ignore_uri_case);
  EXPECT_EQ(match.headers.at("x-user").value, "1");
  EXPECT_EQ(match.headers.at("x-any").kind, model::StringMatch::Kind::kPresent);
  EXPECT_EQ(match.headers.at("x-re").kind, model::StringMatch::Kind::kPresent);
  EXPECT_EQ(match.without_headers.at("x-no").kind, model::StringMatch::Kind::kPresent);
  EXPECT_EQ(match.query_params.at("v").kind, model::StringMatch::Kind::kRegex);
  EXPECT_EQ(match.port, 8080u);
  EXPECT_EQ(match.gateways, std::vector<std::string>{"shop/edge"});
  ASSERT_EQ(route.routes.size(), 2u);
  EXPECT_EQ(route.routes[0].destination.host, "reviews.shop.svc.cluster.local");
  EXPECT_EQ(route.routes[0].destination.written_host, "reviews");
  EXPECT_EQ(route.routes[0].destination.port, 80u);
  EXPECT_EQ(route.routes[0].weight, 90u);
  EXPECT_EQ(route.routes[0].headers.response.set.at("x-v"), "1");
  EXPECT_EQ(route.timeout, std::chrono::seconds(90));
  EXPECT_EQ(route.retries->per_try_timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(route.retries->retry_on, "5xx, 503,cancelled");
  EXPECT_EQ(route.retries->ignore_previous_hosts, false);
  EXPECT_TRUE(route.retries->remote_localities);
  EXPECT_EQ(route.fault->delay->percentage, 0.5);
  EXPECT_EQ(route.fault->abort->http_status, 503u);
  EXPECT_EQ(route.headers.request.remove, std::vector<std::string>{"x-c"});
  EXPECT_EQ(service.http[1].redirect->code, 308u);
  EXPECT_EQ(service.http[1].redirect->port_kind, model::Redirect::Port::kFromRequestPort);
  EXPECT_EQ(service.http[2].direct_response->body, "hello");
}

TEST(VirtualService, UnknownFieldsNameTheOneThatWasMeant) {
  const std::string text = virtual_service("  - route:\n    - destinaton: {host: a}\n");
  EXPECT_EQ(error_of(text), "WEFT0101 8:7 spec.http[0].route[0].destinaton: unknown field \"destinaton\" in spec.http[0].route[0]");
  EXPECT_EQ(fix_of(text), "did you mean destination?");
  EXPECT_EQ(render(validate_text(text, "f.yaml").findings),
            "error[WEFT0101]: unknown field \"destinaton\" in spec.http[0].route[0] (# IST0106)\n"
            "  --> f.yaml:8:7\n"
            "   |\n"
            " 8 |     - destinaton: {host: a}\n"
            "   |       ^\n"
            "  in:  VirtualService default/a\n"
            "  at:  spec.http[0].route[0].destinaton\n"
            "  fix: did you mean destination?\n");
}

TEST(VirtualService, WhatIsNotCarriedIsRefusedByItsFullName) {
  EXPECT_NE(error_of(virtual_service(kRoute) + "  tls: [{}]\n").find("found no match"), std::string::npos);
  EXPECT_NE(error_of(virtual_service(kRoute + "    fault: {delay: {exponentialDelay: 1s}}\n"))
                .find("spec.http[0].fault.delay.exponentialDelay is not supported"),
            std::string::npos);
  EXPECT_NE(error_of(virtual_service(kRoute + "    fault: {abort: {http2Error: x}}\n"))
                .find("spec.http[0].fault.abort.http2Error is not supported"),
            std::string::npos);
  EXPECT_NE(
      error_of(virtual_service("  - match: [{headers: {\"@request.auth.claims.x\": {exact: a}}}]\n    route: [{destination: {host: a}}]\n"))
          .find("@request.auth.claims.x is not supported"),
      std::string::npos);
}

TEST(VirtualService, RemoteLocalitiesWarnWhileThereAreNone) {
  const auto findings = [](const std::string& retries) {
    return validate_text(virtual_service(kRoute + "    retries: {" + retries + "}\n"), "f.yaml").findings;
  };
  EXPECT_TRUE(find(findings("attempts: 1, retryRemoteLocalities: true"), "WEFT0121"));
  EXPECT_TRUE(findings("attempts: 1, retryRemoteLocalities: false").empty());
}

TEST(VirtualService, TheRulesOfIstioHold) {
  const std::pair<std::string, std::string> cases[] = {
      {"  - name: x\n", "found no route, expected one of route, redirect and directResponse"},
      {kRoute + "    delegate: {name: x}\n", "found route beside delegate"},
      {"  - delegate: {namespace: x}\n", "found no name, expected the name of a VirtualService"},
      {"  - match: [{uri: {regex: ''}}]\n    delegate: {name: x}\n", "found an empty regular expression"},
      {"  - match: [{uri: {exact: /x}}]\n    redirect: {prefixRewrite: /y}\n", "found prefixRewrite beside a match whose uri is no prefix"},
      {"  - redirect: {uri: /x, prefixRewrite: /y}\n", "found uri and prefixRewrite"},
      {"  - redirect: {uri: '', authority: ''}\n", "found a redirect to the same place"},
      {"  - redirect: {scheme: ftp}\n", "expected http or https"},
      {kRoute + "    rewrite: {uri: ''}\n", "found an empty rewrite"},
      {kRoute + "    retries: {attempts: 0, retryRemoteLocalities: true}\n", "turns retries off"},
      {kRoute + "    mirror: {host: b}\n    mirrors: [{destination: {host: c}}]\n", "found mirrors and mirror, expected one"},
      {kRoute + "    mirrors: [{percentage: {value: 1}}]\n", "found no destination"},
      {kRoute + "    mirror: {host: b}\n    mirrorPercentage: {value: 101}\n", "found 101, expected a number from 0 to 100"},
      {"  - redirect: {uri: /x}\n    mirror: {host: b}\n", "found mirror beside redirect"},
      {kRoute + "    corsPolicy: {allowOrigins: [{exact: ''}]}\n", "found an empty origin"},
      {kRoute + "    corsPolicy: {allowOrigins: [{exact: a}], allowOrigin: [a]}\n", "found allowOrigins and allowOrigin"},
      {kRoute + "    corsPolicy: {allowOrigins: [{exact: a}], allowMethods: [get]}\n", "found \"get\", expected a method"},
      {kRoute + "    corsPolicy: {allowOrigins: [{exact: a}], allowHeaders: ['a b']}\n", "found \"a b\", expected the name of a header"},
      {kRoute + "    corsPolicy: {allowOrigins: [{exact: a}], maxAge: 1500ms}\n", "found 1500ms, expected whole seconds"},
      {kRoute + "    fault: {abort: {grpcStatus: UNAVAILABLE, httpStatus: 500}}\n", "found httpStatus and grpcStatus"},
      {kRoute + "    fault: {abort: {grpcStatus: unavailable}}\n", "expected OK, CANCELLED"},
      {kRoute + "    rewrite: {uri: /, uriRegexRewrite: {match: a, rewrite: b}}\n", "found uri and uriRegexRewrite"},
      {kRoute + "    rewrite: {uriRegexRewrite: {match: '(', rewrite: b}}\n", "RE2 does not take"},
      {kRoute + "    rewrite: {uriRegexRewrite: {match: 'a', rewrite: '\\1'}}\n", "found a replacement that does not fit"},
      {kRoute + "    rewrite: {uriRegexRewrite: {match: a}}\n", "found no rewrite"},
      {kRoute + "    rewrite: {authority: a}\n    headers: {request: {set: {Host: b}}}\n", "found another value for the authority"},
      {kRoute + "    headers: {response: {set: {host: b}}}\n", "which can only be set, and only in a request"},
      {kRoute + "    headers: {request: {remove: [':authority']}}\n", "which can only be set"},
      {"  - match: [{sourceNamespace: A_b}]\n    route: [{destination: {host: a}}]\n", "expected the name of a namespace"},
      {kRoute + "    redirect: {uri: /x}\n", "found more than one of route, redirect and directResponse"},
      {"  - redirect: {uri: /x}\n    fault: {abort: {httpStatus: 500}}\n", "found fault beside redirect"},
      {"  - redirect: {redirectCode: 301}\n", "found a redirect to the same place"},
      {"  - redirect: {uri: /, redirectCode: 300}\n", "found 300, expected 301, 302, 303, 307 or 308"},
      {"  - redirect: {uri: /, port: 1, derivePort: FROM_REQUEST_PORT}\n", "found port and derivePort"},
      {"  - directResponse: {status: 99}\n", "found 99, expected a number from 200 to 599"},
      {"  - directResponse: {status: 200, body: {bytes: '*'}}\n", "not base64"},
      {"  - route: [{destination: {host: a}, weight: 0}, {destination: {host: b}}]\n", "total destination weight of 0"},
      {"  - route: [{destination: {host: a}, weight: -1}]\n", "found -1, expected a number from 0"},
      {"  - route: [{destination: {subset: a}}]\n", "found no host"},
      {"  - route: [{weight: 1}]\n", "found no destination"},
      {"  - route: [{destination: {host: a, port: {number: 70000}}}]\n", "found 70000, expected a number from 1 to 65535"},
      {"  - route: [{destination: {host: \"*.a\"}}]\n", "without wildcard"},
      {"  - route: [{destination: {host: \"a:80\"}}]\n", "without port"},
      {kRoute + "    fault: {delay: {fixedDelay: 1s, percentage: {value: 101}}}\n", "found 101, expected a number from 0 to 100"},
      {kRoute + "    fault: {abort: {percentage: {value: 1}}}\n", "found no httpStatus"},
      {kRoute + "    fault: {}\n", "found an empty fault"},
      {kRoute + "    rewrite: {}\n", "found an empty rewrite"},
      {kRoute + "    retries: {attempts: 0, perTryTimeout: 1s}\n", "turns retries off"},
      {kRoute + "    retries: {attempts: 1, retryOn: 5xxx}\n", "found \"5xxx\", expected a status or a condition"},
      {kRoute + "    retries: {attempts: 1, retryOn: \"799\"}\n", "found the status 799"},
      {kRoute + "    timeout: -1s\n", "found -1s, expected no negative duration"},
      {kRoute + "    timeout: 5\n", "found the number 5, expected a duration"},
      {kRoute + "    retries: {attempts: 1, perTryTimeout: 0s}\n", "found 0s, expected at least 1ms"},
      {kRoute + "    headers: {request: {set: {\"a b\": c}}}\n", "expected the name of a header"},
      {"  - match: [{uri: {exact: /, prefix: /}}]\n    route: [{destination: {host: a}}]\n", "found 2 of exact, prefix and regex"},
      {"  - match: [{uri: {}}]\n    route: [{destination: {host: a}}]\n", "found no match"},
      {"  - match: [{uri: {regex: \"a(?=b)\"}}]\n    route: [{destination: {host: a}}]\n", "RE2 does not take"},
      {"  - match: [{uri: {regex: \"\\\\1\"}}]\n    route: [{destination: {host: a}}]\n", "RE2 does not take"},
      {"  - match: [{uri: {regex: \"" + std::string(2000, 'a') + "\"}}]\n    route: [{destination: {host: a}}]\n",
       "2000 bytes, expected at most 1024"},
      {"  - match: [{gateways: [a/b/c]}]\n    route: [{destination: {host: a}}]\n", "expected mesh, NAME or NAMESPACE/NAME"},
  };
  for (const auto& [http, expected] : cases)
    EXPECT_NE(error_of(virtual_service(http)).find(expected), std::string::npos) << http << "\n" << error_of(virtual_service(http));
}

TEST(VirtualService, HostsAreChecked) {
  auto with = [](const std::string& spec) {
    return error_of("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n  " + spec + "\n  http:\n" +
                    kRoute);
  };
  EXPECT_EQ(with("hosts: []"), "") << "a delegate";
  EXPECT_NE(with("gateways: [g]").find("found gateways and no hosts"), std::string::npos);
  EXPECT_NE(with("hosts: [\"*\"]").find("for the gateway mesh"), std::string::npos);
  EXPECT_EQ(with("hosts: [\"*\"]\n  gateways: [g]"), "");
  EXPECT_NE(with("hosts: [a, a.default.svc.cluster.local]").find("found the host a.default.svc.cluster.local twice"), std::string::npos);
  EXPECT_NE(with("hosts: [10.0.0.1]").find("which only a Gateway can serve"), std::string::npos);
  EXPECT_EQ(with("hosts: [10.0.0.1]\n  gateways: [g]"), "");
  EXPECT_NE(with("hosts: [\"a_b\"]").find("expected a host name"), std::string::npos);
  EXPECT_NE(with("hosts: [\"a.*.b\"]").find("stands alone in front"), std::string::npos);
  EXPECT_NE(with("hosts: [a]\n  exportTo: [\"*\", x]").find("beside others"), std::string::npos);
  EXPECT_NE(with("hosts: [a]\n  exportTo: [\"~\"]").find("which only services know"), std::string::npos);
}

TEST(Scalars, WhatYamlReadersDisagreeOnIsRefused) {
  auto header = [](const std::string& value) {
    return error_of(virtual_service("  - match: [{headers: {h: {exact: " + value + "}}}]\n    route: [{destination: {host: a}}]\n"));
  };
  EXPECT_EQ(header("\"true\""), "");
  EXPECT_EQ(header("premium"), "");
  EXPECT_NE(header("true").find("found the boolean true, expected a string"), std::string::npos);
  EXPECT_NE(header("1.10").find("found the number 1.10, expected a string"), std::string::npos);
  for (const char* word : {"no", "on", "Yes", "0b1", "1_000"})
    EXPECT_NE(header(word).find("without quotes"), std::string::npos) << word << header(word);
  EXPECT_NE(header("017").find("expected a string"), std::string::npos);
  EXPECT_NE(header("0o17").find("expected a string"), std::string::npos);
  auto weight = [](const std::string& value) {
    return error_of(virtual_service("  - route: [{destination: {host: a}, weight: " + value + "}]\n"));
  };
  EXPECT_EQ(weight("10"), "");
  for (const char* word : {"0o17", "0x10", "017", "\"10\"", "1.5", "ten", "1_0", "[1]"})
    EXPECT_NE(weight(word).find("expected a whole number"), std::string::npos) << word << weight(word);
  const std::string yes = virtual_service("  - match: [{ignoreUriCase: yes, uri: {exact: /}}]\n    route: [{destination: {host: a}}]\n");
  EXPECT_NE(error_of(yes).find("expected true or false"), std::string::npos);
  EXPECT_EQ(fix_of(yes), "write true without quotes");
}

TEST(Scalars, DurationsAreGos) {
  std::string problem;
  EXPECT_EQ(parse_duration("1h30m", problem), std::chrono::minutes(90));
  EXPECT_EQ(parse_duration("0.5s", problem), std::chrono::milliseconds(500));
  EXPECT_EQ(parse_duration("1m0.25s", problem), std::chrono::milliseconds(60250));
  EXPECT_EQ(parse_duration("100us", problem), std::chrono::microseconds(100));
  EXPECT_EQ(parse_duration("0", problem), std::chrono::seconds(0));
  for (const char* bad : {"", "5", "s", "1.2.3s", "5 s", "5sec", "--1s", "1e3s", ".s", "99999999999999h"})
    EXPECT_FALSE(parse_duration(bad, problem)) << bad;
}

TEST(Objects, HeadsAreChecked) {
  EXPECT_NE(error_of("kind: Service\nmetadata: {name: a}\n").find("found no apiVersion"), std::string::npos);
  EXPECT_NE(error_of("- a\n").find("expected an object with apiVersion"), std::string::npos);
  EXPECT_NE(error_of("apiVersion: v1\nkind: Service\nspec: {ports: [{port: 80}]}\n").find("found no name"), std::string::npos);
  EXPECT_NE(error_of("apiVersion: v1\nkind: Service\nmetadata: {name: A_b}\nspec: {ports: [{port: 80}]}\n").find("WEFT0107"),
            std::string::npos);
  EXPECT_NE(error_of("apiVersion: networking.istio.io/v2\nkind: Gateway\nmetadata: {name: a}\n")
                .find("found apiVersion networking.istio.io/v2 for a Gateway, expected networking.istio.io/v1"),
            std::string::npos);
  EXPECT_NE(error_of("apiVersion: gateway.networking.k8s.io/v1\nkind: UDPRoute\nmetadata: {name: a}\n")
                .find("kind UDPRoute of gateway.networking.k8s.io is not supported"),
            std::string::npos);
  EXPECT_EQ(fix_of("apiVersion: networking.istio.io/v1\nkind: VirtualServce\nmetadata: {name: a}\n"), "did you mean VirtualService?");
  EXPECT_NE(error_of("apiVersion: v1\nkind: Service\nmetadata: {name: a, nmespace: b}\nspec: {ports: [{port: 80}]}\n")
                .find("unknown field \"nmespace\" in metadata"),
            std::string::npos);
  EXPECT_NE(error_of("apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: a}\nspec: text\n")
                .find("found the string \"text\", expected a map"),
            std::string::npos);
}

TEST(Objects, BothSpellingsOfOneFieldAreRefused) {
  EXPECT_NE(error_of(virtual_service(kRoute + "    retries: {attempts: 1, retryOn: 5xx, retry_on: reset}\n"))
                .find("\"retry_on\" and \"retryOn\" are one field"),
            std::string::npos);
}

TEST(Objects, ListsAndSeveralDocuments) {
  const std::string text =
      "# head\n---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n---\n"
      "kind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: b\n  spec: {ports: [{port: 80}]}\n- {apiVersion: v1, "
      "kind: Namespace, metadata: {name: space}}\n";
  Verdicts verdicts = validate_text(text, "f.yaml");
  ASSERT_TRUE(verdicts.ok()) << render(verdicts.findings);
  ASSERT_EQ(verdicts.resources.size(), 3u);
  EXPECT_EQ(verdicts.resources[2].key.to_string(), "Namespace space");
  // The text that is kept leads to the same line.
  const Diagnostic finding = verdicts.resources[1].finding(Severity::kWarning, "X", "m", "metadata.name");
  EXPECT_EQ(finding.mark.line, 13);
  EXPECT_EQ(finding.source_line, "    name: b");
  EXPECT_EQ(verdicts.resources[0].finding(Severity::kWarning, "X", "m", "spec.ports[0].port").mark.line, 6);
}

TEST(Objects, AListItemThatLeansOnAnotherIsKeptWhole) {
  Verdicts verdicts = validate_text(
      "kind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: a}\n  spec: &s {ports: [{port: 80}]}\n- apiVersion: v1\n  "
      "kind: Service\n  metadata: {name: b}\n  spec: *s\n",
      "f");
  ASSERT_TRUE(verdicts.ok()) << render(verdicts.findings);
  const Verdict again = validate(verdicts.resources.at(1).document());
  ASSERT_TRUE(again.resource) << render(again.findings);
  EXPECT_EQ(again.resource->json, verdicts.resources.at(1).json);
}

TEST(Objects, WhatStandsBehindALoneCarriageReturnReadsBackTheSame) {
  Verdicts verdicts = validate_text("# YAML ends a line here\rapiVersion: v1\nkind: Namespace\nmetadata: {name: space}\n", "f");
  ASSERT_TRUE(verdicts.ok()) << render(verdicts.findings);
  const Verdict again = validate(verdicts.resources.at(0).document());
  ASSERT_TRUE(again.resource) << render(again.findings);
  EXPECT_EQ(again.resource->json, verdicts.resources.at(0).json);
}

TEST(Objects, TheSameObjectTwiceIsAnError) {
  const std::string a = "apiVersion: v1\nkind: Namespace\nmetadata: {name: space}\n";
  EXPECT_NE(error_of(a + "---\n" + a).find("found Namespace space again; it stands at f.yaml:1 already"), std::string::npos);
  EXPECT_TRUE(find(validate_texts({{"a.yaml", a}, {"b.yaml", a}}).findings, "WEFT0115"));
}

TEST(Objects, AFileOfManyDocumentsTakesTimeInItsLengthOnly) {
  std::string text;
  for (int i = 0; i < 5000; ++i)
    text += "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: s" + std::to_string(i) + "\nspec:\n  ports:\n  - port: 80\n";
  const Verdicts verdicts = validate_text(text, "f.yaml");
  ASSERT_EQ(verdicts.resources.size(), 5000u);
  EXPECT_EQ(verdicts.resources.back().origin.line, 4999 * 8 + 2);
  EXPECT_EQ(*verdicts.resources.back().origin.text,
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: s4999\nspec:\n  ports:\n  - port: 80\n");
}

TEST(Objects, JsonTextIsTheSameForTheSameObject) {
  auto json = [](const std::string& text) { return validate_text(text, "f").resources.at(0).json; };
  EXPECT_EQ(json("kind: Namespace\napiVersion: v1\nmetadata: {name: space}\n"),
            json(R"({"apiVersion": "v1", "metadata": {"name": "space"}, "kind": "Namespace"})"));
}

// Row by row what an attacker or a careless editor may feed a YAML reader.
TEST(Hazards, HostileYamlIsRefusedWithALine) {
  std::string laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c < 'j'; ++c) {
    laughs += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) laughs += (i ? ", *" : "*") + std::string(1, static_cast<char>(c - 1));
    laughs += "]\n";
  }
  const std::string head = "apiVersion: v1\nkind: Namespace\nmetadata: {name: space}\n";
  for (const std::string& text : {laughs, std::string(100'000, '['), head + "spec: \"" + std::string(10 << 20, 'x') + "\"\n",
                                  head + "kind: Pod\n", head + "spec: !!binary aGk=\n", head + "spec:\n\tx: 1\n"}) {
    Verdicts verdicts = validate_text(text, "f.yaml");
    EXPECT_TRUE(verdicts.resources.empty());
    ASSERT_FALSE(verdicts.ok()) << text.substr(0, 60);
    EXPECT_GT(verdicts.findings[0].mark.line, 0) << text.substr(0, 60);
    EXPECT_EQ(verdicts.findings[0].file, "f.yaml");
  }
  const Verdicts marked = validate_text("\xef\xbb\xbf" + head, "f.yaml");
  EXPECT_TRUE(marked.ok()) << "a byte order mark is harmless: " << render(marked.findings);
  const auto merged =
      spec_of<model::DestinationRule>(rule("  subsets:\n  - &v1 {name: v1, labels: {version: v1}}\n  - {<<: *v1, name: v2}\n"));
  ASSERT_EQ(merged.subsets.size(), 2u);
  EXPECT_EQ(merged.subsets[1].labels.at("version"), "v1");
}

TEST(DestinationRule, IsReadWhole) {
  const auto r = spec_of<model::DestinationRule>(rule(R"(  exportTo: ["*"]
  trafficPolicy:
    loadBalancer: {simple: ROUND_ROBIN}
    connectionPool:
      tcp: {maxConnections: 1, connectTimeout: 2s}
      http: {http1MaxPendingRequests: 3, http2MaxRequests: 4, maxRetries: 5, maxRequestsPerConnection: 6, idleTimeout: 7s}
    outlierDetection: {consecutive_5xx_errors: 1, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2, minHealthPercent: 30}
    tls: {mode: DISABLE}
    portLevelSettings:
    - {port: {number: 80}, loadBalancer: {simple: RANDOM}}
  subsets:
  - name: v1
    labels: {version: v1}
    trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}}
)"));
  EXPECT_EQ(r.host, "a.default.svc.cluster.local");
  ASSERT_TRUE(r.traffic_policy);
  EXPECT_EQ(r.traffic_policy->connection_pool->max_requests_per_connection, 6u);
  EXPECT_EQ(r.traffic_policy->connection_pool->idle_timeout, std::chrono::seconds(7));
  EXPECT_EQ(r.traffic_policy->outlier_detection->consecutive_5xx_errors, 1u);
  EXPECT_TRUE(r.traffic_policy->tls);
  const model::PolicyBlocks at80 = effective_policy(&*r.traffic_policy, nullptr, 80);
  EXPECT_EQ(at80.load_balancer, model::LoadBalancer::kRandom);
  EXPECT_FALSE(at80.connection_pool) << "a port entry replaces, it does not merge";
  const model::PolicyBlocks v1 = effective_policy(&*r.traffic_policy, &*r.subsets[0].traffic_policy, 81);
  EXPECT_EQ(v1.load_balancer, model::LoadBalancer::kLeastRequest);
  EXPECT_EQ(v1.connection_pool->max_connections, 1u) << "the rule's block stays where the subset says nothing";
}

TEST(DestinationRule, TheRulesHold) {
  const std::pair<std::string, std::string> cases[] = {
      {"  subsets: [{name: v1}, {name: v1}]\n", "found the subset v1 twice"},
      {"  subsets: [{labels: {a: b}}]\n", "found no name"},
      {"  subsets: [{name: V_1}]\n", "expected at most 63 of a-z"},
      {"  subsets: [{name: v1, labels: {version: 1.0}}]\n", "found the number 1.0, expected a string"},
      {"  trafficPolicy: {loadBalancer: {simple: ROUND_ROBBIN}}\n",
       "expected UNSPECIFIED, LEAST_REQUEST, ROUND_ROBIN, RANDOM or LEAST_CONN"},
      {"  trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}\n", "PASSTHROUGH is not supported"},
      {"  trafficPolicy: {loadBalancer: {warmup: {}}}\n", "spec.trafficPolicy.loadBalancer.warmup is not supported"},
      {"  trafficPolicy: {outlierDetection: {maxEjectionPercent: 101}}\n", "found 101, expected a number from 0 to 100"},
      {"  trafficPolicy: {connectionPool: {}}\n", "found an empty connectionPool"},
      {"  trafficPolicy: {portLevelSettings: [{loadBalancer: {simple: RANDOM}}]}\n", "found no port.number"},
      {"  trafficPolicy: {portLevelSettings: [{port: {number: 80}}, {port: {number: 80}}]}\n", "found settings for port 80 twice"},
      {"  trafficPolicy: {tls: {}}\n", "found no mode"},
      {"  trafficPolicy: {tls: {mode: SIMPLE, sni: a}}\n", "SIMPLE is not supported"},
      {"  workloadSelector: {}\n", "spec.workloadSelector is not supported"},
  };
  for (const auto& [spec, expected] : cases)
    EXPECT_NE(error_of(rule(spec)).find(expected), std::string::npos) << spec << "\n" << error_of(rule(spec));
}

TEST(Gateway, TheRulesHold) {
  auto gateway = [](const std::string& server) {
    return error_of("apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: a}\nspec:\n  servers:\n  - " + server + "\n");
  };
  EXPECT_EQ(gateway("{port: {number: 80, protocol: http, name: h}, hosts: [\"./*.a.com\", \"*/b\", c/d]}"), "");
  EXPECT_NE(gateway("{port: {number: 80, protocol: HTTP, name: h}}").find("found no hosts"), std::string::npos);
  EXPECT_NE(gateway("{port: {number: 80, protocol: HTP, name: h}, hosts: [a]}").find("found \"HTP\", expected HTTP"), std::string::npos);
  EXPECT_NE(gateway("{port: {number: 0, protocol: HTTP, name: h}, hosts: [a]}").find("found 0, expected"), std::string::npos);
  EXPECT_EQ(gateway("{port: {number: 80, protocol: HTTP, name: h}, hosts: [a], tls: {httpsRedirect: true}}"), "");
  EXPECT_EQ(gateway("{port: {number: 80, protocol: GRPC-WEB, name: h}, hosts: [a]}"), "");
  EXPECT_NE(gateway("{port: {number: 80, protocol: HTTP, name: h}, hosts: [a], tls: {mode: SIMPLE}}").find("found mode SIMPLE in a server"),
            std::string::npos);
  EXPECT_NE(gateway("{port: {number: 80, protocol: HTTP, name: h}, hosts: [a], tls: {httpsRedirect: true, credentialName: c}}")
                .find("found credentialName in a server without TLS"),
            std::string::npos);
  EXPECT_NE(gateway("{port: {number: 80, protocol: HTTP, name: h}, hosts: [a], defaultEndpoint: 127.0.0.1:1}").find("is not supported"),
            std::string::npos);
  EXPECT_NE(gateway("{port: {number: 80, protocol: HTTP, name: h}, hosts: [A_/b]}").find("expected *, . or the name of a namespace"),
            std::string::npos);
}

TEST(ServiceEntry, TheRulesHold) {
  auto entry = [](const std::string& spec) {
    return error_of("apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: a}\nspec: {" + spec + "}\n");
  };
  const std::string ports = "ports: [{number: 80, name: http, protocol: HTTP}], ",
                    fixed = "resolution: STATIC, endpoints: [{address: 10.0.0.1}], ";
  EXPECT_EQ(entry("hosts: [a.com], " + ports + fixed), "");
  EXPECT_EQ(entry("hosts: [a.com], " + ports), "");
  EXPECT_EQ(entry("hosts: [a.com], " + ports + "resolution: DNS"), "");
  EXPECT_NE(entry("hosts: [a.com], " + ports + "resolution: DYNAMIC_DNS").find("DYNAMIC_DNS is not supported"), std::string::npos);
  EXPECT_NE(entry("hosts: [\"*\"], " + ports + fixed).find("would take every host"), std::string::npos);
  EXPECT_NE(entry("hosts: [a.com], " + fixed).find("found no ports"), std::string::npos);
  EXPECT_NE(entry("hosts: [a.com], " + ports + "resolution: STATIC").find("endpoints or a workloadSelector"), std::string::npos);
  EXPECT_NE(entry("hosts: [a.com], " + ports + "resolution: STATIC, endpoints: [{address: b.com}]").find("expected an IP address"),
            std::string::npos);
  EXPECT_NE(entry("hosts: [a.com], " + ports + "resolution: STATIC, endpoints: [{address: 10.0.0.1, ports: {x: 1}}]")
                .find("expected one of spec.ports"),
            std::string::npos);
  EXPECT_NE(entry("hosts: [a.com], " + ports + fixed + "addresses: [10.0.0.0/40]").find("an IP address or a CIDR"), std::string::npos);
  EXPECT_NE(entry("hosts: [a.com], " + ports + fixed + "workloadSelector: {labels: {a: b}}").find("workloadSelector and endpoints"),
            std::string::npos);
  EXPECT_NE(entry("hosts: [a.com], ports: [{number: 80, name: a}, {number: 80, name: a}], " + fixed).find("found port 80 twice"),
            std::string::npos);
}

TEST(Kubernetes, RealManifestsPassAndWhatIsReadIsChecked) {
  const auto service = spec_of<model::Service>(R"(apiVersion: v1
kind: Service
metadata: {name: a, creationTimestamp: null, annotations: {networking.istio.io/exportTo: "., b"}}
spec:
  clusterIP: 10.0.0.1
  sessionAffinity: None
  internalTrafficPolicy: Cluster
  selector: {app: a}
  ports:
  - {name: http, port: 80, targetPort: web, nodePort: 30000}
  - {name: dns, port: 53, protocol: UDP}
  - {name: grpc, port: 81, targetPort: 8081, appProtocol: grpc}
status: {loadBalancer: {}}
)");
  EXPECT_EQ(service.ports[0].target->name, "web");
  EXPECT_EQ(service.ports[2].target->number, 8081u);
  EXPECT_EQ(service.export_to, (std::vector<std::string>{".", "b"}));
  EXPECT_EQ(spec_of<model::Pod>("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {tolerations: [{key: x}], containers: [{name: c, "
                                "image: i, ports: [{containerPort: 80, name: web}]}]}\n"
                                "status: {podIP: 10.0.0.2, conditions: [{type: Ready, status: \"False\"}]}\n")
                .ready,
            false);
  const auto slice = spec_of<model::EndpointSlice>(
      "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s, labels: {kubernetes.io/service-name: a}}\naddressType: "
      "IPv4\n"
      "ports: [{name: http, port: 80}]\nendpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2], conditions: {ready: false, "
      "terminating: false}}]\n");
  EXPECT_TRUE(slice.endpoints[0].ready);
  EXPECT_FALSE(slice.endpoints[1].ready);
  auto kube = [](const std::string& spec) {
    return error_of("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {" + spec + "}\n");
  };
  EXPECT_NE(kube("type: ExternalName, externalName: a.com, ports: [{port: 80}]").find("ExternalName is not supported"), std::string::npos);
  EXPECT_NE(kube("clusterIP: x, ports: [{port: 80}]").find("expected an IP address"), std::string::npos);
  EXPECT_NE(kube("ports: [{port: 80}, {port: 81}]").find("since the Service has several ports"), std::string::npos);
  EXPECT_NE(kube("ports: [{port: \"80\"}]").find("expected a whole number"), std::string::npos);
  EXPECT_NE(kube("selector: {app: a}").find("found no ports"), std::string::npos);
}

TEST(Reference, ThePageIsThatOfTheTables) {
  const std::string path = std::string(WEFT_SOURCE_DIR) + "/docs/reference/istio.md";
  const std::string page = render_reference();
  if (std::getenv("WEFT_REFRESH")) {
    std::ofstream(path) << page;
    return;
  }
  EXPECT_EQ(page, read("docs/reference/istio.md")) << "WEFT_REFRESH=1 writes it anew";
}
