#include "proxy/xds/subscription_stats.h"

#include "common/observe/text.h"

#include <gtest/gtest.h>

namespace weft::xds {
namespace {

using config::ResourceType;
using std::chrono::milliseconds;

struct Fixture : testing::Test {
  observe::Registry metrics{1};
  SubscriptionStats stats{metrics};
  // "name: value" lines that match.
  std::string shown(const std::string& filter) const {
    observe::StatsQuery query;
    query.filter = filter;
    auto text = observe::print_stats(metrics, query);
    return text ? *text : text.error().detail;
  }
};
using SubscriptionStatsTest = Fixture;

TEST_F(SubscriptionStatsTest, EachSubscriberIsCountedUnderItsOwnName) {
  // Two clusters share one EDS resource, a third has its own.
  stats.set(ResourceType::kEndpoints, {{"pods", "a"}, {"pods", "b"}, {"c", "c"}});
  stats.accepted(ResourceType::kEndpoints, "pods", "v1", milliseconds(3), true);
  EXPECT_EQ(shown("update_success"), "cluster.a.update_success: 1\ncluster.b.update_success: 1\ncluster.c.update_success: 0\n");
  EXPECT_EQ(shown("version_text"), "cluster.a.version_text: \"v1\"\ncluster.b.version_text: \"v1\"\ncluster.c.version_text: \"\"\n");
  stats.set(ResourceType::kRoute, {{"9080", "outbound"}});
  stats.accepted(ResourceType::kRoute, "9080", "v7", milliseconds(1), true);
  stats.accepted(ResourceType::kRoute, "9080", "v8", milliseconds(1), false);
  EXPECT_EQ(
      shown("rds.*(success|attempt|reload$)"),
      "http.outbound.rds.9080.config_reload: 1\nhttp.outbound.rds.9080.update_attempt: 3\nhttp.outbound.rds.9080.update_success: 2\n");
}

TEST_F(SubscriptionStatsTest, WhatIsGoneIsShownNoMore) {
  stats.set(ResourceType::kEndpoints, {{"a", "a"}, {"b", "b"}});
  stats.set(ResourceType::kEndpoints, {{"b", "b"}});
  EXPECT_EQ(shown("update_attempt"), "cluster.b.update_attempt: 1\n");
  stats.accepted(ResourceType::kEndpoints, "a", "v1", milliseconds(0), true);  // nobody's
  EXPECT_EQ(shown("update_success"), "cluster.b.update_success: 0\n");
}

TEST_F(SubscriptionStatsTest, FailuresRejectionsAndTimeoutsAreAttemptsToo) {
  stats.begin_all(ResourceType::kCluster);
  stats.set(ResourceType::kEndpoints, {{"a", "a"}});
  stats.failed(ResourceType::kCluster);
  stats.failed(ResourceType::kEndpoints);
  stats.rejected(ResourceType::kCluster, "");
  stats.timed_out(ResourceType::kEndpoints, "a");
  EXPECT_EQ(shown("cds.(update_(attempt|failure|rejected|success)|config_reload$)"),
            "cluster_manager.cds.config_reload: 0\ncluster_manager.cds.update_attempt: 3\ncluster_manager.cds.update_failure: 1\n"
            "cluster_manager.cds.update_rejected: 1\ncluster_manager.cds.update_success: 0\n");
  EXPECT_EQ(shown("cluster.a.(init_fetch|update_failure|update_attempt)"),
            "cluster.a.init_fetch_timeout: 1\ncluster.a.update_attempt: 2\ncluster.a.update_failure: 1\n");
}

}  // namespace
}  // namespace weft::xds
