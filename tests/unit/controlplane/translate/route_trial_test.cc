// A request tried on route configurations: those that the translation makes, and what others may send.
#include "controlplane/translate/route_trial.h"

#include "controlplane/translate/messages.h"

#include "rules.h"

namespace weft::translate {
namespace {

// "- name: what stands in the way" per route before, "+ name" for the one that takes it, then what it does.
struct Told {
  Lines routes;
  Trial trial;
};

Told tried(const std::string& http, const TrialRequest& request, const std::string& head = "hosts: [shop]") {
  auto view = view_of(kShop + rule("r", http, head));
  Told told;
  for (const auto& configuration : route_configurations(*view, client(*view))) {
    auto trial = try_request(serialise(configuration), request);
    EXPECT_TRUE(trial);
    told.trial = *trial;
    for (const TriedRoute& route : trial->routes) {
      std::string line = (route.matches ? "+ " : "- ") + route.name;
      for (const Condition& condition : route.conditions)
        if (!condition.holds) line += " | " + condition.text + ": " + condition.found;
      told.routes.push_back(line);
    }
  }
  return told;
}

const std::string kTo = "route: [{destination: {host: shop}}]";

TEST(RouteTrial, SaysWhyEachRouteBeforeDoesNotTakeIt) {
  const std::string http = "  - {name: exact, match: [{uri: {exact: /a}}], " + kTo +
                           "}\n"
                           "  - {name: user, match: [{headers: {end-user: {exact: jason}}, method: {exact: PUT}}], " +
                           kTo +
                           "}\n"
                           "  - {name: anonymous, match: [{withoutHeaders: {end-user: {}}}], " +
                           kTo +
                           "}\n"
                           "  - {name: query, match: [{queryParams: {v: {exact: '2'}}, uri: {regex: '/x.*'}}], " +
                           kTo +
                           "}\n"
                           "  - {name: rest, " +
                           kTo + "}\n";
  TrialRequest request{.authority = "shop:8080", .path = "/x?v=3", .headers = {{"end-user", "ann"}}};
  EXPECT_EQ(tried(http, request).routes,
            (Lines{"- exact | path is /a: /x", "- user | header end-user is \"jason\": \"ann\" | method is \"PUT\": \"GET\"",
                   "- anonymous | header end-user is not there: \"ann\"", "- query | query parameter v is \"2\": \"3\"", "+ rest"}));
  request.path = "/x?a&v=2";
  EXPECT_EQ(tried(http, request).routes.back(), "+ query");
  EXPECT_EQ(tried(http, {.authority = "SHOP.default", .path = "/a?q"}).routes, Lines{"+ exact"});
}

TEST(RouteTrial, TellsWhatBecomesOfTheRequest) {
  TrialRequest request{.authority = "shop", .path = "/a/b?q=1"};
  auto trial =
      tried(
          "  - {match: [{uri: {prefix: /a}}], rewrite: {uri: /n, authority: inner}, timeout: 2s, retries: {attempts: 3, retryOn: 5xx},"
          " mirror: {host: m}, fault: {abort: {httpStatus: 503, percentage: {value: 10}}},"
          " route: [{destination: {host: shop, subset: v1}, weight: 1}, {destination: {host: shop, subset: v2}, weight: 3}]}\n",
          request)
          .trial;
  EXPECT_EQ(trial.virtual_host, "shop.default.svc.cluster.local:8080");
  EXPECT_EQ(trial.domain, "shop");
  ASSERT_EQ(trial.action.destinations.size(), 2u);
  EXPECT_EQ(trial.action.destinations[1].cluster, "outbound|8080|v2|shop.default.svc.cluster.local");
  EXPECT_DOUBLE_EQ(trial.action.destinations[1].percent, 75);
  EXPECT_EQ(trial.action.mirrors.size(), 1u);
  EXPECT_EQ(trial.action.path, "/n/b?q=1");
  EXPECT_EQ(trial.action.authority, "inner");
  EXPECT_EQ(trial.action.settings, (Lines{"timeout 2s", "up to 3 retries on 5xx", "abort with 503 for 10 %"}));

  trial = tried("  - {redirect: {authority: other, scheme: https, uri: /new}}\n", request).trial;
  EXPECT_EQ(trial.action.kind, TrialAction::Kind::kRedirect);
  EXPECT_EQ(std::to_string(trial.action.status) + " " + trial.action.location, "301 https://other/new?q=1");
  trial = tried("  - {directResponse: {status: 418, body: {string: tea}}}\n", request).trial;
  EXPECT_EQ(std::to_string(trial.action.status) + " " + trial.action.body, "418 tea");
  trial = tried("  - {match: [{uri: {prefix: /no}}], " + kTo + "}\n", request).trial;
  EXPECT_EQ(trial.action.kind, TrialAction::Kind::kNone);
}

TEST(RouteTrial, UnknownHostsGoToTheLastVirtualHost) {
  auto trial = tried("  - {" + kTo + "}\n", {.authority = "nobody"}).trial;
  EXPECT_EQ(trial.virtual_host, "block_all");
  EXPECT_EQ(trial.action.status, 502u);
  auto view = view_of(kShop);
  const auto bytes = serialise(route_configurations(*view, client(*view))[0]);
  EXPECT_TRUE(names_host(bytes, "shop:8080"));
  EXPECT_FALSE(names_host(bytes, "nobody"));
  EXPECT_FALSE(try_request("\xff", {}));
}

TEST(RouteTrial, HostsThatWantTlsSendOthersThere) {
  envoy::config::route::v3::RouteConfiguration routes;
  auto* host = routes.add_virtual_hosts();
  host->set_name("h");
  host->add_domains("*");
  host->set_require_tls(envoy::config::route::v3::VirtualHost::ALL);
  auto trial = *try_request(serialise(routes), {.authority = "a.example", .path = "/x?y"});
  EXPECT_EQ(std::to_string(trial.action.status) + " " + trial.action.location, "301 https://a.example/x?y");
  EXPECT_TRUE(trial.routes.empty());
  trial = *try_request(serialise(routes), {.scheme = "https", .authority = "a.example"});
  EXPECT_EQ(trial.action.kind, TrialAction::Kind::kNone);
}

TEST(RouteTrial, DomainsAndMatchersAsEnvoyReadsThem) {
  envoy::config::route::v3::RouteConfiguration routes;
  auto add = [&](const std::string& name, const std::string& domain) {
    auto* host = routes.add_virtual_hosts();
    host->set_name(name);
    host->add_domains(domain);
    return host;
  };
  add("all", "*");
  add("suffix", "*.x.com");
  add("longer", "*.a.x.com");
  auto* prefix = add("prefix", "www.*");
  add("exact", "b.x.com");
  auto host_of = [&](const std::string& authority) { return try_request(serialise(routes), {.authority = authority})->virtual_host; };
  EXPECT_EQ(host_of("B.x.com"), "exact");
  EXPECT_EQ(host_of("c.x.com"), "suffix");
  EXPECT_EQ(host_of("c.a.x.com"), "longer");
  EXPECT_EQ(host_of("www.y"), "prefix");
  EXPECT_EQ(host_of("b.x.com:80"), "all") << "the port counts";
  routes.set_ignore_port_in_host_matching(true);
  EXPECT_EQ(host_of("b.x.com:80"), "exact");

  auto* match = prefix->add_routes()->mutable_match();
  auto conditions = [&](const TrialRequest& request) {
    TrialRequest asked = request;
    asked.authority = "www.y";
    bool all = true;
    const auto trial = *try_request(serialise(routes), asked);
    for (const Condition& condition : trial.routes[0].conditions) all = all && condition.holds;
    return all;
  };
  match->set_path_separated_prefix("/api");
  EXPECT_TRUE(conditions({.path = "/api/x"}));
  EXPECT_TRUE(conditions({.path = "/api?x"}));
  EXPECT_FALSE(conditions({.path = "/apis"}));
  auto* header = match->add_headers();
  header->set_name("X-N");
  header->mutable_range_match()->set_start(1);
  header->mutable_range_match()->set_end(5);
  EXPECT_TRUE(conditions({.path = "/api", .headers = {{"x-n", "4"}}}));
  EXPECT_FALSE(conditions({.path = "/api", .headers = {{"x-n", "5"}}}));
  EXPECT_FALSE(conditions({.path = "/api"}));
  header->set_invert_match(true);
  EXPECT_FALSE(conditions({.path = "/api"})) << "what is missing is not inverted";
  header->set_treat_missing_header_as_empty(true);
  EXPECT_TRUE(conditions({.path = "/api"}));
  match->mutable_grpc();
  EXPECT_FALSE(conditions({.path = "/api"}));
  EXPECT_TRUE(conditions({.path = "/api", .headers = {{"content-type", "application/grpc+proto"}}}));
}

TEST(RouteTrial, OriginsStandWhileTheViewGivesTheSameBytes) {
  auto view = view_of(kShop + rule("r", "  - {name: a, " + kTo + "}\n"));
  const auto node = node_of("sidecar~127.0.0.5~x.default~default.svc.cluster.local");
  const std::string bytes = serialise(route_configurations(*view, client(*view))[0]);
  const auto origins = origins_of(*view, node, "8080", bytes);
  ASSERT_TRUE(origins);
  EXPECT_EQ(origins->at({"8080", "shop.default.svc.cluster.local:8080"}).at(0).field, "spec.http[0]");
  EXPECT_FALSE(origins_of(*view_of(kShop), node, "8080", bytes));
}

}  // namespace
}  // namespace weft::translate
