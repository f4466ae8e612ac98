#include "proxy/filters/http/local_ratelimit/filter.h"

#include "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.pb.h"
#include "fake_context.h"

#include <thread>

namespace weft::filters {
namespace {

using Proto = envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit;
using observe::LocalRateLimitStat;
using namespace std::chrono_literals;

void fill(envoy::type::v3::TokenBucket& bucket, uint32_t max, int seconds) {
  bucket.set_max_tokens(max);
  bucket.mutable_fill_interval()->set_seconds(seconds);
}

Proto limit(uint32_t tokens, uint32_t enforced = 100) {
  Proto proto;
  proto.set_stat_prefix("mine");
  fill(*proto.mutable_token_bucket(), tokens, 10);
  proto.mutable_filter_enabled()->mutable_default_value()->set_numerator(100);
  proto.mutable_filter_enforced()->mutable_default_value()->set_numerator(enforced);
  return proto;
}

// A bucket for requests of this client; whose header says so.
void add_client(Proto& proto, const char* client, uint32_t tokens, bool shadow = false) {
  auto* own = proto.add_descriptors();
  own->set_shadow_mode(shadow);
  auto* entry = own->add_entries();
  entry->set_key("client");
  entry->set_value(client);
  fill(*own->mutable_token_bucket(), tokens, 20);
}
void read_client(Proto& proto) {
  auto* header = proto.add_rate_limits()->add_actions()->mutable_request_headers();
  header->set_header_name("X-Client");
  header->set_descriptor_key("client");
}

Verdict ask(const FilterFactory& factory, FakeContext& context, const char* client = nullptr) {
  context.replied.reset();
  context.response_.clear();
  if (client) context.request_.set("x-client", client);
  MadeFilter filter(factory);
  const Verdict verdict = filter->on_request_head(context, true);
  filter->on_response_head(context, true);
  return verdict;
}

TEST(TokenBucket, GivesWhatHasGathered) {
  TokenBucket bucket(2, 0.5);
  const TokenBucket::Time start(1000s);
  EXPECT_EQ(bucket.remaining(start), 2u);
  EXPECT_TRUE(bucket.take(start));
  EXPECT_EQ(bucket.next(start), 0s);
  EXPECT_TRUE(bucket.take(start));
  EXPECT_FALSE(bucket.take(start));
  EXPECT_EQ(bucket.remaining(start), 0u);
  EXPECT_EQ(bucket.next(start), 2s);
  EXPECT_FALSE(bucket.take(start + 1900ms));
  EXPECT_TRUE(bucket.take(start + 2s));
  EXPECT_FALSE(bucket.take(start + 2s));
  // Never more than it holds.
  EXPECT_EQ(bucket.remaining(start + 1h), 2u);
  EXPECT_FALSE(TokenBucket(0, 100).take(start));
}

TEST(TokenBucket, NoTokenTwice) {
  TokenBucket bucket(1000, 0.001);
  const TokenBucket::Time now(1000s);
  std::atomic<int> given{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 500; ++k) given += bucket.take(now);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(given, 1000);
}

TEST(LocalRateLimit, AnswersWhoComesTooOften) {
  observe::Registry registry(1);
  Proto proto = limit(1);
  proto.set_enable_x_ratelimit_headers(envoy::extensions::common::ratelimit::v3::DRAFT_VERSION_03);
  auto* header = proto.add_response_headers_to_add()->mutable_header();
  header->set_key("x-limited");
  header->set_value("yes");
  auto factory = factory_of(local_ratelimit_type(), proto, &registry);
  FakeContext context;
  EXPECT_EQ(ask(*factory, context), Verdict::kContinue);
  EXPECT_EQ(context.response_.value("x-ratelimit-limit"), "1");
  EXPECT_FALSE(context.response_.find("x-limited"));
  EXPECT_EQ(ask(*factory, context), Verdict::kReplied);
  EXPECT_EQ(context.replied->status, 429);
  EXPECT_EQ(context.replied->body, "local_rate_limited");
  EXPECT_EQ(context.replied->details, "local_rate_limited");
  EXPECT_EQ(context.replied->flag, observe::ResponseFlag::kRateLimited);
  EXPECT_EQ(context.response_.value("x-limited"), "yes");
  EXPECT_EQ(context.response_.value("x-ratelimit-remaining"), "0");
  EXPECT_EQ(context.response_.value("x-ratelimit-reset"), "10");
  context.now_ += 10s;
  EXPECT_EQ(ask(*factory, context), Verdict::kContinue);
  auto stats = observe::local_rate_limit_scope(registry, "mine");
  EXPECT_EQ(stats->sum(LocalRateLimitStat::kEnabled), 3);
  EXPECT_EQ(stats->sum(LocalRateLimitStat::kOk), 2);
  EXPECT_EQ(stats->sum(LocalRateLimitStat::kRateLimited), 1);
  EXPECT_EQ(stats->sum(LocalRateLimitStat::kEnforced), 1);
}

TEST(LocalRateLimit, WhenToComeBack) {  // (envoy)
  Proto proto = limit(1);
  proto.set_enable_retry_after_header(true);
  auto factory = factory_of(local_ratelimit_type(), proto, nullptr);
  FakeContext context;
  EXPECT_EQ(ask(*factory, context), Verdict::kContinue);
  EXPECT_FALSE(context.response_.find("retry-after"));
  EXPECT_EQ(ask(*factory, context), Verdict::kReplied);
  EXPECT_EQ(context.response_.value("retry-after"), "10");
  auto* header = proto.add_response_headers_to_add()->mutable_header();
  header->set_key("retry-after");
  header->set_value("7");
  factory = factory_of(local_ratelimit_type(), proto, nullptr);
  ask(*factory, context);
  EXPECT_EQ(ask(*factory, context), Verdict::kReplied);
  EXPECT_EQ(context.response_.value("retry-after"), "7");
}

TEST(LocalRateLimit, ARuleSaysWhetherItsLimitIsTold) {  // (envoy)
  Proto proto = limit(5);
  proto.set_enable_x_ratelimit_headers(envoy::extensions::common::ratelimit::v3::DRAFT_VERSION_03);
  add_client(proto, "a", 2);
  read_client(proto);
  proto.mutable_rate_limits(0)->set_x_ratelimit_option(envoy::config::route::v3::RateLimit::OFF);
  auto factory = factory_of(local_ratelimit_type(), proto, nullptr);
  FakeContext context;
  ask(*factory, context, "a");
  EXPECT_FALSE(context.response_.find("x-ratelimit-limit"));
  ask(*factory, context, "b");
  EXPECT_EQ(context.response_.value("x-ratelimit-limit"), "5");
  proto.mutable_rate_limits(0)->set_x_ratelimit_option(envoy::config::route::v3::RateLimit::DRAFT_VERSION_03);
  proto.set_enable_x_ratelimit_headers(envoy::extensions::common::ratelimit::v3::OFF);
  factory = factory_of(local_ratelimit_type(), proto, nullptr);
  ask(*factory, context, "a");
  EXPECT_EQ(context.response_.value("x-ratelimit-limit"), "2");
  ask(*factory, context, "b");
  EXPECT_FALSE(context.response_.find("x-ratelimit-limit"));
}

TEST(LocalRateLimit, HitsThatAreGivenBack) {  // (envoy)
  Proto proto = limit(5);
  add_client(proto, "a", 2);
  read_client(proto);
  proto.mutable_rate_limits(0)->mutable_hits_addend()->mutable_number()->set_value(2);
  auto takes = factory_of(local_ratelimit_type(), proto, nullptr);
  FakeContext context;
  EXPECT_EQ(ask(*takes, context, "a"), Verdict::kContinue);
  EXPECT_EQ(ask(*takes, context, "a"), Verdict::kReplied);
  proto.mutable_rate_limits(0)->mutable_hits_addend()->set_is_negative_hits(true);
  auto gives = factory_of(local_ratelimit_type(), proto, nullptr);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(*gives, context, "a"), Verdict::kContinue);
}

TEST(LocalRateLimit, NotEnforcedItTellsTheUpstream) {
  Proto proto = limit(0, 0);
  auto* header = proto.add_request_headers_to_add_when_not_enforced()->mutable_header();
  header->set_key("x-over");
  header->set_value("1");
  auto factory = factory_of(local_ratelimit_type(), proto);
  FakeContext context;
  EXPECT_EQ(ask(*factory, context), Verdict::kContinue);
  EXPECT_EQ(context.request_.value("x-over"), "1");
}

TEST(LocalRateLimit, OffUnlessToldOtherwise) {
  Proto proto = limit(0);
  proto.clear_filter_enabled();
  auto factory = factory_of(local_ratelimit_type(), proto);
  FakeContext context;
  EXPECT_EQ(ask(*factory, context), Verdict::kContinue);
}

TEST(LocalRateLimit, StatusOfItsOwn) {
  for (const auto& [code, status] : {std::pair{503, 503}, std::pair{302, 429}}) {
    Proto proto = limit(0);
    proto.mutable_status()->set_code(static_cast<envoy::type::v3::StatusCode>(code));
    proto.set_rate_limited_as_resource_exhausted(true);
    auto factory = factory_of(local_ratelimit_type(), proto);
    FakeContext context;
    EXPECT_EQ(ask(*factory, context), Verdict::kReplied);
    EXPECT_EQ(context.replied->status, status);
    EXPECT_EQ(context.replied->grpc_status, 8);
  }
}

TEST(LocalRateLimit, DescriptorsHaveBucketsOfTheirOwn) {
  Proto proto = limit(3);
  read_client(proto);
  add_client(proto, "a", 1);
  add_client(proto, "b", 5);
  auto factory = factory_of(local_ratelimit_type(), proto);
  FakeContext context;
  EXPECT_EQ(ask(*factory, context, "a"), Verdict::kContinue);
  EXPECT_EQ(ask(*factory, context, "a"), Verdict::kReplied);
  // Both buckets have to give.
  EXPECT_EQ(ask(*factory, context, "b"), Verdict::kContinue);
  EXPECT_EQ(ask(*factory, context, "nobody"), Verdict::kContinue);
  EXPECT_EQ(ask(*factory, context, "b"), Verdict::kReplied);
}

TEST(LocalRateLimit, TheDefaultBucketMayBeForTheOthersAlone) {
  Proto proto = limit(0);
  proto.mutable_always_consume_default_token_bucket()->set_value(false);
  read_client(proto);
  add_client(proto, "a", 1);
  auto factory = factory_of(local_ratelimit_type(), proto);
  FakeContext context;
  EXPECT_EQ(ask(*factory, context, "a"), Verdict::kContinue);
  EXPECT_EQ(ask(*factory, context, "a"), Verdict::kReplied);
  EXPECT_EQ(ask(*factory, context, "b"), Verdict::kReplied);
}

TEST(LocalRateLimit, ABucketForEachValueThatComes) {
  Proto proto = limit(99);
  proto.mutable_max_dynamic_descriptors()->set_value(2);
  read_client(proto);
  add_client(proto, "", 1);
  add_client(proto, "named", 2);
  auto factory = factory_of(local_ratelimit_type(), proto);
  FakeContext context;
  EXPECT_EQ(ask(*factory, context, "a"), Verdict::kContinue);
  EXPECT_EQ(ask(*factory, context, "b"), Verdict::kContinue);
  EXPECT_EQ(ask(*factory, context, "a"), Verdict::kReplied);
  // Who has a bucket of his own needs none of these.
  EXPECT_EQ(ask(*factory, context, "named"), Verdict::kContinue);
  EXPECT_EQ(ask(*factory, context, "named"), Verdict::kContinue);
  EXPECT_EQ(ask(*factory, context, "named"), Verdict::kReplied);
  // A third value takes the place of the one that was used longest ago: b.
  EXPECT_EQ(ask(*factory, context, "c"), Verdict::kContinue);
  EXPECT_EQ(ask(*factory, context, "a"), Verdict::kReplied);
  EXPECT_EQ(ask(*factory, context, "b"), Verdict::kContinue);
}

TEST(LocalRateLimit, ADescriptorInTheShadowOnlyCounts) {
  observe::Registry registry(1);
  Proto proto = limit(9);
  read_client(proto);
  add_client(proto, "a", 0, true);
  auto factory = factory_of(local_ratelimit_type(), proto, &registry);
  FakeContext context;
  EXPECT_EQ(ask(*factory, context, "a"), Verdict::kContinue);
  auto stats = observe::local_rate_limit_scope(registry, "mine");
  EXPECT_EQ(stats->sum(LocalRateLimitStat::kShadowMode), 1);
  EXPECT_EQ(stats->sum(LocalRateLimitStat::kRateLimited), 1);
  EXPECT_EQ(stats->sum(LocalRateLimitStat::kEnforced), 0);
}

TEST(LocalRateLimit, RulesOfRouteAndVirtualHost) {
  namespace common = envoy::extensions::common::ratelimit::v3;
  auto rules = [](const char* value) {
    routing::RateLimitRule rule;
    rule.actions.push_back({routing::RateLimitAction::Kind::kGenericKey, "client", value, ""});
    return std::make_shared<const routing::RateLimitRules>(routing::RateLimitRules{rule});
  };
  struct Row {
    common::VhRateLimitsOptions option;
    bool of_route;
    Verdict verdict;  // with a bucket for "host" that is empty
  };
  for (const Row& row : {Row{common::OVERRIDE, false, Verdict::kReplied}, Row{common::OVERRIDE, true, Verdict::kContinue},
                         Row{common::INCLUDE, true, Verdict::kReplied}, Row{common::IGNORE, false, Verdict::kContinue}}) {
    Proto proto = limit(9);
    proto.set_vh_rate_limits(row.option);
    add_client(proto, "host", 0);
    auto factory = factory_of(local_ratelimit_type(), proto);
    FakeContext context;
    routing::VirtualHost host;
    host.rate_limits = rules("host");
    auto forward = std::make_shared<routing::Forward>();
    if (row.of_route) forward->rate_limits = rules("route");
    context.route_.action = std::shared_ptr<const routing::Forward>(forward);
    context.route_.virtual_host = &host;
    EXPECT_EQ(ask(*factory, context), row.verdict) << row.option << row.of_route;
  }
}

TEST(LocalRateLimit, TheRouteSaysOtherwise) {
  auto factory = factory_of(local_ratelimit_type(), limit(9));
  FakeContext context;
  context.configs["envoy.filters.http.local_ratelimit"] = route_config_of(local_ratelimit_type(), limit(0));
  EXPECT_EQ(ask(*factory, context), Verdict::kReplied);
}

TEST(LocalRateLimit, WhatMakesNoSense) {
  Proto doubles = limit(1), staged = limit(1), route = limit(1);
  add_client(doubles, "a", 1);
  add_client(doubles, "a", 2);
  read_client(staged);
  staged.mutable_rate_limits(0)->mutable_stage()->set_value(1);
  route.clear_token_bucket();
  const Runtime runtime;
  auto text = [&](auto make) {
    Diagnostics problems;
    const Where where(problems, "f");
    make(where);
    return render(problems);
  };
  const FilterBuild build{runtime, nullptr, {}};
  EXPECT_NE(text([&](const Where& w) { local_ratelimit_type().make("l", doubles.SerializeAsString(), build, w); }).find("f.descriptors[1]"),
            std::string::npos);
  EXPECT_NE(
      text([&](const Where& w) { local_ratelimit_type().make("l", staged.SerializeAsString(), build, w); }).find("f.rate_limits[0].stage"),
      std::string::npos);
  EXPECT_NE(
      text([&](const Where& w) { local_ratelimit_type().make_for_route(route.SerializeAsString(), build, w); }).find("f.token_bucket"),
      std::string::npos);
}

}  // namespace
}  // namespace weft::filters
