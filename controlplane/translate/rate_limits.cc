#include "controlplane/translate/rate_limits.h"

#include "controlplane/translate/http_filters.h"
#include "controlplane/translate/http_routes.h"
#include "controlplane/translate/messages.h"

#include "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

#include <re2/re2.h>

namespace weft::translate {
namespace {

namespace hcm = envoy::extensions::filters::network::http_connection_manager::v3;
namespace limit = envoy::extensions::filters::http::local_ratelimit::v3;
namespace common = envoy::extensions::common::ratelimit::v3;
namespace route = envoy::config::route::v3;

constexpr const char* kRuleKey = "rule";
constexpr uint32_t kAll = 100;

// A rate limit's action sees :path with its query; a rule's path is without one.
void match_path(route::RouteMatch& out, const model::HttpMatch& match) {
  if (!match.uri) return;
  std::string regex;
  switch (match.uri->kind) {
    case model::StringMatch::Kind::kExact: regex = RE2::QuoteMeta(match.uri->value) + "(?:\\?.*)?"; break;
    case model::StringMatch::Kind::kRegex: regex = "(?:" + match.uri->value + ")(?:\\?.*)?"; break;
    case model::StringMatch::Kind::kPrefix: regex = RE2::QuoteMeta(match.uri->value) + ".*"; break;
    case model::StringMatch::Kind::kPresent: return;
  }
  auto* header = out.add_headers();
  header->set_name(":path");
  auto& string = *header->mutable_string_match();
  if (match.uri->kind == model::StringMatch::Kind::kPrefix && !match.ignore_uri_case) {
    string.set_prefix(match.uri->value);
  } else {
    string.mutable_safe_regex()->set_regex((match.ignore_uri_case ? "(?i)" : "") + regex);
  }
}

void add_actions(route::RateLimit& out, const model::RateLimitRule& rule) {
  route::RouteMatch match;
  model::HttpMatch conditions = rule.match;
  conditions.uri.reset();
  set_match(match, conditions);
  match_path(match, rule.match);
  if (match.headers_size() == 0) {
    auto& name = *out.add_actions()->mutable_generic_key();
    name.set_descriptor_key(kRuleKey);
    name.set_descriptor_value(rule.name);
  } else {
    auto& headers = *out.add_actions()->mutable_header_value_match();
    headers.set_descriptor_key(kRuleKey);
    headers.set_descriptor_value(rule.name);
    *headers.mutable_headers() = match.headers();
  }
  if (match.query_parameters_size() > 0) {
    auto& query = *out.add_actions()->mutable_query_parameter_value_match();
    query.set_descriptor_key("query");
    query.set_descriptor_value(rule.name);
    *query.mutable_query_parameters() = match.query_parameters();
  }
  for (const model::RateLimitKey& key : rule.per) {
    auto& action = *out.add_actions();
    switch (key.kind) {
      case model::RateLimitKey::Kind::kHeader:
        action.mutable_request_headers()->set_header_name(key.name);
        action.mutable_request_headers()->set_descriptor_key("header " + key.name);
        break;
      case model::RateLimitKey::Kind::kQueryParam:
        action.mutable_query_parameters()->set_query_parameter_name(key.name);
        action.mutable_query_parameters()->set_descriptor_key("query " + key.name);
        break;
      case model::RateLimitKey::Kind::kRemoteAddress: action.mutable_remote_address(); break;
    }
  }
}

// The descriptor that the rule's actions yield; an empty value stands for whatever a request brings.
void add_entries(common::LocalRateLimitDescriptor& out, const model::RateLimitRule& rule) {
  auto add = [&](const std::string& key, const std::string& value) {
    auto* entry = out.add_entries();
    entry->set_key(key);
    entry->set_value(value);
  };
  add(kRuleKey, rule.name);
  if (!rule.match.query_params.empty()) add("query", rule.name);
  for (const model::RateLimitKey& key : rule.per) {
    switch (key.kind) {
      case model::RateLimitKey::Kind::kHeader: add("header " + key.name, ""); break;
      case model::RateLimitKey::Kind::kQueryParam: add("query " + key.name, ""); break;
      case model::RateLimitKey::Kind::kRemoteAddress: add("remote_address", ""); break;
    }
  }
}

void set_bucket(envoy::type::v3::TokenBucket& out, const model::RateLimitRule& rule) {
  out.set_max_tokens(rule.burst);
  out.mutable_tokens_per_fill()->set_value(rule.requests);
  set_duration(*out.mutable_fill_interval(), rule.unit);
}

limit::LocalRateLimit filter_of(const model::RateLimit& from, const std::string& name) {
  limit::LocalRateLimit out;
  out.set_stat_prefix(name);
  out.mutable_status()->set_code(static_cast<envoy::type::v3::StatusCode>(from.status));
  out.mutable_filter_enabled()->mutable_default_value()->set_numerator(kAll);
  out.mutable_filter_enforced()->mutable_default_value()->set_numerator(from.dry_run ? 0 : kAll);
  for (const model::RateLimitRule& rule : from.rules) {
    add_actions(*out.add_rate_limits(), rule);
    common::LocalRateLimitDescriptor& descriptor = *out.add_descriptors();
    add_entries(descriptor, rule);
    set_bucket(*descriptor.mutable_token_bucket(), rule);
  }
  if (from.headers) out.set_enable_x_ratelimit_headers(common::DRAFT_VERSION_03);
  out.mutable_max_dynamic_descriptors()->set_value(from.max_values);
  return out;
}

}  // namespace

void add_rate_limits(hcm::HttpConnectionManager& out, const std::vector<model::Typed<model::RateLimit>>& limits) {
  for (const auto& source : limits) {
    const std::string name = "rate_limit." + source.resource->key.ns + "." + source.resource->key.name;
    add_filter(out, name, filter_of(*source.spec, name));
  }
}

}  // namespace weft::translate
