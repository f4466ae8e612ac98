#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/filters/http/ratelimit/v3/rate_limit.pb.h"
#include "proxy/filters/http/ratelimit/cluster_scopes.h"
#include "proxy/filters/http/ratelimit/filter.h"
#include "proxy/filters/rate_limits/config.h"

#include <google/protobuf/duration.pb.h>

#include <algorithm>

namespace weft::filters {
namespace {

namespace limit = envoy::extensions::filters::http::ratelimit::v3;

constexpr Field kRateLimit[] = {
    {.name = "domain", .checks = kNotEmpty},
    {.name = "stage", .max = 10},
    {.name = "request_type", .only = "internal external both"},
    {"timeout"},
    {"failure_mode_deny"},
    {"rate_limited_as_resource_exhausted"},
    {.name = "rate_limit_service", .checks = kRequired},
    {"enable_x_ratelimit_headers"},
    {"disable_x_envoy_ratelimited_header"},
    {"rate_limited_status"},
    {.name = "response_headers_to_add", .max = 10},
    {"status_on_error"},
    {"stat_prefix"},
    {"filter_enabled"},
    {"filter_enforced"},
    {"failure_mode_deny_percent"},
    {.name = "rate_limits", .note = "without stage"},
    {.name = "metadata_namespace", .note = "without it the filter's name"},
    {.name = "enable_retry_after_header", .note = "beside a status of 429"},
};
constexpr Field kService[] = {
    {.name = "grpc_service", .checks = kRequired},
    {.name = "transport_api_version", .only = "V3"},
};
constexpr Field kPerRoute[] = {
    {"vh_rate_limits"},
    {.name = "override_option", .note = "unless DEFAULT in place of vh_rate_limits"},
    {.name = "rate_limits", .note = "without stage"},
    {"domain"},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.http.ratelimit.v3.RateLimit", kRateLimit, "", "http_filter"),
    fields_of("envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute", kPerRoute, "", "per_route"),
    fields_of("envoy.config.ratelimit.v3.RateLimitServiceConfig", kService),
};

std::optional<routing::RateLimitRules> rules(const google::protobuf::RepeatedPtrField<envoy::config::route::v3::RateLimit>& from,
                                             const FilterBuild& build, const Where& where) {
  for (int i = 0; i < from.size(); ++i)
    if (from[i].has_stage()) Where(Where(where, "rate_limits", i), "stage").fail("must not be set here");
  if (from.empty()) return {};
  return rate_limit_rules(from, build.local_cluster, where, "rate_limits", &build.runtime);
}

void service(const envoy::config::core::v3::GrpcService& from, RateLimitOptions& to, const Where& where) {
  to.cluster = from.envoy_grpc().cluster_name();
  to.authority = from.envoy_grpc().authority();
  if (from.has_timeout()) Where(where, "timeout").unsupported("is not supported here by this version: the filter's own timeout holds");
  if (from.envoy_grpc().has_retry_policy())
    Where(Where(where, "envoy_grpc"), "retry_policy").unsupported("is not supported here by this version");
  for (int i = 0; i < from.initial_metadata_size(); ++i) {
    std::string name = from.initial_metadata(i).key();
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    const std::string& value = from.initial_metadata(i).value();
    if (value.find('%') != std::string::npos)
      Where(Where(where, "initial_metadata", i), "value").unsupported("operators are not supported here by this version");
    to.metadata.emplace_back(std::move(name), value);
  }
}

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                          const Where& where) {
  using Type = RateLimitOptions::RequestType;
  limit::RateLimit from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no RateLimit"), nullptr;
  RateLimitOptions to;
  to.domain = from.domain();
  to.stage = from.stage();
  to.request_type = from.request_type() == "internal" ? Type::kInternal : from.request_type() == "external" ? Type::kExternal : Type::kBoth;
  if (from.has_timeout())
    to.timeout = std::chrono::milliseconds(from.timeout().seconds() * 1000 + (from.timeout().nanos() + 999'999) / 1'000'000);
  const Where at(where, "rate_limit_service");
  service(from.rate_limit_service().grpc_service(), to, Where(at, "grpc_service"));
  to.failure_mode_deny = from.failure_mode_deny();
  if (from.has_failure_mode_deny_percent()) to.failure_mode_deny_share = fraction(from.failure_mode_deny_percent(), build.runtime);
  to.resource_exhausted = from.rate_limited_as_resource_exhausted();
  to.rate_limit_headers = from.enable_x_ratelimit_headers() == limit::RateLimit::DRAFT_VERSION_03;
  to.retry_after = from.enable_retry_after_header();
  if (!from.metadata_namespace().empty()) to.metadata_namespace = from.metadata_namespace();
  to.ratelimited_header = !from.disable_x_envoy_ratelimited_header();
  // As Envoy: what is no error would not tell anybody to come back later.
  if (from.rate_limited_status().code() >= 400) to.status = static_cast<int>(from.rate_limited_status().code());
  if (from.has_status_on_error()) to.status_on_error = static_cast<int>(from.status_on_error().code());
  to.response_headers = headers_to_add(from.response_headers_to_add(), where, "response_headers_to_add");
  to.enabled = from.has_filter_enabled() ? fraction(from.filter_enabled(), build.runtime)
                                         : fraction("ratelimit.http_filter_enabled", {100, 100}, build.runtime);
  to.enforced = from.has_filter_enforced() ? fraction(from.filter_enforced(), build.runtime)
                                           : fraction("ratelimit.http_filter_enforcing", {100, 100}, build.runtime);
  to.rules = rules(from.rate_limits(), build, where);
  if (build.registry) {
    auto scopes = std::make_shared<ClusterScopes>(*build.registry, from.stat_prefix());
    to.stats_of = [scopes](std::string_view cluster) { return scopes->of(cluster); };
  }
  return std::make_unique<FactoryOf<RateLimit, RateLimitOptions>>(instance, RateLimit::kHooks, std::move(to));
}

std::shared_ptr<const routing::FilterConfig> make_for_route(const std::string& bytes, const FilterBuild& build, const Where& where) {
  using Rules = RateLimitRoute::VirtualHostRules;
  limit::RateLimitPerRoute from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no RateLimitPerRoute"), nullptr;
  auto to = std::make_shared<RateLimitRoute>();
  to->virtual_host_rules = from.vh_rate_limits() == limit::RateLimitPerRoute::INCLUDE  ? Rules::kToo
                           : from.vh_rate_limits() == limit::RateLimitPerRoute::IGNORE ? Rules::kNever
                                                                                       : Rules::kIfRouteHasNone;
  switch (from.override_option()) {
    case limit::RateLimitPerRoute::OVERRIDE_POLICY: to->virtual_host_rules = Rules::kIfRouteHasNone; break;
    case limit::RateLimitPerRoute::INCLUDE_POLICY: to->virtual_host_rules = Rules::kToo; break;
    case limit::RateLimitPerRoute::IGNORE_POLICY: to->virtual_host_rules = Rules::kNever; break;
    default: break;
  }
  to->rules = rules(from.rate_limits(), build, where);
  to->domain = from.domain();
  return to;
}

}  // namespace

HttpFilterType ratelimit_type() {
  return {"envoy.filters.http.ratelimit",
          "envoy.extensions.filters.http.ratelimit.v3.RateLimit",
          "envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute",
          [] { return all_of(kTables); },
          &make,
          &make_for_route};
}

}  // namespace weft::filters
