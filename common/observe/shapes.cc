#include "common/observe/shapes.h"

#include <algorithm>

namespace weft::observe {
namespace {

#define WEFT_STAT_ROW(id, name, kind, lazy) Metric{name, Kind::kind, lazy},
constexpr Metric kClusterStatTable[] = {WEFT_CLUSTER_STATS(WEFT_STAT_ROW)};
constexpr Metric kRemainingStatTable[] = {WEFT_REMAINING_STATS(WEFT_STAT_ROW)};
constexpr Metric kRingHashStatTable[] = {WEFT_RING_HASH_STATS(WEFT_STAT_ROW)};
constexpr Metric kMaglevStatTable[] = {WEFT_MAGLEV_STATS(WEFT_STAT_ROW)};
constexpr Metric kHttpStatTable[] = {WEFT_HTTP_STATS(WEFT_STAT_ROW)};
constexpr Metric kVirtualHostStatTable[] = {WEFT_VIRTUAL_HOST_STATS(WEFT_STAT_ROW)};
constexpr Metric kCustomResponseStatTable[] = {WEFT_CUSTOM_RESPONSE_STATS(WEFT_STAT_ROW)};
constexpr Metric kHeaderToMetadataStatTable[] = {WEFT_HEADER_TO_METADATA_STATS(WEFT_STAT_ROW)};
constexpr Metric kSetMetadataStatTable[] = {WEFT_SET_METADATA_STATS(WEFT_STAT_ROW)};
constexpr Metric kCorsStatTable[] = {WEFT_CORS_STATS(WEFT_STAT_ROW)};
constexpr Metric kHttp1StatTable[] = {WEFT_HTTP1_STATS(WEFT_STAT_ROW)};
constexpr Metric kCsrfStatTable[] = {WEFT_CSRF_STATS(WEFT_STAT_ROW)};
constexpr Metric kLocalRateLimitStatTable[] = {WEFT_LOCAL_RATE_LIMIT_STATS(WEFT_STAT_ROW)};
constexpr Metric kConnectionLimitStatTable[] = {WEFT_CONNECTION_LIMIT_STATS(WEFT_STAT_ROW)};
constexpr Metric kConnectionRateStatTable[] = {WEFT_CONNECTION_RATE_STATS(WEFT_STAT_ROW)};
constexpr Metric kHttp2StatTable[] = {WEFT_HTTP2_STATS(WEFT_STAT_ROW)};
constexpr Metric kFaultClusterStatTable[] = {WEFT_FAULT_CLUSTER_STATS(WEFT_STAT_ROW)};
constexpr Metric kDecompressorStatTable[] = {WEFT_DECOMPRESSOR_STATS(WEFT_STAT_ROW)};
constexpr Metric kGzipLibraryStatTable[] = {WEFT_GZIP_LIBRARY_STATS(WEFT_STAT_ROW)};
constexpr Metric kRateLimitStatTable[] = {WEFT_RATELIMIT_STATS(WEFT_STAT_ROW)};
constexpr Metric kExtensionStatTable[] = {WEFT_EXTENSION_STATS(WEFT_STAT_ROW)};
constexpr Metric kFaultStatTable[] = {WEFT_FAULT_STATS(WEFT_STAT_ROW)};
constexpr Metric kExtAuthzStatTable[] = {WEFT_EXT_AUTHZ_STATS(WEFT_STAT_ROW)};
constexpr Metric kCompressorStatTable[] = {WEFT_COMPRESSOR_STATS(WEFT_STAT_ROW)};
constexpr Metric kListenerStatTable[] = {WEFT_LISTENER_STATS(WEFT_STAT_ROW)};
constexpr Metric kListenerHttpStatTable[] = {WEFT_LISTENER_HTTP_STATS(WEFT_STAT_ROW)};
constexpr Metric kListenerWorkerStatTable[] = {WEFT_LISTENER_WORKER_STATS(WEFT_STAT_ROW)};
constexpr Metric kTcpStatTable[] = {WEFT_TCP_STATS(WEFT_STAT_ROW)};
constexpr Metric kServerStatTable[] = {WEFT_SERVER_STATS(WEFT_STAT_ROW)};
constexpr Metric kListenerManagerStatTable[] = {WEFT_LISTENER_MANAGER_STATS(WEFT_STAT_ROW)};
constexpr Metric kClusterManagerStatTable[] = {WEFT_CLUSTER_MANAGER_STATS(WEFT_STAT_ROW)};
constexpr Metric kSubscriptionStatTable[] = {WEFT_SUBSCRIPTION_STATS(WEFT_STAT_ROW)};
constexpr Metric kRdsStatTable[] = {WEFT_RDS_STATS(WEFT_STAT_ROW)};
constexpr Metric kScopedRdsStatTable[] = {WEFT_SCOPED_RDS_STATS(WEFT_STAT_ROW)};
constexpr Metric kControlPlaneStatTable[] = {WEFT_CONTROL_PLANE_STATS(WEFT_STAT_ROW)};
constexpr Metric kRuntimeStatTable[] = {WEFT_RUNTIME_STATS(WEFT_STAT_ROW)};
constexpr Metric kFilesystemStatTable[] = {WEFT_FILESYSTEM_STATS(WEFT_STAT_ROW)};

}  // namespace

const Shape kClusterShape = make_shape("cluster", kClusterStatTable);
const Shape kRemainingDefaultShape = make_shape("cluster.circuit_breakers.default", kRemainingStatTable);
const Shape kRemainingHighShape = make_shape("cluster.circuit_breakers.high", kRemainingStatTable);
const Shape kRingHashShape = make_shape("cluster.ring_hash_lb", kRingHashStatTable);
const Shape kMaglevShape = make_shape("cluster.maglev_lb", kMaglevStatTable);
const Shape kHttpShape = make_shape("http", kHttpStatTable);
const Shape kVirtualClusterShape = make_shape("vhost.vcluster", kVirtualHostStatTable);
const Shape kRouteShape = make_shape("vhost.route", kVirtualHostStatTable);
const Shape kCustomResponseShape = make_shape("http.custom_response", kCustomResponseStatTable);
const Shape kHeaderToMetadataShape = make_shape("http_filter_name", kHeaderToMetadataStatTable);
const Shape kSetMetadataShape = make_shape("http.set_metadata", kSetMetadataStatTable);
const Shape kCorsShape = make_shape("http.cors", kCorsStatTable);
const Shape kHttp1Shape = make_shape("http1", kHttp1StatTable);
const Shape kCsrfShape = make_shape("http.csrf", kCsrfStatTable);
const Shape kLocalRateLimitShape = make_shape("http_local_rate_limit", kLocalRateLimitStatTable);
const Shape kConnectionLimitShape = make_shape("connection_limit", kConnectionLimitStatTable);
const Shape kConnectionRateShape = make_shape("local_rate_limit", kConnectionRateStatTable);
const Shape kHttp2Shape = make_shape("http2", kHttp2StatTable);
const Shape kClusterHttp2Shape = make_shape("cluster.http2", kHttp2StatTable);
const Shape kFaultClusterShape = make_shape("http.fault.cluster", kFaultClusterStatTable);
const Shape kFaultShape = make_shape("http.fault", kFaultStatTable);
const Shape kExtAuthzShape = make_shape("http.ext_authz", kExtAuthzStatTable);
const Shape kClusterExtAuthzShape = make_shape("cluster.ext_authz", kExtAuthzStatTable);
const Shape kCompressorShape = make_shape("http.compressor", kCompressorStatTable);
const Shape kListenerShape = make_shape("listener", kListenerStatTable);
const Shape kListenerAdminShape = make_shape("listener.admin", kListenerStatTable);
const Shape kListenerHttpShape = make_shape("listener.http", kListenerHttpStatTable);
const Shape kListenerAdminHttpShape = make_shape("listener.admin.http", kListenerHttpStatTable);
const Shape kListenerWorkerShape = make_shape("listener.worker", kListenerWorkerStatTable);
const Shape kTcpShape = make_shape("tcp", kTcpStatTable);
const Shape kServerShape = make_shape("server", kServerStatTable);
const Shape kListenerManagerShape = make_shape("listener_manager", kListenerManagerStatTable);
const Shape kClusterManagerShape = make_shape("cluster_manager", kClusterManagerStatTable);
const Shape kCdsShape = make_shape("cluster_manager.cds", kSubscriptionStatTable);
const Shape kDecompressorShape = make_shape("http.decompressor", kDecompressorStatTable);
const Shape kGzipLibraryShape = make_shape("http.decompressor.gzip", kGzipLibraryStatTable);
const Shape kRateLimitShape = make_shape("cluster.ratelimit", kRateLimitStatTable);
const Shape kEcdsShape = make_shape("extension_config_discovery", kSubscriptionStatTable);
const Shape kExtensionShape = make_shape("extension_config_discovery", kExtensionStatTable);
const Shape kRtdsShape = make_shape("runtime", kSubscriptionStatTable);
const Shape kLdsShape = make_shape("listener_manager.lds", kSubscriptionStatTable);
const Shape kRdsShape = make_shape("http.rds", kSubscriptionStatTable);
const Shape kEdsShape = make_shape("cluster", kSubscriptionStatTable);
const Shape kRdsReloadShape = make_shape("http.rds", kRdsStatTable);
const Shape kScopedRdsShape = make_shape("http.scoped_rds", kSubscriptionStatTable);
const Shape kScopedRdsReloadShape = make_shape("http.scoped_rds", kScopedRdsStatTable);
const Shape kCdsReloadShape = make_shape("cluster_manager.cds", kRdsStatTable);
const Shape kControlPlaneShape = make_shape("control_plane", kControlPlaneStatTable);
const Shape kRuntimeShape = make_shape("runtime", kRuntimeStatTable);
const Shape kFilesystemShape = make_shape("filesystem", kFilesystemStatTable);

namespace {

constexpr const char* kClusterTag = "envoy_cluster_name";
constexpr const char* kHttpTag = "envoy_http_conn_manager_prefix";
constexpr const char* kLocalRateLimitTag = "envoy_local_http_ratelimit_prefix";
constexpr const char* kListenerTag = "envoy_listener_address";

std::string stat_name(std::string_view name) {
  std::string result(name);
  std::replace(result.begin(), result.end(), ':', '_');
  return result;
}

ScopePtr cluster_part(Registry& registry, const Shape& shape, std::string_view name, std::string_view rest) {
  std::string clean = stat_name(name);
  return registry.scope(shape, "cluster." + clean + "." + std::string(rest), {{kClusterTag, clean}});
}

ScopePtr http_part(Registry& registry, const Shape& shape, std::string_view prefix, std::string_view rest) {
  std::string clean = stat_name(prefix);
  return registry.scope(shape, "http." + clean + "." + std::string(rest), {{kHttpTag, clean}});
}

}  // namespace

ScopePtr cluster_scope(Registry& registry, std::string_view name) { return cluster_part(registry, kClusterShape, name, ""); }
ScopePtr remaining_scope(Registry& registry, std::string_view name, bool high) {
  return high ? cluster_part(registry, kRemainingHighShape, name, "circuit_breakers.high.")
              : cluster_part(registry, kRemainingDefaultShape, name, "circuit_breakers.default.");
}
ScopePtr ring_hash_scope(Registry& registry, std::string_view name) {
  return cluster_part(registry, kRingHashShape, name, "ring_hash_lb.");
}
ScopePtr maglev_scope(Registry& registry, std::string_view name) { return cluster_part(registry, kMaglevShape, name, "maglev_lb."); }
ScopePtr http_scope(Registry& registry, std::string_view prefix) { return http_part(registry, kHttpShape, prefix, ""); }
ScopePtr virtual_cluster_scope(Registry& registry, std::string_view virtual_host, std::string_view virtual_cluster) {
  const std::string host = stat_name(virtual_host), cluster = stat_name(virtual_cluster);
  return registry.scope(kVirtualClusterShape, "vhost." + host + ".vcluster." + cluster + ".",
                        {{"envoy_virtual_cluster", cluster}, {"envoy_virtual_host", host}});
}
ScopePtr route_scope(Registry& registry, std::string_view virtual_host, std::string_view stat_prefix) {
  const std::string host = stat_name(virtual_host), route = stat_name(stat_prefix);
  return registry.scope(kRouteShape, "vhost." + host + ".route." + route + ".", {{"envoy_route", route}, {"envoy_virtual_host", host}});
}
ScopePtr set_metadata_scope(Registry& registry, std::string_view prefix) {
  return http_part(registry, kSetMetadataShape, prefix, "set_metadata.");
}
ScopePtr custom_response_scope(Registry& registry, std::string_view prefix) {
  return http_part(registry, kCustomResponseShape, prefix, "");
}
ScopePtr header_to_metadata_scope(Registry& registry, std::string_view own_prefix) {
  return registry.scope(kHeaderToMetadataShape, "http_filter_name." + stat_name(own_prefix) + ".");
}
ScopePtr cors_scope(Registry& registry, std::string_view prefix) { return http_part(registry, kCorsShape, prefix, "cors."); }
ScopePtr csrf_scope(Registry& registry, std::string_view prefix) { return http_part(registry, kCsrfShape, prefix, "csrf."); }
ScopePtr local_rate_limit_scope(Registry& registry, std::string_view own_prefix) {
  std::string clean = stat_name(own_prefix);
  return registry.scope(kLocalRateLimitShape, clean + ".http_local_rate_limit.", {{kLocalRateLimitTag, clean}});
}
ScopePtr connection_limit_scope(Registry& registry, std::string_view own_prefix) {
  std::string clean = stat_name(own_prefix);
  return registry.scope(kConnectionLimitShape, "connection_limit." + clean + ".", {{"envoy_connection_limit_prefix", clean}});
}
ScopePtr connection_rate_scope(Registry& registry, std::string_view own_prefix) {
  std::string clean = stat_name(own_prefix);
  return registry.scope(kConnectionRateShape, "local_rate_limit." + clean + ".", {{"envoy_local_network_ratelimit_prefix", clean}});
}
ScopePtr http1_scope(Registry& registry) { return registry.scope(kHttp1Shape, "http1."); }
ScopePtr http2_scope(Registry& registry) { return registry.scope(kHttp2Shape, "http2."); }
ScopePtr cluster_http2_scope(Registry& registry, std::string_view name) {
  return cluster_part(registry, kClusterHttp2Shape, name, "http2.");
}
ScopePtr fault_scope(Registry& registry, std::string_view prefix) { return http_part(registry, kFaultShape, prefix, "fault."); }
ScopePtr fault_cluster_scope(Registry& registry, std::string_view prefix, std::string_view cluster) {
  return http_part(registry, kFaultClusterShape, prefix, "fault." + stat_name(cluster) + ".");
}
ScopePtr ext_authz_scope(Registry& registry, std::string_view prefix, std::string_view own_prefix) {
  std::string rest = "ext_authz.";
  if (!own_prefix.empty()) rest += stat_name(own_prefix) + ".";
  return http_part(registry, kExtAuthzShape, prefix, rest);
}
ScopePtr cluster_ext_authz_scope(Registry& registry, std::string_view name) {
  return cluster_part(registry, kClusterExtAuthzShape, name, "ext_authz.");
}
ScopePtr compressor_scope(Registry& registry, std::string_view prefix, std::string_view library, std::string_view kind,
                          std::string_view direction) {
  std::string rest = "compressor." + stat_name(library) + "." + std::string(kind) + ".";
  if (!direction.empty()) rest += std::string(direction) + ".";
  std::string clean = stat_name(prefix);
  return registry.scope(kCompressorShape, "http." + clean + "." + rest,
                        {{"weft_compressor", stat_name(library)}, {"weft_direction", std::string(direction)}, {kHttpTag, clean}});
}
ScopePtr listener_scope(Registry& registry, std::string_view address) {
  std::string clean = stat_name(address);
  return registry.scope(kListenerShape, "listener." + clean + ".", {{kListenerTag, clean}});
}
ScopePtr listener_http_scope(Registry& registry, std::string_view address, std::string_view prefix) {
  std::string clean = stat_name(address), http = stat_name(prefix);
  return registry.scope(kListenerHttpShape, "listener." + clean + ".http." + http + ".", {{kHttpTag, http}, {kListenerTag, clean}});
}
ScopePtr listener_worker_scope(Registry& registry, std::string_view address, unsigned worker) {
  std::string clean = stat_name(address), id = std::to_string(worker);
  return registry.scope(kListenerWorkerShape, "listener." + clean + ".worker_" + id + ".",
                        {{"envoy_worker_id", id}, {kListenerTag, clean}});
}
ScopePtr admin_listener_scope(Registry& registry) { return registry.scope(kListenerAdminShape, "listener.admin."); }
ScopePtr admin_listener_http_scope(Registry& registry) {
  return registry.scope(kListenerAdminHttpShape, "listener.admin.http.admin.", {{kHttpTag, "admin"}});
}
ScopePtr tcp_scope(Registry& registry, std::string_view prefix) {
  std::string clean = stat_name(prefix);
  return registry.scope(kTcpShape, "tcp." + clean + ".", {{"envoy_tcp_prefix", clean}});
}
ScopePtr server_scope(Registry& registry) { return registry.scope(kServerShape, "server."); }
ScopePtr listener_manager_scope(Registry& registry) { return registry.scope(kListenerManagerShape, "listener_manager."); }
ScopePtr cluster_manager_scope(Registry& registry) { return registry.scope(kClusterManagerShape, "cluster_manager."); }
ScopePtr cds_scope(Registry& registry) { return registry.scope(kCdsShape, "cluster_manager.cds."); }
ScopePtr cds_reload_scope(Registry& registry) { return registry.scope(kCdsReloadShape, "cluster_manager.cds."); }
ScopePtr lds_scope(Registry& registry) { return registry.scope(kLdsShape, "listener_manager.lds."); }
ScopePtr rds_scope(Registry& registry, std::string_view prefix, std::string_view name) {
  std::string http = stat_name(prefix), route = stat_name(name);
  return registry.scope(kRdsShape, "http." + http + ".rds." + route + ".", {{"envoy_rds_route_config", route}, {kHttpTag, http}});
}
ScopePtr rds_reload_scope(Registry& registry, std::string_view prefix, std::string_view name) {
  std::string http = stat_name(prefix), route = stat_name(name);
  return registry.scope(kRdsReloadShape, "http." + http + ".rds." + route + ".", {{"envoy_rds_route_config", route}, {kHttpTag, http}});
}
ScopePtr scoped_rds_scope(Registry& registry, std::string_view prefix, std::string_view name) {
  std::string http = stat_name(prefix), scoped = stat_name(name);
  return registry.scope(kScopedRdsShape, "http." + http + ".scoped_rds." + scoped + ".",
                        {{"envoy_scoped_rds_config", scoped}, {kHttpTag, http}});
}
ScopePtr scoped_rds_reload_scope(Registry& registry, std::string_view prefix, std::string_view name) {
  std::string http = stat_name(prefix), scoped = stat_name(name);
  return registry.scope(kScopedRdsReloadShape, "http." + http + ".scoped_rds." + scoped + ".",
                        {{"envoy_scoped_rds_config", scoped}, {kHttpTag, http}});
}
ScopePtr eds_scope(Registry& registry, std::string_view name) { return cluster_part(registry, kEdsShape, name, ""); }
ScopePtr control_plane_scope(Registry& registry) { return registry.scope(kControlPlaneShape, "control_plane."); }
ScopePtr decompressor_scope(Registry& registry, std::string_view prefix, std::string_view library, std::string_view kind,
                            std::string_view direction) {
  return http_part(registry, kDecompressorShape, prefix,
                   "decompressor." + stat_name(library) + "." + std::string(kind) + "." + std::string(direction) + ".");
}
ScopePtr gzip_library_scope(Registry& registry, std::string_view prefix, std::string_view library) {
  return http_part(registry, kGzipLibraryShape, prefix, "decompressor." + stat_name(library) + ".gzip.decompressor_library.");
}
ScopePtr ratelimit_scope(Registry& registry, std::string_view name, std::string_view own_prefix) {
  std::string rest = "ratelimit.";
  if (!own_prefix.empty()) rest += stat_name(own_prefix) + ".";
  return cluster_part(registry, kRateLimitShape, name, rest);
}
ScopePtr ecds_scope(Registry& registry, std::string_view filter) {
  return registry.scope(kEcdsShape, "extension_config_discovery.http_filter." + stat_name(filter) + ".");
}
ScopePtr extension_scope(Registry& registry, std::string_view filter) {
  return registry.scope(kExtensionShape, "extension_config_discovery.http_filter." + stat_name(filter) + ".");
}
ScopePtr rtds_scope(Registry& registry) { return registry.scope(kRtdsShape, "runtime."); }
ScopePtr runtime_scope(Registry& registry) { return registry.scope(kRuntimeShape, "runtime."); }
ScopePtr filesystem_scope(Registry& registry) { return registry.scope(kFilesystemShape, "filesystem."); }

}  // namespace weft::observe
