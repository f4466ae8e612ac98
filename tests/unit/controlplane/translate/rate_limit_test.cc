// RateLimit objects in the listeners of whom they are for.
#include "controlplane/translate/translate.h"

#include "world.h"

#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

namespace weft::translate {
namespace {

using Filter = envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit;

const std::string kWorld =
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {selector: {app: shop}, ports: [{name: http, port: 80, targetPort: "
    "8080}]}\n"
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: metrics}\nspec: {selector: {app: shop}, ports: [{name: http-m, port: 9090}]}\n"
    "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n  selector: {istio: edge}\n"
    "  servers: [{port: {number: 8000, name: http, protocol: HTTP}, hosts: ['*']}]\n";

std::string limit(const std::string& name, const std::string& spec, const std::string& ns = "default") {
  return "---\napiVersion: weft.dev/v1\nkind: RateLimit\nmetadata: {name: " + name + ", namespace: " + ns + "}\nspec: {" + spec + "}\n";
}
const std::string kRule = "rules: [{requests: 5, unit: MINUTE}]";

// Listener and filter names that limit: "8080 rate_limit.default.a".
std::vector<std::string> limited(const std::string& objects, bool gateway = false) {
  auto view = view_of(kWorld + objects);
  const auto node = gateway ? node_of("router~127.0.0.9~edge.default~default.svc.cluster.local", R"({"LABELS":{"istio":"edge"}})")
                            : node_of("sidecar~127.0.0.5~shop-1.default~default.svc.cluster.local",
                                      R"({"LABELS":{"app":"shop"},"INTERCEPTION_MODE":"NONE","UNPRIVILEGED_POD":"true"})");
  std::vector<std::string> found;
  for (const Listener& listener : listeners(listener_plan(*view, node))) {
    envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager manager;
    EXPECT_TRUE(listener.filter_chains(0).filters(0).typed_config().UnpackTo(&manager));
    EXPECT_EQ(manager.http_filters(manager.http_filters_size() - 1).name(), "envoy.filters.http.router");
    for (const auto& filter : manager.http_filters())
      if (filter.typed_config().Is<Filter>())
        found.push_back(std::to_string(listener.address().socket_address().port_value()) + " " + filter.name());
  }
  return found;
}

using Lines = std::vector<std::string>;

TEST(RateLimit, IsForTheWorkloadsItSelects) {
  EXPECT_EQ(limited(""), Lines{});
  const Lines both = {"8080 rate_limit.default.a", "9090 rate_limit.default.a"};
  EXPECT_EQ(limited(limit("a", kRule)), both) << "inbound, not outbound";
  EXPECT_EQ(limited(limit("a", "selector: {matchLabels: {app: shop}}, " + kRule)), both);
  EXPECT_EQ(limited(limit("a", "selector: {matchLabels: {app: other}}, " + kRule)), Lines{});
  EXPECT_EQ(limited(limit("a", kRule, "elsewhere")), Lines{});
  EXPECT_EQ(limited(limit("a", kRule, "istio-system")), (Lines{"8080 rate_limit.istio-system.a", "9090 rate_limit.istio-system.a"}));
  EXPECT_EQ(limited(limit("a", "targetRefs: [{kind: Service, name: shop}], " + kRule)), Lines{"8080 rate_limit.default.a"});
  EXPECT_EQ(limited(limit("a", "targetRefs: [{kind: Gateway, name: edge}], " + kRule)), Lines{});
}

TEST(RateLimit, IsForTheGatewaysItNames) {
  const Lines one = {"8000 rate_limit.default.a"};
  EXPECT_EQ(limited(limit("a", "targetRefs: [{kind: Gateway, name: edge}], " + kRule), true), one);
  EXPECT_EQ(limited(limit("a", "targetRefs: [{kind: Gateway, name: other}], " + kRule), true), Lines{});
  EXPECT_EQ(limited(limit("a", "selector: {matchLabels: {istio: edge}}, " + kRule), true), one);
  EXPECT_EQ(limited(limit("a", "targetRefs: [{kind: Service, name: shop}], " + kRule), true), Lines{});
}

Filter filter_of(const std::string& spec) {
  auto view = view_of(kWorld + limit("a", spec));
  const auto node = node_of("router~127.0.0.9~edge.default~default.svc.cluster.local", R"({"LABELS":{"istio":"edge"}})");
  const auto all = listeners(listener_plan(*view, node));
  Filter filter;
  envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager manager;
  EXPECT_EQ(all.size(), 1u);
  EXPECT_TRUE(all[0].filter_chains(0).filters(0).typed_config().UnpackTo(&manager));
  for (const auto& own : manager.http_filters()) {
    if (own.typed_config().Is<Filter>()) {
      EXPECT_TRUE(own.typed_config().UnpackTo(&filter));
    }
  }
  return filter;
}

TEST(RateLimit, EachRuleIsADescriptorWithItsBucket) {
  const Filter filter = filter_of(
      "status: 503, headers: true, maxValues: 7, rules: [{requests: 5, unit: MINUTE, burst: 9}, {name: users, requests: 1, unit: SECOND,"
      " match: {uri: {prefix: /api}, method: {exact: POST}, queryParams: {v: {exact: '2'}}}, per: [{header: x-user}, {remoteAddress: "
      "true}]}]");
  EXPECT_EQ(filter.status().code(), 503);
  EXPECT_EQ(filter.max_dynamic_descriptors().value(), 7u);
  EXPECT_EQ(filter.filter_enforced().default_value().numerator(), 100u);
  EXPECT_FALSE(filter.has_token_bucket()) << "what no rule matches is not limited";
  ASSERT_EQ(filter.descriptors_size(), 2);
  ASSERT_EQ(filter.rate_limits_size(), 2);
  EXPECT_EQ(filter.descriptors(0).entries(0).value(), "rule-0");
  EXPECT_EQ(filter.descriptors(0).token_bucket().max_tokens(), 9u);
  EXPECT_EQ(filter.descriptors(0).token_bucket().tokens_per_fill().value(), 5u);
  EXPECT_EQ(filter.descriptors(0).token_bucket().fill_interval().seconds(), 60);
  EXPECT_EQ(filter.rate_limits(0).actions(0).generic_key().descriptor_value(), "rule-0");

  const auto& actions = filter.rate_limits(1).actions();
  ASSERT_EQ(actions.size(), 4);
  EXPECT_EQ(actions[0].header_value_match().descriptor_value(), "users");
  EXPECT_EQ(actions[0].header_value_match().headers(0).name(), ":method");
  EXPECT_EQ(actions[0].header_value_match().headers(1).string_match().prefix(), "/api");
  EXPECT_EQ(actions[1].query_parameter_value_match().query_parameters(0).name(), "v");
  EXPECT_EQ(actions[2].request_headers().header_name(), "x-user");
  EXPECT_TRUE(actions[3].has_remote_address());
  const auto& entries = filter.descriptors(1).entries();
  ASSERT_EQ(entries.size(), 4) << "an entry for each action";
  EXPECT_EQ(entries[2].key(), actions[2].request_headers().descriptor_key());
  EXPECT_EQ(entries[2].value(), "");
  EXPECT_EQ(entries[3].key(), "remote_address");
  EXPECT_EQ(filter_of("dryRun: true, " + kRule).filter_enforced().default_value().numerator(), 0u);
}

TEST(RateLimit, PathsAreComparedWithoutTheirQuery) {
  auto regex = [](const std::string& match) {
    const Filter filter = filter_of("rules: [{requests: 1, unit: SECOND, match: {" + match + "}}]");
    return filter.rate_limits(0).actions(0).header_value_match().headers(0).string_match().safe_regex().regex();
  };
  EXPECT_EQ(regex("uri: {exact: /a.b}"), "\\/a\\.b(?:\\?.*)?");
  EXPECT_EQ(regex("uri: {regex: '/a|/b'}"), "(?:/a|/b)(?:\\?.*)?");
  EXPECT_EQ(regex("uri: {prefix: /A}, ignoreUriCase: true"), "(?i)\\/A.*");
}

TEST(RateLimit, WhatIsWrongIsSaid) {
  auto problem = [](const std::string& spec) {
    for (const Diagnostic& finding : validation::validate_text(limit("a", spec), "f.yaml").findings)
      if (finding.severity == Severity::kError) return finding.field + ": " + finding.message;
    return std::string();
  };
  EXPECT_EQ(problem(kRule), "");
  EXPECT_NE(problem("status: 429").find("found no rules"), std::string::npos);
  EXPECT_NE(problem("rules: [{unit: SECOND}]").find("spec.rules[0].requests: found no requests"), std::string::npos);
  EXPECT_NE(problem("rules: [{requests: 1}]").find("found no unit"), std::string::npos);
  EXPECT_NE(problem("rules: [{requests: 0, unit: SECOND}]").find("found 0, expected a number from 1"), std::string::npos);
  EXPECT_NE(problem("rules: [{requests: 1, unit: WEEK}]").find("expected SECOND, MINUTE, HOUR or DAY"), std::string::npos);
  EXPECT_NE(problem("rules: [{requests: 1, unit: DAY, per: [{}]}]").find("found none of header, queryParam and remoteAddress"),
            std::string::npos);
  EXPECT_NE(problem("rules: [{requests: 1, unit: DAY, per: [{header: a, queryParam: b}]}]").find("found several of"), std::string::npos);
  EXPECT_NE(problem("rules: [{requests: 1, unit: DAY, name: a}, {requests: 1, unit: DAY, name: a}]").find("found the rule a twice"),
            std::string::npos);
  EXPECT_NE(problem("rules: [{requests: 1, unit: DAY, match: {sourceLabels: {a: b}}}]").find("unknown field \"sourceLabels\""),
            std::string::npos);
  EXPECT_NE(problem("status: 200, " + kRule).find("found 200, expected a number from 400 to 599"), std::string::npos);
  EXPECT_NE(problem("selector: {matchLabels: {a: b}}, targetRefs: [{kind: Service, name: a}], " + kRule).find("targetRefs and selector"),
            std::string::npos);
  EXPECT_NE(problem("targetRefs: [{kind: Pod, name: a}], " + kRule).find("expected Service or Gateway"), std::string::npos);
}

}  // namespace
}  // namespace weft::translate
