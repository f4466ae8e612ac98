#include "envoy/extensions/filters/http/grpc_stats/v3/config.pb.h"
#include "proxy/filters/http/grpc_stats/filter.h"

#include <google/protobuf/wrappers.pb.h>

namespace weft::filters {
namespace {

constexpr Field kGrpcStatsConfig[] = {
    {.name = "emit_filter_state", .note = "under envoy.filters.http.grpc_stats, for %FILTER_STATE%"},
    {"individual_method_stats_allowlist"},
    {.name = "stats_for_all_methods", .note = "of a thousand methods at most: their names come from clients"},
    {"enable_upstream_stats"},
    {"replace_dots_in_grpc_service_name"},
};
constexpr Field kGrpcMethodList[] = {
    {"services"},
};
constexpr Field kGrpcMethodListService[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "method_names", .checks = kNotEmpty},
};
constexpr FieldTable kGrpcStatsTables[] = {
    fields_of("envoy.extensions.filters.http.grpc_stats.v3.FilterConfig", kGrpcStatsConfig, "", "http_filter"),
    fields_of("envoy.config.core.v3.GrpcMethodList", kGrpcMethodList),
    fields_of("envoy.config.core.v3.GrpcMethodList.Service", kGrpcMethodListService),
};

std::unique_ptr<const FilterFactory> make_grpc_stats(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                                     const Where& where) {
  envoy::extensions::filters::http::grpc_stats::v3::FilterConfig from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no FilterConfig"), nullptr;
  GrpcStatsOptions options;
  options.all_methods = from.stats_for_all_methods().value();
  for (const auto& service : from.individual_method_stats_allowlist().services())
    options.methods[service.name()].insert(service.method_names().begin(), service.method_names().end());
  options.tells_state = from.emit_filter_state();
  options.upstream_time = from.enable_upstream_stats();
  options.replace_dots = from.replace_dots_in_grpc_service_name();
  if (build.registry) options.scopes = std::make_shared<GrpcCallScopes>(*build.registry, observe::kGrpcCallShape);
  return std::make_unique<FactoryOf<GrpcStats, GrpcStatsOptions>>(instance, GrpcStats::kHooks, std::move(options));
}

}  // namespace

HttpFilterType grpc_stats_type() {
  return {"envoy.filters.http.grpc_stats",
          "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
          "",
          [] { return all_of(kGrpcStatsTables); },
          &make_grpc_stats,
          nullptr};
}

}  // namespace weft::filters
