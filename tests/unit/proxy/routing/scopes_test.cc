#include "proxy/routing/scopes.h"

#include "tests/unit/proxy/routing/test_head.h"

#include <gtest/gtest.h>

namespace weft::routing {
namespace {

using testing::Lines;
using testing::TestHead;

std::string key(std::initializer_list<std::string_view> fragments) {
  std::string out;
  for (std::string_view fragment : fragments) append_scope_fragment(out, fragment);
  return out;
}

std::string key_of(const ScopeFragment& fragment, Lines lines) {
  TestHead request("/path", lines);
  return ScopeKeyBuilder({fragment}).key_of(request).value_or("none");
}

// Expected values are those by which Envoy 1.40 found its scopes.
TEST(Scopes, AnElementByItsPlace) {
  EXPECT_EQ(key_of({"x", ",", 1}, {{"x", "z,b"}}), key({"b"}));
  EXPECT_EQ(key_of({"x", ",", 1}, {{"x", "z, b,c"}}), key({" b"}));
  EXPECT_EQ(key_of({"x", ",", 2}, {{"x", "z,b"}}), "none");
  EXPECT_EQ(key_of({"x", ",", 1}, {{"x", "z,"}}), key({""}));
  EXPECT_EQ(key_of({"x"}, {{"x", "z,b"}}), key({"z,b"}));
  EXPECT_EQ(key_of({"x"}, {{"y", "z"}}), "none");
  EXPECT_EQ(key_of({"x", "--", 1}, {{"x", "a-b--c"}}), key({"c"}));
}

TEST(Scopes, AnElementByItsKey) {
  const ScopeFragment by_key{"x", ";", 0, "=", "k"};
  EXPECT_EQ(key_of(by_key, {{"x", "a=1;k=2;k=3"}}), key({"2"}));
  EXPECT_EQ(key_of(by_key, {{"x", "k=a=b"}}), key({"a=b"}));
  EXPECT_EQ(key_of(by_key, {{"x", "k"}}), key({""}));
  EXPECT_EQ(key_of(by_key, {{"x", " k=1"}}), "none");
  EXPECT_EQ(key_of({"x", "", 0, "=", "k"}, {{"x", "k=1;2"}}), key({"1;2"}));
}

TEST(Scopes, TheFirstLineAndTheFirstLinesParts) {
  EXPECT_EQ(key_of({"x"}, {{"x", "1"}, {"x", "2"}}), key({"1"}));
  EXPECT_EQ(key_of({":path"}, {}), key({"/path"}));
  EXPECT_EQ(key_of({":authority"}, {{"host", "h.test"}}), key({"h.test"}));
  EXPECT_EQ(key_of({"user-agent"}, {{"user-agent", "1"}, {"user-agent", "2"}}), key({"1,2"}));
}

TEST(Scopes, FragmentsDoNotRunIntoEachOther) {
  EXPECT_NE(key({"a", "bc"}), key({"ab", "c"}));
  EXPECT_NE(key({"a"}), key({"a", ""}));
  EXPECT_NE(key({"1:a"}), key({"", "a"}));
  TestHead request("/", {{"x", "1"}, {"y", "2"}});
  EXPECT_EQ(ScopeKeyBuilder({{"x"}, {"y"}}).key_of(request), key({"1", "2"}));
  EXPECT_FALSE(ScopeKeyBuilder({{"x"}, {"z"}}).key_of(request));
}

}  // namespace
}  // namespace weft::routing
