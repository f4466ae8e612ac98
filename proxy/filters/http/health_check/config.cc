#include "proxy/filters/matching/config.h"
#include "envoy/extensions/filters/http/health_check/v3/health_check.pb.h"
#include "proxy/filters/http/health_check/filter.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include <map>

namespace weft::filters {
namespace {

constexpr Field kHealthCheck[] = {
    {.name = "pass_through_mode", .checks = kRequired},
    {.name = "cache_time", .note = "only with pass_through_mode"},
    {"cluster_min_healthy_percentages"},
    {"headers"},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.http.health_check.v3.HealthCheck", kHealthCheck, "", "http_filter"),
};

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                          const Where& where) {
  envoy::extensions::filters::http::health_check::v3::HealthCheck from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no HealthCheck"), nullptr;
  HealthCheckOptions options;
  options.pass_through = from.pass_through_mode().value();
  options.headers = header_matchers(from.headers(), where, "headers");
  options.cache_time = std::chrono::milliseconds(from.cache_time().seconds() * 1000 + from.cache_time().nanos() / 1'000'000);
  if (options.cache_time.count() > 0 && !options.pass_through)
    Where(where, "cache_time").fail("must not be set when pass_through_mode is false");
  if (from.cluster_min_healthy_percentages_size() > 0 && options.pass_through)
    Where(where, "cluster_min_healthy_percentages").fail("must not be set when pass_through_mode is true");
  std::map<std::string, double> ordered;
  for (const auto& [cluster, percentage] : from.cluster_min_healthy_percentages()) ordered.emplace(cluster, percentage.value());
  options.clusters.assign(ordered.begin(), ordered.end());
  options.local_cluster = build.local_cluster;
  return std::make_unique<FactoryOf<HealthCheck, HealthCheckOptions>>(instance, HealthCheck::kHooks, std::move(options));
}

}  // namespace

HttpFilterType health_check_type() {
  return {"envoy.filters.http.health_check",
          "envoy.extensions.filters.http.health_check.v3.HealthCheck",
          "",
          [] { return all_of(kTables); },
          &make,
          nullptr};
}

}  // namespace weft::filters
