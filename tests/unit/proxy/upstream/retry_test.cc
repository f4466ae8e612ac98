#include "proxy/upstream/retry.h"

#include "tests/unit/proxy/routing/test_head.h"

#include <gtest/gtest.h>

namespace weft::upstream {
namespace {

using routing::HeaderMatcher;
using routing::RetryPolicy;
using routing::StringMatcher;
using testing::TestHead;
using Kind = RetryDecision::Kind;

constexpr Priority kDefault = Priority::kDefault;
constexpr AttemptFailure kConnect = AttemptFailure::kConnectFailed, kReset = AttemptFailure::kRemoteReset,
                         kRefused = AttemptFailure::kRefusedStream, kTry = AttemptFailure::kPerTryTimeout,
                         kOver = AttemptFailure::kOverflow;

RetryPolicy on(const char* words, uint32_t retries = 1) {
  RetryPolicy policy;
  policy.retry_on = routing::parse_retry_on_config(words).bits;
  policy.num_retries = retries;
  return policy;
}

TEST(Retry, TakesUpAnswersThatThePolicyNames) {
  struct Case {
    const char* words;
    int status;
    testing::Lines lines;
    bool retried;
  } cases[] = {
      {"5xx", 500, {}, true},
      {"5xx", 599, {}, true},
      {"5xx", 499, {}, false},
      {"gateway-error", 502, {}, true},
      {"gateway-error", 504, {}, true},
      {"gateway-error", 500, {}, false},
      {"gateway-error", 505, {}, false},
      {"retriable-4xx", 409, {}, true},
      {"retriable-4xx", 404, {}, false},
      {"retriable-status-codes", 418, {}, true},
      {"retriable-status-codes", 503, {}, false},
      {"5xx", 418, {}, false},
      {"retriable-headers", 200, {{"x-retry", "yes"}}, true},
      {"retriable-headers", 200, {{"x-retry", "no"}}, false},
      {"5xx", 200, {{"x-retry", "yes"}}, false},
      {"reset,connect-failure,refused-stream", 503, {}, false},
      {"5xx", 503, {{"x-envoy-overloaded", "true"}}, false},
      {"5xx", 503, {{"x-envoy-ratelimited", "true"}}, false},
      {"envoy-ratelimited", 429, {{"x-envoy-ratelimited", "true"}}, true},
      {"cancelled", 200, {{"grpc-status", "1"}}, true},
      {"deadline-exceeded", 200, {{"grpc-status", "4"}}, true},
      {"resource-exhausted", 200, {{"grpc-status", "8"}}, true},
      {"internal", 200, {{"grpc-status", "13"}}, true},
      {"unavailable", 200, {{"grpc-status", "14"}}, true},
      {"unavailable", 200, {{"grpc-status", "13"}}, false},
      {"unavailable", 200, {{"grpc-status", "x"}}, false},
      {"unavailable", 200, {}, false},
      {"", 503, {}, false},
  };
  for (const Case& c : cases) {
    RetryPolicy policy = on(c.words);
    policy.retriable_status_codes = {418};
    policy.retriable_headers.push_back(HeaderMatcher::string("x-retry", {StringMatcher::Kind::kExact, "yes"}));
    Budget budget({});
    TestHead request("/"), answer(c.status, c.lines);
    RetryState retry(&policy, request, budget, kDefault);
    EXPECT_EQ(retry.decide_on_head(answer, 0).kind, c.retried ? Kind::kRetry : Kind::kNo) << c.words << " on " << c.status;
  }
}

TEST(Retry, TakesUpFailuresThatThePolicyNames) {
  struct Case {
    const char* words;
    AttemptFailure failure;
    bool sent;
    bool retried;
  } cases[] = {
      {"5xx", kConnect, false, true},
      {"5xx", kReset, true, true},
      {"5xx", kTry, true, true},
      {"gateway-error", kReset, true, true},
      {"5xx", kOver, false, false},
      {"reset", kOver, false, false},
      {"reset", kReset, true, true},
      {"reset", kTry, true, true},
      {"connect-failure", kConnect, false, true},
      {"connect-failure", kReset, true, false},
      {"connect-failure", kTry, true, false},
      {"refused-stream", kRefused, true, true},
      {"refused-stream", kReset, true, false},
      {"reset-before-request", kReset, false, true},
      {"reset-before-request", kReset, true, false},
      {"retriable-status-codes", kReset, true, false},
      {"unavailable", kConnect, false, false},
      {"", kConnect, false, false},
  };
  for (const Case& c : cases) {
    RetryPolicy policy = on(c.words);
    Budget budget({});
    TestHead request("/");
    RetryState retry(&policy, request, budget, kDefault);
    EXPECT_EQ(retry.decide_on_failure(c.failure, c.sent, 0).retry(), c.retried) << c.words << " on " << static_cast<int>(c.failure);
  }
}

TEST(Retry, EndsAtItsLimit) {
  RetryPolicy policy = on("5xx", 2);
  Budget budget({});
  TestHead request("/"), bad(503, {}), good(200, {});
  RetryState retry(&policy, request, budget, kDefault);
  EXPECT_TRUE(retry.decide_on_head(bad, 0).retry());
  EXPECT_EQ(budget.retries(kDefault), 1u);
  EXPECT_TRUE(retry.decide_on_failure(kReset, true, 0).retry());
  EXPECT_EQ(budget.retries(kDefault), 1u);
  EXPECT_EQ(retry.decide_on_head(bad, 0).kind, Kind::kLimitExceeded);
  EXPECT_EQ(budget.retries(kDefault), 0u);
  EXPECT_EQ(retry.decide_on_head(good, 0).kind, Kind::kNo);
  EXPECT_EQ(retry.retries(), 2u);
}

TEST(Retry, GivesItsPlaceBack) {
  RetryPolicy policy = on("5xx", 2);
  Budget budget({});
  TestHead request("/"), bad(503, {});
  {
    RetryState retry(&policy, request, budget, kDefault);
    EXPECT_TRUE(retry.decide_on_head(bad, 0).retry());
    EXPECT_EQ(budget.retries(kDefault), 1u);
  }
  EXPECT_EQ(budget.retries(kDefault), 0u);
}

TEST(Retry, StopsWhenTheBudgetIsSpent) {
  RetryPolicy policy = on("5xx", 5);
  Budget budget({Thresholds{.max_retries = 1}, Thresholds{}});
  TestHead first("/"), second("/"), bad(503, {});
  RetryState one(&policy, first, budget, kDefault), two(&policy, second, budget, kDefault);
  EXPECT_TRUE(one.decide_on_head(bad, 0).retry());
  EXPECT_EQ(two.decide_on_head(bad, 0).kind, Kind::kOverflow);
  one.release();
  EXPECT_TRUE(two.decide_on_head(bad, 0).retry());
}

TEST(Retry, BacksOffExponentiallyWithFullJitter) {
  RetryPolicy policy = on("5xx", 8);
  Budget budget({});
  TestHead request("/"), bad(503, {});
  RetryState retry(&policy, request, budget, kDefault);
  for (int64_t bound : {25, 50, 100, 200, 250, 250, 250, 250}) {
    // The largest remainder: one less than the interval.
    auto delay = retry.decide_on_head(bad, static_cast<uint64_t>(bound) * 1000 - 1).delay.count();
    EXPECT_EQ(delay, bound - 1);
  }
  policy.base_interval = std::chrono::milliseconds(10);
  policy.max_interval = std::chrono::milliseconds(15);
  TestHead other("/");
  RetryState capped(&policy, other, budget, kDefault);
  EXPECT_EQ(capped.decide_on_head(bad, 9).delay.count(), 9);
  EXPECT_EQ(capped.decide_on_head(bad, 14).delay.count(), 14);
  EXPECT_EQ(capped.decide_on_head(bad, 15).delay.count(), 0);
}

TEST(Retry, ListensToTheRequestsHeaders) {
  Budget budget({Thresholds{.max_retries = 100}, Thresholds{}});
  TestHead request("/", {{"x-envoy-retry-on", "5xx,bogus"}, {"x-envoy-max-retries", "3"}, {"x-envoy-retry-grpc-on", "unavailable"}});
  TestHead bad(503, {}), unavailable(200, {{"grpc-status", "14"}});
  RetryState retry(nullptr, request, budget, kDefault);
  EXPECT_TRUE(retry.enabled());
  EXPECT_EQ(retry.limit(), 3u);
  for (const char* name : {"x-envoy-retry-on", "x-envoy-max-retries", "x-envoy-retry-grpc-on"}) EXPECT_FALSE(request.has(name));
  EXPECT_TRUE(retry.decide_on_head(bad, 0).retry());
  EXPECT_TRUE(retry.decide_on_head(unavailable, 0).retry());

  TestHead codes("/", {{"x-envoy-retry-on", "retriable-status-codes,retriable-headers"},
                       {"x-envoy-retriable-status-codes", "404, 418,x"},
                       {"x-envoy-retriable-header-names", "X-Try, x-again"},
                       {"x-envoy-max-retries", "9"}});
  TestHead missing(404, {}), teapot(418, {}), again(200, {{"x-try", ""}}), other(500, {});
  RetryState by_code(nullptr, codes, budget, kDefault);
  EXPECT_TRUE(by_code.decide_on_head(missing, 0).retry());
  EXPECT_TRUE(by_code.decide_on_head(teapot, 0).retry());
  EXPECT_TRUE(by_code.decide_on_head(again, 0).retry());
  EXPECT_FALSE(by_code.decide_on_head(other, 0).retry());
}

TEST(Retry, TheHeadersNumberBeatsThePolicys) {
  RetryPolicy policy = on("5xx", 5);
  Budget budget({});
  TestHead none("/", {{"x-envoy-max-retries", "0"}}), bad(503, {}), nonsense("/", {{"x-envoy-max-retries", "-1"}});
  RetryState retry(&policy, none, budget, kDefault);
  EXPECT_FALSE(retry.enabled());
  EXPECT_EQ(retry.decide_on_head(bad, 0).kind, Kind::kLimitExceeded);
  EXPECT_EQ(RetryState(&policy, nonsense, budget, kDefault).limit(), 5u);
}

TEST(Retry, MayBeMeantForSomeRequestsOnly) {
  RetryPolicy policy = on("5xx");
  policy.retriable_request_headers = {HeaderMatcher::string(":method", {StringMatcher::Kind::kExact, "GET"}),
                                      HeaderMatcher::present("x-safe")};
  Budget budget({});
  TestHead get("/"), post("/", {}, "POST"), safe_post("/", {{"x-safe", "1"}}, "POST");
  EXPECT_TRUE(RetryState(&policy, get, budget, kDefault).enabled());
  EXPECT_FALSE(RetryState(&policy, post, budget, kDefault).enabled());
  EXPECT_TRUE(RetryState(&policy, safe_post, budget, kDefault).enabled());
}

TEST(Retry, WithoutAnyPolicyNothingIsRetried) {
  Budget budget({});
  TestHead request("/"), bad(503, {});
  RetryState retry(nullptr, request, budget, kDefault);
  EXPECT_FALSE(retry.enabled());
  EXPECT_EQ(retry.decide_on_head(bad, 0).kind, Kind::kNo);
  EXPECT_FALSE(retry.decide_on_failure(kConnect, false, 0).retry());
}

// rate_limited_retry_back_off, as Envoy 1.40 kept it.
TEST(Retry, WaitsAsLongAsTheAnswerAsks) {
  const auto in_a_minute = std::to_string(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()) + 60);
  struct Case {
    testing::Lines lines;
    int from, to;  // seconds; 0: the usual back-off
  } cases[] = {
      {{{"retry-after", "10"}}, 10, 15},
      {{{"retry-after", "x"}}, 0, 0},
      {{{"retry-after", "0"}}, 0, 0},
      {{{"retry-after", "101"}}, 0, 0},
      {{{"retry-after", "101"}, {"reset", in_a_minute}}, 58, 90},
      {{{"reset", "1000"}}, 0, 0},
      {{}, 0, 0},
  };
  RetryPolicy policy = on("5xx", 100);
  policy.reset_headers = {{"retry-after", false}, {"reset", true}};
  policy.max_reset_interval = std::chrono::seconds(100);
  Budget budget({});
  for (const Case& c : cases) {
    for (uint64_t random : {0ull, 12'345ull, ~0ull}) {
      TestHead request("/", {});
      RetryState state(&policy, request, budget, kDefault);
      TestHead answer(503, c.lines);
      const RetryDecision decision = state.decide_on_head(answer, random);
      ASSERT_TRUE(decision.retry());
      EXPECT_EQ(decision.rate_limited, c.to != 0);
      if (c.to == 0) {
        EXPECT_LT(decision.delay, std::chrono::seconds(1));
        continue;
      }
      EXPECT_GE(decision.delay, std::chrono::seconds(c.from));
      EXPECT_LE(decision.delay, std::chrono::seconds(c.to));
    }
  }
}

TEST(Retry, HedgesWhileThereAreRetriesLeft) {
  RetryPolicy policy = on("connect-failure", 1);
  Budget budget({});
  TestHead request("/", {});
  RetryState state(&policy, request, budget, kDefault);
  EXPECT_TRUE(state.decide_on_hedge(1).retry());
  EXPECT_EQ(state.decide_on_hedge(1).kind, Kind::kLimitExceeded);
  RetryState none(nullptr, request, budget, kDefault);
  EXPECT_FALSE(none.decide_on_hedge(1).retry());
}

}  // namespace
}  // namespace weft::upstream
