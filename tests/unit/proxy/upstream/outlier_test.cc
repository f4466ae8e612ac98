#include "proxy/upstream/outlier.h"

#include "tests/unit/proxy/upstream/endpoints.h"

#include <gtest/gtest.h>

#include <thread>

namespace weft::upstream {
namespace {

using namespace std::chrono_literals;
using Kind = HostResult::Kind;

struct World {
  OutlierOptions options;
  HostStates states;
  std::shared_ptr<const EndpointSet> set;
  std::unique_ptr<OutlierDetector> detector;
  OutlierDetector::Clock::time_point now{};

  explicit World(size_t hosts, OutlierOptions with = {}) : options(with) {
    set = testing::endpoints(std::vector<testing::HostSpec>(hosts), states);
    detector = std::make_unique<OutlierDetector>(options);
    detector->set_hosts(*set);
  }
  const std::shared_ptr<HostState>& host(size_t n) { return set->localities[0].hosts[n].state; }
  // As the cluster does it: report, and tell the control thread.
  bool tell(size_t n, HostResult result, uint64_t random = 0) {
    auto why = detector->report(*host(n), result);
    return why && detector->trigger(host(n), *why, now, random);
  }
  bool fail(size_t n, int status, int times) {
    bool ejected = false;
    for (int i = 0; i < times; ++i) ejected = tell(n, HostResult::of_status(status)) || ejected;
    return ejected;
  }
  uint64_t active() const { return detector->counters().ejections_active; }
};

TEST(Outlier, EjectsAfterFiveInARow) {
  World world(10);
  EXPECT_FALSE(world.fail(0, 500, 4));
  EXPECT_TRUE(world.fail(0, 503, 1));
  EXPECT_TRUE(world.host(0)->ejected);
  EXPECT_EQ(world.active(), 1u);
  EXPECT_EQ(world.detector->counters().ejections_enforced_total, 1u);
  const auto& kind = world.detector->counters().kinds[static_cast<size_t>(EjectionKind::kConsecutive5xx)];
  EXPECT_EQ(kind.detected, 1u);
  EXPECT_EQ(kind.enforced, 1u);
}

TEST(Outlier, ASuccessBreaksTheStreak) {
  World world(10);
  world.fail(0, 500, 4);
  world.tell(0, HostResult::of_status(404));
  EXPECT_FALSE(world.fail(0, 500, 4));
  EXPECT_TRUE(world.fail(0, 500, 1));
}

TEST(Outlier, GatewayFailuresHaveTheirOwnCount) {
  OutlierOptions options;
  options.consecutive_5xx = 100;
  options.consecutive_gateway_failure = 3;
  options.enforcing_consecutive_gateway_failure = 100;
  World world(10, options);
  EXPECT_FALSE(world.fail(0, 502, 2));
  EXPECT_FALSE(world.fail(0, 500, 1));  // no gateway failure: begins anew
  EXPECT_FALSE(world.fail(0, 504, 2));
  EXPECT_TRUE(world.fail(0, 503, 1));
}

TEST(Outlier, DetectsWithoutEnforcing) {
  World world(10);  // gateway failures: detected at 5, enforced 0 %
  EXPECT_TRUE(world.fail(0, 503, 5));
  const auto& gateway = world.detector->counters().kinds[static_cast<size_t>(EjectionKind::kConsecutiveGatewayFailure)];
  EXPECT_EQ(gateway.detected, 1u);
  EXPECT_EQ(gateway.enforced, 0u);
}

TEST(Outlier, EnforcesByChance) {
  OutlierOptions options;
  options.enforcing_consecutive_5xx = 30;
  options.max_ejection_percent = 100;
  World world(100, options);
  int ejected = 0;
  for (size_t n = 0; n < 100; ++n) {
    for (int i = 0; i < 4; ++i) world.tell(n, HostResult::of_status(500));
    ejected += world.tell(n, HostResult::of_status(500), n);
  }
  EXPECT_EQ(ejected, 30);
}

TEST(Outlier, LocalFailuresCountAsStatusesUnlessSplit) {
  World world(10);
  for (int i = 0; i < 2; ++i) world.tell(0, {Kind::kConnectFailed});
  world.tell(0, {Kind::kConnectSucceeded});  // says nothing about the answers
  world.tell(0, {Kind::kTimeout});
  world.tell(0, {Kind::kReset});
  EXPECT_TRUE(world.tell(0, HostResult::of_status(500)));

  OutlierOptions options;
  options.split_external_local_origin_errors = true;
  options.consecutive_local_origin_failure = 2;
  World split(10, options);
  split.fail(0, 500, 4);
  EXPECT_FALSE(split.tell(0, {Kind::kConnectFailed}));
  split.tell(0, {Kind::kConnectSucceeded});
  EXPECT_FALSE(split.tell(0, {Kind::kTimeout}));
  EXPECT_TRUE(split.tell(0, {Kind::kReset}));
  EXPECT_EQ(split.detector->counters().kinds[static_cast<size_t>(EjectionKind::kConsecutiveLocalOriginFailure)].enforced, 1u);
}

TEST(Outlier, EjectsNoMoreThanThePercentage) {
  World world(10);  // 10 %: one
  EXPECT_TRUE(world.fail(0, 500, 5));
  EXPECT_FALSE(world.fail(1, 500, 5));
  EXPECT_EQ(world.detector->counters().ejections_overflow, 1u);

  World few(5);  // 10 % of 5 is nobody
  EXPECT_FALSE(few.fail(0, 500, 5));
  OutlierOptions options;
  options.always_eject_one_host = true;
  World one(5, options);
  EXPECT_TRUE(one.fail(0, 500, 5));
  EXPECT_FALSE(one.fail(1, 500, 5));
  options.max_ejection_percent = 0;
  World zero(5, options);
  EXPECT_TRUE(zero.fail(0, 500, 5));
}

TEST(Outlier, TakesBackAfterATimeThatGrows) {
  World world(10);
  auto minutes_out = [&] {
    auto since = world.now;
    while (!world.detector->sweep(world.now += 10s)) EXPECT_LT(world.now - since, 1h);
    return std::chrono::duration_cast<std::chrono::seconds>(world.now - since).count();
  };
  for (int expected : {30, 60, 90, 120}) {
    EXPECT_TRUE(world.fail(0, 500, 5));
    EXPECT_EQ(minutes_out(), expected);
    EXPECT_FALSE(world.host(0)->ejected);
    EXPECT_EQ(world.active(), 0u);
  }
  // Quiet intervals make it forget: 4 ejections, 3 sweeps, so the next is the second.
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(world.detector->sweep(world.now += 10s));
  EXPECT_TRUE(world.fail(0, 500, 5));
  EXPECT_EQ(minutes_out(), 60);
}

TEST(Outlier, NeverKeepsLongerThanTheMaximum) {
  OutlierOptions options;
  options.max_ejection_time = 40s;
  options.max_ejection_time_jitter = 5s;
  World world(10, options);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(world.fail(0, 500, 5));
    EXPECT_EQ(world.detector->sweep(world.now += 29s), false);
    EXPECT_TRUE(world.detector->sweep(world.now += 16s));
  }
}

TEST(Outlier, BeginsTheStreakAnewAfterItsDecision) {
  World world(10);
  EXPECT_TRUE(world.fail(1, 500, 5));   // the one that may go
  EXPECT_FALSE(world.fail(0, 500, 5));  // overflow
  EXPECT_EQ(world.detector->counters().ejections_overflow, 1u);
  world.detector->sweep(world.now += 30s);
  EXPECT_FALSE(world.fail(0, 500, 4));
  EXPECT_TRUE(world.fail(0, 500, 1));
}

TEST(Outlier, ForgetsHostsThatLeft) {
  World world(10);
  EXPECT_TRUE(world.fail(0, 500, 5));
  auto gone = world.host(0);
  world.set = testing::endpoints({{.priority = 1}}, world.states);
  world.detector->set_hosts(*world.set);
  EXPECT_FALSE(gone->ejected);
  EXPECT_EQ(world.active(), 0u);
  // News of it that was under way changes nothing.
  EXPECT_FALSE(world.detector->trigger(gone, EjectionKind::kConsecutive5xx, world.now, 0));
}

TEST(Outlier, KeepsWhatItKnowsOfHostsThatStay) {
  World world(10);
  EXPECT_TRUE(world.fail(0, 500, 5));
  world.set = testing::endpoints(std::vector<testing::HostSpec>(12), world.states);
  world.detector->set_hosts(*world.set);
  EXPECT_TRUE(world.host(0)->ejected);
  EXPECT_EQ(world.active(), 1u);
  EXPECT_TRUE(world.detector->sweep(world.now += 30s));
}

TEST(Outlier, ReleasesAll) {
  World world(10);
  EXPECT_TRUE(world.fail(0, 500, 5));
  world.detector->release_all();
  EXPECT_FALSE(world.host(0)->ejected);
  EXPECT_EQ(world.active(), 0u);
}

TEST(Outlier, TellsTheControlThreadOncePerStreak) {
  OutlierOptions options;
  options.consecutive_5xx = 1000;
  options.consecutive_gateway_failure = 0xffffffff;
  World world(10, options);
  std::atomic<int> told{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) told += world.detector->report(*world.host(0), HostResult::of_status(500)).has_value();
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace weft::upstream
