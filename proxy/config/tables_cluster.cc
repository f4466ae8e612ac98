// Clusters, their load balancing and endpoints: which fields are implemented.
#include "proxy/config/field_tables.h"

namespace weft::config {
namespace {

using namespace filters;

constexpr Field kClusterFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {"type"},
    {"cluster_type"},
    {"eds_cluster_config"},
    {.name = "connect_timeout", .checks = kPositive},
    {"per_connection_buffer_limit_bytes"},
    {.name = "lb_policy", .only = "ROUND_ROBIN LEAST_REQUEST RANDOM RING_HASH MAGLEV CLUSTER_PROVIDED LOAD_BALANCING_POLICY_CONFIG"},
    {"max_requests_per_connection"},
    {"circuit_breakers"},
    {"http_protocol_options"},
    {"http2_protocol_options"},
    {.name = "dns_refresh_rate", .min = 0.001},
    {"dns_lookup_family"},
    {"dns_resolvers"},
    {"outlier_detection"},
    {.name = "cleanup_interval", .checks = kPositive, .note = "of ORIGINAL_DST clusters"},
    {"upstream_bind_config"},
    {"transport_socket"},
    {"metadata", "carried along and shown in /config_dump; nothing here reads it"},
    {"common_lb_config"},
    {"alt_stat_name"},
    {"common_http_protocol_options"},
    {"upstream_connection_options"},
    {"ignore_health_on_host_removal", "there is no active health checking"},
    {"load_assignment"},
    {.name = "typed_extension_protocol_options", .takes = "upstream_options"},
    {"least_request_lb_config"},
    {"respect_dns_ttl"},
    {"dns_failure_refresh_rate"},
    {"use_tcp_for_dns_lookups"},
    {"dns_resolution_config"},
    {"wait_for_warm_on_init"},
    {.name = "typed_dns_resolver_config", .takes = "dns_resolver"},
    {"dns_jitter"},
    {"original_dst_lb_config"},
    {"load_balancing_policy"},
    {"round_robin_lb_config"},
    {"ring_hash_lb_config"},
    {"maglev_lb_config"},
};
constexpr Field kClusterCustomClusterTypeFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "typed_config", .takes = "cluster_type"},
};
constexpr Field kClusterRefreshRateFields[] = {
    {.name = "base_interval", .checks = kRequired, .min = 0.001},
    {.name = "max_interval", .min = 0.001},
};
constexpr Field kClusterOriginalDstLbConfigFields[] = {
    {"use_http_header"},
    {.name = "http_header_name", .checks = kHeaderName},
    {.name = "upstream_port_override", .max = 65535},
    {"metadata_key"},
};
constexpr Field kDnsClusterFields[] = {
    {.name = "dns_refresh_rate", .min = 0.001},
    {"dns_failure_refresh_rate"},
    {"respect_dns_ttl"},
    {"dns_jitter"},
    {.name = "typed_dns_resolver_config", .takes = "dns_resolver"},
    {"dns_lookup_family"},
    {.name = "all_addresses_in_single_endpoint", .note = "true: as LOGICAL_DNS; false: as STRICT_DNS"},
};
constexpr Field kDnsResolutionConfigFields[] = {
    {.name = "resolvers", .min = 1},
    {"dns_resolver_options"},
};
constexpr Field kDnsResolverOptionsFields[] = {
    {"use_tcp_for_dns_lookups"},
    {"no_default_search_domain"},
};
constexpr Field kCaresDnsResolverConfigFields[] = {
    {"resolvers"},
    {"dns_resolver_options"},
    {"use_resolvers_as_fallback"},
    {"filter_unroutable_families"},
    {.name = "query_timeout_seconds", .min = 1},
    {.name = "query_tries", .min = 1},
    {"rotate_nameservers"},
    {.name = "edns0_max_payload_size", .min = 512, .max = 4096},
};
constexpr Field kGetAddrInfoDnsResolverConfigFields[] = {
    {"num_retries"},
    {.name = "num_resolver_threads", .min = 1, .max = 64},
};
constexpr Field kBindConfigFields[] = {
    {"source_address"},
    {"freebind"},
    {.name = "socket_options", .note = "all are set before the socket is bound"},
    {"additional_source_addresses"},
    {"extra_source_addresses"},
};
constexpr Field kExtraSourceAddressFields[] = {
    {.name = "address", .checks = kRequired},
    {"socket_options"},
};
constexpr Field kHappyEyeballsConfigFields[] = {
    {.name = "first_address_family_version", .only = "DEFAULT V4 V6"},
    {.name = "first_address_family_count", .min = 1},
};
constexpr Field kClusterEdsClusterConfigFields[] = {
    {"eds_config"},
    {"service_name"},
};
constexpr Field kClusterLeastRequestLbConfigFields[] = {
    {.name = "choice_count", .min = 2},
    {"active_request_bias"},
};
constexpr Field kRuntimeDoubleFields[] = {
    {"default_value"},
    {"runtime_key"},
};
constexpr Field kClusterCommonLbConfigFields[] = {
    {"healthy_panic_threshold"},
    {"update_merge_window", "updates are applied at once, which costs one small object"},
    {"ignore_new_hosts_until_first_hc", "there is no active health checking"},
    {.name = "locality_weighted_lb_config", .note = "with RING_HASH and MAGLEV alone"},
    {.name = "consistent_hashing_lb_config", .note = "with RING_HASH and MAGLEV; has no effect otherwise"},
};
constexpr Field kClusterRingHashLbConfigFields[] = {
    {.name = "minimum_ring_size", .max = 8388608},
    {"hash_function"},
    {.name = "maximum_ring_size", .max = 8388608},
};
constexpr Field kClusterMaglevLbConfigFields[] = {
    {.name = "table_size", .min = 2, .max = 5000011, .note = "a prime number"},
};
constexpr Field kClusterConsistentHashingLbConfigFields[] = {
    {"use_hostname_for_hashing"},
    {.name = "hash_balance_factor", .min = 100},
};
constexpr Field kCircuitBreakersFields[] = {
    {"thresholds"},
};
constexpr Field kCircuitBreakersThresholdsFields[] = {
    {"priority"},
    {"max_connections"},
    {"max_pending_requests"},
    {"max_requests"},
    {"max_retries"},
    {"track_remaining"},
    {"max_connection_pools", "a cluster has one pool per worker"},
    {"retry_budget"},
};
constexpr Field kCircuitBreakersThresholdsRetryBudgetFields[] = {
    {"budget_percent"},
    {"min_retry_concurrency"},
};
constexpr Field kOutlierDetectionFields[] = {
    {"consecutive_5xx"},
    {.name = "interval", .checks = kPositive},
    {.name = "base_ejection_time", .checks = kPositive},
    {.name = "max_ejection_percent", .max = 100},
    {.name = "enforcing_consecutive_5xx", .max = 100},
    {.name = "enforcing_success_rate", .max = 100, .only = "0", .note = "ejection by success rate is not there"},
    {"success_rate_minimum_hosts", "ejection by success rate is not there"},
    {"success_rate_request_volume", "ejection by success rate is not there"},
    {"success_rate_stdev_factor", "ejection by success rate is not there"},
    {"consecutive_gateway_failure"},
    {.name = "enforcing_consecutive_gateway_failure", .max = 100},
    {"split_external_local_origin_errors"},
    {"consecutive_local_origin_failure"},
    {.name = "enforcing_consecutive_local_origin_failure", .max = 100},
    {.name = "enforcing_local_origin_success_rate", .max = 100, .only = "0"},
    {"failure_percentage_threshold", "ejection by failure percentage is not there"},
    {.name = "enforcing_failure_percentage", .max = 100, .only = "0"},
    {.name = "enforcing_failure_percentage_local_origin", .max = 100, .only = "0"},
    {"failure_percentage_minimum_hosts", "ejection by failure percentage is not there"},
    {"failure_percentage_request_volume", "ejection by failure percentage is not there"},
    {.name = "max_ejection_time", .checks = kPositive},
    {"max_ejection_time_jitter"},
    {"successful_active_health_check_uneject_host", "there is no active health checking"},
    {"always_eject_one_host"},
};
constexpr Field kUpstreamConnectionOptionsFields[] = {
    {"tcp_keepalive"},
    {"happy_eyeballs_config"},
};
constexpr Field kTcpKeepaliveFields[] = {
    {"keepalive_probes"},
    {"keepalive_time"},
    {"keepalive_interval"},
};
constexpr Field kLoadBalancingPolicyFields[] = {
    {"policies"},
};
constexpr Field kLoadBalancingPolicyPolicyFields[] = {
    {.name = "typed_extension_config", .takes = "lb_policy"},
};
constexpr Field kLeastRequestFields[] = {
    {.name = "choice_count", .min = 2},
    {"active_request_bias"},
};
constexpr Field kRingHashFields[] = {
    {"hash_function"},
    {.name = "minimum_ring_size", .max = 8388608},
    {.name = "maximum_ring_size", .max = 8388608},
    {"use_hostname_for_hashing"},
    {.name = "hash_balance_factor", .min = 100},
    {.name = "consistent_hashing_lb_config", .note = "if set, the two fields above do not count"},
    {"locality_weighted_lb_config"},
};
constexpr Field kMaglevFields[] = {
    {.name = "table_size", .min = 2, .max = 5000011, .note = "a prime number"},
    {"consistent_hashing_lb_config"},
    {"locality_weighted_lb_config"},
};
constexpr Field kConsistentHashingLbConfigFields[] = {
    {"use_hostname_for_hashing"},
    {.name = "hash_balance_factor", .min = 100},
    {.name = "hash_policy", .note = "in place of the route's"},
};
constexpr Field kHttpProtocolOptionsFields[] = {
    {"common_http_protocol_options"},
    {"explicit_http_config"},
    {"use_downstream_protocol_config"},
    {.name = "auto_config", .note = "refused in a cluster whose transport socket negotiates no ALPN"},
    {.name = "http_filters",
     .note = "header_mutation, and upstream_codec as the last; of requests that routes bring, not of copies and filters' own calls"},
};
constexpr Field kHttpProtocolOptionsUseDownstreamHttpConfigFields[] = {
    {"http_protocol_options"},
    {"http2_protocol_options"},
};
constexpr Field kHttpProtocolOptionsAutoHttpConfigFields[] = {
    {"http_protocol_options"},
    {"http2_protocol_options"},
};
constexpr Field kHttpProtocolOptionsExplicitHttpConfigFields[] = {
    {"http_protocol_options"},
    {"http2_protocol_options"},
};
constexpr Field kClusterLoadAssignmentFields[] = {
    {.name = "cluster_name", .checks = kNotEmpty},
    {"endpoints"},
    {"policy"},
};
constexpr Field kClusterLoadAssignmentPolicyFields[] = {
    {.name = "overprovisioning_factor", .min = 1},
};
constexpr Field kLocalityLbEndpointsFields[] = {
    {"locality"},
    {"lb_endpoints"},
    {.name = "load_balancing_weight", .min = 1},
    {.name = "priority", .max = 128},
    {"proximity", "Envoy ignores it too"},
    {"metadata", "carried along and shown in /config_dump; nothing here reads it"},
};
constexpr Field kLbEndpointFields[] = {
    {"endpoint"},
    {"health_status"},
    {.name = "metadata", .note = "RING_HASH and MAGLEV read hash_key of envoy.lb; the rest is carried along and shown in /config_dump"},
    {.name = "load_balancing_weight", .min = 1},
};
constexpr Field kEndpointFields[] = {
    {.name = "address", .note = "a name in STRICT_DNS and LOGICAL_DNS clusters"},
    {"hostname"},
    {"additional_addresses"},
    {"observability_name", "stats are not kept per endpoint under such a name"},
};

constexpr Field kEndpointAdditionalAddressFields[] = {
    {.name = "address", .checks = kRequired},
};

constexpr FieldTable kTables[] = {
    fields_of("envoy.config.cluster.v3.Cluster.CustomClusterType", kClusterCustomClusterTypeFields),
    fields_of("envoy.config.cluster.v3.Cluster.RefreshRate", kClusterRefreshRateFields),
    fields_of("envoy.config.cluster.v3.Cluster.OriginalDstLbConfig", kClusterOriginalDstLbConfigFields),
    fields_of("envoy.config.core.v3.BindConfig", kBindConfigFields),
    fields_of("envoy.config.core.v3.ExtraSourceAddress", kExtraSourceAddressFields),
    fields_of("envoy.config.core.v3.DnsResolutionConfig", kDnsResolutionConfigFields),
    fields_of("envoy.config.core.v3.DnsResolverOptions", kDnsResolverOptionsFields),
    fields_of("envoy.extensions.clusters.dns.v3.DnsCluster", kDnsClusterFields, "", "cluster_type"),
    fields_of("envoy.extensions.clusters.dns.v3.DnsCluster.RefreshRate", kClusterRefreshRateFields),
    fields_of("envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig", kCaresDnsResolverConfigFields, "", "dns_resolver"),
    fields_of("envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig", kGetAddrInfoDnsResolverConfigFields, "",
              "dns_resolver"),
    no_fields_of("envoy.extensions.load_balancing_policies.cluster_provided.v3.ClusterProvided", "lb_policy"),
    fields_of("envoy.config.cluster.v3.UpstreamConnectionOptions.HappyEyeballsConfig", kHappyEyeballsConfigFields),
    fields_of("envoy.config.endpoint.v3.Endpoint.AdditionalAddress", kEndpointAdditionalAddressFields),
    fields_of("envoy.config.cluster.v3.Cluster", kClusterFields),
    fields_of("envoy.config.cluster.v3.Cluster.EdsClusterConfig", kClusterEdsClusterConfigFields),
    fields_of("envoy.config.cluster.v3.Cluster.LeastRequestLbConfig", kClusterLeastRequestLbConfigFields),
    fields_of("envoy.config.cluster.v3.Cluster.RingHashLbConfig", kClusterRingHashLbConfigFields),
    fields_of("envoy.config.cluster.v3.Cluster.MaglevLbConfig", kClusterMaglevLbConfigFields),
    no_fields_of("envoy.config.cluster.v3.Cluster.CommonLbConfig.LocalityWeightedLbConfig"),
    fields_of("envoy.config.cluster.v3.Cluster.CommonLbConfig.ConsistentHashingLbConfig", kClusterConsistentHashingLbConfigFields),
    fields_of("envoy.config.core.v3.RuntimeDouble", kRuntimeDoubleFields),
    no_fields_of("envoy.config.cluster.v3.Cluster.RoundRobinLbConfig"),
    fields_of("envoy.config.cluster.v3.Cluster.CommonLbConfig", kClusterCommonLbConfigFields),
    fields_of("envoy.config.cluster.v3.CircuitBreakers", kCircuitBreakersFields),
    fields_of("envoy.config.cluster.v3.CircuitBreakers.Thresholds", kCircuitBreakersThresholdsFields),
    fields_of("envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget", kCircuitBreakersThresholdsRetryBudgetFields),
    fields_of("envoy.config.cluster.v3.OutlierDetection", kOutlierDetectionFields),
    fields_of("envoy.config.cluster.v3.UpstreamConnectionOptions", kUpstreamConnectionOptionsFields),
    fields_of("envoy.config.core.v3.TcpKeepalive", kTcpKeepaliveFields),
    fields_of("envoy.config.cluster.v3.LoadBalancingPolicy", kLoadBalancingPolicyFields),
    fields_of("envoy.config.cluster.v3.LoadBalancingPolicy.Policy", kLoadBalancingPolicyPolicyFields),
    no_fields_of("envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin", "lb_policy"),
    fields_of("envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest", kLeastRequestFields, "", "lb_policy"),
    no_fields_of("envoy.extensions.load_balancing_policies.random.v3.Random", "lb_policy"),
    fields_of("envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash", kRingHashFields, "", "lb_policy"),
    fields_of("envoy.extensions.load_balancing_policies.maglev.v3.Maglev", kMaglevFields, "", "lb_policy"),
    fields_of("envoy.extensions.load_balancing_policies.common.v3.ConsistentHashingLbConfig", kConsistentHashingLbConfigFields),
    no_fields_of("envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig.LocalityWeightedLbConfig"),
    fields_of("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", kHttpProtocolOptionsFields, "upstream_protocol_options",
              "upstream_options"),
    fields_of("envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig",
              kHttpProtocolOptionsUseDownstreamHttpConfigFields),
    fields_of("envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig", kHttpProtocolOptionsAutoHttpConfigFields),
    fields_of("envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig", kHttpProtocolOptionsExplicitHttpConfigFields,
              "protocol_config"),
    fields_of("envoy.config.endpoint.v3.ClusterLoadAssignment", kClusterLoadAssignmentFields),
    fields_of("envoy.config.endpoint.v3.ClusterLoadAssignment.Policy", kClusterLoadAssignmentPolicyFields),
    fields_of("envoy.config.endpoint.v3.LocalityLbEndpoints", kLocalityLbEndpointsFields),
    fields_of("envoy.config.endpoint.v3.LbEndpoint", kLbEndpointFields),
    fields_of("envoy.config.endpoint.v3.Endpoint", kEndpointFields),
    whole_message("envoy.config.core.v3.Metadata"),
};

}  // namespace

FieldTables cluster_tables() { return all_of(kTables); }

}  // namespace weft::config
