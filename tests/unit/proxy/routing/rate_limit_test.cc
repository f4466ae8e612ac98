#include "proxy/routing/rate_limit.h"

#include "proxy/format/request_info.h"

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

TEST_F(RateLimitTest, MetadataOfFiltersAndRoutes) {
  format::RequestInfo info;
  format::metadata_of(info).set("ns", "plan", format::MetadataValue{std::string("gold")});
  format::metadata_of(info).set("ns", "number", format::MetadataValue{7.0});
  format::metadata_of(info).set("ns", "empty", format::MetadataValue{std::string()});
  format::Metadata of_route;
  of_route.set("ns", "plan", format::MetadataValue{std::string("route's")});
  auto by = [&](RateLimitAction action, const char* key, bool route = false) {
    action.metadata = {"ns", {key}};
    action.of_route = route;
    return rate_limit_descriptor({0, {action}}, {request_, "up", "10.0.0.1:80", &info, &of_route});
  };
  EXPECT_EQ(by(action(Kind::kMetadata, "p"), "plan"), (RateLimitDescriptor{{"p", "gold"}}));
  EXPECT_EQ(by(action(Kind::kMetadata, "p"), "plan", true), (RateLimitDescriptor{{"p", "route's"}}));
  EXPECT_EQ(by(action(Kind::kMetadata, "p", "default"), "missing"), (RateLimitDescriptor{{"p", "default"}}));
  EXPECT_EQ(by(action(Kind::kMetadata, "p", "default"), "empty"), (RateLimitDescriptor{{"p", "default"}}));
  EXPECT_FALSE(by(action(Kind::kMetadata, "p"), "number").has_value());
  EXPECT_FALSE(of({action(Kind::kMetadata, "p")}).has_value());  // nothing has been noted at all
}

TEST_F(RateLimitTest, AddressesInRanges) {  // (envoy)
  format::RequestInfo info;
  info.request = &request_;
  const RateLimitSubject subject{request_, "up", "10.0.0.1:80", &info};
  RateLimitAction by_address = action(Kind::kAddressMatch, "k", "d");
  by_address.format = std::make_shared<const format::Formatter>(std::move(*format::Formatter::text("%REQ(x-who)%", {.omit_empty = true})));
  by_address.ranges = {{boost::asio::ip::make_address("10.0.0.0"), 8}};
  RateLimitRule rule{0, {by_address}};
  EXPECT_EQ(rate_limit_descriptor(rule, subject), (RateLimitDescriptor{{"k", "d"}}));
  request_.add("x-who", "z");
  EXPECT_EQ(rate_limit_descriptor(rule, subject), (RateLimitDescriptor{{"k", "z"}}));
  rule.actions[0].expect_match = false;
  EXPECT_FALSE(rate_limit_descriptor(rule, subject).has_value());
  EXPECT_TRUE(rate_limit_descriptor(rule, {request_, "up", "11.0.0.1:80", &info}).has_value());
  rule.actions[0].value.clear();
  request_.remove("x-who");
  EXPECT_FALSE(rate_limit_descriptor(rule, {request_, "up", "11.0.0.1:80", &info}).has_value());
}

TEST_F(RateLimitTest, WhatARuleSaysOfItself) {
  RateLimitRule rule{0, {action(Kind::kGenericKey, "g", "v")}};
  rule.fixed_limit = RateLimitOverride{7, "DAY"};
  rule.gives_hits = true;
  rule.tell = TellLimit::kNever;
  const auto hits = rate_limit_hits(rule, {request_, "up", "10.0.0.1:80"});
  ASSERT_TRUE(hits && hits->limit);
  EXPECT_EQ(hits->limit->requests, 7u);
  EXPECT_EQ(hits->limit->unit, "DAY");
  EXPECT_TRUE(hits->gives_hits);
  EXPECT_EQ(hits->tell, TellLimit::kNever);
}

TEST_F(RateLimitTest, HitsAndLimits) {
  format::RequestInfo info;
  info.request = &request_;
  format::metadata_of(info).set("ns", {{"limit", {format::MetadataStruct{{"requests_per_unit", {42.0}}, {"unit", {std::string("HOUR")}}}}},
                                       {"odd", {format::MetadataStruct{{"requests_per_unit", {-1.0}}, {"unit", {std::string("HOUR")}}}}}});
  const RateLimitSubject subject{request_, "up", "10.0.0.1:80", &info};
  RateLimitRule rule{0, {action(Kind::kGenericKey, "g", "v")}};
  rule.hits = 3;
  rule.limit = MetadataPath{"ns", {"limit"}};
  auto hits = rate_limit_hits(rule, subject);
  ASSERT_TRUE(hits && hits->limit);
  EXPECT_EQ(hits->hits, 3u);
  EXPECT_EQ(hits->limit->requests, 42u);
  EXPECT_EQ(hits->limit->unit, "HOUR");
  for (const char* key : {"odd", "missing"}) {
    rule.limit = MetadataPath{"ns", {key}};
    hits = rate_limit_hits(rule, subject);
    ASSERT_TRUE(hits.has_value());
    EXPECT_FALSE(hits->limit.has_value()) << key;
  }
  rule.hits_format = std::make_shared<const format::Formatter>(std::move(*format::Formatter::text("%REQ(x-hits)%")));
  EXPECT_FALSE(rate_limit_hits(rule, subject).has_value());
  request_.add("x-hits", "12");
  EXPECT_EQ(rate_limit_hits(rule, subject)->hits, 12u);
  request_.set("x-hits", "12x");
  EXPECT_FALSE(rate_limit_hits(rule, subject).has_value());
}

}  // namespace
}  // namespace weft::routing
