// /clusters: each cluster with its hosts, as text lines "name::host::cx_active::1" or as admin.v3.Clusters.
#include "envoy/admin/v3/clusters.pb.h"
#include "proxy/admin/address.h"
#include "proxy/admin/admin_source.h"
#include "proxy/admin/json.h"
#include "proxy/admin/page.h"

#include <re2/re2.h>

#include <charconv>
#include <memory>

namespace weft::admin {
namespace {

std::string number(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

bool unhealthy_by_eds(const HostView& host) { return host.eds_health == 2 || host.eds_health == 3 || host.eds_health == 4; }

std::string health_flags(const HostView& host) {
  std::string out;
  if (host.failed_active_hc) out += "/failed_active_hc";
  if (host.failed_outlier_check) out += "/failed_outlier_check";
  if (unhealthy_by_eds(host)) out += host.eds_health == 3 ? "/eds_status_draining" : "/failed_eds_health";
  if (host.eds_health == 5) out += "/degraded_eds_health";
  if (host.excluded_via_immediate_hc_fail) out += "/excluded_via_immediate_hc_fail";
  if (host.active_hc_timeout) out += "/active_hc_timeout";
  return out.empty() ? "healthy" : out;
}

void print_breaker(std::string& out, const std::string& name, const BreakerView& breaker) {
  out += name + "::max_connections::" + std::to_string(breaker.max_connections) + "\n";
  out += name + "::max_pending_requests::" + std::to_string(breaker.max_pending_requests) + "\n";
  out += name + "::max_requests::" + std::to_string(breaker.max_requests) + "\n";
  out += name + "::max_retries::" + std::to_string(breaker.max_retries) + "\n";
}

void print_host(std::string& out, const std::string& cluster, const HostView& host) {
  std::string start = cluster + "::" + host.address + "::";
  auto line = [&](std::string_view name, const std::string& value) { out += start + std::string(name) + "::" + value + "\n"; };
  line("cx_active", std::to_string(host.cx_active));
  line("cx_connect_fail", std::to_string(host.cx_connect_fail));
  line("cx_total", std::to_string(host.cx_total));
  line("rq_active", std::to_string(host.rq_active));
  line("rq_error", std::to_string(host.rq_error));
  line("rq_pending_active", std::to_string(host.rq_pending_active));
  line("rq_success", std::to_string(host.rq_success));
  line("rq_timeout", std::to_string(host.rq_timeout));
  line("rq_total", std::to_string(host.rq_total));
  line("hostname", host.hostname);
  line("health_flags", health_flags(host));
  line("weight", std::to_string(host.weight));
  line("region", host.region);
  line("zone", host.zone);
  line("sub_zone", host.sub_zone);
  line("canary", host.canary ? "true" : "false");
  line("priority", std::to_string(host.priority));
  line("success_rate", number(host.success_rate));
  line("local_origin_success_rate", number(host.local_origin_success_rate));
}

void print(std::string& out, const ClusterView& cluster) {
  out += cluster.name + "::observability_name::" + cluster.observability_name + "\n";
  if (cluster.outlier_detection)
    for (std::string_view name : {"success_rate_average", "success_rate_ejection_threshold", "local_origin_success_rate_average",
                                  "local_origin_success_rate_ejection_threshold"})
      out += cluster.name + "::outlier::" + std::string(name) + "::-1\n";
  print_breaker(out, cluster.name + "::default_priority", cluster.default_priority);
  print_breaker(out, cluster.name + "::high_priority", cluster.high_priority);
  out += cluster.name + "::added_via_api::" + (cluster.added_via_api ? "true\n" : "false\n");
  if (!cluster.eds_service_name.empty()) out += cluster.name + "::eds_service_name::" + cluster.eds_service_name + "\n";
  for (const HostView& host : cluster.hosts) print_host(out, cluster.name, host);
}

void fill(envoy::config::cluster::v3::CircuitBreakers::Thresholds& to, const BreakerView& from) {
  to.mutable_max_connections()->set_value(from.max_connections);
  to.mutable_max_pending_requests()->set_value(from.max_pending_requests);
  to.mutable_max_requests()->set_value(from.max_requests);
  to.mutable_max_retries()->set_value(from.max_retries);
}

void fill(envoy::admin::v3::HostStatus& to, const HostView& host) {
  set_address(*to.mutable_address(), host.address);
  auto stat = [&to](const char* name, uint64_t value, bool gauge) {
    auto& metric = *to.add_stats();
    if (gauge) metric.set_type(envoy::admin::v3::SimpleMetric::GAUGE);
    metric.set_name(name);
    metric.set_value(value);
  };
  stat("cx_connect_fail", host.cx_connect_fail, false);
  stat("cx_total", host.cx_total, false);
  stat("rq_error", host.rq_error, false);
  stat("rq_success", host.rq_success, false);
  stat("rq_timeout", host.rq_timeout, false);
  stat("rq_total", host.rq_total, false);
  stat("cx_active", host.cx_active, true);
  stat("rq_active", host.rq_active, true);
  stat("rq_pending_active", host.rq_pending_active, true);
  auto& health = *to.mutable_health_status();
  health.set_failed_active_health_check(host.failed_active_hc);
  health.set_failed_outlier_check(host.failed_outlier_check);
  health.set_excluded_via_immediate_hc_fail(host.excluded_via_immediate_hc_fail);
  health.set_active_hc_timeout(host.active_hc_timeout);
  health.set_eds_health_status(static_cast<envoy::config::core::v3::HealthStatus>(host.eds_health == 0 ? 1 : host.eds_health));
  to.set_weight(host.weight);
  to.set_hostname(host.hostname);
  to.set_priority(host.priority);
  if (host.success_rate >= 0) to.mutable_success_rate()->set_value(host.success_rate);
  if (host.local_origin_success_rate >= 0) to.mutable_local_origin_success_rate()->set_value(host.local_origin_success_rate);
  auto& locality = *to.mutable_locality();
  locality.set_region(host.region);
  locality.set_zone(host.zone);
  locality.set_sub_zone(host.sub_zone);
}

void fill(envoy::admin::v3::ClusterStatus& to, const ClusterView& cluster) {
  to.set_name(cluster.name);
  to.set_observability_name(cluster.observability_name);
  to.set_eds_service_name(cluster.eds_service_name);
  to.set_added_via_api(cluster.added_via_api);
  fill(*to.mutable_circuit_breakers()->add_thresholds(), cluster.default_priority);
  auto& high = *to.mutable_circuit_breakers()->add_thresholds();
  high.set_priority(envoy::config::core::v3::HIGH);
  fill(high, cluster.high_priority);
  for (const HostView& host : cluster.hosts) fill(*to.add_host_statuses(), host);
}

}  // namespace

Page clusters_page(PageContext& context, const PageRequest& request) {
  std::unique_ptr<RE2> filter;
  if (!request.value("filter").empty()) {
    RE2::Options quiet;
    quiet.set_log_errors(false);
    filter = std::make_unique<RE2>(std::string(request.value("filter")), quiet);
    if (!filter->ok()) return {400, "Invalid re2 regex: " + filter->error()};
  }
  envoy::admin::v3::Clusters all;
  std::string text;
  bool json = request.value("format") == "json";
  for (const ClusterView& cluster : context.source.clusters()) {
    if (filter && !RE2::PartialMatch(cluster.name, *filter)) continue;
    if (json)
      fill(*all.add_cluster_statuses(), cluster);
    else
      print(text, cluster);
  }
  if (!json) return {200, text};
  auto printed = to_json(all);
  if (!printed) return {500, printed.error().detail};
  return {200, std::move(*printed), "application/json"};
}

}  // namespace weft::admin
