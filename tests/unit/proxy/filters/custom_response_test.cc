#include "proxy/filters/http/custom_response/filter.h"

#include "envoy/extensions/filters/http/custom_response/v3/custom_response.pb.h"
#include "envoy/extensions/http/custom_response/local_response_policy/v3/local_response_policy.pb.h"
#include "envoy/extensions/http/custom_response/redirect_policy/v3/redirect_policy.pb.h"
#include "envoy/type/matcher/v3/status_code_input.pb.h"
#include "tests/unit/proxy/filters/fake_context.h"

#include <google/protobuf/wrappers.pb.h>

namespace weft::filters {
namespace {

using Proto = envoy::extensions::filters::http::custom_response::v3::CustomResponse;
using Local = envoy::extensions::http::custom_response::local_response_policy::v3::LocalResponsePolicy;
using Redirect = envoy::extensions::http::custom_response::redirect_policy::v3::RedirectPolicy;

template <class Policy>
void on_status(Proto& proto, const std::string& status, const Policy& policy) {
  auto& matcher = *proto.mutable_custom_response_matcher()->mutable_matcher_list()->add_matchers();
  auto& predicate = *matcher.mutable_predicate()->mutable_single_predicate();
  predicate.mutable_input()->mutable_typed_config()->PackFrom(envoy::type::matcher::v3::HttpResponseStatusCodeMatchInput());
  predicate.mutable_value_match()->set_exact(status);
  matcher.mutable_on_match()->mutable_action()->mutable_typed_config()->PackFrom(policy);
}

Local page(const std::string& text) {
  Local policy;
  policy.mutable_body()->set_inline_string(text);
  return policy;
}

Proto with_pages() {
  Proto proto;
  on_status(proto, "404", page("missing"));
  Local other = page("teapot");
  other.mutable_status_code()->set_value(200);
  on_status(proto, "418", other);
  return proto;
}

class CustomResponseTest : public testing::Test {
 protected:
  Verdict answers(const FilterFactory& factory, int status) {
    context_.replied.reset();
    context_.response_.clear();
    context_.response_.set_status(status);
    MadeFilter filter(factory);
    filter->on_request_head(context_, true);
    return filter->on_response_head(context_, true);
  }
  FakeContext context_;
};

TEST_F(CustomResponseTest, WhatIsPicked) {
  const auto factory = factory_of(custom_response_type(), with_pages());
  EXPECT_EQ(answers(*factory, 200), Verdict::kContinue);
  EXPECT_EQ(answers(*factory, 404), Verdict::kReplied);
  ASSERT_TRUE(context_.replied.has_value());
  EXPECT_EQ(context_.replied->status, 404);
  EXPECT_EQ(context_.replied->body, "missing");
  EXPECT_EQ(answers(*factory, 418), Verdict::kReplied);
  EXPECT_EQ(context_.replied->status, 200);
}

TEST_F(CustomResponseTest, WithoutAMatcher) {
  const auto factory = factory_of(custom_response_type(), Proto());
  EXPECT_EQ(answers(*factory, 404), Verdict::kContinue);
}

TEST_F(CustomResponseTest, TheMostSpecificLevelThatPicks) {
  const auto factory = factory_of(custom_response_type(), with_pages());
  Proto own;
  on_status(own, "404", page("of the route"));
  context_.configs["envoy.filters.http.custom_response"] = route_config_of(custom_response_type(), own);
  EXPECT_EQ(answers(*factory, 404), Verdict::kReplied);
  EXPECT_EQ(context_.replied->body, "of the route");
  EXPECT_EQ(answers(*factory, 418), Verdict::kReplied);
  EXPECT_EQ(context_.replied->body, "teapot");
}

TEST_F(CustomResponseTest, ARedirectThatLeadsNowhere) {
  observe::Registry registry(1);
  Proto proto;
  Redirect policy;
  policy.set_uri("http://nobody.test/");
  on_status(proto, "404", policy);
  const auto factory = factory_of(custom_response_type(), proto, &registry);
  EXPECT_EQ(answers(*factory, 404), Verdict::kContinue);  // the context finds no route
  const auto scope = observe::custom_response_scope(registry, "main");
  EXPECT_EQ(scope->sum(observe::CustomResponseStat::kRedirectNoRoute), 1);
  // Who answers before this filter has seen the request is not sent elsewhere.
  context_.response_.set_status(404);
  MadeFilter filter(*factory);
  EXPECT_EQ(filter->on_response_head(context_, true), Verdict::kContinue);
  EXPECT_EQ(scope->sum(observe::CustomResponseStat::kRedirectNoRoute), 1);
}

TEST_F(CustomResponseTest, AUriWithoutAHost) {
  Proto proto;
  Redirect policy;
  policy.set_uri("/relative");
  on_status(proto, "404", policy);
  Diagnostics problems;
  const Where where(problems, "f");
  const Runtime runtime;
  custom_response_type().make("c", proto.SerializeAsString(), {runtime, nullptr, "main"}, where);
  EXPECT_NE(render(problems).find("f.custom_response_matcher.matcher_list.matchers[0].on_match.action.typed_config.(RedirectPolicy).uri"),
            std::string::npos)
      << render(problems);
}

}  // namespace
}  // namespace weft::filters
