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
    {"max_active_faults"},
    {"delay_percent_runtime"},
    {"abort_percent_runtime"},
    {"delay_duration_runtime"},
    {"abort_http_status_runtime"},
    {"max_active_faults_runtime"},
    {"disable_downstream_cluster_stats", "stats per downstream cluster are not kept"},
    {"filter_metadata", "nothing here reads it"},
};
constexpr Field kFaultAbort[] = {
    {.name = "http_status", .min = 200, .max = 599},
    {"percentage"},
};
constexpr Field kFaultDelay[] = {
    {.name = "fixed_delay", .checks = kPositive},
    {"percentage"},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.http.fault.v3.HTTPFault", kHttpFault, "", "http_filter per_route"),
    fields_of("envoy.extensions.filters.http.fault.v3.FaultAbort", kFaultAbort, "error_type"),
    fields_of("envoy.extensions.filters.common.fault.v3.FaultDelay", kFaultDelay, "fault_delay_secifier"),
};

std::string key_or(const std::string& key, const char* otherwise) { return key.empty() ? otherwise : key; }

FaultSettings settings(const fault::HTTPFault& from, const Runtime& runtime, const Where& where) {
  FaultSettings to;
  if (from.has_delay()) {
    FaultSettings::Delay delay;
    const auto& fixed = from.delay().fixed_delay();
    delay.duration = std::chrono::milliseconds(fixed.seconds() * 1000 + (fixed.nanos() + 999'999) / 1'000'000);
    if (auto ms = runtime.number(key_or(from.delay_duration_runtime(), "fault.http.delay.fixed_duration_ms")))
      delay.duration = std::chrono::milliseconds(*ms);
    delay.share = fraction(key_or(from.delay_percent_runtime(), "fault.http.delay.fixed_delay_percent"),
                           fraction(from.delay().percentage()), runtime);
    to.delay = delay;
  }
  if (from.has_abort()) {
    FaultSettings::Abort abort;
    abort.status = static_cast<int>(from.abort().http_status());
    if (auto status = runtime.number(key_or(from.abort_http_status_runtime(), "fault.http.abort.http_status"));
        status && *status >= 200 && *status < 600)
      abort.status = static_cast<int>(*status);
    abort.share =
        fraction(key_or(from.abort_percent_runtime(), "fault.http.abort.abort_percent"), fraction(from.abort().percentage()), runtime);
    to.abort = abort;
  }
  to.upstream_cluster = from.upstream_cluster();
  to.headers = header_matchers(from.headers(), where, "headers");
  if (from.has_max_active_faults()) {
    to.max_active = from.max_active_faults().value();
    if (auto max = runtime.number(key_or(from.max_active_faults_runtime(), "fault.http.max_active_faults"))) to.max_active = *max;
  }
  return to;
}

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                          const Where& where) {
  fault::HTTPFault from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no HTTPFault"), nullptr;
  FaultOptions options;
  options.settings = settings(from, build.runtime, where);
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
