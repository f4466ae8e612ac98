#include "common/observe/metrics.h"

#include "common/observe/response_flags.h"
#include "common/observe/shapes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <thread>

namespace weft::observe {
namespace {

TEST(Histogram, BinsHoldTwoDecimalDigits) {
  EXPECT_EQ(Histogram::bin_of(0), 0u);
  EXPECT_EQ(Histogram::bin_of(99), 99u);
  EXPECT_EQ(Histogram::bin_of(100), 110u);
  EXPECT_EQ(Histogram::bin_of(109), 110u);
  EXPECT_EQ(Histogram::bin_of(999), 199u);
  EXPECT_EQ(Histogram::bin_of(1000), 210u);
  EXPECT_EQ(Histogram::bin_of(~uint64_t{0}), Histogram::kBins - 1);
  unsigned last = 0;
  for (uint64_t value = 1; value < 50'000'000'000; value += value / 50 + 1) {
    unsigned bin = Histogram::bin_of(value);
    ASSERT_GE(bin, last);
    ASSERT_LE(Histogram::lower_of(bin), static_cast<double>(value));
    ASSERT_NEAR(Histogram::value_of(bin), static_cast<double>(value), 0.06 * static_cast<double>(value));
    last = bin;
  }
}

TEST(Histogram, QuantilesAreThoseOfEnvoy) {
  Registry registry(2);
  auto scope = cluster_scope(registry, "svc");
  for (uint64_t value : {5, 44, 45}) scope->cells(value == 44 ? 1 : 0).record(ClusterStat::kUpstreamRqTime, value);
  HistogramSummary summary = scope->histogram(ClusterStat::kUpstreamRqTime);
  EXPECT_EQ(summary.count, 3u);
  EXPECT_EQ(summary.sum, 94u);
  // What Envoy 1.40 printed for these three requests.
  EXPECT_DOUBLE_EQ(summary.quantile(0), 5.05);
  EXPECT_DOUBLE_EQ(summary.quantile(0.25), 5.05);
  EXPECT_DOUBLE_EQ(summary.quantile(0.5), 44.5);
  EXPECT_DOUBLE_EQ(summary.quantile(0.75), 45.5);
  EXPECT_DOUBLE_EQ(summary.quantile(1), 45.5);
  EXPECT_EQ(summary.below(5), 1u);
  EXPECT_EQ(summary.below(25), 1u);
  EXPECT_EQ(summary.below(50), 3u);
  for (uint64_t value : {47, 47}) scope->cells(0).record(ClusterStat::kUpstreamCxLengthMs, value);
  EXPECT_DOUBLE_EQ(scope->histogram(ClusterStat::kUpstreamCxLengthMs).quantile(0), 47 + 1.0 / 3);
  EXPECT_TRUE(std::isnan(scope->histogram(ClusterStat::kUpstreamCxConnectMs).quantile(0.5)));
}

TEST(Histogram, AnIntervalHoldsWhatCameSinceTheOneBefore) {
  Registry registry(2);
  auto scope = cluster_scope(registry, "svc");
  constexpr unsigned kTime = ClusterStat::kUpstreamRqTime;
  scope->cells(0).record(kTime, 5);
  EXPECT_EQ(scope->interval(kTime).count, 0u);
  registry.turn_intervals();
  EXPECT_EQ(scope->interval(kTime).count, 1u);
  scope->cells(1).record(kTime, 5);
  scope->cells(1).record(kTime, 40);
  EXPECT_EQ(scope->interval(kTime).count, 1u) << "until the next turn";
  registry.turn_intervals();
  EXPECT_EQ(scope->interval(kTime).count, 2u);
  EXPECT_EQ(scope->interval(kTime).sum, 45u);
  registry.turn_intervals();
  EXPECT_EQ(scope->interval(kTime).count, 0u);
  EXPECT_EQ(scope->histogram(kTime).count, 3u);
}

TEST(VersionHash, IsXxh64) {
  EXPECT_EQ(version_hash(""), 0);
  EXPECT_EQ(static_cast<uint64_t>(version_hash("6d8bd115094a")), 11336135742065817382u);  // as Envoy 1.40 showed it
  EXPECT_EQ(static_cast<uint64_t>(version_hash("abc")), 0x44BC2CF5AD770999u);
  EXPECT_EQ(static_cast<uint64_t>(version_hash("Call me Ishmael. Some years ago--never mind how long precisely-")), 0x02A2E85470D6FD96u);
}

TEST(Scope, SumsThreadsAndForgetsOnReset) {
  Registry registry(3);
  auto scope = cluster_scope(registry, "orders");
  scope->cells(0).add(ClusterStat::kUpstreamRqTotal);
  scope->cells(2).add(ClusterStat::kUpstreamRqTotal, 4);
  scope->cells(1).add(ClusterStat::kUpstreamRqActive, 2);
  scope->cells(2).sub(ClusterStat::kUpstreamRqActive);
  scope->cells(1).count_code(ClusterStat::kUpstreamRqCodes, 200);
  scope->cells(2).count_code(ClusterStat::kUpstreamRqCodes, 200);
  scope->cells(2).count_code(ClusterStat::kUpstreamRqCodes, 999);
  EXPECT_EQ(scope->sum(ClusterStat::kUpstreamRqTotal), 5);
  EXPECT_EQ(scope->sum(ClusterStat::kUpstreamRqActive), 1);
  using Codes = std::vector<std::pair<int, int64_t>>;
  EXPECT_EQ(scope->codes(ClusterStat::kUpstreamRqCodes), (Codes{{0, 1}, {200, 2}}));

  scope->reset_counters();
  scope->reset_counters();
  scope->cells(2).count_code(ClusterStat::kUpstreamRqCodes, 200);
  EXPECT_EQ(scope->sum(ClusterStat::kUpstreamRqTotal), 0);
  EXPECT_EQ(scope->sum(ClusterStat::kUpstreamRqActive), 1);
  EXPECT_EQ(scope->codes(ClusterStat::kUpstreamRqCodes), (Codes{{0, 0}, {200, 1}}));
  EXPECT_TRUE(scope->used(ClusterStat::kUpstreamRqTotal));
  EXPECT_FALSE(scope->used(ClusterStat::kUpstreamRqTimeout));
}

TEST(Registry, AScopeLivesAsLongAsItsOwners) {
  Registry registry(1);
  auto first = http_scope(registry, "ingress:http");
  EXPECT_EQ(first->prefix(), "http.ingress_http.");
  EXPECT_EQ(http_scope(registry, "ingress:http"), first);
  for (int i = 0; i < 1000; ++i) cluster_scope(registry, "c" + std::to_string(i));
  EXPECT_EQ(registry.scopes().size(), 1u);
  first.reset();
  EXPECT_TRUE(registry.scopes().empty());
}

TEST(Registry, WritersAndReadersNeedNoLock) {
  Registry registry(4);
  auto scope = cluster_scope(registry, "busy");
  std::vector<std::thread> writers;
  for (unsigned t = 0; t < 3; ++t)
    writers.emplace_back([&scope, t] {
      Cells& cells = scope->cells(t);
      for (int i = 0; i < 20000; ++i) {
        cells.add(ClusterStat::kUpstreamRqTotal);
        cells.record(ClusterStat::kUpstreamRqTime, static_cast<uint64_t>(i));
        cells.count_code(ClusterStat::kUpstreamRqCodes, 200 + i % 2);
      }
    });
  for (int i = 0; i < 50; ++i) {
    scope->sum(ClusterStat::kUpstreamRqTotal);
    scope->histogram(ClusterStat::kUpstreamRqTime);
    scope->codes(ClusterStat::kUpstreamRqCodes);
    scope->reset_counters();
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(scope->histogram(ClusterStat::kUpstreamRqTime).count, 60000u);
}

TEST(Shapes, NamesAreUnique) {
  for (const Shape* shape :
       {&kClusterShape, &kHttpShape, &kListenerShape, &kTcpShape, &kServerShape, &kListenerManagerShape, &kClusterManagerShape}) {
    std::set<std::string_view> names;
    for (unsigned i = 0; i < shape->size; ++i) EXPECT_TRUE(names.insert(shape->metrics[i].name).second) << shape->metrics[i].name;
  }
  EXPECT_EQ(kClusterShape.metrics[ClusterStat::kUpstreamRqTotal].name, "upstream_rq_total");
  EXPECT_EQ(class_index(HttpStat::kDownstreamRq1xx, 404), unsigned{HttpStat::kDownstreamRq4xx});
  EXPECT_EQ(class_index(ClusterStat::kUpstreamRq1xx, 200), unsigned{ClusterStat::kUpstreamRq2xx});
}

TEST(ResponseFlags, PrintAndRead) {
  ResponseFlags flags(ResponseFlag::kNoRouteFound);
  flags.set(ResponseFlag::kDownstreamProtocolError);
  std::string out;
  flags.append_short(out);
  EXPECT_EQ(out, "NR,DPE");
  EXPECT_EQ(response_flag("UAEX"), ResponseFlag::kUnauthorizedExternalService);
  EXPECT_EQ(response_flag("XX"), std::nullopt);
  for (unsigned i = 0; i < static_cast<unsigned>(ResponseFlag::kCount); ++i)
    EXPECT_EQ(response_flag(short_name(static_cast<ResponseFlag>(i))), static_cast<ResponseFlag>(i));
}

}  // namespace
}  // namespace weft::observe
