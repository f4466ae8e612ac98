#include "proxy/routing/rate_limit.h"

#include <gtest/gtest.h>

namespace weft::routing {
namespace {

using Kind = RateLimitAction::Kind;

class RateLimitTest : public testing::Test {
 protected:
  RateLimitTest() {
    request_.set_method("GET");
    request_.set_path("/p?user=ann&empty=");
    request_.set_authority("shop.test");
    request_.add("x-client", "a");
  }
  std::optional<RateLimitDescriptor> of(std::vector<RateLimitAction> actions, std::string_view address = "10.0.0.1:80",
                                        std::string_view cluster = "up") {
    return rate_limit_descriptor({0, std::move(actions)}, {request_, cluster, address});
  }
  static RateLimitAction action(Kind kind, std::string key, std::string value = {}, std::string name = {}) {
    RateLimitAction out;
    out.kind = kind;
    out.key = std::move(key);
    out.value = std::move(value);
    out.name = std::move(name);
    return out;
  }
  SlabPool pool_;
  http::Head request_{pool_};
};

TEST_F(RateLimitTest, OneEntryForEachAction) {
  const auto found = of({action(Kind::kGenericKey, "g", "v"), action(Kind::kSourceCluster, "source_cluster", "me"),
                         action(Kind::kDestinationCluster, "destination_cluster"), action(Kind::kRemoteAddress, "remote_address"),
                         action(Kind::kRequestHeader, "client", "", "x-client"), action(Kind::kRequestHeader, "method", "", ":method"),
                         action(Kind::kRequestHeader, "host", "", ":authority"), action(Kind::kQueryParameter, "user", "", "user"),
                         action(Kind::kQueryParameter, "empty", "", "empty")});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(*found, (RateLimitDescriptor{{"g", "v"},
                                         {"source_cluster", "me"},
                                         {"destination_cluster", "up"},
                                         {"remote_address", "10.0.0.1"},
                                         {"client", "a"},
                                         {"method", "GET"},
                                         {"host", "shop.test"},
                                         {"user", "ann"},
                                         {"empty", ""}}));
}

TEST_F(RateLimitTest, AnAddressOfIp6) {
  EXPECT_EQ(of({action(Kind::kRemoteAddress, "a")}, "[2001:db8::1]:443"), (RateLimitDescriptor{{"a", "2001:db8::1"}}));
  EXPECT_FALSE(of({action(Kind::kRemoteAddress, "a")}, "").has_value());
}

TEST_F(RateLimitTest, WhatIsNotFound) {
  RateLimitAction missing = action(Kind::kRequestHeader, "m", "", "x-missing");
  EXPECT_FALSE(of({action(Kind::kGenericKey, "g", "v"), missing}).has_value());
  missing.skip_if_absent = true;
  EXPECT_EQ(of({action(Kind::kGenericKey, "g", "v"), missing}), (RateLimitDescriptor{{"g", "v"}}));
  // Nothing at all is no descriptor.
  EXPECT_FALSE(of({missing}).has_value());
  EXPECT_FALSE(of({action(Kind::kQueryParameter, "q", "", "use")}).has_value());
  EXPECT_FALSE(of({action(Kind::kDestinationCluster, "c")}, "10.0.0.1:80", "").has_value());
}

TEST_F(RateLimitTest, AValueForWhatMatches) {
  RateLimitAction headers = action(Kind::kHeadersMatch, "h", "yes");
  headers.headers.push_back(HeaderMatcher::string("x-client", StringMatcher(StringMatcher::Kind::kExact, "a")));
  RateLimitAction query = action(Kind::kQueryMatch, "q", "yes");
  query.query.push_back(QueryMatcher::present("user"));
  EXPECT_EQ(of({headers, query}), (RateLimitDescriptor{{"h", "yes"}, {"q", "yes"}}));
  headers.expect_match = false;
  EXPECT_FALSE(of({headers, query}).has_value());
  headers.headers.push_back(HeaderMatcher::present("x-missing"));
  EXPECT_TRUE(of({headers, query}).has_value());
}

}  // namespace
}  // namespace weft::routing
