// Expected headers are what Envoy 1.40 sent upstream for the same route and request.
#include "proxy/routing/timeouts.h"

#include "tests/unit/proxy/routing/routes.h"

#include <gtest/gtest.h>

namespace weft::routing {
namespace {

using std::chrono::milliseconds;
using testing::route_with;
using testing::table_of;
using testing::TestHead;

const std::pair<std::string_view, std::string_view> kGrpc{"content-type", "application/grpc"};

TEST(Timeouts, FollowRouteThenHeaders) {
  Forward plain, none, per_try, capped, offset, stream, bounded, endless, early;
  none.timeout = milliseconds(0);
  per_try.timeout = milliseconds(5000);
  RetryPolicy policy;
  policy.per_try_timeout = milliseconds(2000);
  per_try.retry = std::make_shared<const RetryPolicy>(policy);
  capped.max_grpc_timeout = milliseconds(3000);
  offset.max_grpc_timeout = milliseconds(0);
  offset.grpc_timeout_offset = milliseconds(1000);
  stream.grpc_timeout_header_max = milliseconds(0);
  bounded.max_stream_duration = milliseconds(5000);
  endless.max_stream_duration = milliseconds(0);
  early.grpc_timeout_header_max = milliseconds(0);
  early.grpc_timeout_header_offset = milliseconds(1000);
  struct Case {
    const char* what;
    Forward route;
    testing::Lines lines;
    int global, per_try, max_stream;
    const char* expected;  // x-envoy-expected-rq-timeout-ms
    const char* grpc_timeout;
  } cases[] = {
      {"default", plain, {}, 15000, 0, 0, "15000", ""},
      {"none", none, {}, 0, 0, 0, "", ""},
      {"per try", per_try, {}, 5000, 2000, 0, "2000", ""},
      {"per try beyond global", per_try, {{"x-envoy-upstream-rq-timeout-ms", "1500"}}, 1500, 0, 0, "1500", ""},
      {"header", plain, {{"x-envoy-upstream-rq-timeout-ms", "99"}}, 99, 0, 0, "99", ""},
      {"header 0 is none", plain, {{"x-envoy-upstream-rq-timeout-ms", "0"}}, 0, 0, 0, "", ""},
      {"bad header", plain, {{"x-envoy-upstream-rq-timeout-ms", "9s"}}, 15000, 0, 0, "15000", ""},
      {"per-try header", plain, {{"x-envoy-upstream-rq-per-try-timeout-ms", "9"}}, 15000, 9, 0, "9", ""},
      {"grpc capped", capped, {kGrpc, {"grpc-timeout", "10S"}}, 3000, 0, 0, "3000", "3000m"},
      {"not grpc", capped, {{"grpc-timeout", "1S"}}, 15000, 0, 0, "15000", "1S"},
      {"grpc without header", capped, {kGrpc}, 3000, 0, 0, "3000", "3000m"},
      {"grpc offset", offset, {kGrpc, {"grpc-timeout", "3S"}}, 2000, 0, 0, "2000", "2000m"},
      {"grpc offset too large", offset, {kGrpc, {"grpc-timeout", "500m"}}, 500, 0, 0, "500", "500m"},
      {"grpc offset without header", offset, {kGrpc}, 0, 0, 0, "", ""},
      {"stream", stream, {kGrpc, {"grpc-timeout", "4S"}}, 0, 0, 4000, "", "4000m"},
      {"stream of no gRPC", stream, {{"grpc-timeout", "4S"}}, 0, 0, 4000, "", "4S"},
      {"stream, the manager's bound", stream, {kGrpc}, 0, 0, 7000, "", "7000m"},
      {"stream, its route's", bounded, {kGrpc, {"grpc-timeout", "4S"}}, 0, 0, 5000, "", "5000m"},
      {"stream without bound", endless, {kGrpc, {"grpc-timeout", "4S"}}, 0, 0, 0, "", ""},
      {"stream with offset", early, {{"grpc-timeout", "4S"}}, 0, 0, 3000, "", "4S"},
      {"alone", plain, {{"x-envoy-expected-rq-timeout-ms", "7"}}, 15000, 0, 0, "15000", ""},
  };
  for (const Case& c : cases) {
    auto table = table_of({route_with(c.route)});
    TestHead request("/", c.lines);
    Timeouts timeouts = resolve_timeouts(*table->match(request, 0), request, {.max_stream = milliseconds(7000)});
    EXPECT_EQ(timeouts.global.count(), c.global) << c.what;
    EXPECT_EQ(timeouts.per_try.count(), c.per_try) << c.what;
    EXPECT_EQ(timeouts.max_stream.count(), c.max_stream) << c.what;
    EXPECT_FALSE(timeouts.over) << c.what;
    EXPECT_EQ(request["x-envoy-expected-rq-timeout-ms"], c.expected) << c.what;
    EXPECT_EQ(request["grpc-timeout"], c.grpc_timeout) << c.what;
    EXPECT_FALSE(request.has("x-envoy-upstream-rq-timeout-ms"));
    EXPECT_FALSE(request.has("x-envoy-upstream-rq-per-try-timeout-ms"));
  }
}

TEST(Timeouts, MayBeOverBeforeTheyBegin) {
  Forward forward;
  forward.grpc_timeout_header_max = milliseconds(3000);
  forward.grpc_timeout_header_offset = milliseconds(1000);
  auto table = table_of({route_with(forward)});
  for (const char* asked : {"0S", "0n", "1S", "999m"}) {
    TestHead request("/", {{"grpc-timeout", asked}});
    EXPECT_TRUE(resolve_timeouts(*table->match(request, 0), request).over) << asked;
  }
  for (const char* asked : {"1001m", "99999999H", "-1S", ""}) {
    TestHead request("/", {{"grpc-timeout", asked}});
    EXPECT_FALSE(resolve_timeouts(*table->match(request, 0), request).over) << asked;
  }
}

TEST(Timeouts, RespectTheExpectedOneWhenAsked) {
  auto table = table_of({route_with({})});
  TestHead request("/", {{"x-envoy-expected-rq-timeout-ms", "700"}, {"x-envoy-upstream-rq-timeout-ms", "99"}});
  Timeouts timeouts = resolve_timeouts(*table->match(request, 0), request, {.respect_expected = true});
  EXPECT_EQ(timeouts.global.count(), 700);
  EXPECT_EQ(request["x-envoy-expected-rq-timeout-ms"], "700");
}

TEST(Timeouts, KeepQuietWhenSuppressed) {
  auto table = table_of({route_with({})});
  TestHead request("/");
  resolve_timeouts(*table->match(request, 0), request, {.insert_expected = false});
  EXPECT_FALSE(request.has("x-envoy-expected-rq-timeout-ms"));
}

TEST(Timeouts, ComeFromTheVirtualHostsPolicyToo) {
  VirtualHost host = testing::host_of("v", {"*"}, {route_with({})});
  RetryPolicy policy;
  policy.per_try_timeout = milliseconds(100);
  policy.per_try_idle_timeout = milliseconds(50);
  host.retry = std::make_shared<const RetryPolicy>(policy);
  auto table = table_of(std::vector{host});
  TestHead request("/");
  Timeouts timeouts = resolve_timeouts(*table->match(request, 0), request);
  EXPECT_EQ(timeouts.per_try.count(), 100);
  EXPECT_EQ(timeouts.per_try_idle.count(), 50);
}

// HAZARD: neither an instant nor an infinite timeout, whatever the header says.
TEST(GrpcTimeout, IsParsedOrIgnored) {
  const std::pair<const char*, int64_t> good[] = {{"1H", 3'600'000}, {"2M", 120'000}, {"3S", 3000},
                                                  {"4m", 4},         {"5u", 1},       {"6n", 1},
                                                  {"1500u", 2},      {"0m", 0},       {"99999999S", 99'999'999'000}};
  for (auto [text, milliseconds] : good) {
    auto parsed = parse_grpc_timeout(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->count(), milliseconds) << text;
  }
  for (const char* bad : {"", "S", "-1S", "1X", "1", "123456789S", "1 S", "+1S", "0x1S", "1.5S"})
    EXPECT_FALSE(parse_grpc_timeout(bad)) << bad;
  auto huge = parse_grpc_timeout("99999999H");
  ASSERT_TRUE(huge);
  EXPECT_GT(huge->count(), int64_t{1} << 39);
  EXPECT_GT((std::chrono::steady_clock::now() + *huge).time_since_epoch().count(), 0);  // no overflow when added
}

TEST(GrpcTimeout, IsWrittenInEightDigits) {
  EXPECT_EQ(format_grpc_timeout(milliseconds(3000)), "3000m");
  EXPECT_EQ(format_grpc_timeout(milliseconds(99'999'999)), "99999999m");
  EXPECT_EQ(format_grpc_timeout(milliseconds(100'000'000)), "100000S");
  for (int64_t ms = 1; ms < (int64_t{1} << 40); ms *= 7) EXPECT_TRUE(parse_grpc_timeout(format_grpc_timeout(milliseconds(ms)))) << ms;
}

TEST(RetryPolicy, KnowsEnvoysWords) {
  EXPECT_EQ(parse_retry_on_config("5xx, gateway-error,unavailable").bits, kRetryOn5xx | kRetryOnGatewayError | kRetryOnGrpcUnavailable);
  EXPECT_TRUE(parse_retry_on_config("connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes").all_known);
  EXPECT_FALSE(parse_retry_on_config("5xx,bogus").all_known);
  EXPECT_EQ(parse_retry_on("bogus,reset,").bits, uint32_t{kRetryOnReset});
  EXPECT_EQ(parse_retry_on("unavailable").bits, 0u);
  EXPECT_EQ(parse_retry_grpc_on("unavailable,5xx").bits, uint32_t{kRetryOnGrpcUnavailable});
}

}  // namespace
}  // namespace weft::routing
