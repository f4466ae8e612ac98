#include "proxy/routing/match_tree.h"

#include "tests/unit/proxy/routing/test_head.h"

#include <gtest/gtest.h>

namespace weft::routing {
namespace {

using testing::TestHead;

struct Named final : MatchAction {
  explicit Named(std::string name) : name(std::move(name)) {}
  std::string name;
};

MatchTree::Branch leads_to(const char* name) { return {nullptr, std::make_shared<Named>(name)}; }
MatchTree::Branch leads_to(MatchTree tree) { return {std::make_shared<const MatchTree>(std::move(tree)), nullptr}; }

MatchPredicate value_is(MatchInput input, const char* text) {
  MatchPredicate predicate;
  predicate.input = std::move(input);
  predicate.value = StringMatcher(StringMatcher::Kind::kExact, text);
  return predicate;
}
MatchPredicate joined(MatchPredicate::Kind kind, std::vector<MatchPredicate> of) {
  MatchPredicate predicate;
  predicate.kind = kind;
  predicate.of = std::move(of);
  return predicate;
}

const MatchInput kStatus{MatchInput::Kind::kStatus, ""}, kClass{MatchInput::Kind::kStatusClass, ""};

std::string found(const MatchTree& tree, const http::Head* response, const http::Head* request = nullptr) {
  const MatchAction* action = tree.find({request, response});
  return action ? dynamic_cast<const Named&>(*action).name : "nothing";
}
std::string found(const MatchTree& tree, int status, testing::Lines lines = {}) {
  TestHead head = TestHead::answer(status, lines);
  return found(tree, &head.head);
}

TEST(MatchTree, TheFirstOfAList) {
  MatchTree tree;
  tree.list.push_back({value_is(kStatus, "404"), leads_to("exactly")});
  tree.list.push_back({value_is(kClass, "4xx"), leads_to("class")});
  EXPECT_EQ(found(tree, 404), "exactly");
  EXPECT_EQ(found(tree, 405), "class");
  EXPECT_EQ(found(tree, 500), "nothing");
  EXPECT_EQ(found(tree, nullptr), "nothing");
  tree.otherwise = leads_to("otherwise");
  EXPECT_EQ(found(tree, 500), "otherwise");
}

TEST(MatchTree, HeadersOfEitherSide) {
  MatchTree tree;
  tree.list.push_back({value_is({MatchInput::Kind::kResponseHeader, "x-a"}, "1,2"), leads_to("lines")});
  tree.list.push_back({value_is({MatchInput::Kind::kRequestHeader, ":path"}, "/p"), leads_to("path")});
  tree.list.push_back({value_is({MatchInput::Kind::kResponseHeader, ":status"}, "201"), leads_to("status")});
  EXPECT_EQ(found(tree, 200, {{"x-a", "1"}, {"x-a", "2"}}), "lines");
  EXPECT_EQ(found(tree, 201), "status");
  TestHead request("/p");
  EXPECT_EQ(found(tree, nullptr, &request.head), "path");
}

TEST(MatchTree, WhatIsNotThereMatchesNothingButItsNegation) {
  const MatchPredicate empty = value_is({MatchInput::Kind::kResponseHeader, "x-a"}, "");
  MatchTree tree;
  tree.list.push_back({empty, leads_to("empty")});
  tree.list.push_back({joined(MatchPredicate::Kind::kNot, {empty}), leads_to("not")});
  EXPECT_EQ(found(tree, 200, {{"x-a", ""}}), "empty");
  EXPECT_EQ(found(tree, 200), "not");
}

TEST(MatchTree, ConditionsJoined) {
  using Kind = MatchPredicate::Kind;
  const MatchPredicate a = value_is({MatchInput::Kind::kResponseHeader, "a"}, "1"),
                       b = value_is({MatchInput::Kind::kResponseHeader, "b"}, "1");
  MatchTree tree;
  tree.list.push_back({joined(Kind::kAll, {a, b}), leads_to("both")});
  tree.list.push_back({joined(Kind::kAny, {a, b}), leads_to("one")});
  EXPECT_EQ(found(tree, 200, {{"a", "1"}, {"b", "1"}}), "both");
  EXPECT_EQ(found(tree, 200, {{"b", "1"}}), "one");
  EXPECT_EQ(found(tree, 200), "nothing");
}

TEST(MatchTree, MapsOfValues) {
  MatchTree exact;
  exact.kind = MatchTree::Kind::kExactMap;
  exact.input = kStatus;
  exact.values.emplace("404", leads_to("found"));
  EXPECT_EQ(found(exact, 404), "found");
  EXPECT_EQ(found(exact, 40), "nothing");
  MatchTree prefix;
  prefix.kind = MatchTree::Kind::kPrefixMap;
  prefix.input = {MatchInput::Kind::kResponseHeader, "a"};
  prefix.values.emplace("ab", leads_to("short"));
  prefix.values.emplace("abc", leads_to("long"));
  EXPECT_EQ(found(prefix, 200, {{"a", "abcd"}}), "long");
  EXPECT_EQ(found(prefix, 200, {{"a", "abd"}}), "short");
  EXPECT_EQ(found(prefix, 200, {{"a", "a"}}), "nothing");
  prefix.values.emplace("", leads_to("any"));
  EXPECT_EQ(found(prefix, 200, {{"a", "x"}}), "any");
}

// A matcher within a matcher that leads to no action lets those behind it have their turn.
TEST(MatchTree, AMatcherWithin) {
  MatchTree within;
  within.list.push_back({value_is(kStatus, "404"), leads_to("within")});
  MatchTree tree;
  tree.list.push_back({value_is(kClass, "4xx"), leads_to(std::move(within))});
  tree.list.push_back({value_is(kStatus, "405"), leads_to("behind")});
  EXPECT_EQ(found(tree, 404), "within");
  EXPECT_EQ(found(tree, 405), "behind");
  EXPECT_EQ(found(tree, 406), "nothing");
}

}  // namespace
}  // namespace weft::routing
