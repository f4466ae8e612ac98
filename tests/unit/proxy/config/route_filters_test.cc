// What the levels of a route configuration tell filters: typed_per_filter_config, bare and wrapped in FilterConfig.
#include "envoy/config/route/v3/route.pb.h"
#include "proxy/config/proto_loader.h"
#include "proxy/config/snapshot_builder.h"
#include "proxy/config/values.h"
#include "proxy/routing/rate_limit.h"

#include <gtest/gtest.h>

namespace weft::config {
namespace {

constexpr std::string_view kConfig = "type.googleapis.com/envoy.config.route.v3.FilterConfig";
constexpr std::string_view kCors = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy";

std::string told(std::string_view type, std::string_view rest) {
  return "{envoy.filters.http.cors: {\"@type\": " + std::string(type) + (rest.empty() ? "" : ", ") + std::string(rest) + "}}";
}

class RouteFiltersTest : public testing::Test {
 protected:
  // A table with one route; each level's typed_per_filter_config, or nothing.
  Built push(const std::string& cluster, const std::string& route, const std::string& host, const std::string& table) {
    auto level = [](const std::string& says) { return says.empty() ? std::string() : ", typed_per_filter_config: " + says; };
    const std::string text =
        "{name: r, virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: {weighted_clusters: "
        "{clusters: [{name: c, weight: 1" +
        level(cluster) + "}]}}" + level(route) + "}]" + level(host) + "}]" + level(table) + "}";
    std::vector<yaml::Document> documents;
    Diagnostic problem;
    EXPECT_TRUE(yaml::parse(text, "r.yaml", documents, problem)) << problem.message << text;
    envoy::config::route::v3::RouteConfiguration message;
    Diagnostics problems;
    EXPECT_TRUE(load(documents.at(0), message, problems)) << render(problems);
    Built built = build(
        values_, {ResourceType::kRoute, {{std::string(type_url(ResourceType::kRoute)), message.SerializeAsString(), {}}}, {}}, context_);
    apply(built, values_);
    return built;
  }
  const routing::Route& route() { return values_.routes.at("r")->options().virtual_hosts[0].routes[0]; }
  const routing::WeightedCluster* cluster() { return &route().forward()->weighted->clusters[0]; }
  const routing::FilterOverride* found() { return routing::filter_override(route(), cluster(), "envoy.filters.http.cors"); }
  unsigned levels() { return routing::filter_configs(route(), cluster(), "envoy.filters.http.cors").size; }

  const filters::Runtime runtime_;
  BuildContext context_{runtime_};
  Values values_;
};

TEST_F(RouteFiltersTest, AtEveryLevel) {
  const std::string own = told(kCors, "max_age: '1'");
  ASSERT_EQ(push(own, own, own, own).nack_detail(), "");
  EXPECT_EQ(levels(), 4u);
  ASSERT_EQ(push("", "", "", own).nack_detail(), "");
  EXPECT_EQ(levels(), 1u);
  ASSERT_NE(found(), nullptr);
  EXPECT_NE(found()->config, nullptr);
}

TEST_F(RouteFiltersTest, TheMostSpecificSwitch) {
  const std::string off = told(kConfig, "disabled: true"), on = told(kConfig, "config: {}"), own = told(kCors, "");
  ASSERT_EQ(push("", off, own, "").nack_detail(), "");
  EXPECT_TRUE(found()->disabled);
  EXPECT_EQ(levels(), 1u);
  ASSERT_EQ(push(on, off, "", own).nack_detail(), "");
  EXPECT_FALSE(found()->disabled);
  EXPECT_EQ(found()->config, nullptr);
  const std::string wrapped = told(kConfig, "is_optional: true, config: {\"@type\": " + std::string(kCors) + ", max_age: '1'}");
  ASSERT_EQ(push("", wrapped, off, "").nack_detail(), "");
  EXPECT_FALSE(found()->disabled);
  EXPECT_NE(found()->config, nullptr);
}

TEST_F(RouteFiltersTest, WhatIsWrongIsNamed) {
  const std::string at = "virtual_hosts[0].typed_per_filter_config[\"envoy.filters.http.cors\"].(FilterConfig).config";
  EXPECT_NE(push("", "", told(kConfig, ""), "").nack_detail().find(at + ": is required"), std::string::npos)
      << push("", "", told(kConfig, ""), "").nack_detail();
  EXPECT_NE(push("", "", "{envoy.filters.http.cors: {}}", "").nack_detail().find("cors\"]: is empty"), std::string::npos)
      << push("", "", "{envoy.filters.http.cors: {}}", "").nack_detail();
  const std::string other = told(kConfig,
                                 "config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute, "
                                 "disabled: true}");
  EXPECT_NE(push("", "", other, "").nack_detail().find("which is not for the filter \"envoy.filters.http.cors\""), std::string::npos);
  const std::string twice = told(kConfig, "config: {\"@type\": " + std::string(kConfig) + ", disabled: true}");
  EXPECT_FALSE(push("", "", twice, "").rejected.empty());
}

TEST_F(RouteFiltersTest, RateLimitRules) {
  const std::string text =
      "{name: r, virtual_hosts: [{name: v, domains: ['*'], rate_limits: [{actions: [{generic_key: {descriptor_value: host}}]}], routes: "
      "[{match: {prefix: /}, route: {cluster: c, rate_limits: [{stage: 2, actions: [{remote_address: {}}, {request_headers: {header_name: "
      "X-A, descriptor_key: a}}]}]}}]}]}";
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  ASSERT_TRUE(yaml::parse(text, "r.yaml", documents, problem)) << problem.message;
  envoy::config::route::v3::RouteConfiguration message;
  Diagnostics problems;
  ASSERT_TRUE(load(documents.at(0), message, problems)) << render(problems);
  auto push_it = [&] {
    Built built = build(
        values_, {ResourceType::kRoute, {{std::string(type_url(ResourceType::kRoute)), message.SerializeAsString(), {}}}, {}}, context_);
    apply(built, values_);
    return built.nack_detail();
  };
  ASSERT_EQ(push_it(), "");
  const routing::RateLimitRules& rules = *route().forward()->rate_limits;
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0].stage, 2u);
  ASSERT_EQ(rules[0].actions.size(), 2u);
  EXPECT_EQ(rules[0].actions[1].name, "x-a");
  EXPECT_EQ(route().virtual_host->rate_limits->at(0).actions[0].key, "generic_key");
  auto* action = message.mutable_virtual_hosts(0)->mutable_rate_limits(0)->mutable_actions(0);
  action->mutable_generic_key()->set_descriptor_value("%REQ(a)%");
  EXPECT_NE(push_it().find("virtual_hosts[0].rate_limits[0].actions[0].generic_key.descriptor_value"), std::string::npos);
  action->mutable_metadata()->set_descriptor_key("key");
  EXPECT_NE(push_it().find("actions[0].metadata"), std::string::npos);
}

}  // namespace
}  // namespace weft::config
