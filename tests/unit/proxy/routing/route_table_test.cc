#include "proxy/routing/route_table.h"

#include "tests/unit/proxy/routing/routes.h"

#include <gtest/gtest.h>

#include <map>

namespace weft::routing {
namespace {

using testing::host_of;
using testing::route_to;
using testing::route_with;
using testing::table_of;
using testing::TestHead;

std::string cluster_of(const RouteTable& table, std::string_view host, std::string_view path = "/", testing::Lines lines = {}) {
  TestHead request(path, lines);
  request.head.add("host", host);
  const Route* route = table.match(request, 0);
  return route ? std::string(cluster_name(*route->forward(), nullptr, request)) : "-";
}

TEST(RouteTable, PicksTheVirtualHostAsEnvoyDoes) {
  auto table = table_of(std::vector{
      host_of("exact", {"a.foo.com", "Upper.com", "a*b.com"}, {route_to("exact")}),
      host_of("suffix", {"*.foo.com"}, {route_to("suffix")}),
      host_of("longer", {"*.b.foo.com", "*-x.foo.com"}, {route_to("longer")}),
      host_of("prefix", {"foo.*"}, {route_to("prefix")}),
      host_of("longer prefix", {"foo.bar.*"}, {route_to("longer prefix")}),
      host_of("port", {"p.com:8080"}, {route_to("port")}),
      host_of("any", {"*"}, {route_to("any")}),
  });
  const std::pair<const char*, const char*> rows[] = {{"a.foo.com", "exact"},
                                                      {"A.FOO.com", "exact"},
                                                      {"upper.COM", "exact"},
                                                      {"a*b.com", "exact"},
                                                      {"aXb.com", "any"},
                                                      {"b.foo.com", "suffix"},
                                                      {"c.b.foo.com", "longer"},
                                                      {"d.c.b.foo.com", "longer"},
                                                      {"z-x.foo.com", "longer"},
                                                      {"foo.com", "prefix"},
                                                      {".foo.com", "any"},
                                                      {"-x.foo.com", "suffix"},  // the "*" stands for at least one character
                                                      {"foo.org", "prefix"},
                                                      {"foo.bar.org", "longer prefix"},
                                                      {"foo.", "any"},
                                                      {"p.com:8080", "port"},
                                                      {"p.com", "any"},
                                                      {"a.foo.com:80", "any"},
                                                      {"", "any"},
                                                      {"10.0.0.1", "any"}};
  for (auto [host, cluster] : rows) EXPECT_EQ(cluster_of(*table, host), cluster) << host;
}

TEST(RouteTable, AnswersNothingWhereNoDomainOrNoRouteFits) {
  auto table = table_of(std::vector{host_of("one", {"one.com"}, {route_to("a", "/a")})});
  EXPECT_EQ(cluster_of(*table, "two.com"), "-");
  EXPECT_EQ(cluster_of(*table, "one.com", "/b"), "-");
  EXPECT_EQ(cluster_of(*table, "one.com", "/a"), "a");
  EXPECT_EQ(cluster_of(*table, "one.com", ""), "-");  // CONNECT has no path
}

TEST(RouteTable, IgnoresThePortWhenAsked) {
  RouteTableOptions options;
  options.ignore_port_in_host_matching = true;
  auto table = table_of({host_of("one", {"one.com"}, {route_to("a")}), host_of("six", {"[::1]"}, {route_to("six")})}, std::move(options));
  EXPECT_EQ(cluster_of(*table, "one.com:8080"), "a");
  EXPECT_EQ(cluster_of(*table, "[::1]:80"), "six");
  EXPECT_EQ(cluster_of(*table, "[::1]"), "six");
}

TEST(RouteTable, TakesTheFirstRouteThatHoldsInAll) {
  Route header = route_to("header");
  header.headers.push_back(HeaderMatcher::string("x-user", {StringMatcher::Kind::kExact, "jason"}));
  Route query = route_to("query", "/q");
  query.query.push_back(QueryMatcher::string("debug", {StringMatcher::Kind::kExact, "true"}));
  Route grpc = route_to("grpc");
  grpc.grpc_only = true;
  Route never = route_to("never");
  never.fraction = {0, 100};
  auto table = table_of({header, query, grpc, never, route_to("a", "/a"), route_to("rest")});
  EXPECT_EQ(cluster_of(*table, "h", "/a", {{"x-user", "jason"}}), "header");
  EXPECT_EQ(cluster_of(*table, "h", "/q?debug=true"), "query");
  EXPECT_EQ(cluster_of(*table, "h", "/q?debug=1"), "rest");
  EXPECT_EQ(cluster_of(*table, "h", "/a?debug=true"), "a");
  EXPECT_EQ(cluster_of(*table, "h", "/a", {{"content-type", "application/grpc+proto"}}), "grpc");
  EXPECT_EQ(cluster_of(*table, "h", "/a", {{"content-type", "application/grpc-web"}}), "a");
  EXPECT_EQ(cluster_of(*table, "h", "/"), "rest");
}

TEST(RouteTable, IgnoresPathParametersWhenAsked) {
  RouteTableOptions options;
  options.ignore_path_parameters_in_path_matching = true;
  Route exact = route_to("exact");
  exact.path = {PathMatcher::Kind::kExact, "/a"};
  auto table = table_of({host_of("all", {"*"}, {exact, route_to("rest")})}, std::move(options));
  EXPECT_EQ(cluster_of(*table, "h", "/a;v=1?x"), "exact");
  EXPECT_EQ(cluster_of(*table, "h", "/ab"), "rest");
}

TEST(RouteTable, RefusesInEnvoysWords) {
  auto build = [](std::vector<VirtualHost> hosts) {
    RouteTableOptions options;
    options.name = "RC";
    options.virtual_hosts = std::move(hosts);
    auto table = RouteTable::build(std::move(options));
    return table ? "ok" : table.error().detail;
  };
  auto weighted = [](std::vector<uint32_t> weights) {
    Forward forward;
    forward.weighted = std::make_shared<WeightedClusters>();
    for (uint32_t weight : weights) {
      WeightedCluster cluster;
      cluster.cluster = "up";
      cluster.weight = weight;
      forward.weighted->clusters.push_back(cluster);
    }
    return route_with(std::move(forward));
  };
  EXPECT_EQ(build({host_of("a", {"*"}, {}), host_of("a", {"b"}, {})}), "ok");
  EXPECT_EQ(build({host_of("a", {"*"}, {}), host_of("c", {"*"}, {})}), "Only a single wildcard domain is permitted in route RC");
  EXPECT_EQ(build({host_of("a", {"x"}, {}), host_of("c", {"X"}, {})}),
            "Only unique values for domains are permitted. Duplicate entry of domain X in route RC");
  EXPECT_EQ(build({host_of("a", {"*.x", "*.x"}, {})}),
            "Only unique values for domains are permitted. Duplicate entry of domain *.x in route RC");
  EXPECT_EQ(build({host_of("a", {"*"}, {weighted({0, 0})})}), "Sum of weights in the weighted_cluster must be greater than 0.");
  EXPECT_EQ(build({host_of("a", {"*"}, {weighted({4294967295u, 1})})}),
            "The sum of weights of all weighted clusters of route  exceeds 4294967295");
  EXPECT_EQ(build({host_of("a", {"*"}, {weighted({4294967295u})})}), "ok");
  Route direct;
  direct.action = std::make_shared<const DirectResponse>(DirectResponse{200, std::string(4097, 'x')});
  EXPECT_EQ(build({host_of("a", {"*"}, {direct})}), "response body size is 4097 bytes; maximum is 4096");
}

TEST(RouteTable, SendsToTlsWhereItIsRequired) {
  VirtualHost all = host_of("all", {"all.com"}, {route_to("a")});
  all.require_tls = TlsRequirement::kAll;
  VirtualHost external = host_of("ext", {"ext.com"}, {route_to("e")});
  external.require_tls = TlsRequirement::kExternalOnly;
  auto table = table_of(std::vector{all, external});
  TestHead plain("/z?a", {{"host", "all.com"}, {"x-forwarded-proto", "http"}});
  const Route* route = table->match(plain, 0);
  ASSERT_TRUE(route && route->redirect());
  EXPECT_EQ(route->redirect()->status, 301);
  EXPECT_EQ(cluster_of(*table, "all.com", "/", {{"x-forwarded-proto", "https"}}), "a");
  EXPECT_EQ(cluster_of(*table, "ext.com", "/", {{"x-forwarded-proto", "http"}, {"x-envoy-internal", "true"}}), "e");
  TestHead outsider("/", {{"host", "ext.com"}, {"x-forwarded-proto", "http"}});
  EXPECT_TRUE(table->match(outsider, 0)->redirect());
}

TEST(RouteTable, FindsEachOfTenThousandHosts) {
  std::vector<VirtualHost> hosts;
  for (int i = 0; i < 10'000; ++i) {
    std::string n = std::to_string(i);
    hosts.push_back(host_of("v" + n, {"s" + n + ".test", "s" + n + ".test:80", "*.s" + n + ".test"}, {route_to("c" + n)}));
  }
  auto table = table_of(std::move(hosts));
  for (int i = 0; i < 10'000; ++i) {
    std::string n = std::to_string(i);
    ASSERT_EQ(table->virtual_host("s" + n + ".test")->name, "v" + n);
    ASSERT_EQ(table->virtual_host("s" + n + ".TEST:80")->name, "v" + n);
    ASSERT_EQ(table->virtual_host("x.y.s" + n + ".test")->name, "v" + n);
  }
  EXPECT_EQ(table->virtual_host("s10000.test"), nullptr);
}

TEST(RouteTable, FindsEachOfTenThousandRoutesInOrder) {
  std::vector<Route> routes;
  for (int i = 0; i < 10'000; ++i) {
    Route route = route_to("c" + std::to_string(i), "/svc/" + std::to_string(i) + "/");
    if (i % 3 == 0) route.path.kind = PathMatcher::Kind::kExact, route.path.text.pop_back();
    routes.push_back(std::move(route));
  }
  routes.push_back(route_to("rest"));
  auto table = table_of(std::move(routes));
  for (int i = 0; i < 10'000; i += 37) {
    std::string path = "/svc/" + std::to_string(i) + (i % 3 == 0 ? "" : "/x");
    ASSERT_EQ(cluster_of(*table, "h", path), "c" + std::to_string(i));
  }
  EXPECT_EQ(cluster_of(*table, "h", "/svc/10000/"), "rest");
}

TEST(Weighted, SplitsExactlyByTheNumberGiven) {
  Forward forward;
  forward.weighted = std::make_shared<WeightedClusters>();
  for (auto [name, weight] : {std::pair("v1", 90u), std::pair("none", 0u), std::pair("v2", 10u)}) {
    WeightedCluster cluster;
    cluster.cluster = name;
    cluster.weight = weight;
    forward.weighted->clusters.push_back(cluster);
  }
  auto table = table_of({route_with(std::move(forward))});
  TestHead request("/");
  const Forward& built = *table->match(request, 0)->forward();
  std::map<std::string, int> hits;
  for (uint64_t i = 0; i < 1000; ++i) ++hits[pick_weighted(built, request, i)->cluster];
  EXPECT_EQ(hits, (std::map<std::string, int>{{"v1", 900}, {"v2", 100}}));
}

TEST(Weighted, IsNotTheSameDiceAsTheFraction) {
  Forward forward;
  forward.weighted = std::make_shared<WeightedClusters>();
  for (const char* name : {"a", "b"}) {
    WeightedCluster cluster;
    cluster.cluster = name;
    cluster.weight = 50;
    forward.weighted->clusters.push_back(cluster);
  }
  Route route = route_with(std::move(forward));
  route.fraction = {50, 100};
  auto table = table_of({route});
  TestHead request("/");
  int matched = 0, first = 0;
  uint64_t random = 1;
  for (int i = 0; i < 20'000; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    uint64_t value = random >> 8;
    const Route* found = table->match(request, value);
    if (!found) continue;
    ++matched;
    first += pick_weighted(*found->forward(), request, value)->cluster == "a";
  }
  EXPECT_NEAR(matched, 10'000, 400);
  EXPECT_NEAR(first, matched / 2, 300);
}

TEST(Weighted, TakesTheHeadersNumber) {
  Forward forward;
  forward.weighted = std::make_shared<WeightedClusters>();
  forward.weighted->random_header = "x-bucket";
  forward.weighted->total_weight = 100;
  for (auto [name, weight] : {std::pair("a", 60u), std::pair("b", 40u)}) {
    WeightedCluster cluster;
    cluster.cluster = name;
    cluster.weight = weight;
    forward.weighted->clusters.push_back(cluster);
  }
  TestHead told("/", {{"x-bucket", "75"}}), mistold("/", {{"x-bucket", "7x"}}), silent("/");
  EXPECT_EQ(pick_weighted(forward, told, 0)->cluster, "b");
  EXPECT_EQ(pick_weighted(forward, mistold, 0)->cluster, "a");
  EXPECT_EQ(pick_weighted(forward, silent, 99)->cluster, "b");
}

TEST(Weighted, GoesByTheHashIfTheRouteWantsIt) {
  Forward forward;
  forward.weighted = std::make_shared<WeightedClusters>();
  forward.hash_policy = std::make_shared<const HashPolicy>(
      std::vector<HashRule>{{HashRule::Header{"x-key", {}}, true}, {HashRule::Cookie{"c", std::chrono::seconds(1), "", {}}}});
  TestHead keyed("/", {{"x-key", "42"}}), plain("/");
  const format::RequestInfo info;
  EXPECT_EQ(weighted_point(forward, keyed, info, 7), 7u);
  forward.weighted->by_hash = true;
  EXPECT_EQ(weighted_point(forward, keyed, info, 7), hash_of("42"));
  EXPECT_EQ(weighted_point(forward, plain, info, 7), 7u) << "no cookie is made up for this";
}

TEST(Route, NamesItsClusterByHeader) {
  Forward forward;
  forward.cluster_header = "x-cluster";
  TestHead named("/", {{"x-cluster", "orders"}}), silent("/");
  EXPECT_EQ(cluster_name(forward, nullptr, named), "orders");
  EXPECT_EQ(cluster_name(forward, nullptr, silent), "");
}

struct Mark : FilterConfig {
  explicit Mark(int n) : n(n) {}
  int n;
};

TEST(Route, TellsFiltersWhatTheMostSpecificLevelSays) {
  auto says = [](std::initializer_list<std::pair<const char*, int>> marks) {
    auto all = std::make_shared<FilterOverrides>();
    for (auto [name, n] : marks) all->push_back({name, n < 0 ? nullptr : std::make_shared<const Mark>(n), n < 0});
    return std::shared_ptr<const FilterOverrides>(std::move(all));
  };
  RouteTableOptions options;
  options.filters = says({{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}});
  Route route = route_to("x");
  route.filters = says({{"a", 3}, {"b", 3}, {"d", -1}});
  VirtualHost host = host_of("v", {"*"}, {route});
  host.filters = says({{"a", 2}, {"b", 2}, {"c", 2}});
  auto table = table_of({host}, std::move(options));
  WeightedCluster weighted;
  weighted.filters = says({{"a", 4}});
  TestHead request("/");
  const Route& found = *table->match(request, 0);
  auto n = [&](const char* filter) { return static_cast<const Mark&>(*filter_override(found, &weighted, filter)->config).n; };
  EXPECT_EQ(n("a"), 4);
  EXPECT_EQ(n("b"), 3);
  EXPECT_EQ(n("c"), 2);
  EXPECT_TRUE(filter_override(found, &weighted, "d")->disabled);
  EXPECT_EQ(filter_override(found, &weighted, "e"), nullptr);
  EXPECT_EQ(filter_override(found, nullptr, "a")->config.get(), (*found.filters)[0].config.get());
}

TEST(RouteTable, ListsItsClusters) {
  Forward forward;
  forward.weighted = std::make_shared<WeightedClusters>();
  WeightedCluster cluster;
  cluster.cluster = "w";
  cluster.weight = 1;
  forward.weighted->clusters.push_back(cluster);
  auto table = table_of({route_to("b"), route_to("a"), route_to("b"), route_with(std::move(forward))});
  EXPECT_EQ(table->clusters(), (std::vector<std::string>{"a", "b", "w"}));
  EXPECT_EQ(table->unknown_cluster([](const std::string& name) { return name != "b"; }), "b");
}

}  // namespace
}  // namespace weft::routing
