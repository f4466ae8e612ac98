#include "proxy/filters/http/health_check/filter.h"

#include "envoy/extensions/filters/http/health_check/v3/health_check.pb.h"
#include "fake_context.h"

namespace weft::filters {
namespace {

using Proto = envoy::extensions::filters::http::health_check::v3::HealthCheck;

Proto answering(bool pass_through = false) {
  Proto proto;
  proto.mutable_pass_through_mode()->set_value(pass_through);
  auto* path = proto.add_headers();
  path->set_name(":path");
  path->mutable_string_match()->set_exact("/healthz");
  return proto;
}

std::shared_ptr<const upstream::EndpointSet> hosts(std::vector<upstream::Health> all) {
  static upstream::HostStates states;
  upstream::EndpointSet set;
  upstream::Locality locality;
  uint16_t port = 1;
  for (upstream::Health health : all) {
    upstream::Host host;
    host.address = net::Endpoint(boost::asio::ip::make_address("127.0.0.1"), port++);
    host.health = health;
    locality.hosts.push_back(std::move(host));
  }
  set.localities.push_back(std::move(locality));
  return upstream::make_endpoint_set(std::move(set), "c", states);
}

TEST(HealthCheck, AnswersProbesAndNothingElse) {
  auto factory = factory_of(health_check_type(), answering());
  FakeContext probe, other;
  probe.request_.set_path("/healthz");
  other.request_.set_path("/healthz/deep");
  MadeFilter a(*factory), b(*factory);
  EXPECT_EQ(a->on_request_head(probe, true), Verdict::kReplied);
  EXPECT_EQ(probe.replied->status, 200);
  EXPECT_EQ(probe.replied->details, "health_check_ok");
  EXPECT_FALSE(probe.replied->flag.has_value());
  EXPECT_TRUE(probe.info_.health_check);
  a->on_response_head(probe, true);
  EXPECT_EQ(probe.response_.value("x-envoy-upstream-healthchecked-cluster"), "local");
  EXPECT_EQ(b->on_request_head(other, true), Verdict::kContinue);
  EXPECT_FALSE(other.info_.health_check);
  b->on_response_head(other, true);
  EXPECT_FALSE(other.response_.find("x-envoy-upstream-healthchecked-cluster"));
}

TEST(HealthCheck, ToldToFail) {
  for (bool pass_through : {false, true}) {
    auto factory = factory_of(health_check_type(), answering(pass_through));
    FakeContext probe, other;
    probe.failed = other.failed = true;
    probe.request_.set_path("/healthz");
    other.request_.set_path("/");
    MadeFilter a(*factory), b(*factory);
    EXPECT_EQ(a->on_request_head(probe, true), Verdict::kReplied);
    EXPECT_EQ(probe.replied->status, 503);
    EXPECT_EQ(probe.replied->details, "health_check_failed");
    EXPECT_EQ(probe.replied->flag, observe::ResponseFlag::kFailedLocalHealthCheck);
    EXPECT_EQ(b->on_request_head(other, true), Verdict::kContinue);
    b->on_response_head(other, true);
    EXPECT_EQ(other.response_.value("x-envoy-immediate-health-check-fail"), "true");
  }
}

TEST(HealthCheck, AsHealthyAsItsClusters) {
  using upstream::Health;
  struct Row {
    double percentage;
    const char* cluster;
    int status;
    const char* details;
  };
  for (const Row& row :
       {Row{50, "half", 200, "health_check_ok_cluster_healthy"}, Row{51, "half", 503, "health_check_failed_cluster_unhealthy"},
        Row{100, "degraded", 200, "health_check_ok_cluster_healthy"}, Row{1, "empty", 503, "health_check_failed_cluster_empty"},
        Row{0, "empty", 200, "health_check_ok_cluster_healthy"}, Row{0, "none", 503, "health_check_failed_no_cluster_found"}}) {
    Proto proto = answering();
    (*proto.mutable_cluster_min_healthy_percentages())[row.cluster].set_value(row.percentage);
    auto factory = factory_of(health_check_type(), proto);
    FakeContext context;
    context.request_.set_path("/healthz");
    context.clusters["half"] = hosts({Health::kHealthy, Health::kUnhealthy});
    context.clusters["degraded"] = hosts({Health::kDegraded, Health::kUnknown});
    context.clusters["empty"] = hosts({});
    MadeFilter filter(*factory);
    EXPECT_EQ(filter->on_request_head(context, true), Verdict::kReplied);
    EXPECT_EQ(context.replied->status, row.status) << row.cluster;
    EXPECT_EQ(context.replied->details, row.details);
    EXPECT_EQ(context.replied->flag.has_value(), row.status != 200);
  }
}

TEST(HealthCheck, RemembersTheUpstreamsAnswerForAWhile) {
  using namespace std::chrono_literals;
  Proto proto = answering(true);
  proto.mutable_cache_time()->set_seconds(5);
  auto factory = factory_of(health_check_type(), proto);
  FakeContext first;
  first.now_ = std::chrono::steady_clock::time_point(100s);
  first.request_.set_path("/healthz");
  first.response_.set_status(503);
  first.response_.add("x-envoy-degraded", "");
  MadeFilter a(*factory);
  EXPECT_EQ(a->on_request_head(first, true), Verdict::kContinue);
  a->on_response_head(first, true);
  for (const auto& [after, verdict] : {std::pair{4s, Verdict::kReplied}, std::pair{5s, Verdict::kContinue}}) {
    FakeContext later;
    later.now_ = first.now_ + after;
    later.request_.set_path("/healthz");
    MadeFilter b(*factory);
    EXPECT_EQ(b->on_request_head(later, true), verdict);
    if (verdict == Verdict::kContinue) continue;
    EXPECT_EQ(later.replied->status, 503);
    EXPECT_EQ(later.replied->details, "health_check_cached");
    ASSERT_EQ(later.replied->headers.size(), 1u);
    // What was remembered is not remembered again: it would never end.
    later.response_.set_status(503);
    b->on_response_head(later, true);
  }
}

TEST(HealthCheck, WhatDoesNotGoTogether) {
  Proto cached = answering(false), passing = answering(true);
  cached.mutable_cache_time()->set_seconds(1);
  (*passing.mutable_cluster_min_healthy_percentages())["c"].set_value(1);
  for (const auto& [proto, field] : {std::pair{cached, "f.cache_time"}, std::pair{passing, "f.cluster_min_healthy_percentages"}}) {
    Diagnostics problems;
    const Runtime runtime;
    const Where where(problems, "f");
    health_check_type().make("h", proto.SerializeAsString(), {runtime, nullptr, {}}, where);
    EXPECT_NE(render(problems).find(field), std::string::npos) << render(problems);
  }
}

}  // namespace
}  // namespace weft::filters
