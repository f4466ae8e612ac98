#include "proxy/routing/matchers.h"

#include "tests/unit/proxy/routing/test_head.h"

#include <gtest/gtest.h>

namespace weft::routing {
namespace {

using Kind = StringMatcher::Kind;
using testing::TestHead;

StringMatcher regex(const char* text) { return StringMatcher(*Regex::compile(text)); }

TEST(StringMatcher, MatchesByItsKind) {
  struct Case {
    StringMatcher matcher;
    const char* value;
    bool matches;
  } cases[] = {
      {{Kind::kExact, "abc"}, "abc", true},
      {{Kind::kExact, "abc"}, "abcd", false},
      {{Kind::kExact, "abc"}, "ABC", false},
      {{Kind::kExact, "aBc", true}, "AbC", true},
      {{Kind::kExact, ""}, "", true},
      {{Kind::kExact, ""}, "a", false},
      {{Kind::kPrefix, "ab"}, "abc", true},
      {{Kind::kPrefix, "ab"}, "a", false},
      {{Kind::kPrefix, "AB", true}, "aBc", true},
      {{Kind::kPrefix, "ab"}, "ABc", false},
      {{Kind::kSuffix, "bc"}, "abc", true},
      {{Kind::kSuffix, "bc"}, "c", false},
      {{Kind::kSuffix, "bc", true}, "aBC", true},
      {{Kind::kSuffix, "bc"}, "abcd", false},
      {{Kind::kContains, "b"}, "abc", true},
      {{Kind::kContains, "x"}, "abc", false},
      {{Kind::kContains, "Bc", true}, "abCd", true},
      {{Kind::kContains, ""}, "", true},
      {regex("a.c"), "abc", true},
      {regex("a.c"), "xabcx", false},
      {regex("(?i)abc"), "ABC", true},
      {regex(".*"), "", true},
  };
  for (const Case& c : cases) EXPECT_EQ(c.matcher.matches(c.value), c.matches) << c.matcher.text() << " on " << c.value;
}

TEST(Regex, RefusesWhatRe2RefusesInItsWords) {
  Result<Regex> bad = Regex::compile("(a");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().detail, "missing ): (a");
  EXPECT_FALSE(Regex::compile("(a)\\1"));  // no back-references: they are not linear
  EXPECT_FALSE(RegexRewrite::compile("a", "\\1"));
}

TEST(Regex, IsLinear) {
  Regex evil = *Regex::compile("(a+)+$");
  EXPECT_FALSE(evil.full_match(std::string(10'000, 'a') + "!"));
  EXPECT_TRUE(evil.full_match(std::string(10'000, 'a')));
}

TEST(HeaderMatcher, FollowsEnvoysTable) {
  auto exact = [](const char* name, const char* value) { return HeaderMatcher::string(name, {Kind::kExact, value}); };
  struct Case {
    const char* what;
    HeaderMatcher matcher;
    bool matches;
  } cases[] = {
      {"exact", exact("x-a", "1"), true},
      {"exact differs", exact("x-a", "2"), false},
      {"name in any case", exact("X-A", "1"), true},
      {"inverted", exact("x-a", "2").invert(), true},
      {"inverted and equal", exact("x-a", "1").invert(), false},
      {"missing", exact("x-none", "1"), false},
      {"missing and inverted", exact("x-none", "1").invert(), false},
      {"missing as empty", exact("x-none", "").treat_missing_as_empty(), true},
      {"missing as empty, inverted", exact("x-none", "1").invert().treat_missing_as_empty(), true},
      {"present", HeaderMatcher::present("x-a"), true},
      {"present, absent", HeaderMatcher::present("x-none"), false},
      {"not present", HeaderMatcher::present("x-a").invert(), false},
      {"not present, absent", HeaderMatcher::present("x-none").invert(), true},
      {"present false", HeaderMatcher::present("x-a", false), false},
      {"present false, absent", HeaderMatcher::present("x-none", false), true},
      {"present false, inverted", HeaderMatcher::present("x-a", false).invert(), true},
      {"present false, inverted, absent", HeaderMatcher::present("x-none", false).invert(), false},
      {"several lines are one value", exact("x-many", "1,2"), true},
      {"not the first alone", exact("x-many", "1"), false},
      {"range", HeaderMatcher::range("x-n", -10, 8), true},
      {"range excludes its end", HeaderMatcher::range("x-n", 0, 7), false},
      {"range on text", HeaderMatcher::range("x-text", 0, 7), false},
      {"range inverted", HeaderMatcher::range("x-n", 8, 9).invert(), true},
      {":method", exact(":method", "POST"), true},
      {":path has the query", exact(":path", "/p?q=1"), true},
      {":authority", exact(":authority", "h.test"), true},
      {"host", exact("host", "h.test"), true},
      {":scheme", exact(":scheme", "http"), true},
      {"empty value is there", HeaderMatcher::present("x-empty"), true},
  };
  TestHead head("/p?q=1",
                {{"host", "h.test"}, {"x-a", "1"}, {"x-many", "1"}, {"x-n", "7"}, {"x-many", "2"}, {"x-text", "7a"}, {"x-empty", ""}},
                "POST");
  for (const Case& c : cases) EXPECT_EQ(c.matcher.matches(head), c.matches) << c.what;
}

TEST(HeaderMatcher, ReadsAnAnswersStatus) {
  TestHead answer(503, {});
  EXPECT_TRUE(HeaderMatcher::string(":status", {Kind::kPrefix, "5"}).matches(answer));
  EXPECT_FALSE(HeaderMatcher::string(":status", {Kind::kExact, "200"}).matches(answer));
}

TEST(QueryMatcher, LooksAtTheFirstParameterAsItStands) {
  struct Case {
    QueryMatcher matcher;
    const char* query;
    bool matches;
  } cases[] = {
      {QueryMatcher::present("a"), "a=1", true},
      {QueryMatcher::present("a"), "b=1&a", true},
      {QueryMatcher::present("a"), "b=a", false},
      {QueryMatcher::present("a"), "", false},
      {QueryMatcher::present("a"), "aa=1", false},
      {QueryMatcher::present("a", false), "b=1", true},
      {QueryMatcher::present("a", false), "a", false},
      {QueryMatcher::string("a", {Kind::kExact, "1"}), "a=1", true},
      {QueryMatcher::string("a", {Kind::kExact, "1"}), "a=2&a=1", false},
      {QueryMatcher::string("a", {Kind::kExact, ""}), "a", true},
      {QueryMatcher::string("a", {Kind::kExact, "x=y"}), "a=x=y", true},
      {QueryMatcher::string("a", {Kind::kExact, "%41"}), "a=%41", true},
      {QueryMatcher::string("a", {Kind::kExact, ""}), "b", false},
  };
  for (const Case& c : cases) EXPECT_EQ(c.matcher.matches(c.query), c.matches) << c.query;
}

TEST(PathMatcher, MatchesByItsKind) {
  using P = PathMatcher::Kind;
  struct Case {
    PathMatcher matcher;
    const char* path;
    bool matches;
  } cases[] = {
      {{P::kPrefix, "/a"}, "/ab", true},
      {{P::kPrefix, "/a"}, "/A", false},
      {{P::kPrefix, "/a", false}, "/AB", true},
      {{P::kPrefix, ""}, "/x", true},
      {{P::kExact, "/a"}, "/a", true},
      {{P::kExact, "/a"}, "/a/", false},
      {{P::kExact, "/a", false}, "/A", true},
      {{P::kSeparatedPrefix, "/a"}, "/a", true},
      {{P::kSeparatedPrefix, "/a"}, "/a/b", true},
      {{P::kSeparatedPrefix, "/a"}, "/ab", false},
      {{P::kSeparatedPrefix, "/a", false}, "/A/b", true},
      {PathMatcher(*Regex::compile("/a/[0-9]+")), "/a/12", true},
      {PathMatcher(*Regex::compile("/a/[0-9]+")), "/a/12/b", false},
  };
  for (const Case& c : cases) EXPECT_EQ(c.matcher.matches(c.path), c.matches) << c.matcher.text << " on " << c.path;
}

TEST(Fraction, IsDecidedByTheNumberGiven) {
  Fraction one_in_ten{10, 100};
  int hits = 0;
  for (uint64_t i = 0; i < 1000; ++i) hits += one_in_ten.matches(i);
  EXPECT_EQ(hits, 100);
  EXPECT_FALSE((Fraction{0, 100}).matches(0));
  EXPECT_TRUE((Fraction{100, 100}).always());
}

TEST(Path, IsCutFromItsQuery) {
  EXPECT_EQ(path_of("/a?b#c"), "/a");
  EXPECT_EQ(path_of("/a#c?b"), "/a");
  EXPECT_EQ(query_of("/a?b=1?2#c"), "b=1?2");
  EXPECT_EQ(query_of("/a"), "");
}

}  // namespace
}  // namespace weft::routing
