#include "common/observe/text.h"

#include "common/observe/shapes.h"

#include <gtest/gtest.h>

namespace weft::observe {
namespace {

struct Stats {
  Registry registry{2};
  ScopePtr cluster = cluster_scope(registry, "svc");
  ScopePtr http = http_scope(registry, "ingress_http");
  Stats() {
    for (uint64_t value : {5, 44, 45}) cluster->cells(1).record(ClusterStat::kUpstreamRqTime, value);
    cluster->cells(1).add(ClusterStat::kUpstreamRqTotal, 3);
    cluster->cells(1).count_code(ClusterStat::kUpstreamRqCodes, 200);
    cluster->cells(1).count_code(ClusterStat::kUpstreamRqCodes, 404);
    cluster->cells(1).add(ClusterStat::kUpstreamRq2xx);
    http->cells(1).add(HttpStat::kDownstreamRq4xx, 2);
  }
  std::string page(std::initializer_list<std::pair<std::string_view, std::string_view>> parameters) {
    StatsQuery query;
    for (auto [name, value] : parameters)
      if (auto status = query.take(name, value); !status) return "400 " + status.error().detail;
    auto text = print_stats(registry, query);
    return text ? *text : "400 " + text.error().detail;
  }
};

bool has(const std::string& page, std::string_view line) {
  return page.find("\n" + std::string(line) + "\n") != std::string::npos || page.rfind(std::string(line) + "\n", 0) == 0;
}

TEST(StatsText, LinesAreThoseOfEnvoy) {
  Stats stats;
  std::string page = stats.page({});
  EXPECT_TRUE(has(page, "cluster.svc.upstream_rq_total: 3"));
  EXPECT_TRUE(has(page, "cluster.svc.upstream_rq_200: 1"));
  EXPECT_TRUE(has(page, "cluster.svc.upstream_rq_2xx: 1"));
  EXPECT_EQ(page.find("cluster.svc.upstream_rq_5xx"), std::string::npos);  // made at its first use
  EXPECT_TRUE(has(page, "http.ingress_http.downstream_rq_5xx: 0"));
  EXPECT_TRUE(has(page, "cluster.svc.upstream_cx_length_ms: No recorded values"));
  EXPECT_TRUE(has(page,
                  "cluster.svc.upstream_rq_time: P0(nan,5.05) P25(nan,5.05) P50(nan,44.5) P75(nan,45.5) P90(nan,45.5) P95(nan,45.5) "
                  "P99(nan,45.5) P99.5(nan,45.5) P99.9(nan,45.5) P100(nan,45.5)"));
  EXPECT_LT(page.find("http.ingress_http.downstream_rq_4xx"), page.find("cluster.svc.upstream_rq_time:"));
}

TEST(StatsText, IntervalsStandBeforeTheWhole) {
  Stats stats;
  stats.registry.turn_intervals();
  stats.cluster->cells(1).record(ClusterStat::kUpstreamRqTime, 5);
  stats.registry.turn_intervals();
  EXPECT_EQ(stats.page({{"filter", "upstream_rq_time$"}}).rfind("cluster.svc.upstream_rq_time: P0(5.05,5.033333333333333) P25(5.05,", 0),
            0u)
      << stats.page({{"filter", "upstream_rq_time$"}});
  EXPECT_NE(stats.page({{"filter", "upstream_rq_time$"}, {"histogram_buckets", "cumulative"}}).find("B5(1,2) B10(1,2)"), std::string::npos);
  EXPECT_NE(stats.page({{"filter", "upstream_rq_time$"}, {"histogram_buckets", "detailed"}}).find("intervals=5,0.1:1\n"),
            std::string::npos);
}

TEST(StatsText, AVersionIsUnsigned) {
  Stats stats;
  auto cds = cds_scope(stats.registry);
  cds->cells(0).set(SubscriptionStat::kVersion, version_hash("6d8bd115094a"));
  EXPECT_EQ(stats.page({{"filter", "cds.version$"}}), "cluster_manager.cds.version: 11336135742065817382\n");
}

TEST(StatsText, FiltersByNameTypeAndUse) {
  Stats stats;
  EXPECT_EQ(
      stats.page({{"usedonly", ""}, {"type", "Counters"}}),
      "cluster.svc.upstream_rq_200: 1\ncluster.svc.upstream_rq_2xx: 1\ncluster.svc.upstream_rq_404: 1\ncluster.svc.upstream_rq_total: 3\n"
      "http.ingress_http.downstream_rq_4xx: 2\n");
  EXPECT_EQ(stats.page({{"filter", "_4xx$"}}), "http.ingress_http.downstream_rq_4xx: 2\n");
  EXPECT_EQ(stats.page({{"filter", "["}}), "400 Invalid re2 regex: missing ]: [");
  EXPECT_EQ(stats.page({{"format", "bogus"}}), "400 usage: /stats?format=(html|active-html|json|prometheus|text)\n\n");
  EXPECT_EQ(stats.page({{"type", "bogus"}}), "400 invalid &type= param");
  EXPECT_EQ(stats.page({{"histogram_buckets", "x"}}),
            "400 usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary|prometheusnative)\n");
  EXPECT_EQ(stats.page({{"filter", "rq_total"}, {"zzz", "1"}, {"type", "Counters"}}).rfind("cluster.svc.upstream_rq_total: 3\n", 0), 0u);
}

TEST(StatsText, ShowsBuckets) {
  Stats stats;
  EXPECT_EQ(stats.page({{"filter", "upstream_rq_time$"}, {"histogram_buckets", "cumulative"}}),
            "cluster.svc.upstream_rq_time: B0.5(0,0) B1(0,0) B5(0,1) B10(0,1) B25(0,1) B50(0,3) B100(0,3) B250(0,3) B500(0,3) B1000(0,3) "
            "B2500(0,3) B5000(0,3) B10000(0,3) B30000(0,3) B60000(0,3) B300000(0,3) B600000(0,3) B1.8e+06(0,3) B3.6e+06(0,3)\n");
  EXPECT_EQ(
      stats.page({{"filter", "upstream_rq_time$"}, {"histogram_buckets", "detailed"}}),
      "cluster.svc.upstream_rq_time:\n  totals=5,0.1:1, 44,1:1, 45,1:1\n  intervals=\n  summary=P0(nan,5.05) P25(nan,5.05) P50(nan,44.5) "
      "P75(nan,45.5) P90(nan,45.5) P95(nan,45.5) P99(nan,45.5) P99.5(nan,45.5) P99.9(nan,45.5) P100(nan,45.5)\n");
}

TEST(StatsJson, IsEnvoys) {
  Stats stats;
  EXPECT_EQ(stats.page({{"filter", "rq_4xx$"}, {"format", "json"}}),
            "{\"stats\":[{\"name\":\"http.ingress_http.downstream_rq_4xx\",\"value\":2}]}");
  std::string page = stats.page({{"filter", "upstream_rq_time"}, {"format", "json"}});
  EXPECT_EQ(page.rfind("{\"stats\":[{\"name\":\"cluster.svc.upstream_rq_timeout\",\"value\":0},{\"histograms\":{\"supported_quantiles\":"
                       "[0,25,50,75,90,95,99,99.5,99.9,100],\"computed_quantiles\":[{\"name\":\"cluster.svc.upstream_rq_time\",\"values\":"
                       "[{\"cumulative\":5.05,\"interval\":null},",
                       0),
            0u)
      << page;
  EXPECT_EQ(page.substr(page.size() - 5), "]}}]}");
  page = stats.page({{"filter", "upstream_rq_time$"}, {"format", "json"}, {"histogram_buckets", "cumulative"}});
  EXPECT_NE(page.find("{\"upper_bound\":50,\"interval\":0,\"cumulative\":3}"), std::string::npos) << page;
  EXPECT_NE(page.find("{\"upper_bound\":3e+05,"), std::string::npos) << page;
}

TEST(Prometheus, NamesAndLabelsAreEnvoys) {
  Stats stats;
  auto listener = listener_http_scope(stats.registry, "127.0.0.1:0", "ingress_http");
  auto server = server_scope(stats.registry);
  server->cells(0).set(ServerStat::kLive, 1);
  std::string page = stats.page({{"format", "prometheus"}});
  for (std::string_view line : {
           "# TYPE envoy_cluster_upstream_rq counter",
           "envoy_cluster_upstream_rq{envoy_response_code=\"200\",envoy_cluster_name=\"svc\"} 1",
           "envoy_cluster_upstream_rq{envoy_response_code=\"404\",envoy_cluster_name=\"svc\"} 1",
           "envoy_cluster_upstream_rq_xx{envoy_response_code_class=\"2\",envoy_cluster_name=\"svc\"} 1",
           "envoy_cluster_upstream_rq_total{envoy_cluster_name=\"svc\"} 3",
           "envoy_http_downstream_rq_xx{envoy_response_code_class=\"4\",envoy_http_conn_manager_prefix=\"ingress_http\"} 2",
           "envoy_listener_http_downstream_rq_xx{envoy_response_code_class=\"1\",envoy_http_conn_manager_prefix=\"ingress_http\","
           "envoy_listener_address=\"127.0.0.1_0\"} 0",
           "envoy_server_live{} 1",
           "# TYPE envoy_cluster_upstream_rq_time histogram",
           "envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=\"svc\",le=\"0.5\"} 0",
           "envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=\"svc\",le=\"50\"} 3",
           "envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=\"svc\",le=\"300000\"} 3",
           "envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=\"svc\",le=\"+Inf\"} 3",
           "envoy_cluster_upstream_rq_time_sum{envoy_cluster_name=\"svc\"} 94",
           "envoy_cluster_upstream_rq_time_count{envoy_cluster_name=\"svc\"} 3",
       })
    EXPECT_TRUE(has(page, line)) << line;
}

TEST(Prometheus, EachFamilyIsDeclaredOnceAndLabelsAreEscaped) {
  Registry registry(1);
  auto a = cluster_scope(registry, "a\"b\\c\nd"), b = cluster_scope(registry, "b");
  auto text = control_plane_scope(registry);
  text->set_text(ControlPlaneStat::kIdentifier, "istiod \"1\"");
  StatsQuery query;
  query.format = StatsFormat::kPrometheus;
  query.text_readouts = true;
  std::string page = *print_stats(registry, query);
  size_t first = page.find("# TYPE envoy_cluster_upstream_rq_total counter\n");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(page.find("# TYPE envoy_cluster_upstream_rq_total counter\n", first + 1), std::string::npos);
  EXPECT_TRUE(has(page, "envoy_cluster_upstream_rq_total{envoy_cluster_name=\"a\\\"b\\\\c\\nd\"} 0"));
  EXPECT_TRUE(has(page, "envoy_control_plane_identifier{text_value=\"istiod \\\"1\\\"\"} 0"));
  EXPECT_EQ(prometheus_name("cluster.x-y|z"), "cluster_x_y_z");
}

TEST(Prometheus, SeriesOfAThousandStatusesAreBounded) {
  Registry registry(1);
  auto scope = cluster_scope(registry, "x");
  for (int status = -1000; status < 100'000; ++status) scope->cells(0).count_code(ClusterStat::kUpstreamRqCodes, status);
  EXPECT_EQ(scope->codes(ClusterStat::kUpstreamRqCodes).size(), 501u);
}

}  // namespace
}  // namespace weft::observe
