#include "proxy/routing/hash_policy.h"

#include "proxy/format/filter_state.h"
#include "tests/unit/proxy/routing/test_head.h"

#include <gtest/gtest.h>

namespace weft::routing {
namespace {

using testing::Lines;
using testing::TestHead;

// XXH64 with seed 0 of "42", "10.0.0.9" and of nothing, from the reference program.
constexpr uint64_t k42 = 0x6de6f5d076d742b9, kAddress = 0xeaf2a9dd561d6494, kNothing = 0xef46db3751d8e999;

uint64_t turned(uint64_t value) { return value << 1 | value >> 63; }

format::RequestInfo info() {
  format::RequestInfo info;
  info.downstream_remote_address = "10.0.0.9:4444";
  info.downstream_direct_remote_address = "10.0.0.9:3333";
  info.downstream_local_address = "127.0.0.1:80";
  return info;
}

HashRule header(std::string name, bool terminal = false, RegexRewrite rewrite = {}) {
  return {HashRule::Header{std::move(name), std::move(rewrite)}, terminal};
}

RequestHash hash(std::vector<HashRule> rules, std::string_view path, Lines lines) {
  TestHead request(path, lines);
  return HashPolicy(std::move(rules)).hash(request, info());
}

TEST(HashPolicy, HeaderByItsValue) {
  EXPECT_EQ(hash({header("x-key")}, "/", {{"x-key", "42"}}).value, k42);
  EXPECT_EQ(hash({header("x-key")}, "/", {{"x-key", ""}}).value, kNothing);
  EXPECT_FALSE(hash({header("x-key")}, "/", {{"x-other", "42"}}).value);
  EXPECT_EQ(hash({header(":path")}, "42", {}).value, k42);
  EXPECT_EQ(hash({header(":authority")}, "/", {{"host", "42"}}).value, k42);
  EXPECT_EQ(hash({header("host")}, "/", {{"host", "42"}}).value, k42);
}

TEST(HashPolicy, LinesOfAHeaderInAnyOrder) {
  const auto one = hash({header("x-key")}, "/", {{"x-key", "a"}, {"x-key", "b"}}).value;
  EXPECT_EQ(hash({header("x-key")}, "/", {{"x-key", "b"}, {"x-key", "a"}}).value, one);
  EXPECT_NE(hash({header("x-key")}, "/", {{"x-key", "ab"}}).value, one);
  EXPECT_NE(hash({header("x-key")}, "/", {{"x-key", "a"}}).value, one);
  // What Envoy holds in one line counts as one.
  EXPECT_EQ(hash({header("x-forwarded-for")}, "/", {{"x-forwarded-for", "a"}, {"x-forwarded-for", "b"}}).value,
            hash({header("x-forwarded-for")}, "/", {{"x-forwarded-for", "a,b"}}).value);
}

TEST(HashPolicy, FilterStateThatCanBeHashed) {
  TestHead request("/", {});
  format::RequestInfo with = info();
  const HashPolicy policy({{HashRule::FilterState{"key"}}});
  EXPECT_FALSE(policy.hash(request, with).value);
  format::filter_state_of(with).set("key", {"42"});
  EXPECT_FALSE(policy.hash(request, with).value);
  format::filter_state_of(with).set("key", {"42", true});
  EXPECT_EQ(policy.hash(request, with).value, k42);
}

TEST(HashPolicy, RewritesTheValueFirst) {
  const RegexRewrite digits = RegexRewrite::compile("^[a-z]*([0-9]+).*", "\\1").value();
  EXPECT_EQ(hash({header("x-key", false, digits)}, "/", {{"x-key", "user42!"}}).value, k42);
}

TEST(HashPolicy, Cookie) {
  const HashRule rule{HashRule::Cookie{"c", {}, "", {}}};
  for (std::string_view line : {"c=42", "a=1; c=42", "a=1;c=42;c=7", "c=\"42\"", "x; c=42", "cc=1;  c=42"})
    EXPECT_EQ(hash({rule}, "/", {{"cookie", line}}).value, k42) << line;
  EXPECT_EQ(hash({rule}, "/", {{"cookie", "a=1"}, {"cookie", "c=42"}}).value, k42);
  for (std::string_view line : {"c=", "c=;c=42", "cc=42", "c", "c =42", ""}) {
    const RequestHash none = hash({rule}, "/", {{"cookie", line}});
    EXPECT_FALSE(none.value) << line;
    EXPECT_TRUE(none.set_cookies.empty()) << line;
  }
}

TEST(HashPolicy, MakesUpACookie) {
  const HashRule whole{HashRule::Cookie{"c", std::chrono::seconds(60), "/p", {{"SameSite", "Lax"}, {"Secure", ""}}}};
  const HashRule session{HashRule::Cookie{"c", std::chrono::seconds(0), "", {}}};
  // Of the connection's two ends, not of the client that x-forwarded-for names.
  const RequestHash made = hash({whole}, "/", {});
  ASSERT_EQ(made.set_cookies.size(), 1u);
  EXPECT_EQ(made.set_cookies[0], "c=\"144c2877b67b948f\"; Max-Age=60; Path=/p; SameSite=Lax; Secure; HttpOnly");
  EXPECT_EQ(hash({session}, "/", {}).set_cookies.at(0), "c=\"144c2877b67b948f\"; HttpOnly");
  // The next request brings it and goes to the same host.
  const RequestHash next = hash({whole}, "/", {{"cookie", "c=\"144c2877b67b948f\""}});
  EXPECT_EQ(next.value, made.value);
  EXPECT_TRUE(next.set_cookies.empty());
}

TEST(HashPolicy, ClientAddressWithoutPort) {
  EXPECT_EQ(hash({{HashRule::SourceIp{}}}, "/", {}).value, kAddress);
  TestHead request;
  format::RequestInfo six = info();
  six.downstream_remote_address = "[::1]:80";
  const HashPolicy policy({{HashRule::SourceIp{}}});
  const auto value = policy.hash(request, six).value;
  six.downstream_remote_address = "[::1]:81";
  EXPECT_EQ(policy.hash(request, six).value, value);
  EXPECT_NE(value, kAddress);
}

TEST(HashPolicy, QueryParameter) {
  const HashRule rule{HashRule::QueryParameter{"k"}};
  for (std::string_view path : {"/?k=42", "/?a=1&k=42&k=7", "/?&k=42#f"}) EXPECT_EQ(hash({rule}, path, {}).value, k42) << path;
  for (std::string_view path : {"/?k", "/?k="}) EXPECT_EQ(hash({rule}, path, {}).value, kNothing) << path;
  for (std::string_view path : {"/", "/?kk=42", "/k=42"}) EXPECT_FALSE(hash({rule}, path, {}).value) << path;
}

TEST(HashPolicy, RulesAddUpUntilATerminalOne) {
  const Lines both = {{"x-a", "42"}, {"x-b", "42"}};
  EXPECT_EQ(hash({header("x-a"), header("x-b")}, "/", both).value, turned(k42) ^ k42);
  EXPECT_EQ(hash({header("x-none"), header("x-b")}, "/", both).value, k42);
  EXPECT_EQ(hash({header("x-a", true), header("x-b")}, "/", both).value, k42);
  // A terminal rule that found nothing still ends it if there is a number.
  EXPECT_EQ(hash({header("x-a"), header("x-none", true), header("x-b")}, "/", both).value, k42);
  EXPECT_EQ(hash({header("x-none", true), header("x-b")}, "/", both).value, k42);
  EXPECT_FALSE(hash({}, "/", both).value);
}

}  // namespace
}  // namespace weft::routing
