// Network filters before the last one of a chain: who passes, who is told of the end.
#include "common/observe/metrics.h"
#include "common/observe/shapes.h"
#include "proxy/filters/network/connection_limit/filter.h"
#include "proxy/filters/network/local_ratelimit/filter.h"
#include "proxy/filters/network/table.h"

#include <gtest/gtest.h>

namespace weft::filters {
namespace {

using Clock = std::chrono::steady_clock;

struct Door {
  NetworkFilters filters;
  std::unique_ptr<Passage> pass(Clock::time_point now = Clock::time_point(std::chrono::hours(1))) const {
    Arrival arrival{.server_name = "a.example", .now = now, .thread = 0, .cluster = {}, .to_tell_of_end = {}};
    return std::make_unique<Passage>(filters, arrival);
  }
};

TEST(NetworkFilters, NoneLetEverybodyPass) { EXPECT_FALSE(Door().pass()->refusal()); }

TEST(NetworkFilters, ALimitCountsWhoIsThereAndWhoIsKeptWaiting) {
  auto stats = std::make_shared<observe::Scope>(observe::kConnectionLimitShape, "connection_limit.a.", observe::Tags{}, 1);
  ConnectionLimitOptions options;
  options.max_connections = 2;
  options.delay = std::chrono::milliseconds(700);
  options.stats = stats;
  const Door door{{std::make_shared<ConnectionLimit>(options)}};
  auto first = door.pass(), second = door.pass();
  EXPECT_FALSE(first->refusal());
  EXPECT_FALSE(second->refusal());
  auto third = door.pass();
  ASSERT_TRUE(third->refusal());
  EXPECT_EQ(third->refusal()->delay.count(), 700);
  EXPECT_EQ(stats->sum(observe::ConnectionLimitStat::kActiveConnections), 3);
  EXPECT_EQ(stats->sum(observe::ConnectionLimitStat::kLimitedConnections), 1);
  first.reset();
  EXPECT_TRUE(door.pass()->refusal());  // the third is still there
  third.reset();
  EXPECT_FALSE(door.pass()->refusal());
  second.reset();
  EXPECT_EQ(stats->sum(observe::ConnectionLimitStat::kActiveConnections), 0);
}

TEST(NetworkFilters, ALimitThatIsOffCountsNobody) {
  ConnectionLimitOptions options;
  options.enabled.otherwise = false;
  const Door door{{std::make_shared<ConnectionLimit>(options)}};
  auto first = door.pass(), second = door.pass();
  EXPECT_FALSE(second->refusal());
}

TEST(NetworkFilters, ARateRefusesUntilThereIsATokenAgain) {
  auto stats = std::make_shared<observe::Scope>(observe::kConnectionRateShape, "local_rate_limit.a.", observe::Tags{}, 1);
  const Door door{{std::make_shared<ConnectionRate>(ConnectionRateOptions{std::make_shared<TokenBucket>(1, 10.0), {}, stats})}};
  const Clock::time_point now(std::chrono::hours(1));
  EXPECT_FALSE(door.pass(now)->refusal());
  const auto late = door.pass(now);
  ASSERT_TRUE(late->refusal());
  EXPECT_TRUE(late->refusal()->flags.has(observe::ResponseFlag::kUpstreamRetryLimitExceeded));
  EXPECT_EQ(stats->sum(observe::ConnectionRateStat::kRateLimited), 1);
  EXPECT_FALSE(door.pass(now + std::chrono::milliseconds(150))->refusal());
}

// Who was counted before another filter refused the connection is told of its end all the same.
TEST(NetworkFilters, TheEndIsToldToWhomItConcerns) {
  auto limit = std::make_shared<ConnectionLimit>(ConnectionLimitOptions{});
  const Door door{{limit, std::make_shared<ConnectionRate>(ConnectionRateOptions{std::make_shared<TokenBucket>(0, 1.0), {}, nullptr})}};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(door.pass()->refusal());
  EXPECT_FALSE(Door{{limit}}.pass()->refusal());
}

TEST(NetworkFilters, TheTableKnowsThemByTheirMessages) {
  for (const NetworkFilterType& type : network_filter_types()) EXPECT_EQ(find_network_filter(type.message)->name, type.name);
  EXPECT_EQ(find_network_filter("envoy.extensions.filters.network.redis_proxy.v3.RedisProxy"), nullptr);
}

}  // namespace
}  // namespace weft::filters
