// What single fields of a VirtualService become.
#include "rules.h"

#include "envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.pb.h"

#include <google/protobuf/util/json_util.h>

namespace weft::translate {
namespace {

std::string match_of(const std::string& match) {
  auto all = routes("  - match: [" + match + "]\n    route: [{destination: {host: shop}}]\n");
  if (all.empty()) return "no route";
  std::string text;
  EXPECT_TRUE(google::protobuf::util::MessageToJsonString(all[0].match(), &text).ok());
  return text;
}

TEST(Routes, Matches) {
  EXPECT_EQ(match_of("{uri: {exact: /a}}"), R"({"path":"/a","caseSensitive":true})");
  EXPECT_EQ(match_of("{uri: {prefix: /a}, ignoreUriCase: true}"), R"({"prefix":"/a","caseSensitive":false})");
  EXPECT_EQ(match_of("{uri: {regex: '/a.*'}}"), R"({"safeRegex":{"regex":"/a.*"}})");
  EXPECT_EQ(match_of("{headers: {b: {prefix: x}, a: {}}, method: {exact: GET}}"),
            R"({"prefix":"/","caseSensitive":true,"headers":[{"name":"a","presentMatch":true},{"name":"b","stringMatch":{"prefix":"x"}},)"
            R"({"name":":method","stringMatch":{"exact":"GET"}}]})");
  EXPECT_EQ(match_of("{withoutHeaders: {a: {exact: x}, b: {}}}"),
            R"({"prefix":"/","caseSensitive":true,"headers":[{"name":"a","invertMatch":true,"stringMatch":{"exact":"x"},)"
            R"("treatMissingHeaderAsEmpty":true},{"name":"b","presentMatch":true,"invertMatch":true}]})");
  EXPECT_EQ(match_of("{headers: {a: {exact: ''}, b: {regex: '*'}}}"),
            R"({"prefix":"/","caseSensitive":true,"headers":[{"name":"a","stringMatch":{"exact":""}},{"name":"b","presentMatch":true}]})");
  EXPECT_EQ(match_of("{scheme: {exact: http}, authority: {prefix: a}}"),
            R"({"prefix":"/","caseSensitive":true,"headers":[{"name":":authority","stringMatch":{"prefix":"a"}},)"
            R"({"name":":scheme","stringMatch":{"exact":"http"}}]})");
  EXPECT_EQ(match_of("{queryParams: {p: {}, q: {exact: '1'}}}"),
            R"({"prefix":"/","caseSensitive":true,"queryParameters":[{"name":"p","presentMatch":true},)"
            R"({"name":"q","stringMatch":{"exact":"1"}}]})");
  EXPECT_EQ(match_of("{queryParams: {q: {regex: a+}}}"),
            R"({"prefix":"/","caseSensitive":true,"queryParameters":[{"name":"q","stringMatch":{"safeRegex":{"regex":"a+"}}}]})");
}

TEST(Routes, WhatIsKnownBeforehandIsDecidedHere) {
  const std::string http =
      "  - {name: port, match: [{port: 9}], route: [{destination: {host: shop}}]}\n"
      "  - {name: from, match: [{sourceLabels: {app: web}, uri: {prefix: /w}}], route: [{destination: {host: shop}}]}\n"
      "  - {name: ns, match: [{sourceNamespace: other}], route: [{destination: {host: shop}}]}\n"
      "  - {name: gateway, match: [{gateways: [g]}], route: [{destination: {host: shop}}]}\n"
      "  - {name: all, match: [{uri: {prefix: /}, name: every}], route: [{destination: {host: shop}}]}\n"
      "  - {name: late, match: [{uri: {prefix: /x}}], route: [{destination: {host: shop}}]}\n";
  auto view = view_of(kShop + rule("r", http, "hosts: [shop]\n  gateways: [mesh, g]"));
  auto names = [&](const Client& of) {
    Lines all;
    auto found = host(*view, of, "shop.default.svc.cluster.local:8080");
    for (const auto& route : found.routes()) all.push_back(route.name());
    return all;
  };
  EXPECT_EQ(names(client(*view)), Lines{"all.every"});
  EXPECT_EQ(names(client(*view, R"({"LABELS":{"app":"web"}})")), (Lines{"from", "all.every"}));
}

TEST(Routes, Actions) {
  auto redirect = routes("  - {redirect: {uri: /b, authority: c, redirectCode: 308, derivePort: FROM_REQUEST_PORT}}\n")[0].redirect();
  EXPECT_EQ(redirect.path_redirect(), "/b");
  EXPECT_EQ(redirect.host_redirect(), "c");
  EXPECT_EQ(redirect.port_redirect(), 8080u);
  EXPECT_EQ(redirect.response_code(), envoy::config::route::v3::RedirectAction::PERMANENT_REDIRECT);

  auto direct = routes("  - {directResponse: {status: 503, body: {string: gone}}}\n")[0].direct_response();
  EXPECT_EQ(direct.status(), 503u);
  EXPECT_EQ(direct.body().inline_string(), "gone");

  auto action = routes(
                    "  - {rewrite: {uri: /n, authority: o}, timeout: 1500ms, retries: {attempts: 1, retryOn: '5xx,404', perTryTimeout: 1s,"
                    " backoff: 20ms, retryIgnorePreviousHosts: false}, route: [{destination: {host: shop}}]}\n")[0]
                    .route();
  EXPECT_EQ(action.prefix_rewrite(), "/n");
  EXPECT_EQ(action.host_rewrite_literal(), "o");
  EXPECT_EQ(action.timeout().seconds(), 1);
  EXPECT_EQ(action.timeout().nanos(), 500'000'000);
  EXPECT_EQ(action.retry_policy().retry_on(), "5xx,retriable-status-codes");
  ASSERT_EQ(action.retry_policy().retriable_status_codes_size(), 1);
  EXPECT_EQ(action.retry_policy().retriable_status_codes(0), 404u);
  EXPECT_EQ(action.retry_policy().retry_back_off().base_interval().nanos(), 20'000'000);
  EXPECT_EQ(action.retry_policy().retry_host_predicate_size(), 0);
  EXPECT_FALSE(routes("  - {retries: {attempts: 0}, route: [{destination: {host: shop}}]}\n")[0].route().has_retry_policy());
}

TEST(Routes, ActionsInTheirOtherForms) {
  using Redirect = envoy::config::route::v3::RedirectAction;
  auto redirect = [](const std::string& fields) { return routes("  - redirect: {" + fields + "}\n")[0].redirect(); };
  EXPECT_EQ(redirect("prefixRewrite: /p, scheme: https").prefix_rewrite(), "/p");
  EXPECT_EQ(redirect("prefixRewrite: /p, scheme: https").scheme_redirect(), "https");
  const std::pair<const char*, Redirect::RedirectResponseCode> codes[] = {{"301", Redirect::MOVED_PERMANENTLY},
                                                                          {"302", Redirect::FOUND},
                                                                          {"303", Redirect::SEE_OTHER},
                                                                          {"307", Redirect::TEMPORARY_REDIRECT},
                                                                          {"308", Redirect::PERMANENT_REDIRECT}};
  for (auto [code, expected] : codes) EXPECT_EQ(redirect(std::string("uri: /x, redirectCode: ") + code).response_code(), expected);
  EXPECT_EQ(redirect("uri: /x").response_code(), Redirect::MOVED_PERMANENTLY);
  auto bytes = routes("  - {directResponse: {status: 200, body: {bytes: aGVsbG8=}}, headers: {response: {set: {x-a: b}}}}\n")[0];
  EXPECT_EQ(bytes.direct_response().body().inline_bytes(), "hello");
  EXPECT_EQ(bytes.response_headers_to_add(0).header().key(), "x-a");
  EXPECT_FALSE(routes("  - {directResponse: {status: 204}}\n")[0].direct_response().has_body());

  const std::string to = "route: [{destination: {host: shop}}]";
  for (const char* timeout : {"", "timeout: 0s, "}) {
    auto action = routes(std::string("  - {") + timeout + to + "}\n")[0].route();
    EXPECT_TRUE(action.has_timeout()) << "0s: none";
    EXPECT_EQ(action.timeout().seconds(), 0);
  }
  auto match = routes("  - {match: [{uri: {prefix: /a}, statPrefix: stats}], " + to + "}\n")[0];
  EXPECT_EQ(match.stat_prefix(), "stats");
}

TEST(Routes, Retries) {
  auto policy = [](const std::string& retries) {
    return routes("  - {retries: {" + retries + "}, route: [{destination: {host: shop}}]}\n")[0].route().retry_policy();
  };
  auto plain = policy("attempts: 3");
  EXPECT_EQ(plain.num_retries().value(), 3u);
  EXPECT_EQ(plain.retry_on(), "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes");
  EXPECT_EQ(plain.retry_host_predicate_size(), 1);
  EXPECT_EQ(plain.host_selection_retry_max_attempts(), 5);
  EXPECT_FALSE(plain.has_retry_priority());
  EXPECT_EQ(policy("attempts: 1, retryIgnorePreviousHosts: false").host_selection_retry_max_attempts(), 5);
  EXPECT_FALSE(policy("attempts: 1, retryRemoteLocalities: false").has_retry_priority());
  auto remote = policy("attempts: 1, retryRemoteLocalities: true");
  EXPECT_EQ(remote.retry_priority().name(), "envoy.retry_priorities.previous_priorities");
  envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig config;
  ASSERT_TRUE(remote.retry_priority().typed_config().UnpackTo(&config));
  EXPECT_EQ(config.update_frequency(), 2);
  EXPECT_EQ(policy("attempts: 1, retryOn: 'retriable-headers,http3-post-connect-failure'").retry_on(),
            "retriable-headers,http3-post-connect-failure");
}

TEST(Routes, OperationsSayWhereARouteLeads) {
  auto operation = [](const std::string& http) { return routes("  - " + http + "\n")[0].decorator().operation(); };
  const std::string to = "route: [{destination: {host: shop}}]}", shop = "shop.default.svc.cluster.local:8080";
  EXPECT_EQ(operation("{" + to), shop + "/*");
  EXPECT_EQ(operation("{match: [{uri: {prefix: /a}}], " + to), shop + "/a*");
  EXPECT_EQ(operation("{match: [{uri: {exact: /a}}], " + to), shop + "/a");
  EXPECT_EQ(operation("{match: [{uri: {regex: '/a.*'}}], " + to), shop + "/a.*");
  EXPECT_EQ(operation("{route: [{destination: {host: b.example, port: {number: 9}}}]}"), "b.example:9/*");
  EXPECT_EQ(operation("{redirect: {uri: /x}}"), "r:8080/*") << "it leads to no service";
  EXPECT_EQ(operation("{route: [{destination: {host: shop}, weight: 1}, {destination: {host: b}, weight: 1}]}"), "r:8080/*");
  auto view = view_of(kShop);
  EXPECT_EQ(host(*view, client(*view), shop).routes(0).decorator().operation(), shop + "/*");
}

TEST(Routes, HeadersStandWhereTheyApply) {
  auto one = routes(
      "  - headers: {request: {set: {b: '1', host: h}, add: {a: '2'}, remove: [c]}}\n"
      "    route: [{destination: {host: shop}, headers: {response: {set: {d: '3'}}}}]\n")[0];
  ASSERT_EQ(one.request_headers_to_add_size(), 2);
  EXPECT_EQ(one.request_headers_to_add(0).header().key(), "b");
  EXPECT_EQ(one.request_headers_to_add(0).append_action(), envoy::config::core::v3::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
  EXPECT_EQ(one.request_headers_to_add(1).append_action(), envoy::config::core::v3::HeaderValueOption::APPEND_IF_EXISTS_OR_ADD);
  EXPECT_EQ(one.request_headers_to_remove(0), "c");
  EXPECT_EQ(one.response_headers_to_add(0).header().key(), "d");
  EXPECT_EQ(one.route().host_rewrite_literal(), "h");
  auto both =
      routes("  - {headers: {request: {set: {a: route}}}, route: [{destination: {host: shop}, headers: {request: {set: {a: own}}}}]}\n")[0];
  ASSERT_EQ(both.request_headers_to_add_size(), 2);
  EXPECT_EQ(both.request_headers_to_add(1).header().value(), "own") << "the destination's comes last and wins";
  auto one_of_two = routes("  - route:\n    - {destination: {host: shop}, weight: 5}\n    - {destination: {host: b}, weight: 0}\n")[0];
  EXPECT_EQ(one_of_two.route().weighted_clusters().clusters_size(), 1) << "nobody goes where no weight is";
  auto two = routes(
      "  - route:\n    - {destination: {host: shop}, weight: 1, headers: {response: {add: {d: '3'}}}}\n"
      "    - {destination: {host: none.example, port: {number: 7}}, weight: 3}\n"
      "    - {destination: {host: shop}, weight: 0}\n")[0];
  const auto& clusters = two.route().weighted_clusters().clusters();
  ASSERT_EQ(clusters.size(), 2);
  EXPECT_EQ(clusters[0].response_headers_to_add(0).header().key(), "d");
  EXPECT_EQ(clusters[1].name(), "outbound|7||none.example") << "an unknown host is a 503 at run time";
  EXPECT_EQ(two.response_headers_to_add_size(), 0);
}

TEST(Routes, TheBestFittingRuleWinsAndTheOldestAmongEquals) {
  const std::string route = ", route: [{destination: {host: shop}}]}\n";
  auto view = view_of(kShop + rule("wild", "  - {name: wild" + route, "hosts: ['*.svc.cluster.local']") +
                      rule("old", "  - {name: old" + route) + rule("new", "  - {name: new" + route));
  EXPECT_EQ(host(*view, client(*view), "shop.default.svc.cluster.local:8080").routes(0).name(), "old");
}

std::string gateway_with(const std::string& server) {
  return "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec:\n  selector: {istio: in}\n"
         "  servers:\n  - {port: {number: 80, name: http, protocol: HTTP}, " +
         server + "}\n";
}

Client router_of(const model::View& view) {
  auto node = node_of("router~127.0.0.7~gw.default~default.svc.cluster.local", R"({"LABELS":{"istio":"in"}})");
  return client_of(view, node, listener_plan(view, node));
}

TEST(Routes, GatewaysSendClientsToHttps) {
  using Host = envoy::config::route::v3::VirtualHost;
  const std::string rules = rule("one", "  - {name: all, route: [{destination: {host: shop}}]}\n", "hosts: [a.x.com]\n  gateways: [g]");
  auto view = view_of(kShop + gateway_with("hosts: ['*.x.com', y.com], tls: {httpsRedirect: true}") + rules);
  for (const char* name : {"a.x.com:80", "*.x.com:80", "y.com:80"})
    EXPECT_EQ(host(*view, router_of(*view), name, "http.80").require_tls(), Host::ALL) << name << ", with a rule or without";
  EXPECT_EQ(host(*view, router_of(*view), "a.x.com:80", "http.80").routes_size(), 1);
  view = view_of(kShop + gateway_with("hosts: ['*.x.com', y.com]") + rules);
  EXPECT_EQ(host(*view, router_of(*view), "a.x.com:80", "http.80").require_tls(), Host::NONE);
}

TEST(Routes, GatewaysConcatenateRulesAndPutCatchAllsLast) {
  const std::string to = ", route: [{destination: {host: shop}}]}\n", bound = "\n  gateways: [g]";
  auto world = kShop + gateway_with("hosts: ['*.x.com', 'elsewhere/y.com']");
  auto router = router_of;
  auto view = view_of(world);
  auto none = host(*view, router(*view), "blackhole:80", "http.80");
  EXPECT_EQ(none.domains(0), "*");
  EXPECT_EQ(none.routes_size(), 0);
  view = view_of(world + rule("one", "  - {name: all" + to, "hosts: [a.x.com]" + bound) +
                 rule("two", "  - {name: part, match: [{uri: {prefix: /p}}]" + to, "hosts: ['*']" + bound) +
                 rule("three", "  - {name: part3, match: [{uri: {prefix: /q}}]" + to, "hosts: [a.x.com, y.com, z.com]" + bound));
  auto found = host(*view, router(*view), "a.x.com:80", "http.80");
  ASSERT_EQ(found.routes_size(), 2);
  EXPECT_EQ(found.routes(0).name(), "part3");
  EXPECT_EQ(found.routes(1).name(), "all");
  EXPECT_EQ(host(*view, router(*view), "*.x.com:80", "http.80").routes(0).name(), "part");
  EXPECT_EQ(route_configurations(*view, router(*view))[0].virtual_hosts_size(), 2) << "neither y.com nor z.com is this gateway's to serve";
}

}  // namespace
}  // namespace weft::translate
