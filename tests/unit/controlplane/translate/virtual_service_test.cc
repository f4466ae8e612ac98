// VirtualService beyond one route of one object: delegates, mirrors, CORS, several objects for a host.
#include "rules.h"

#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"

namespace weft::translate {
namespace {

const std::string kTo = "route: [{destination: {host: shop}}]";
const std::string kShopHost = "shop.default.svc.cluster.local:8080";

Lines names_of(const model::View& view, const Client& of, const std::string& name = kShopHost, const std::string& routes = "8080") {
  Lines all;
  const auto found = host(view, of, name, routes);
  for (const auto& route : found.routes()) all.push_back(route.name());
  return all;
}

TEST(VirtualService, MirrorsAreClustersWithAShare) {
  auto mirrors = [](const std::string& http) {
    auto all = routes("  - {" + kTo + ", " + http + "}\n")[0].route().request_mirror_policies();
    Lines out;
    for (const auto& policy : all) {
      EXPECT_TRUE(policy.has_trace_sampled());
      EXPECT_FALSE(policy.trace_sampled().value());
      const auto& share = policy.runtime_fraction().default_value();
      out.push_back(policy.cluster() + " " + std::to_string(share.numerator()) + "/" + std::to_string(share.denominator()));
    }
    return out;
  };
  const std::string to = "outbound|8080||shop.default.svc.cluster.local";
  EXPECT_EQ(mirrors("mirror: {host: shop}"), Lines{to + " 100/0"}) << "all, in hundredths, as istiod says it";
  EXPECT_EQ(mirrors("mirror: {host: shop}, mirrorPercentage: {value: 12.5}"), Lines{to + " 125000/2"});
  EXPECT_EQ(mirrors("mirror: {host: shop}, mirrorPercentage: {value: 0}"), Lines{});
  EXPECT_EQ(mirrors("mirror: {host: shop}, mirrorPercent: 5"), Lines{to + " 50000/2"});
  EXPECT_EQ(
      mirrors("mirrors: [{destination: {host: shop, subset: v2}, percentage: {value: 1}}, {destination: {host: b, port: {number: 9}}}]"),
      (Lines{"outbound|8080|v2|shop.default.svc.cluster.local 10000/2", "outbound|9||b.default.svc.cluster.local 100/0"}));
}

TEST(VirtualService, CorsAndFaultsStandWithTheRoute) {
  auto route = routes(
      "  - corsPolicy: {allowOrigins: [{exact: 'https://a'}, {regex: 'https://.*'}], allowMethods: [GET, PUT], allowHeaders: [a, b],"
      " exposeHeaders: [c], maxAge: 24h, allowCredentials: true, unmatchedPreflights: IGNORE}\n"
      "    fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 50}}}\n    " +
      kTo + "\n")[0];
  envoy::extensions::filters::http::cors::v3::CorsPolicy cors;
  ASSERT_TRUE(route.typed_per_filter_config().at("envoy.filters.http.cors").UnpackTo(&cors));
  EXPECT_EQ(cors.allow_origin_string_match(0).exact(), "https://a");
  EXPECT_EQ(cors.allow_origin_string_match(1).safe_regex().regex(), "https://.*");
  EXPECT_EQ(cors.allow_methods(), "GET,PUT");
  EXPECT_EQ(cors.allow_headers(), "a,b");
  EXPECT_EQ(cors.expose_headers(), "c");
  EXPECT_EQ(cors.max_age(), "86400");
  EXPECT_TRUE(cors.allow_credentials().value());
  EXPECT_EQ(cors.filter_enabled().default_value().numerator(), 100u);
  ASSERT_TRUE(cors.has_forward_not_matching_preflights());
  EXPECT_FALSE(cors.forward_not_matching_preflights().value());
  envoy::extensions::filters::http::fault::v3::HTTPFault fault;
  ASSERT_TRUE(route.typed_per_filter_config().at("envoy.filters.http.fault").UnpackTo(&fault));
  EXPECT_EQ(fault.abort().grpc_status(), 14u);
  EXPECT_EQ(fault.abort().percentage().numerator(), 500'000u);
  auto second = routes(
      "  - corsPolicy: {allowOrigins: [{prefix: 'https://b'}], unmatchedPreflights: FORWARD}\n"
      "    fault: {delay: {fixedDelay: 1500ms, percent: 5}, abort: {httpStatus: 503, percentage: {value: 0.01}}}\n    " +
      kTo + "\n")[0];
  ASSERT_TRUE(second.typed_per_filter_config().at("envoy.filters.http.cors").UnpackTo(&cors));
  EXPECT_EQ(cors.allow_origin_string_match(0).prefix(), "https://b");
  EXPECT_TRUE(cors.forward_not_matching_preflights().value());
  EXPECT_FALSE(cors.has_allow_credentials());
  ASSERT_TRUE(second.typed_per_filter_config().at("envoy.filters.http.fault").UnpackTo(&fault));
  EXPECT_EQ(fault.delay().fixed_delay().nanos(), 500'000'000);
  EXPECT_EQ(fault.delay().percentage().numerator(), 50'000u);
  EXPECT_EQ(fault.abort().http_status(), 503u);
  EXPECT_EQ(fault.abort().percentage().numerator(), 100u);
}

TEST(VirtualService, RewritesByRegexAndRedirectsWithoutTheUsualPort) {
  auto action = routes("  - {rewrite: {uriRegexRewrite: {match: '^/a/(.*)', rewrite: '/b/\\1'}}, " + kTo + "}\n")[0].route();
  EXPECT_EQ(action.regex_rewrite().pattern().regex(), "^/a/(.*)");
  EXPECT_EQ(action.regex_rewrite().substitution(), "/b/\\1");
  auto port = [](const std::string& redirect) { return routes("  - redirect: {" + redirect + "}\n")[0].redirect().port_redirect(); };
  EXPECT_EQ(port("scheme: https, port: 443"), 0u);
  EXPECT_EQ(port("scheme: https, port: 8443"), 8443u);
  EXPECT_EQ(port("authority: a, port: 80"), 0u);
  EXPECT_EQ(port("authority: a, port: 443"), 443u);
  EXPECT_EQ(port("derivePort: FROM_PROTOCOL_DEFAULT"), 0u);
}

TEST(VirtualService, HeadersThatEnvoyKeepsFromRoutesBecomeTheAuthority) {
  auto one = routes("  - {headers: {request: {set: {HOST: h}}}, " + kTo + "}\n")[0];
  EXPECT_EQ(one.request_headers_to_add_size(), 0);
  EXPECT_EQ(one.route().host_rewrite_literal(), "h");
  auto two = routes(
                 "  - rewrite: {authority: top}\n    route:\n    - {destination: {host: shop}, weight: 1, headers: {request: {set: "
                 "{':authority': own}}}}\n"
                 "    - {destination: {host: b}, weight: 1}\n")[0]
                 .route();
  EXPECT_EQ(two.host_rewrite_literal(), "top");
  EXPECT_EQ(two.weighted_clusters().clusters(0).host_rewrite_literal(), "own");
}

TEST(VirtualService, GatewaysOfAMatchSetSourceAside) {
  auto all = routes("  - {name: a, match: [{gateways: [mesh], sourceNamespace: other, sourceLabels: {x: y}}], " + kTo + "}\n");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].name(), "a");
}

TEST(VirtualService, NothingFollowsARouteThatTakesEverything) {
  auto all =
      routes("  - {name: a, match: [{uri: {regex: '.*'}}], " + kTo + "}\n  - {name: b, match: [{uri: {prefix: /b}}], " + kTo + "}\n");
  ASSERT_EQ(all.size(), 1u);
}

const std::string kDelegates =
    rule("root",
         "  - {name: r, match: [{uri: {prefix: /a}}, {uri: {prefix: /b}, headers: {h: {exact: x}}}], timeout: 3s,"
         " retries: {attempts: 7}, delegate: {name: leaf, namespace: team}}\n"
         "  - {name: rest, " +
             kTo + "}\n") +
    "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: leaf, namespace: team}\nspec:\n  http:\n"
    "  - {name: one, match: [{uri: {prefix: /a/one}, name: m}], timeout: 1s, route: [{destination: {host: "
    "shop.default.svc.cluster.local}}]}\n"
    "  - {name: outside, match: [{uri: {prefix: /c}}], route: [{destination: {host: shop.default.svc.cluster.local}}]}\n"
    "  - {name: all, route: [{destination: {host: pay}}]}\n";

TEST(VirtualService, ADelegatesRoutesStandInItsRoot) {
  auto view = view_of(kShop + kDelegates);
  RouteOrigins origins;
  const Client of = client(*view);
  const auto configurations = route_configurations(*view, of, &origins);
  EXPECT_EQ(names_of(*view, of), (Lines{"r-one.m", "r-all", "r-all", "rest"})) << "`outside` asks for what the root keeps";
  auto found = host(*view, of, kShopHost);
  EXPECT_EQ(found.routes(0).match().prefix(), "/a/one");
  EXPECT_EQ(found.routes(0).route().timeout().seconds(), 1) << "its own";
  EXPECT_EQ(found.routes(0).route().retry_policy().num_retries().value(), 7u) << "inherited";
  EXPECT_EQ(found.routes(1).match().prefix(), "/a");
  EXPECT_EQ(found.routes(1).route().timeout().seconds(), 3);
  EXPECT_EQ(found.routes(1).route().cluster(), "outbound|8080||pay.team.svc.cluster.local") << "short names are the leaf's";
  EXPECT_EQ(found.routes(2).match().prefix(), "/b");
  EXPECT_EQ(found.routes(2).match().headers(0).name(), "h");
  Lines written;
  for (const RouteOrigin& origin : origins[{"8080", kShopHost}]) written.push_back(origin.object.to_string() + " " + origin.field);
  EXPECT_EQ(written, (Lines{"VirtualService team/leaf spec.http[0].match[0]", "VirtualService team/leaf spec.http[2]",
                            "VirtualService team/leaf spec.http[2]", "VirtualService default/root spec.http[1]"}));
}

TEST(VirtualService, DelegatesMayMatchByRegexWhereTheirRootDoesNot) {
  auto names = [](const std::string& root, const std::string& leaf) {
    auto view =
        view_of(kShop + rule("root", "  - {match: [" + root + "], delegate: {name: leaf}}\n  - {name: rest, " + kTo + "}\n") +
                "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: leaf}\nspec:\n  http:\n  - {name: leaf, "
                "match: [" +
                leaf + "], " + kTo + "}\n");
    return names_of(*view, client(*view));
  };
  EXPECT_EQ(names("{method: {exact: GET}}", "{uri: {regex: '/a.*'}}"), (Lines{"leaf", "rest"}));
  EXPECT_EQ(names("{uri: {prefix: /a}}", "{uri: {regex: '/a.*'}}"), Lines{"rest"}) << "whether it is within cannot be told";
  EXPECT_EQ(names("{uri: {regex: '/a.*'}}", "{headers: {x: {exact: y}}}"), (Lines{"leaf", "rest"}));
}

TEST(VirtualService, ADelegateThatIsNotThereLeavesOnlyItsRouteOut) {
  EXPECT_EQ(
      names_of(*view_of(kShop + rule("root", "  - {delegate: {name: none}}\n  - {name: rest, " + kTo + "}\n")), client(*view_of(kShop))),
      Lines{"rest"});
  const std::string hidden =
      "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: leaf, namespace: team}\n"
      "spec:\n  exportTo: ['.']\n  http:\n  - {name: one, route: [{destination: {host: b}}]}\n";
  auto view = view_of(kShop + rule("root", "  - {delegate: {name: leaf, namespace: team}}\n  - {name: rest, " + kTo + "}\n") + hidden);
  EXPECT_EQ(names_of(*view, client(*view)), Lines{"rest"});
}

TEST(VirtualService, AnOlderRuleThatHasNothingForTheClientLeavesTheHostToTheNext) {
  auto view = view_of(kShop + rule("old", "  - {name: old, match: [{sourceLabels: {app: web}}], " + kTo + "}\n") +
                      rule("new", "  - {name: new, " + kTo + "}\n"));
  EXPECT_EQ(names_of(*view, client(*view)), Lines{"new"});
  EXPECT_EQ(names_of(*view, client(*view, R"({"LABELS":{"app":"web"}})")), Lines{"old"});
}

TEST(VirtualService, HostsOfNoServiceStandBesideAServiceOrOnPort80) {
  const std::string web = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{name: http, port: 80}]}\n";
  auto view = view_of(kShop + web + rule("beside", "  - {name: b, " + kTo + "}\n", "hosts: [shop, shop.example]") +
                      rule("alone", "  - {name: a, " + kTo + "}\n", "hosts: [alone.example, '*.svc.cluster.local']") +
                      rule("wide", "  - {name: w, " + kTo + "}\n", "hosts: ['*.other.example']"));
  const Client of = client(*view);
  EXPECT_EQ(names_of(*view, of, "shop.example:8080"), Lines{"b"});
  EXPECT_EQ(names_of(*view, of, "alone.example:80", "80"), Lines{"a"});
  EXPECT_EQ(names_of(*view, of, "*.other.example:80", "80"), Lines{"w"});
  EXPECT_EQ(names_of(*view, of, "web.default.svc.cluster.local:80", "80"), Lines{"a"}) << "by the wildcard";
  for (const auto& configuration : route_configurations(*view, of)) {
    for (const auto& found : configuration.virtual_hosts()) {
      EXPECT_NE(found.name(), "*.svc.cluster.local:80") << "it covers services";
      EXPECT_NE(found.name(), "*.other.example:8080");
    }
  }
}

TEST(VirtualService, AServiceNamedByItsVeryHostBelongsToNoWildcard) {
  auto view = view_of(kShop + rule("wild", "  - {name: wild, " + kTo + "}\n", "hosts: ['*.svc.cluster.local']") +
                      rule("exact", "  - {name: exact, match: [{sourceLabels: {app: web}}], " + kTo + "}\n"));
  EXPECT_EQ(names_of(*view, client(*view)), Lines{"default"});
}

}  // namespace
}  // namespace weft::translate
