// The bootstrap file itself: which of its fields are implemented.
#include "proxy/config/field_tables.h"

namespace weft::config {
namespace {

using namespace filters;

constexpr Field kBootstrapFields[] = {
    {"node"},
    {"static_resources"},
    {"dynamic_resources"},
    {"cluster_manager"},
    {"stats_flush_interval", "there are no stats sinks to flush to"},
    {"watchdog", "there is no watchdog"},
    {"admin"},
    {"stats_config"},
    {"enable_dispatcher_stats", "the event loops keep no such stats"},
    {"layered_runtime"},
    {"use_tcp_for_dns_lookups"},
    {"watchdogs", "there is no watchdog"},
    {"stats_flush_on_admin", "there are no stats sinks to flush to"},
    {"dns_resolution_config"},
    {.name = "typed_dns_resolver_config", .takes = "dns_resolver"},
    {"deferred_stat_options", "stats are always made when first used"},
    {"memory_allocator_manager", "the allocator needs no steering"},
};
constexpr Field kBootstrapStaticResourcesFields[] = {
    {"listeners"},
    {"clusters"},
};
constexpr Field kBootstrapDynamicResourcesFields[] = {
    {"lds_config"},
    {"cds_config"},
    {"ads_config"},
};
constexpr Field kAdminFields[] = {
    {"access_log_path"},
    {"profile_path", "there is no profiler"},
    {"address"},
    {"access_log"},
    {"ignore_global_conn_limit", "there is no global limit"},
};
constexpr Field kClusterManagerFields[] = {
    {"local_cluster_name", "only zone-aware routing reads it, which is refused"},
    {"upstream_bind_config"},
    {"enable_deferred_cluster_creation", "pools are always made at first use"},
};
constexpr Field kLayeredRuntimeFields[] = {
    {"layers"},
};
constexpr Field kRuntimeLayerFields[] = {
    {.name = "name", .checks = kNotEmpty}, {"static_layer"}, {"disk_layer"}, {"admin_layer"}, {"rtds_layer"},
};
constexpr Field kDiskLayerFields[] = {
    {.name = "symlink_root", .checks = kNotEmpty},
    {"append_service_cluster"},
    {"subdirectory"},
};
constexpr Field kRtdsLayerFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "rtds_config", .checks = kRequired},
};
constexpr Field kRuntimeFields[] = {
    {"name"},
    {"layer"},
};
constexpr Field kNameTableFields[] = {
    {"table"},
};
constexpr Field kNameInfoFields[] = {
    {"ips"}, {"registry"}, {"shortname"}, {"namespace"}, {"alt_hosts"},
};
constexpr Field kStatsConfigFields[] = {
    {.name = "use_all_default_tags", .only = "true"},
    {"stats_matcher", "all stats are kept; they cost little until used"},
};

constexpr FieldTable kTables[] = {
    fields_of("envoy.config.bootstrap.v3.Bootstrap", kBootstrapFields),
    fields_of("envoy.config.bootstrap.v3.Bootstrap.StaticResources", kBootstrapStaticResourcesFields),
    fields_of("envoy.config.bootstrap.v3.Bootstrap.DynamicResources", kBootstrapDynamicResourcesFields),
    fields_of("envoy.config.bootstrap.v3.Admin", kAdminFields),
    fields_of("envoy.config.bootstrap.v3.ClusterManager", kClusterManagerFields),
    fields_of("envoy.config.bootstrap.v3.LayeredRuntime", kLayeredRuntimeFields),
    fields_of("envoy.config.bootstrap.v3.RuntimeLayer", kRuntimeLayerFields, "layer_specifier"),
    fields_of("envoy.config.bootstrap.v3.RuntimeLayer.DiskLayer", kDiskLayerFields),
    no_fields_of("envoy.config.bootstrap.v3.RuntimeLayer.AdminLayer"),
    fields_of("envoy.config.bootstrap.v3.RuntimeLayer.RtdsLayer", kRtdsLayerFields),
    fields_of("envoy.service.runtime.v3.Runtime", kRuntimeFields),
    fields_of("envoy.config.metrics.v3.StatsConfig", kStatsConfigFields),
    fields_of("istio.networking.nds.v1.NameTable", kNameTableFields, {}, {}, "for the DNS proxy"),
    fields_of("istio.networking.nds.v1.NameTable.NameInfo", kNameInfoFields),
};

}  // namespace

FieldTables bootstrap_tables() { return all_of(kTables); }

}  // namespace weft::config
