#include "proxy/routing/route_index.h"

#include "tests/unit/proxy/routing/routes.h"

#include <gtest/gtest.h>

#include <random>

namespace weft::routing {
namespace {

using testing::TestHead;

TEST(RouteIndex, ThePlainBeginningOfARegularExpression) {
  const std::pair<const char*, const char*> rows[] = {
      {"/users/[0-9]+", "/users/"},
      {"/a|/b", ""},
      {"/(a|b)", "/"},
      {"^/x", "/x"},
      {"/ab?c", "/a"},
      {"/ab*", "/a"},
      {"/ab+", "/a"},
      {"/ab{2}", "/a"},
      {"/a\\.b", "/a"},
      {"/a.b", "/a"},
      {"(?i)/a", ""},
      {"/[|]x|/y", ""},
      {"/[|]x", "/"},
      {".*", ""},
      {"", ""},
      {"/a\\|b", "/a"},
      {"/\\Qa|b\\E", ""},
      {"/a(b|c)|d", ""},
      {"/[]|]", "/"},
      {"/[^]|]a", "/"},
      {"/plain", "/plain"},
      {"/a$", "/a"},
  };
  for (auto [regex, plain] : rows) EXPECT_EQ(plain_beginning(regex), plain) << regex;
}

// Whatever the routes: the index finds the one that trying all of them in order finds.
TEST(RouteIndex, FindsWhatAWalkFinds) {
  std::mt19937 random(4711);
  const char* const pieces[] = {"/", "a", "b", "/a", "/ab", "aa", "/b/", "A"};
  auto text = [&] {
    std::string out = "/";
    for (unsigned n = random() % 4; n > 0; --n) out += pieces[random() % 8];
    return out;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<Route> routes;
    for (unsigned n = RouteIndex::kWorthwhile + random() % 40; n > 0; --n) {
      Route route = testing::route_to("x");
      const bool case_sensitive = random() % 8 != 0;
      switch (random() % 4) {
        case 0: route.path = PathMatcher(PathMatcher::Kind::kExact, text(), case_sensitive); break;
        case 1: route.path = PathMatcher(PathMatcher::Kind::kPrefix, text(), case_sensitive); break;
        case 2: route.path = PathMatcher(PathMatcher::Kind::kSeparatedPrefix, text(), case_sensitive); break;
        default: route.path = PathMatcher(*Regex::compile(text() + (random() % 2 ? ".*" : "|/b/.*"))); break;
      }
      if (random() % 6 == 0) route.grpc_only = true;  // a candidate that does not match after all
      routes.push_back(std::move(route));
    }
    const auto table = testing::table_of(std::move(routes));
    const std::vector<Route>& all = table->options().virtual_hosts.front().routes;
    ASSERT_TRUE(table->options().virtual_hosts.front().index);
    for (int i = 0; i < 50; ++i) {
      TestHead request(text() + (random() % 3 ? "" : "?q=/a"));
      const Route* expected = nullptr;
      for (const Route& route : all) {
        if (!route.matches(request, path_of(request.path()), 0, {})) continue;
        expected = &route;
        break;
      }
      ASSERT_EQ(table->match(request, 0), expected) << request.path();
    }
  }
}

TEST(RouteIndex, PrefixesOfManyLengths) {
  std::vector<Route> routes;
  std::string prefix = "/";
  for (int i = 0; i < 100; ++i) prefix += 'x';
  for (; prefix.size() > 1; prefix.pop_back()) routes.push_back(testing::route_to(std::to_string(prefix.size()), prefix));
  const auto table = testing::table_of(std::move(routes));
  for (size_t length = 2; length <= 101; ++length) {
    TestHead request("/" + std::string(length - 1, 'x'));
    EXPECT_EQ(table->match(request, 0)->forward()->cluster, std::to_string(length));
  }
}

}  // namespace
}  // namespace weft::routing
