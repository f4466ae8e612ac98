// HTTPRoute, GRPCRoute and Gateway of the Gateway API: whom routes attach to, what they become, and what their status says.
#include "controlplane/translate/translate.h"

#include "rules.h"

#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"

#include <google/protobuf/util/json_util.h>

#include <chrono>

namespace weft::translate {
namespace {

const std::string kWorld =
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {ports: [{name: http, port: 8080}, {name: http-admin, port: "
    "9090}]}\n"
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: v1}\nspec: {ports: [{name: http, port: 8080}]}\n"
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: v2}\nspec: {ports: [{name: http, port: 8080}]}\n"
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: far, namespace: other}\nspec: {ports: [{name: http, port: 8080}]}\n"
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: ingress, namespace: edge}\n"
    "spec: {clusterIP: 10.0.0.9, selector: {istio: ingress}, ports: [{name: http, port: 80, targetPort: 18080}, {name: alt, port: 81, "
    "targetPort: 18081}]}\n";

std::string kube_route(const std::string& name, const std::string& spec, const std::string& kind = "HTTPRoute",
                       const std::string& ns = "default") {
  return "---\napiVersion: gateway.networking.k8s.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + ", namespace: " + ns +
         "}\nspec:\n" + spec;
}
const std::string kToShop = "  parentRefs: [{group: '', kind: Service, name: shop}]\n";
const std::string kToGateway = "  parentRefs: [{name: web, namespace: edge}]\n";
const std::string kToV1 = "backendRefs: [{name: v1, port: 8080}]";

std::string gateway(const std::string& listeners = "[{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]",
                    const std::string& rest = "  addresses: [{type: Hostname, value: ingress}]\n") {
  return "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: web, namespace: edge, generation: 7}\nspec:\n"
         "  gatewayClassName: istio\n  listeners: " +
         listeners + "\n" + rest;
}

std::string json(const google::protobuf::Message& message) {
  std::string text;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  EXPECT_TRUE(google::protobuf::util::MessageToJsonString(message, &text, options).ok());
  return text;
}

std::vector<RouteMessage> mesh_routes(const std::string& text, const std::string& ns = "default", const std::string& port = "8080") {
  auto view = view_of(kWorld + text);
  auto node = node_of("sidecar~127.0.0.5~x." + ns + "~" + ns + ".svc.cluster.local");
  auto found = host(*view, client_of(*view, node, listener_plan(*view, node)), "shop.default.svc.cluster.local:" + port, port);
  return {found.routes().begin(), found.routes().end()};
}

RouteConfiguration edge_routes(const model::View& view, const std::string& name = "http.18080",
                               const std::string& labels = R"({"istio":"ingress"})", const std::string& ns = "edge") {
  auto node =
      node_of("router~127.0.0.9~gw." + ns + "~" + ns + ".svc.cluster.local", R"({"INTERCEPTION_MODE":"NONE","LABELS":)" + labels + "}");
  for (auto& one : route_configurations(view, client_of(view, node, listener_plan(view, node))))
    if (one.name() == name) return one;
  return {};
}

Lines hosts_of(const RouteConfiguration& routes) {
  Lines all;
  for (const auto& host : routes.virtual_hosts()) all.push_back(host.domains(0));
  return all;
}

// "Accepted True Accepted: message" of a parent, a listener ("listener http ...") or the object.
Lines status_lines(const model::View& view, const model::Key& key) {
  const model::ObjectStatus* status = view.status(key);
  if (!status) return {"no status"};
  Lines all;
  auto add = [&](const std::string& head, const std::vector<model::Condition>& conditions) {
    for (const auto& one : conditions) all.push_back(head + one.type + (one.status ? " True " : " False ") + one.reason);
  };
  add("", status->conditions);
  for (const auto& parent : status->parents) add(parent.ref.name + " ", parent.conditions);
  for (const auto& listener : status->listeners)
    add(listener.name + " " + std::to_string(listener.attached_routes) + " ", listener.conditions);
  return all;
}
Lines route_status(const std::string& text, const std::string& name = "r", const std::string& kind = "HTTPRoute",
                   const std::string& ns = "default") {
  return status_lines(*view_of(kWorld + text), {kind, ns, name});
}

TEST(GatewayApi, AMatchOfEachKind) {
  auto match = [](const std::string& matches) {
    auto all = mesh_routes(kube_route("r", kToShop + "  rules:\n  - matches: [" + matches + "]\n    " + kToV1 + "\n"));
    return all.empty() ? "none" : json(all[0].match());
  };
  EXPECT_EQ(match("{path: {type: Exact, value: /a}}"), R"({"path":"/a","case_sensitive":true})");
  EXPECT_EQ(match("{path: {value: /a/}}"), R"({"case_sensitive":true,"path_separated_prefix":"/a"})");
  EXPECT_EQ(match("{path: {value: /}}"), R"({"prefix":"/","case_sensitive":true})");
  EXPECT_EQ(match("{path: {type: RegularExpression, value: '/a.*'}}"), R"({"safe_regex":{"regex":"/a.*"}})");
  EXPECT_EQ(match("{method: POST, headers: [{name: X-A, value: b}], queryParams: [{name: q, type: RegularExpression, value: a+}]}"),
            R"({"prefix":"/","case_sensitive":true,"headers":[{"name":"x-a","string_match":{"exact":"b"}},{"name":":method",)"
            R"("string_match":{"exact":"POST"}}],"query_parameters":[{"name":"q","string_match":{"safe_regex":{"regex":"a+"}}}]})");
}

TEST(GatewayApi, GrpcMethodsArePaths) {
  auto match = [](const std::string& method) {
    auto all =
        mesh_routes(kube_route("r", kToShop + "  rules:\n  - matches: [{method: " + method + "}]\n    " + kToV1 + "\n", "GRPCRoute"));
    return all.empty() ? "none" : json(all[0].match());
  };
  EXPECT_EQ(match("{service: a.B, method: C}"), R"({"path":"/a.B/C","case_sensitive":true})");
  EXPECT_EQ(match("{service: a.B}"), R"({"prefix":"/a.B/","case_sensitive":true})");
  EXPECT_EQ(match("{method: C}"), R"({"safe_regex":{"regex":"/[^/]+/C"}})");
  EXPECT_EQ(match("{type: RegularExpression, service: 'a.*'}"), R"({"safe_regex":{"regex":"/a.*/[^/]+"}})");
}

TEST(GatewayApi, MatchesStandInOrderOfPrecedence) {
  const std::string one = kube_route(
      "old", kToShop +
                 "  rules:\n"
                 "  - {name: every, " +
                 kToV1 +
                 "}\n"
                 "  - {name: short, matches: [{path: {value: /a}}], " +
                 kToV1 +
                 "}\n"
                 "  - {name: regex, matches: [{path: {type: RegularExpression, value: '/very-long-.*'}}], " +
                 kToV1 +
                 "}\n"
                 "  - {name: two-headers, matches: [{path: {value: /a/b}, headers: [{name: x, value: y}, {name: z, value: y}]}], " +
                 kToV1 + "}\n");
  const std::string two = kube_route("young", kToShop +
                                                  "  rules:\n"
                                                  "  - {name: same-as-short, matches: [{path: {value: /a}}], " +
                                                  kToV1 +
                                                  "}\n"
                                                  "  - {name: exact, matches: [{path: {type: Exact, value: /a}}], " +
                                                  kToV1 +
                                                  "}\n"
                                                  "  - {name: method, matches: [{path: {value: /a/b}, method: GET}], " +
                                                  kToV1 +
                                                  "}\n"
                                                  "  - {name: long, matches: [{path: {value: /a/b}}], " +
                                                  kToV1 + "}\n");
  Lines names;
  for (const auto& route : mesh_routes(one + two)) names.push_back(route.name());
  EXPECT_EQ(names, (Lines{"exact", "method", "two-headers", "long", "short", "same-as-short", "regex", "every"}));
}

TEST(GatewayApi, WeightsBackendsThatAreNotThereAndNone) {
  auto action = [](const std::string& backends) {
    auto all = mesh_routes(kube_route("r", kToShop + "  rules:\n  - backendRefs: [" + backends + "]\n"));
    Lines out;
    if (all.empty()) return out;
    if (all[0].has_direct_response()) return Lines{"answer " + std::to_string(all[0].direct_response().status())};
    const auto& route = all[0].route();
    if (!route.has_weighted_clusters()) out.push_back(route.cluster());
    for (const auto& cluster : route.weighted_clusters().clusters())
      out.push_back(cluster.name() + " " + std::to_string(cluster.weight().value()));
    out.push_back(std::to_string(route.cluster_not_found_response_code()));
    return out;
  };
  const std::string v1 = "outbound|8080||v1.default.svc.cluster.local", v2 = "outbound|8080||v2.default.svc.cluster.local";
  const std::string missing_is_500 = std::to_string(envoy::config::route::v3::RouteAction::INTERNAL_SERVER_ERROR);
  EXPECT_EQ(action("{name: v1, port: 8080}"), (Lines{v1, missing_is_500}));
  EXPECT_EQ(action("{name: v1, port: 8080, weight: 9}, {name: v2, port: 8080}"), (Lines{v1 + " 9", v2 + " 1", missing_is_500}));
  EXPECT_EQ(action("{name: v1, port: 8080, weight: 0}, {name: v2, port: 8080}"), (Lines{v2, missing_is_500}));
  EXPECT_EQ(action("{name: v1, port: 8080}, {name: gone, port: 8080, weight: 3}"), (Lines{v1 + " 1", "UnknownService 3", missing_is_500}));
  EXPECT_EQ(action("{name: gone, port: 8080}"), (Lines{"UnknownService", missing_is_500}));
  EXPECT_EQ(action("{name: v1, port: 8080, weight: 0}"), (Lines{"answer 500"}));
  EXPECT_EQ(action(""), (Lines{"answer 500"}));
  auto grpc = mesh_routes(kube_route("r", kToShop + "  rules: [{}]\n", "GRPCRoute"));
  ASSERT_EQ(grpc.size(), 1u);
  EXPECT_EQ(grpc[0].direct_response().status(), 503u);  // which gRPC reads as UNAVAILABLE
}

TEST(GatewayApi, FiltersOfRulesAndBackends) {
  auto all = mesh_routes(kube_route(
      "r",
      kToShop +
          "  rules:\n  - filters:\n    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: A, value: b}], add: [{name: c, "
          "value: d}], remove: [e]}}\n"
          "    - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: f, value: g}]}}\n"
          "    - {type: URLRewrite, urlRewrite: {hostname: new.example.com, path: {type: ReplaceFullPath, replaceFullPath: '/x\\1'}}}\n"
          "    - {type: RequestMirror, requestMirror: {backendRef: {name: v2, port: 8080}, fraction: {numerator: 1, denominator: 8}}}\n"
          "    - {type: CORS, cors: {allowOrigins: ['https://*.example.com'], allowMethods: [GET]}}\n"
          "    timeouts: {request: 10s, backendRequest: 2s}\n    retry: {codes: [503], attempts: 3, backoff: 100ms}\n"
          "    backendRefs:\n    - {name: v1, port: 8080, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: h, "
          "value: i}]}}]}\n"
          "    - {name: v2, port: 8080}\n"));
  ASSERT_EQ(all.size(), 1u);
  const auto& route = all[0].route();
  EXPECT_EQ(all[0].request_headers_to_add(0).header().key(), "a");
  EXPECT_EQ(all[0].request_headers_to_add(1).header().key(), "c");
  EXPECT_EQ(all[0].request_headers_to_remove(0), "e");
  EXPECT_EQ(all[0].response_headers_to_add(0).header().key(), "f");
  EXPECT_EQ(route.host_rewrite_literal(), "new.example.com");
  EXPECT_EQ(json(route.regex_rewrite()), R"({"pattern":{"regex":"^/.*"},"substitution":"/x\\\\1"})");
  ASSERT_EQ(route.request_mirror_policies_size(), 1);
  EXPECT_EQ(route.request_mirror_policies(0).runtime_fraction().default_value().numerator(), 125'000u);
  EXPECT_EQ(route.timeout().seconds(), 10);
  EXPECT_EQ(route.retry_policy().per_try_timeout().seconds(), 2);
  EXPECT_EQ(route.retry_policy().num_retries().value(), 3u);
  EXPECT_EQ(route.retry_policy().retriable_status_codes(0), 503u);
  EXPECT_EQ(route.weighted_clusters().clusters(0).request_headers_to_add(0).header().key(), "h");
  envoy::extensions::filters::http::cors::v3::CorsPolicy cors;
  ASSERT_TRUE(cors.ParseFromString(all[0].typed_per_filter_config().at("envoy.filters.http.cors").value()));
  EXPECT_EQ(cors.max_age(), "5");
  EXPECT_EQ(cors.allow_origin_string_match(0).safe_regex().regex(), R"(https\:\/\/[^/?#]*\.example\.com)");
}

TEST(GatewayApi, ReplacedPrefixesKeepOneSlash) {
  auto rewrite = [](const std::string& prefix, const std::string& replacement) {
    auto all = mesh_routes(kube_route("r", kToShop + "  rules:\n  - matches: [{path: {value: " + prefix +
                                               "}}]\n    filters: [{type: URLRewrite, urlRewrite: {path: {type: "
                                               "ReplacePrefixMatch, replacePrefixMatch: '" +
                                               replacement + "'}}}]\n    " + kToV1 + "\n"));
    if (all.empty()) return std::string("none");
    const auto& route = all[0].route();
    return route.has_regex_rewrite() ? route.regex_rewrite().pattern().regex() + " -> " + route.regex_rewrite().substitution()
                                     : route.prefix_rewrite();
  };
  EXPECT_EQ(rewrite("/foo", "/xyz"), "/xyz");
  EXPECT_EQ(rewrite("/foo/", "/xyz/"), "/xyz");
  EXPECT_EQ(rewrite("/foo", "/"), "^\\/foo(/?)(.*) -> /\\2");
  EXPECT_EQ(rewrite("/foo", ""), "^\\/foo(/?)(.*) -> /\\2");
  EXPECT_EQ(rewrite("/", "/xyz"), "^/(.*) -> /xyz/\\1");
  auto redirect = mesh_routes(kube_route(
      "r", kToShop +
               "  rules:\n  - matches: [{path: {value: /old}}]\n    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, "
               "path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}]\n"));
  ASSERT_EQ(redirect.size(), 1u);
  EXPECT_EQ(json(redirect[0].redirect()),
            R"({"response_code":"FOUND","prefix_rewrite":"/new","scheme_redirect":"https","port_redirect":443})");
}

TEST(GatewayApi, AProducerSpeaksForAllAConsumerForItsOwnNamespace) {
  const std::string producer = kube_route("p", kToShop + "  rules: [{name: producer, " + kToV1 + "}]\n");
  const std::string consumer = kube_route("c",
                                          "  parentRefs: [{group: '', kind: Service, name: shop, namespace: default}]\n  rules: [{name: "
                                          "consumer, backendRefs: [{name: far, port: 8080}]}]\n",
                                          "HTTPRoute", "other");
  EXPECT_EQ(mesh_routes(producer + consumer)[0].name(), "producer");
  EXPECT_EQ(mesh_routes(producer + consumer, "other")[0].name(), "consumer");
  EXPECT_EQ(mesh_routes(consumer)[0].name(), "default");  // nobody said anything for this namespace
  EXPECT_EQ(mesh_routes(producer + consumer, "third")[0].name(), "producer");
}

TEST(GatewayApi, APortOfAServiceAlone) {
  const std::string by_number =
      kube_route("r", "  parentRefs: [{group: '', kind: Service, name: shop, port: 9090}]\n  rules: [{name: admin, " + kToV1 + "}]\n");
  EXPECT_EQ(mesh_routes(by_number)[0].name(), "default");
  EXPECT_EQ(mesh_routes(by_number, "default", "9090")[0].name(), "admin");
  const std::string by_name = kube_route(
      "r", "  parentRefs: [{group: '', kind: Service, name: shop, sectionName: http-admin}]\n  rules: [{name: admin, " + kToV1 + "}]\n");
  EXPECT_EQ(mesh_routes(by_name, "default", "9090")[0].name(), "admin");
  EXPECT_EQ(mesh_routes(by_name)[0].name(), "default");
}

TEST(GatewayApi, GatewaysAreBoundByTheirServiceOrLabel) {
  const std::string route = kube_route("r", kToGateway + "  rules: [{" + kToV1 + "}]\n");
  auto by_service = view_of(kWorld + gateway() + route);
  EXPECT_EQ(hosts_of(edge_routes(*by_service)), (Lines{"*"}));
  EXPECT_EQ(edge_routes(*by_service, "http.18080", R"({"istio":"other"})").name(), "");
  EXPECT_EQ(edge_routes(*by_service, "http.18080", R"({"istio":"ingress"})", "default").name(), "") << "a proxy of another namespace";
  auto by_label =
      view_of(kWorld + gateway("[{name: http, port: 8000, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]", "") + route);
  EXPECT_EQ(hosts_of(edge_routes(*by_label, "http.8000", R"({"gateway.networking.k8s.io/gateway-name":"web"})")), (Lines{"*"}));
}

TEST(GatewayApi, HostnamesAreIntersectedAndIsolated) {
  auto hosts = [](const std::string& listeners, const std::string& names) {
    auto view =
        view_of(kWorld + gateway(listeners) + kube_route("r", kToGateway + "  hostnames: " + names + "\n  rules: [{" + kToV1 + "}]\n"));
    return hosts_of(edge_routes(*view));
  };
  const std::string all = ", port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}";
  EXPECT_EQ(hosts("[{name: a, hostname: '*.example.com'" + all + "]", "[a.example.com, example.com, b.org]"), (Lines{"a.example.com"}));
  EXPECT_EQ(hosts("[{name: a, hostname: a.example.com" + all + "]", "['*.example.com']"), (Lines{"a.example.com"}));
  EXPECT_EQ(hosts("[{name: a, hostname: a.example.com" + all + "]", "[]"), (Lines{"a.example.com"}));
  // A host that another listener of the port fits better is left to that one.
  const std::string two = "[{name: a, hostname: '*.example.com'" + all + ", {name: b, hostname: b.example.com" + all + "]";
  auto view = view_of(
      kWorld + gateway(two) +
      kube_route("r",
                 "  parentRefs: [{name: web, namespace: edge, sectionName: a}]\n  hostnames: [a.example.com, b.example.com]\n  rules: [{" +
                     kToV1 + "}]\n"));
  EXPECT_EQ(hosts_of(edge_routes(*view)), (Lines{"a.example.com"}));
}

TEST(GatewayApi, StatusOfRoutes) {
  const std::string rule = "  rules: [{" + kToV1 + "}]\n";
  EXPECT_EQ(route_status(kube_route("r", kToShop + rule)), (Lines{"shop Accepted True Accepted", "shop ResolvedRefs True ResolvedRefs"}));
  auto first = [](const std::string& parents, const std::string& rest, const std::string& gateways = gateway(),
                  const std::string& kind = "HTTPRoute") {
    return route_status(gateways + kube_route("r", "  parentRefs: [" + parents + "]\n" + rest, kind), "r", kind)[0];
  };
  EXPECT_EQ(first("{group: '', kind: Service, name: gone}", rule), "gone Accepted False NoMatchingParent");
  EXPECT_EQ(first("{group: '', kind: Service, name: shop, port: 1}", rule), "shop Accepted False NoMatchingParent");
  EXPECT_EQ(first("{name: gone}", rule), "gone Accepted False NoMatchingParent");
  EXPECT_EQ(first("{name: web, namespace: edge, sectionName: gone}", rule), "web Accepted False NoMatchingParent");
  EXPECT_EQ(first("{name: web, namespace: edge, port: 81}", rule), "web Accepted False NoMatchingParent");
  EXPECT_EQ(first("{name: web, namespace: edge}", rule), "web Accepted True Accepted");
  EXPECT_EQ(first("{name: web, namespace: edge}", rule, gateway("[{name: http, port: 80, protocol: HTTP}]")),
            "web Accepted False NotAllowedByListeners");
  EXPECT_EQ(
      first("{name: web, namespace: edge}", rule,
            gateway("[{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}, kinds: [{kind: GRPCRoute}]}}]")),
      "web Accepted False NotAllowedByListeners");
  EXPECT_EQ(first("{name: web, namespace: edge}", "  hostnames: [b.org]\n" + rule,
                  gateway("[{name: http, hostname: a.org, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]")),
            "web Accepted False NoMatchingListenerHostname");
  EXPECT_EQ(first("{name: web, namespace: edge}", rule,
                  gateway("[{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: "
                          "{team: a}}}}}]") +
                      "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {team: a}}\n"),
            "web Accepted True Accepted");
  auto refs = [](const std::string& backend, const std::string& rest = "") {
    return route_status(gateway() + rest + kube_route("r", kToGateway + "  rules: [{backendRefs: [" + backend + "]}]\n"))[1];
  };
  EXPECT_EQ(refs("{name: gone, port: 8080}"), "web ResolvedRefs False BackendNotFound");
  EXPECT_EQ(refs("{name: v1, port: 1}"), "web ResolvedRefs False BackendNotFound");
  EXPECT_EQ(refs("{group: apps, kind: Deployment, name: v1}"), "web ResolvedRefs False InvalidKind");
  EXPECT_EQ(refs("{name: far, namespace: other, port: 8080}"), "web ResolvedRefs False RefNotPermitted");
  const std::string grant =
      "---\napiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: g, namespace: other}\nspec:\n"
      "  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}]\n  to: [{group: '', kind: Service, name: far}]\n";
  EXPECT_EQ(refs("{name: far, namespace: other, port: 8080}", grant), "web ResolvedRefs True ResolvedRefs");
}

TEST(GatewayApi, RulesThatCannotBeServedAreDropped) {
  const std::string bad = "{backendRefs: [{name: v1, port: 8080, filters: [{type: URLRewrite, urlRewrite: {hostname: a.b}}]}]}";
  EXPECT_EQ(route_status(kube_route("r", kToShop + "  rules: [" + bad + "]\n"))[0], "shop Accepted False UnsupportedValue");
  EXPECT_EQ(route_status(kube_route("r", kToShop + "  rules: [" + bad + ", {name: good, " + kToV1 + "}]\n")),
            (Lines{"shop Accepted True Accepted", "shop ResolvedRefs True ResolvedRefs", "shop PartiallyInvalid True UnsupportedValue"}));
  auto left = mesh_routes(kube_route("r", kToShop + "  rules: [" + bad + ", {name: good, " + kToV1 + "}]\n"));
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].name(), "good");
}

TEST(GatewayApi, StatusOfGateways) {
  auto lines = [](const std::string& text) {
    return status_lines(*view_of(kWorld + text), {std::string(model::kKubeGateway), "edge", "web"});
  };
  EXPECT_EQ(lines(gateway() + kube_route("r", kToGateway + "  rules: [{" + kToV1 + "}]\n") +
                  kube_route("g", kToGateway + "  rules: []\n", "GRPCRoute")),
            (Lines{"Accepted True Accepted", "Programmed True Programmed", "http 2 Accepted True Accepted",
                   "http 2 Conflicted False NoConflicts", "http 2 Programmed True Programmed", "http 2 ResolvedRefs True ResolvedRefs"}));
  const Lines mixed = lines(
      gateway("[{name: http, port: 80, protocol: HTTP}, {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: c}]}}]"));
  EXPECT_EQ(mixed[0], "Accepted True ListenersNotValid");
  EXPECT_EQ(mixed[6], "https 0 Accepted False UnsupportedProtocol");
  EXPECT_EQ(lines(gateway("[{name: s, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: c}]}}]"))[0],
            "Accepted False ListenersNotValid");
  EXPECT_EQ(lines(gateway("[{name: http, port: 80, protocol: HTTP}]", "  addresses: [{value: 10.0.0.1}]\n"))[0],
            "Accepted False UnsupportedAddress");
  EXPECT_EQ(lines(gateway("[{name: http, port: 80, protocol: HTTP}]", "  addresses: [{type: Hostname, value: gone}]\n"))[1],
            "Programmed False AddressNotAssigned");
  EXPECT_EQ(lines(gateway("[{name: http, port: 80, protocol: HTTP, allowedRoutes: {kinds: [{kind: TCPRoute}]}}]"))[5],
            "http 0 ResolvedRefs False InvalidRouteKinds");
  auto view = view_of(kWorld + gateway());
  EXPECT_EQ(view->status({std::string(model::kKubeGateway), "edge", "web"})->observed_generation, 7u);
  const std::string foreign =
      "---\napiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: istio}\nspec: {controllerName: "
      "example.com/other}\n";
  EXPECT_TRUE(lines(foreign + gateway()).empty()) << "another controller's";
  EXPECT_EQ(edge_routes(*view_of(kWorld + foreign + gateway())).name(), "");
}

TEST(GatewayApi, AChangeOfEndpointsLeavesItAlone) {
  const auto first = view_of(kWorld + kube_route("r", kToShop + "  rules: [{" + kToV1 + "}]\n"));
  const model::Key key{"HTTPRoute", "default", "r"};
  std::vector<model::ResourcePtr> resources(first->resources().begin(), first->resources().end());
  const std::string slice =
      "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s, labels: {kubernetes.io/service-name: shop}}\n"
      "addressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints: [{addresses: [10.0.0.1]}]\n";
  auto verdicts = validation::validate_text(slice, "slice.yaml");
  ASSERT_TRUE(verdicts.ok());
  resources.push_back(std::make_shared<const model::Resource>(std::move(verdicts.resources[0])));
  const auto second = model::View::build(2, resources, first);
  EXPECT_EQ(first->status(key), second->status(key)) << "the very same";
  std::erase_if(resources, [](const model::ResourcePtr& one) { return one->key.name == "v1"; });
  const auto third = model::View::build(3, resources, second);
  EXPECT_FALSE(third->status(key)->parents[0].conditions[1].status) << "its backend is gone";
}

TEST(GatewayApi, AThousandRoutesAreFast) {
  std::string text = kWorld + gateway();
  for (int i = 0; i < 1000; ++i) {
    const std::string n = std::to_string(i);
    text += "---\napiVersion: v1\nkind: Service\nmetadata: {name: s" + n + "}\nspec: {ports: [{name: http, port: 8080}]}\n";
    text +=
        kube_route("r" + n, "  parentRefs: [{group: '', kind: Service, name: s" + n + "}, {name: web, namespace: edge}]\n  hostnames: [h" +
                                n + ".example.com, all.example.com]\n" + "  rules:\n  - matches: [{path: {value: /" + n +
                                "}}, {path: {type: Exact, value: /" + n + "/x}}]\n    backendRefs: [{name: s" + n + ", port: 8080}]\n");
  }
  auto view = view_of(text);
  size_t routes = 0;
  auto node = node_of("sidecar~127.0.0.5~x.default~default.svc.cluster.local");
  for (const auto& one : route_configurations(*view, client_of(*view, node, listener_plan(*view, node))))
    for (const auto& host : one.virtual_hosts()) routes += static_cast<size_t>(host.routes_size());
  EXPECT_GE(routes, 2000u);
  const RouteConfiguration edge = edge_routes(*view);
  ASSERT_EQ(edge.virtual_hosts_size(), 1001);
  EXPECT_EQ(edge.virtual_hosts(0).name(), "all.example.com:80");
  EXPECT_EQ(edge.virtual_hosts(0).routes_size(), 2000);  // of all routes, in one order
}

}  // namespace
}  // namespace weft::translate
