#include "proxy/filters/http/ratelimit/filter.h"

#include "envoy/extensions/filters/http/ratelimit/v3/rate_limit.pb.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "fake_context.h"

namespace weft::filters {
namespace {

using RateLimitProto = envoy::extensions::filters::http::ratelimit::v3::RateLimit;
using Answer = envoy::service::ratelimit::v3::RateLimitResponse;
using Question = envoy::service::ratelimit::v3::RateLimitRequest;
using observe::RateLimitStat;

std::string framed(const Answer& answer) {
  const std::string bytes = answer.SerializeAsString();
  std::string frame(5, '\0');
  frame[3] = static_cast<char>(bytes.size() >> 8);
  frame[4] = static_cast<char>(bytes.size() & 0xff);
  return frame + bytes;
}

class RateLimitTest : public testing::Test {
 protected:
  RateLimitTest() {
    proto_.set_domain("shop");
    proto_.mutable_timeout()->set_nanos(50'000'000);
    proto_.mutable_rate_limit_service()->mutable_grpc_service()->mutable_envoy_grpc()->set_cluster_name("rls");
    proto_.mutable_rate_limit_service()->set_transport_api_version(envoy::config::core::v3::V3);
    auto forward = std::make_shared<routing::Forward>();
    forward->cluster = "up";
    routing::RateLimitRules rules(1);
    routing::RateLimitAction action;
    action.key = "generic_key";
    action.value = "all";
    rules[0].actions.push_back(action);
    forward->rate_limits = std::make_shared<const routing::RateLimitRules>(rules);
    context_.route_.action = std::shared_ptr<const routing::Forward>(forward);
    context_.info_.upstream_cluster_raw = context_.info_.upstream_cluster = "up";
  }
  Verdict start() {
    factory_ = factory_of(ratelimit_type(), proto_, &registry_);
    filter_ = std::make_unique<MadeFilter>(*factory_);
    return (*filter_)->on_request_head(context_, true);
  }
  void answer(const Answer& answer, const char* grpc_status = "0") {
    http::Head head(context_.pool), trailers(context_.pool);
    head.set_status(200);
    trailers.add("grpc-status", grpc_status);
    context_.caller_.answer_to->on_trailers(trailers);
    context_.caller_.answer_to->on_answer(head, framed(answer));
  }
  Question question() const {
    Question out;
    EXPECT_TRUE(out.ParseFromString(context_.caller_.asked->body.substr(5)));
    return out;
  }
  int64_t counted(unsigned metric) { return observe::ratelimit_scope(registry_, "up", "")->sum(metric); }

  observe::Registry registry_{1};
  RateLimitProto proto_;
  FakeContext context_;
  std::unique_ptr<const FilterFactory> factory_;
  std::unique_ptr<MadeFilter> filter_;
};

TEST_F(RateLimitTest, AsksInGrpc) {
  EXPECT_EQ(start(), Verdict::kWait);
  const upstream::CallRequest& asked = *context_.caller_.asked;
  EXPECT_EQ(asked.cluster, "rls");
  EXPECT_EQ(asked.path, "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit");
  EXPECT_EQ(asked.timeout, std::chrono::milliseconds(50));
  EXPECT_EQ(question().domain(), "shop");
  ASSERT_EQ(question().descriptors_size(), 1);
  EXPECT_EQ(question().descriptors(0).entries(0).value(), "all");
  Answer ok;
  ok.set_overall_code(Answer::OK);
  auto* header = ok.add_request_headers_to_add();
  header->set_key("X-Quota");
  header->set_value("7");
  answer(ok);
  EXPECT_EQ(context_.resumed, 1);
  EXPECT_EQ(context_.request_.value("x-quota"), "7");
  EXPECT_EQ(counted(RateLimitStat::kOk), 1);
  (*filter_)->on_done(context_);
}

TEST_F(RateLimitTest, OverTheLimit) {
  proto_.set_enable_x_ratelimit_headers(RateLimitProto::DRAFT_VERSION_03);
  proto_.set_rate_limited_as_resource_exhausted(true);
  start();
  Answer over;
  over.set_overall_code(Answer::OVER_LIMIT);
  auto* status = over.add_statuses();
  status->mutable_current_limit()->set_requests_per_unit(10);
  status->mutable_current_limit()->set_unit(Answer::RateLimit::MINUTE);
  status->mutable_current_limit()->set_name("per minute");
  status->set_limit_remaining(0);
  status->mutable_duration_until_reset()->set_seconds(9);
  status = over.add_statuses();
  status->mutable_current_limit()->set_requests_per_unit(500);
  status->mutable_current_limit()->set_unit(Answer::RateLimit::HOUR);
  status->set_limit_remaining(3);
  answer(over);
  ASSERT_TRUE(context_.replied.has_value());
  EXPECT_EQ(context_.replied->status, 429);
  EXPECT_EQ(context_.replied->details, "request_rate_limited");
  EXPECT_EQ(context_.replied->flag, observe::ResponseFlag::kRateLimited);
  EXPECT_EQ(context_.replied->grpc_status, 8);
  EXPECT_EQ(context_.replied->headers, (RateLimitAnswer::Headers{{"x-envoy-ratelimited", "true"}}));
  (*filter_)->on_response_head(context_, true);
  EXPECT_EQ(context_.response_.value("x-ratelimit-limit"), "10, 10;w=60;name=\"per minute\", 500;w=3600");
  EXPECT_EQ(context_.response_.value("x-ratelimit-remaining"), "0");
  EXPECT_EQ(context_.response_.value("x-ratelimit-reset"), "9");
  EXPECT_EQ(counted(RateLimitStat::kOverLimit), 1);
  (*filter_)->on_done(context_);
}

TEST_F(RateLimitTest, ARuleSaysWhetherItsLimitIsTold) {
  routing::RateLimitRules rules(2);
  for (auto& rule : rules) {
    rule.actions.emplace_back();
    rule.actions[0].key = rule.actions[0].value = "a";
  }
  const auto told = [&](routing::TellLimit first, routing::TellLimit second, bool by_filter) {
    rules[0].tell = first;
    rules[1].tell = second;
    auto forward = std::make_shared<routing::Forward>();
    forward->rate_limits = std::make_shared<const routing::RateLimitRules>(rules);
    context_.route_.action = std::shared_ptr<const routing::Forward>(forward);
    proto_.set_enable_x_ratelimit_headers(by_filter ? RateLimitProto::DRAFT_VERSION_03 : RateLimitProto::OFF);
    context_.response_.clear();
    EXPECT_EQ(start(), Verdict::kWait);
    Answer within;
    within.set_overall_code(Answer::OK);
    for (uint32_t remaining : {2u, 5u}) {
      auto* status = within.add_statuses();
      status->mutable_current_limit()->set_requests_per_unit(remaining + 10);
      status->mutable_current_limit()->set_unit(Answer::RateLimit::MINUTE);
      status->set_limit_remaining(remaining);
    }
    answer(within);
    (*filter_)->on_response_head(context_, true);
    (*filter_)->on_done(context_);
    return std::string(context_.response_.value("x-ratelimit-limit"));
  };
  using enum routing::TellLimit;
  EXPECT_EQ(told(kAsFilter, kAsFilter, true), "12, 12;w=60, 15;w=60");
  EXPECT_EQ(told(kAsFilter, kNever, true), "12, 12;w=60");
  EXPECT_EQ(told(kNever, kAsFilter, true), "");  // it is the nearest
  EXPECT_EQ(told(kAlways, kAsFilter, false), "12, 12;w=60");
  EXPECT_EQ(told(kAsFilter, kAlways, false), "");
}

TEST_F(RateLimitTest, WhenToComeBack) {
  proto_.set_enable_retry_after_header(true);
  const auto told = [&](std::vector<std::pair<bool, int>> statuses, const char* own = nullptr) {
    context_.response_.clear();
    start();
    Answer over;
    over.set_overall_code(Answer::OVER_LIMIT);
    for (const auto& [is_over, seconds] : statuses) {
      auto* status = over.add_statuses();
      status->set_code(is_over ? Answer::OVER_LIMIT : Answer::OK);
      status->mutable_duration_until_reset()->set_seconds(seconds);
    }
    if (own) {
      auto* header = over.add_response_headers_to_add();
      header->set_key("Retry-After");
      header->set_value(own);
    }
    answer(over);
    (*filter_)->on_response_head(context_, true);
    (*filter_)->on_done(context_);
    return std::string(context_.response_.value("retry-after"));
  };
  EXPECT_EQ(told({{true, 9}, {true, 30}, {false, 60}}), "30");
  EXPECT_EQ(told({{true, 0}}), "1");
  EXPECT_EQ(told({{true, 9}}, "77"), "77");
  proto_.mutable_rate_limited_status()->set_code(envoy::type::v3::ServiceUnavailable);
  EXPECT_EQ(told({{true, 9}}), "");
}

TEST_F(RateLimitTest, WhoCannotBeAskedLetsPassUnlessToldOtherwise) {
  start();
  context_.caller_.answer_to->on_failed(observe::ResponseFlag::kUpstreamRequestTimeout, "timeout");
  EXPECT_EQ(context_.resumed, 1);
  EXPECT_EQ(counted(RateLimitStat::kError), 1);
  EXPECT_EQ(counted(RateLimitStat::kFailureModeAllowed), 1);
  (*filter_)->on_done(context_);
  proto_.set_failure_mode_deny(true);
  start();
  answer(Answer(), "14");
  ASSERT_TRUE(context_.replied.has_value());
  EXPECT_EQ(context_.replied->status, 500);
  EXPECT_EQ(context_.replied->details, "rate_limiter_error");
  EXPECT_EQ(context_.replied->flag, observe::ResponseFlag::kRateLimitServiceError);
  (*filter_)->on_done(context_);
}

TEST_F(RateLimitTest, AnswersThatMakeNoSense) {
  proto_.set_failure_mode_deny(true);
  for (const char* frame : {"", "\0\0\0", "garbage that is no frame"}) {
    context_.replied.reset();
    start();
    http::Head head(context_.pool);
    head.set_status(200);
    head.add("grpc-status", "0");
    context_.caller_.answer_to->on_answer(head, frame);
    ASSERT_TRUE(context_.replied.has_value()) << frame;
    (*filter_)->on_done(context_);
  }
}

TEST_F(RateLimitTest, OnlyOneKindOfRequests) {
  proto_.set_request_type("internal");
  EXPECT_EQ(start(), Verdict::kContinue);
  context_.request_.add("x-envoy-internal", "true");
  EXPECT_EQ(start(), Verdict::kWait);
  (*filter_)->on_done(context_);
  EXPECT_TRUE(context_.caller_.given_up);
  proto_.set_request_type("external");
  EXPECT_EQ(start(), Verdict::kContinue);
}

TEST_F(RateLimitTest, OfAnotherStageOrWithoutRulesNothingIsAsked) {
  proto_.set_stage(1);
  EXPECT_EQ(start(), Verdict::kContinue);
  proto_.set_stage(0);
  auto bare = std::make_shared<routing::Forward>();
  bare->cluster = "up";
  context_.route_.action = std::shared_ptr<const routing::Forward>(bare);
  EXPECT_EQ(start(), Verdict::kContinue);
}

TEST_F(RateLimitTest, ARouteMayHaveADomainAndRulesOfItsOwn) {
  envoy::extensions::filters::http::ratelimit::v3::RateLimitPerRoute route;
  route.set_domain("own");
  auto* rule = route.add_rate_limits();
  rule->add_actions()->mutable_generic_key()->set_descriptor_value("mine");
  rule->mutable_hits_addend()->mutable_number()->set_value(5);
  context_.configs["envoy.filters.http.ratelimit"] = route_config_of(ratelimit_type(), route);
  EXPECT_EQ(start(), Verdict::kWait);
  EXPECT_EQ(question().domain(), "own");
  ASSERT_EQ(question().descriptors_size(), 1);
  EXPECT_EQ(question().descriptors(0).entries(0).value(), "mine");
  EXPECT_EQ(question().descriptors(0).hits_addend().value(), 5u);
  (*filter_)->on_done(context_);
}

}  // namespace
}  // namespace weft::filters
