#include "proxy/filters/http/cors/filter.h"

#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "fake_context.h"

namespace weft::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::cors::v3;
using observe::CorsStat;
using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kOrigin = "http://shop.test";

v3::CorsPolicy policy_for(const char* origin) {
  v3::CorsPolicy policy;
  policy.add_allow_origin_string_match()->set_exact(origin);
  return policy;
}

class CorsTest : public testing::Test {
 protected:
  CorsTest() {
    context_.route_.action = std::make_shared<const routing::Forward>();
    context_.request_.set_method("GET");
  }
  void set(const v3::CorsPolicy& policy) { context_.configs["envoy.filters.http.cors"] = route_config_of(cors_type(), policy); }
  void preflight(const char* origin) {
    context_.request_.set_method("OPTIONS");
    context_.request_.set("origin", origin);
    context_.request_.set("access-control-request-method", "PUT");
  }
  int64_t sum(unsigned metric) { return observe::cors_scope(registry_, "main")->sum(metric); }

  observe::Registry registry_{1};
  std::unique_ptr<const FilterFactory> factory_ = factory_of(cors_type(), v3::Cors(), &registry_);
  FakeContext context_;
  MadeFilter filter_{*factory_};
};

TEST_F(CorsTest, AnswersAPreflightWithAllThatIsAllowed) {
  v3::CorsPolicy policy = policy_for(kOrigin);
  policy.set_allow_methods("PUT,DELETE");
  policy.set_allow_headers("x-a");
  policy.set_expose_headers("x-b");
  policy.set_max_age("600");
  policy.mutable_allow_credentials()->set_value(true);
  set(policy);
  preflight(kOrigin);
  EXPECT_EQ(filter_->on_request_head(context_, true), Verdict::kReplied);
  ASSERT_TRUE(context_.replied.has_value());
  EXPECT_EQ(context_.replied->status, 200);
  EXPECT_EQ(context_.replied->details, "cors_response");
  EXPECT_TRUE(context_.replied->as_it_stands);
  EXPECT_EQ(context_.replied->headers, (Headers{{"access-control-allow-origin", kOrigin},
                                                {"access-control-allow-credentials", "true"},
                                                {"access-control-allow-methods", "PUT,DELETE"},
                                                {"access-control-allow-headers", "x-a"},
                                                {"access-control-max-age", "600"}}));
  filter_->on_response_head(context_, true);
  EXPECT_EQ(context_.response_.value("access-control-expose-headers"), "x-b");
  EXPECT_EQ(sum(CorsStat::kOriginValid), 1);
}

TEST_F(CorsTest, MarksTheAnswerOfTheUpstream) {
  set(policy_for(kOrigin));
  context_.request_.add("origin", kOrigin);
  context_.response_.add("access-control-allow-origin", "*");
  EXPECT_EQ(filter_->on_request_head(context_, true), Verdict::kContinue);
  filter_->on_response_head(context_, true);
  EXPECT_EQ(context_.response_.value("access-control-allow-origin"), kOrigin);
  EXPECT_FALSE(context_.response_.find("access-control-allow-credentials"));
}

TEST_F(CorsTest, AnotherOriginGetsNothing) {
  set(policy_for(kOrigin));
  preflight("http://evil.test");
  EXPECT_EQ(filter_->on_request_head(context_, true), Verdict::kContinue);
  filter_->on_response_head(context_, true);
  EXPECT_FALSE(context_.response_.find("access-control-allow-origin"));
  EXPECT_EQ(sum(CorsStat::kOriginInvalid), 1);
}

TEST_F(CorsTest, APreflightOfAnotherOriginMayBeKeptFromTheUpstream) {
  v3::CorsPolicy policy = policy_for(kOrigin);
  policy.set_allow_methods("GET");
  policy.mutable_forward_not_matching_preflights()->set_value(false);
  set(policy);
  preflight("http://evil.test");
  EXPECT_EQ(filter_->on_request_head(context_, true), Verdict::kReplied);
  EXPECT_EQ(context_.replied->headers, (Headers{{"access-control-allow-methods", "GET"}}));
}

TEST_F(CorsTest, SilenceIsFilledFromMoreGeneralPolicies) {
  v3::CorsPolicy own, general = policy_for(kOrigin);
  own.set_allow_methods("GET");
  general.set_allow_methods("PUT");
  general.set_max_age("5");
  // Whether it acts at all is the most specific one's.
  general.mutable_filter_enabled()->mutable_default_value()->set_numerator(0);
  set(own);
  context_.more_general.push_back(route_config_of(cors_type(), general));
  preflight(kOrigin);
  EXPECT_EQ(filter_->on_request_head(context_, true), Verdict::kReplied);
  EXPECT_EQ(context_.replied->headers,
            (Headers{{"access-control-allow-origin", kOrigin}, {"access-control-allow-methods", "GET"}, {"access-control-max-age", "5"}}));
}

TEST_F(CorsTest, AStarAllowsEverybody) {
  set(policy_for("*"));
  context_.request_.add("origin", "http://any.test");
  filter_->on_request_head(context_, true);
  filter_->on_response_head(context_, true);
  EXPECT_EQ(context_.response_.value("access-control-allow-origin"), "http://any.test");
}

TEST_F(CorsTest, InTheShadowItOnlyCounts) {
  v3::CorsPolicy policy = policy_for(kOrigin);
  policy.mutable_filter_enabled()->mutable_default_value()->set_numerator(0);
  policy.mutable_shadow_enabled()->mutable_default_value()->set_numerator(100);
  set(policy);
  preflight(kOrigin);
  EXPECT_EQ(filter_->on_request_head(context_, true), Verdict::kContinue);
  filter_->on_response_head(context_, true);
  EXPECT_FALSE(context_.response_.find("access-control-allow-origin"));
  EXPECT_EQ(sum(CorsStat::kOriginValid), 1);
}

TEST_F(CorsTest, PrivateNetworksWhenAskedForAndAllowed) {
  v3::CorsPolicy policy = policy_for(kOrigin);
  policy.mutable_allow_private_network_access()->set_value(true);
  set(policy);
  preflight(kOrigin);
  context_.request_.set("access-control-request-private-network", "true");
  EXPECT_EQ(filter_->on_request_head(context_, true), Verdict::kReplied);
  EXPECT_EQ(context_.replied->headers.back(), (std::pair<std::string, std::string>("access-control-allow-private-network", "true")));
}

TEST_F(CorsTest, WhatDoesNotForwardHasNoPolicy) {
  set(policy_for(kOrigin));
  context_.route_.action = std::make_shared<const routing::Redirect>();
  preflight(kOrigin);
  EXPECT_EQ(filter_->on_request_head(context_, true), Verdict::kContinue);
  EXPECT_EQ(sum(CorsStat::kOriginValid), 0);
}

}  // namespace
}  // namespace weft::filters
