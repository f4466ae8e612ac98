#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.pb.h"
#include "proxy/filters/http/local_ratelimit/filter.h"
#include "proxy/filters/rate_limits/config.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include <algorithm>

namespace weft::filters {
namespace {

namespace limit = envoy::extensions::filters::http::local_ratelimit::v3;
namespace common = envoy::extensions::common::ratelimit::v3;

constexpr Field kLocalRateLimit[] = {
    {.name = "stat_prefix", .checks = kNotEmpty},
    {"status"},
    {.name = "token_bucket", .note = "required for routes"},
    {"filter_enabled"},
    {"filter_enforced"},
    {.name = "response_headers_to_add", .max = 10},
    {"descriptors"},
    {.name = "stage", .max = 10},
    {.name = "request_headers_to_add_when_not_enforced", .max = 10},
    {"local_rate_limit_per_downstream_connection"},
    {"enable_x_ratelimit_headers"},
    {"vh_rate_limits"},
    {"always_consume_default_token_bucket"},
    {"rate_limited_as_resource_exhausted"},
    {.name = "rate_limits", .note = "without stage"},
    {.name = "max_dynamic_descriptors", .min = 1},
    {.name = "enable_retry_after_header", .note = "beside a status of 429"},
    {.name = "local_cluster_rate_limit", .refused = "a share of a fleet's limit needs the fleet's own cluster, which is not followed here"},
};
constexpr Field kDescriptor[] = {
    {.name = "entries", .checks = kNotEmpty},
    {.name = "token_bucket", .checks = kRequired},
    {"shadow_mode"},
};
constexpr Field kEntry[] = {
    {.name = "key", .checks = kNotEmpty},
    {.name = "value", .note = "empty: any, with a bucket for each that comes"},
};
constexpr Field kTokenBucket[] = {
    {"max_tokens"},
    {.name = "tokens_per_fill", .min = 1},
    {.name = "fill_interval", .checks = kRequired, .min = 0.05},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit", kLocalRateLimit, "", "http_filter per_route"),
    fields_of("envoy.extensions.common.ratelimit.v3.LocalRateLimitDescriptor", kDescriptor),
    fields_of("envoy.extensions.common.ratelimit.v3.RateLimitDescriptor.Entry", kEntry),
    fields_of("envoy.type.v3.TokenBucket", kTokenBucket),
};

double per_second(const envoy::type::v3::TokenBucket& from) {
  const double seconds = static_cast<double>(from.fill_interval().seconds()) + from.fill_interval().nanos() * 1e-9;
  return (from.has_tokens_per_fill() ? from.tokens_per_fill().value() : 1) / seconds;
}

std::shared_ptr<TokenBucket> bucket(const envoy::type::v3::TokenBucket& from) {
  return std::make_shared<TokenBucket>(from.max_tokens(), per_second(from));
}

LocalRateLimitSettings::Buckets new_buckets(const limit::LocalRateLimit& from) {
  LocalRateLimitSettings::Buckets to;
  if (from.has_token_bucket()) to.shared = bucket(from.token_bucket());
  const uint32_t most = from.has_max_dynamic_descriptors() ? from.max_dynamic_descriptors().value() : 20;
  for (int i = 0; i < from.descriptors_size(); ++i) {
    const common::LocalRateLimitDescriptor& one = from.descriptors(i);
    LocalRateLimitSettings::Own own;
    for (const auto& entry : one.entries()) own.entries.emplace_back(entry.key(), entry.value());
    const bool any = std::any_of(own.entries.begin(), own.entries.end(), [](const auto& entry) { return entry.second.empty(); });
    if (any)
      own.buckets = std::make_shared<ValueBuckets>(one.token_bucket().max_tokens(), per_second(one.token_bucket()), most);
    else
      own.bucket = bucket(one.token_bucket());
    own.shadow = one.shadow_mode();
    to.own.push_back(std::move(own));
  }
  return to;
}

void check_descriptors(const LocalRateLimitSettings::Buckets& buckets, const Where& parent) {
  for (size_t i = 0; i < buckets.own.size(); ++i)
    for (size_t before = 0; before < i; ++before)
      if (buckets.own[before].entries == buckets.own[i].entries)
        Where(parent, "descriptors", static_cast<long>(i)).fail("has the same entries as one before it");
}

LocalRateLimitSettings settings(const limit::LocalRateLimit& from, const FilterBuild& build, const Where& where) {
  using VirtualHostRules = LocalRateLimitSettings::VirtualHostRules;
  LocalRateLimitSettings to;
  if (from.has_filter_enabled()) to.enabled = fraction(from.filter_enabled(), build.runtime);
  if (from.has_filter_enforced()) to.enforced = fraction(from.filter_enforced(), build.runtime);
  to.buckets = std::make_shared<const LocalRateLimitSettings::Buckets>(new_buckets(from));
  check_descriptors(*to.buckets, where);
  if (from.local_rate_limit_per_downstream_connection())
    to.new_buckets = [from] { return std::make_shared<const LocalRateLimitSettings::Buckets>(new_buckets(from)); };
  if (from.has_always_consume_default_token_bucket()) to.always_take_default = from.always_consume_default_token_bucket().value();
  to.stage = from.stage();
  to.virtual_host_rules = from.vh_rate_limits() == common::INCLUDE  ? VirtualHostRules::kToo
                          : from.vh_rate_limits() == common::IGNORE ? VirtualHostRules::kNever
                                                                    : VirtualHostRules::kIfRouteHasNone;
  for (int i = 0; i < from.rate_limits_size(); ++i)
    if (from.rate_limits(i).has_stage()) Where(Where(where, "rate_limits", i), "stage").fail("must not be set here");
  if (from.rate_limits_size() > 0) to.rules = rate_limit_rules(from.rate_limits(), build.local_cluster, where, "rate_limits");
  // As Envoy: what is no error would not tell anybody to come back later.
  if (from.status().code() >= 400) to.status = static_cast<int>(from.status().code());
  to.resource_exhausted = from.rate_limited_as_resource_exhausted();
  to.rate_limit_headers = from.enable_x_ratelimit_headers() == common::DRAFT_VERSION_03;
  to.retry_after = from.enable_retry_after_header();
  to.response_headers = headers_to_add(from.response_headers_to_add(), where, "response_headers_to_add");
  to.request_headers_not_enforced =
      headers_to_add(from.request_headers_to_add_when_not_enforced(), where, "request_headers_to_add_when_not_enforced");
  if (build.registry) to.stats = observe::local_rate_limit_scope(*build.registry, from.stat_prefix());
  return to;
}

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                          const Where& where) {
  limit::LocalRateLimit from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no LocalRateLimit"), nullptr;
  return std::make_unique<FactoryOf<LocalRateLimit, LocalRateLimitSettings>>(instance, LocalRateLimit::kHooks,
                                                                             settings(from, build, where));
}

std::shared_ptr<const routing::FilterConfig> make_for_route(const std::string& bytes, const FilterBuild& build, const Where& where) {
  limit::LocalRateLimit from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no LocalRateLimit"), nullptr;
  if (!from.has_token_bucket()) return Where(where, "token_bucket").fail("is required for routes"), nullptr;
  auto config = std::make_shared<LocalRateLimitRoute>();
  config->settings = settings(from, build, where);
  return config;
}

}  // namespace

HttpFilterType local_ratelimit_type() {
  return {"envoy.filters.http.local_ratelimit",
          "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
          "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
          [] { return all_of(kTables); },
          &make,
          &make_for_route};
}

}  // namespace weft::filters
