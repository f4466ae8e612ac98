#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "proxy/filters/http/fault/filter.h"

#include <google/protobuf/wrappers.pb.h>

namespace weft::filters {
namespace {

namespace fault = envoy::extensions::filters::http::fault::v3;

constexpr Field kHttpFault[] = {
    {"delay"},
    {"abort"},
    {"upstream_cluster"},
    {"headers"},
    {"downstream_nodes"},
    {"max_active_faults"},
    {"response_rate_limit"},
    {"delay_percent_runtime"},
    {"abort_percent_runtime"},
    {"delay_duration_runtime"},
    {"abort_http_status_runtime"},
    {"max_active_faults_runtime"},
    {"response_rate_limit_percent_runtime"},
    {"abort_grpc_status_runtime"},
    {"disable_downstream_cluster_stats"},
    {.name = "filter_metadata", .note = "noted of requests that are delayed or aborted"},
};
constexpr Field kFaultAbort[] = {
    {.name = "http_status", .min = 200, .max = 599},
    {"header_abort"},
    {"grpc_status"},
    {"percentage"},
};
constexpr Field kFaultDelay[] = {
    {.name = "fixed_delay", .checks = kPositive},
    {"header_delay"},
    {"percentage"},
};
constexpr Field kFaultRateLimit[] = {
    {"fixed_limit"},
    {"percentage"},
    {"header_limit"},
};
constexpr Field kFixedLimit[] = {
    {.name = "limit_kbps", .min = 1, .note = "KiB a second"},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.http.fault.v3.HTTPFault", kHttpFault, "", "http_filter per_route"),
    fields_of("envoy.extensions.filters.http.fault.v3.FaultAbort", kFaultAbort, "error_type"),
    no_fields_of("envoy.extensions.filters.http.fault.v3.FaultAbort.HeaderAbort"),
    fields_of("envoy.extensions.filters.common.fault.v3.FaultDelay", kFaultDelay, "fault_delay_secifier"),
    no_fields_of("envoy.extensions.filters.common.fault.v3.FaultDelay.HeaderDelay"),
    fields_of("envoy.extensions.filters.common.fault.v3.FaultRateLimit", kFaultRateLimit, "limit_type"),
    fields_of("envoy.extensions.filters.common.fault.v3.FaultRateLimit.FixedLimit", kFixedLimit),
    no_fields_of("envoy.extensions.filters.common.fault.v3.FaultRateLimit.HeaderLimit"),
};

std::string key_or(const std::string& key, const char* otherwise) { return key.empty() ? otherwise : key; }

routing::Fraction share(const envoy::type::v3::FractionalPercent& from, const std::string& key, const char* usual_key,
                        const Runtime& runtime) {
  return fraction(key_or(key, usual_key), fraction(from), runtime);
}

FaultSettings settings(const fault::HTTPFault& from, const Runtime& runtime, const Where& where) {
  using Kind = FaultSettings::Abort::Kind;
  FaultSettings to;
  if (from.has_delay()) {
    FaultSettings::Delay delay;
    const auto& fixed = from.delay().fixed_delay();
    if (from.delay().has_fixed_delay())
      delay.fixed = std::chrono::milliseconds(fixed.seconds() * 1000 + (fixed.nanos() + 999'999) / 1'000'000);
    delay.duration = runtime.value(key_or(from.delay_duration_runtime(), "fault.http.delay.fixed_duration_ms"));
    delay.share = share(from.delay().percentage(), from.delay_percent_runtime(), "fault.http.delay.fixed_delay_percent", runtime);
    to.delay = std::move(delay);
  }
  if (from.has_abort()) {
    FaultSettings::Abort abort;
    abort.kind = from.abort().has_header_abort()                                    ? Kind::kHeader
                 : from.abort().error_type_case() == fault::FaultAbort::kGrpcStatus ? Kind::kGrpc
                                                                                    : Kind::kHttp;
    abort.status = abort.kind == Kind::kGrpc ? from.abort().grpc_status() : from.abort().http_status();
    abort.http_status = runtime.value(key_or(from.abort_http_status_runtime(), "fault.http.abort.http_status"));
    abort.grpc_status = runtime.value(key_or(from.abort_grpc_status_runtime(), "fault.http.abort.grpc_status"));
    abort.share = share(from.abort().percentage(), from.abort_percent_runtime(), "fault.http.abort.abort_percent", runtime);
    to.abort = std::move(abort);
  }
  if (from.has_response_rate_limit()) {
    FaultSettings::RateLimit limit;
    if (from.response_rate_limit().has_fixed_limit()) limit.kib_per_second = from.response_rate_limit().fixed_limit().limit_kbps();
    limit.share = share(from.response_rate_limit().percentage(), from.response_rate_limit_percent_runtime(),
                        "fault.http.rate_limit.response_percent", runtime);
    to.rate_limit = std::move(limit);
  }
  to.upstream_cluster = from.upstream_cluster();
  to.headers = header_matchers(from.headers(), where, "headers");
  to.downstream_nodes.assign(from.downstream_nodes().begin(), from.downstream_nodes().end());
  to.max_active = runtime.number(key_or(from.max_active_faults_runtime(), "fault.http.max_active_faults"),
                                 from.has_max_active_faults() ? from.max_active_faults().value() : UINT64_MAX);
  to.metadata = metadata_struct(from.filter_metadata());
  to.downstream_cluster_stats = !from.disable_downstream_cluster_stats();
  return to;
}

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                          const Where& where) {
  fault::HTTPFault from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no HTTPFault"), nullptr;
  FaultOptions options;
  options.settings = settings(from, build.runtime, where);
  options.clusters = std::make_shared<DownstreamClusters>(build.runtime, build.registry, std::string(build.stat_prefix));
  if (build.registry) options.stats = observe::fault_scope(*build.registry, build.stat_prefix);
  return std::make_unique<FactoryOf<Fault, FaultOptions>>(instance, Fault::kHooks, std::move(options));
}

std::shared_ptr<const routing::FilterConfig> make_for_route(const std::string& bytes, const FilterBuild& build, const Where& where) {
  fault::HTTPFault from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no HTTPFault"), nullptr;
  auto config = std::make_shared<FaultRoute>();
  config->settings = settings(from, build.runtime, where);
  return config;
}

}  // namespace

HttpFilterType fault_type() {
  return {"envoy.filters.http.fault",
          "envoy.extensions.filters.http.fault.v3.HTTPFault",
          "envoy.extensions.filters.http.fault.v3.HTTPFault",
          [] { return all_of(kTables); },
          &make,
          &make_for_route};
}

}  // namespace weft::filters
