// Listeners, their network filters and access logs: which fields are implemented.
#include "proxy/config/field_tables.h"

namespace weft::config {
namespace {

using namespace filters;

constexpr Field kListenerFields[] = {
    {"name"},
    {.name = "address", .note = "port 0: the system chooses one"},
    {"filter_chains"},
    {.name = "use_original_dst", .note = "as if original_dst were the last of listener_filters"},
    {"per_connection_buffer_limit_bytes"},
    {"metadata", "carried along and shown in /config_dump; nothing here reads it"},
    {.name = "drain_type", .note = "whether POST /healthcheck/fail ends its HTTP connections"},
    {"listener_filters"},
    {.name = "listener_filters_timeout", .note = "0s: none"},
    {"transparent"},
    {"freebind"},
    {.name = "tcp_fast_open_queue_length", .max = 2147483647},
    {"socket_options"},
    {.name = "traffic_direction", .note = "what /drain_listeners?inboundonly goes by"},
    {"continue_on_listener_filters_timeout"},
    {"connection_balance_config"},
    {"reuse_port"},
    {.name = "access_log", .note = "a line per connection"},
    {.name = "tcp_backlog_size", .max = 2147483647},
    {"default_filter_chain"},
    {.name = "bind_to_port", .note = "false: it serves what listeners with use_original_dst hand over"},
    {"stat_prefix"},
    {.name = "enable_reuse_port", .note = "false: one socket, from which all workers accept"},
    {"ignore_global_conn_limit", "there is no global limit"},
    {"additional_addresses"},
    {.name = "max_connections_to_accept_per_socket_event", .min = 1},
    {"bypass_overload_manager", "there is no overload manager"},
    {"tcp_keepalive"},
};
constexpr Field kFilterChainFields[] = {
    {"filter_chain_match"}, {"filters"}, {"metadata", "carried along and shown in /config_dump; nothing here reads it"},
    {"transport_socket"},   {"name"},    {"transport_socket_connect_timeout", "a plain connection has no handshake"},
};
constexpr Field kFilterFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "typed_config", .takes = "network_filter"},
};
constexpr Field kHttpConnectionManagerFields[] = {
    {.name = "codec_type", .only = "AUTO HTTP1 HTTP2"},
    {.name = "stat_prefix", .checks = kNotEmpty},
    {"rds"},
    {"route_config"},
    {"http_filters"},
    {"add_user_agent"},
    {"http_protocol_options"},
    {"http2_protocol_options"},
    {.name = "server_name", .checks = kHeaderValue},
    {"drain_timeout"},
    {"access_log"},
    {"use_remote_address"},
    {"generate_request_id"},
    {.name = "forward_client_cert_details", .note = "on a plain connection every choice but ALWAYS_FORWARD_ONLY removes the header"},
    {"set_current_client_cert_details"},
    {"proxy_100_continue"},
    {"xff_num_trusted_hops"},
    {"skip_xff_append"},
    {.name = "via", .checks = kHeaderValue},
    {"upgrade_configs"},
    {"stream_idle_timeout"},
    {.name = "stream_flush_timeout", .note = "for a client that takes no byte of its answers; else stream_idle_timeout holds"},
    {"internal_address_config"},
    {"delayed_close_timeout"},
    {"request_timeout"},
    {.name = "max_request_headers_kb", .min = 1, .max = 8192},
    {"normalize_path"},
    {"scoped_routes"},
    {"preserve_external_request_id"},
    {"merge_slashes"},
    {"server_header_transformation"},
    {"common_http_protocol_options"},
    {"request_id_extension"},
    {"always_set_request_id_in_response"},
    {"local_reply_config"},
    {"strip_matching_host_port"},
    {.name = "stream_error_on_invalid_http_message", .note = "of HTTP/2; a malformed HTTP/1 message always ends its connection"},
    {"request_headers_timeout"},
    {"strip_any_host_port"},
    {"path_with_escaped_slashes_action"},
    {.name = "original_ip_detection_extensions", .takes = "original_ip_detection"},
    {"strip_trailing_host_dot"},
    {"scheme_header_transformation"},
    {"append_x_forwarded_port"},
    {.name = "early_header_mutation_extensions", .takes = "early_header_mutation"},
    {"add_proxy_protocol_connection_state", "concerns the PROXY protocol, which is not read"},
    {.name = "access_log_flush_interval", .min = 0.001},
    {"flush_access_log_on_new_request"},
    {"access_log_options"},
    {"append_local_overload", "there is no overload manager"},
    {"proxy_status_config"},
    {"http1_safe_max_connection_duration"},
    {.name = "forward_proto_config", .note = "by the port that a PROXY header names, or that traffic was redirected from"},
    {"represent_ipv4_remote_address_as_ipv4_mapped_ipv6", "Envoy takes it and does nothing with it"},
    {"drain_timeout_jitter"},
    {.name = "tracing", .refused = "there is no tracing"},
    {.name = "path_normalization_options", .refused = "Envoy takes it and does nothing with it; normalize_path is there"},
    {.name = "http3_protocol_options", .refused = "nothing here speaks HTTP/3"},
    {.name = "typed_header_validation_config", .refused = "no header validator extension is there, nor in Envoy as it is delivered"},
    {.name = "forward_client_cert_matcher", .refused = "without TLS no client presents a certificate"},
};
constexpr Field kProxyStatusConfigFields[] = {
    {"remove_details"},        {"remove_connection_termination_details", "what is told never holds them"},
    {"remove_response_flags"}, {"set_recommended_response_code"},
    {"use_node_id"},           {.name = "literal_proxy_name", .checks = kHeaderValue},
};
constexpr Field kForwardProtoConfigFields[] = {
    {"https_destination_ports"},
    {"http_destination_ports"},
};
constexpr Field kLocalReplyConfigFields[] = {
    {"mappers"},
    {"body_format"},
};
constexpr Field kResponseMapperFields[] = {
    {.name = "filter", .checks = kRequired}, {.name = "status_code", .min = 200, .max = 599}, {"body"}, {"body_format_override"},
    {.name = "headers_to_add", .max = 1000},
};
constexpr Field kSetCurrentClientCertDetailsFields[] = {
    {"subject"},
    {"cert"},
    {"dns"},
    {"uri"},
    {"chain"},
    {.name = "format", .refused = "without TLS no client presents a certificate"},
    {.name = "issuer", .refused = "without TLS no client presents a certificate"},
};
constexpr Field kHcmAccessLogOptionsFields[] = {
    {.name = "access_log_flush_interval", .min = 0.001},
    {"flush_access_log_on_new_request"},
    {"flush_log_on_tunnel_successfully_established"},
};
constexpr Field kSchemeHeaderTransformationFields[] = {
    {.name = "scheme_to_overwrite", .only = "http https"},
    {"match_upstream"},
};
constexpr Field kXffConfigFields[] = {
    {"xff_num_trusted_hops"},
    {"xff_trusted_cidrs"},
    {"skip_xff_append"},
};
constexpr Field kXffTrustedCidrsFields[] = {
    {.name = "cidrs", .checks = kNotEmpty},
};
constexpr Field kCustomHeaderConfigFields[] = {
    {.name = "header_name", .checks = kNotEmpty | kHeaderName},
    {"allow_extension_to_set_address_as_trusted"},
    {.name = "reject_with_status", .note = "403 for what is below 400 or above 511"},
};
constexpr Field kEarlyHeaderMutationFields[] = {
    {.name = "mutations", .checks = kNotEmpty},
};
constexpr Field kHttpConnectionManagerUpgradeConfigFields[] = {
    {.name = "upgrade_type", .checks = kNotEmpty | kHeaderValue, .note = "websocket, or any other; CONNECT for that method"},
    {"enabled"},
    {.name = "filters", .note = "in place of http_filters, for requests that switch to that type"},
};
constexpr Field kRdsFields[] = {
    {"config_source"},
    {"route_config_name"},
};
constexpr Field kScopedRoutesFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "scope_key_builder", .checks = kRequired},
    {.name = "rds_config_source", .note = "required beside scoped_rds"},
    {"scoped_route_configurations_list"},
    {"scoped_rds"},
};
constexpr Field kScopeKeyBuilderFields[] = {
    {.name = "fragments", .checks = kNotEmpty},
};
constexpr Field kScopeKeyFragmentBuilderFields[] = {
    {"header_value_extractor"},
};
constexpr Field kHeaderValueExtractorFields[] = {
    {.name = "name", .checks = kNotEmpty | kHeaderName},
    {"element_separator"},
    {"index"},
    {"element"},
};
constexpr Field kHeaderValueExtractorElementFields[] = {
    {.name = "separator", .checks = kNotEmpty},
    {.name = "key", .checks = kNotEmpty},
};
constexpr Field kScopedRouteConfigurationsListFields[] = {
    {.name = "scoped_route_configurations", .checks = kNotEmpty, .note = "each with a route_configuration of its own"},
};
constexpr Field kScopedRdsFields[] = {
    {.name = "scoped_rds_config_source", .checks = kRequired},
    {.name = "srds_resources_locator", .refused = "resources have plain names here"},
};
constexpr Field kExtensionConfigSourceFields[] = {
    {.name = "config_source", .checks = kRequired},
    {.name = "default_config", .takes = "http_filter"},
    {"apply_default_config_without_warming"},
    {.name = "type_urls", .checks = kNotEmpty},
};
constexpr Field kHttpFilterFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "typed_config", .takes = "http_filter"},
    {.name = "config_discovery", .note = "not the router"},
    {"is_optional", "a filter that is not supported is refused even so"},
    {.name = "disabled", .note = "runs where a route configures it or enables it by FilterConfig; not the router"},
};
constexpr Field kHttpConnectionManagerInternalAddressConfigFields[] = {
    {"cidr_ranges"},
};
constexpr Field kCidrRangeFields[] = {
    {.name = "address_prefix", .checks = kNotEmpty},
    {.name = "prefix_len", .max = 128},
};
constexpr Field kRequestIDExtensionFields[] = {
    {.name = "typed_config", .takes = "request_id"},
};
constexpr Field kUuidRequestIdConfigFields[] = {
    {.name = "pack_trace_reason", .only = "false"},
    {"use_request_id_for_trace_sampling", "there is no tracing to sample"},
};
constexpr Field kTcpProxyFields[] = {
    {.name = "stat_prefix", .checks = kNotEmpty},
    {"cluster"},
    {"access_log"},
    {.name = "max_connect_attempts", .min = 1},
    {"idle_timeout"},
    {"weighted_clusters"},
    {.name = "hash_policy", .max = 1},
    {"tunneling_config"},
    {.name = "max_downstream_connection_duration", .min = 0.001},
    {"access_log_options"},
    {.name = "backoff_options", .note = "without, the next attempt begins at once"},
    {"max_downstream_connection_duration_jitter_percentage"},
    {.name = "upstream_connect_mode", .only = "IMMEDIATE"},
};
constexpr Field kTunnelingConfigFields[] = {
    {.name = "hostname", .checks = kNotEmpty, .note = "with %OPERATORS%"},
    {"use_post"},
    {.name = "headers_to_add", .max = 1000},
    {.name = "post_path", .note = "with use_post; / if not set"},
};
constexpr Field kTcpAccessLogOptionsFields[] = {
    {.name = "access_log_flush_interval", .min = 0.001},
    {"flush_access_log_on_connected"},
};
constexpr Field kDirectResponseFields[] = {
    {"response"},
};
constexpr Field kHashPolicyFields[] = {
    {"source_ip"},
};
constexpr Field kTcpProxyWeightedClusterFields[] = {
    {.name = "clusters", .checks = kNotEmpty},
};
constexpr Field kTcpProxyWeightedClusterClusterWeightFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "weight", .min = 1},
};
constexpr Field kRouterFields[] = {
    {"dynamic_stats", "response code stats are always kept"},
    {"start_child_span", "there is no tracing"},
    {.name = "upstream_log", .note = "a line per attempt"},
    {"suppress_envoy_headers"},
    {"strict_check_headers"},
    {"respect_expected_rq_timeout"},
    {"suppress_grpc_request_failure_code_stats"},
    {.name = "upstream_http_filters",
     .note = "header_mutation, and upstream_codec as the last; a cluster's http_filters come in their place"},
    {"upstream_log_options"},
    {"reject_connect_request_early_data"},
};
constexpr Field kUpstreamAccessLogOptionsFields[] = {
    {"flush_upstream_log_on_upstream_stream"},
    {.name = "upstream_log_flush_interval", .min = 0.001},
};
constexpr Field kAccessLogFields[] = {
    {"name"},
    {"filter"},
    {.name = "typed_config", .takes = "access_logger"},
};
constexpr Field kAccessLogFilterFields[] = {
    {"status_code_filter"}, {"duration_filter"}, {"not_health_check_filter"}, {"traceable_filter"},     {"runtime_filter"},
    {"and_filter"},         {"or_filter"},       {"header_filter"},           {"response_flag_filter"}, {"grpc_status_filter"},
    {"metadata_filter"},    {"log_type_filter"},
};
constexpr Field kMetadataFilterFields[] = {
    {"matcher"},
    {"match_if_key_not_found"},
};
constexpr Field kLogTypeFilterFields[] = {
    {"types"},
    {"exclude"},
};
constexpr Field kGrpcStatusFilterFields[] = {
    {"statuses"},
    {"exclude"},
};
constexpr Field kComparisonFilterFields[] = {
    {"op"},
    {.name = "value", .checks = kRequired},
};
constexpr Field kStatusCodeFilterFields[] = {
    {.name = "comparison", .checks = kRequired},
};
constexpr Field kDurationFilterFields[] = {
    {.name = "comparison", .checks = kRequired},
};
constexpr Field kRuntimeFilterFields[] = {
    {.name = "runtime_key", .checks = kNotEmpty},
    {"percent_sampled"},
    {"use_independent_randomness"},
};
constexpr Field kAndFilterFields[] = {
    {.name = "filters", .min = 2},
};
constexpr Field kOrFilterFields[] = {
    {.name = "filters", .min = 2},
};
constexpr Field kHeaderFilterFields[] = {
    {.name = "header", .checks = kRequired},
};
constexpr Field kResponseFlagFilterFields[] = {
    {"flags"},
};
constexpr Field kFileAccessLogFields[] = {
    {.name = "path", .checks = kNotEmpty}, {"format"}, {"json_format"}, {"typed_json_format"}, {.name = "log_format", .checks = kRequired},
};
constexpr Field kStdoutAccessLogFields[] = {
    {.name = "log_format", .checks = kRequired},
};
constexpr Field kStderrAccessLogFields[] = {
    {.name = "log_format", .checks = kRequired},
};

constexpr FieldTable kTables[] = {
    fields_of("envoy.config.listener.v3.Listener", kListenerFields),
    fields_of("envoy.config.listener.v3.FilterChain", kFilterChainFields),
    fields_of("envoy.config.listener.v3.Filter", kFilterFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", kHttpConnectionManagerFields,
              "route_specifier", "network_filter"),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig",
              kHttpConnectionManagerUpgradeConfigFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.ProxyStatusConfig",
              kProxyStatusConfigFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.ForwardProtoConfig", kForwardProtoConfigFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.LocalReplyConfig", kLocalReplyConfigFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.ResponseMapper", kResponseMapperFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.SetCurrentClientCertDetails",
              kSetCurrentClientCertDetailsFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.HcmAccessLogOptions",
              kHcmAccessLogOptionsFields),
    fields_of("envoy.config.core.v3.SchemeHeaderTransformation", kSchemeHeaderTransformationFields),
    fields_of("envoy.extensions.http.original_ip_detection.xff.v3.XffConfig", kXffConfigFields, "", "original_ip_detection"),
    fields_of("envoy.extensions.http.original_ip_detection.xff.v3.XffTrustedCidrs", kXffTrustedCidrsFields),
    fields_of("envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig", kCustomHeaderConfigFields, "",
              "original_ip_detection"),
    fields_of("envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation", kEarlyHeaderMutationFields, "",
              "early_header_mutation"),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.Rds", kRdsFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes", kScopedRoutesFields, "config_specifier"),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.ScopeKeyBuilder", kScopeKeyBuilderFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.ScopeKeyBuilder.FragmentBuilder",
              kScopeKeyFragmentBuilderFields, "type"),
    fields_of(
        "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.ScopeKeyBuilder.FragmentBuilder.HeaderValueExtractor",
        kHeaderValueExtractorFields, "extract_type"),
    fields_of(
        "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.ScopeKeyBuilder.FragmentBuilder.HeaderValueExtractor"
        ".KvElement",
        kHeaderValueExtractorElementFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.ScopedRouteConfigurationsList",
              kScopedRouteConfigurationsListFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.ScopedRds", kScopedRdsFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter", kHttpFilterFields),
    fields_of("envoy.config.core.v3.ExtensionConfigSource", kExtensionConfigSourceFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.InternalAddressConfig",
              kHttpConnectionManagerInternalAddressConfigFields),
    fields_of("envoy.config.core.v3.CidrRange", kCidrRangeFields),
    fields_of("envoy.extensions.filters.network.http_connection_manager.v3.RequestIDExtension", kRequestIDExtensionFields),
    fields_of("envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig", kUuidRequestIdConfigFields, "", "request_id"),
    fields_of("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", kTcpProxyFields, "cluster_specifier", "network_filter"),
    fields_of("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster", kTcpProxyWeightedClusterFields),
    fields_of("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TunnelingConfig", kTunnelingConfigFields),
    fields_of("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TcpAccessLogOptions", kTcpAccessLogOptionsFields),
    no_fields_of("envoy.extensions.filters.network.echo.v3.Echo", "network_filter"),
    fields_of("envoy.extensions.filters.network.direct_response.v3.Config", kDirectResponseFields, "", "network_filter"),
    fields_of("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight",
              kTcpProxyWeightedClusterClusterWeightFields),
    fields_of("envoy.type.v3.HashPolicy", kHashPolicyFields, "policy_specifier"),
    no_fields_of("envoy.type.v3.HashPolicy.SourceIp"),
    fields_of("envoy.extensions.filters.http.router.v3.Router", kRouterFields, "", "http_filter"),
    fields_of("envoy.extensions.filters.http.router.v3.Router.UpstreamAccessLogOptions", kUpstreamAccessLogOptionsFields),
    no_fields_of("envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec", "http_filter",
                 "only in upstream_http_filters and in a cluster's http_filters"),
    fields_of("envoy.config.accesslog.v3.AccessLog", kAccessLogFields),
    fields_of("envoy.config.accesslog.v3.AccessLogFilter", kAccessLogFilterFields, "filter_specifier"),
    no_fields_of("envoy.config.accesslog.v3.TraceableFilter"),
    fields_of("envoy.config.accesslog.v3.GrpcStatusFilter", kGrpcStatusFilterFields),
    fields_of("envoy.config.accesslog.v3.MetadataFilter", kMetadataFilterFields),
    fields_of("envoy.config.accesslog.v3.LogTypeFilter", kLogTypeFilterFields),
    fields_of("envoy.config.accesslog.v3.ComparisonFilter", kComparisonFilterFields),
    fields_of("envoy.config.accesslog.v3.StatusCodeFilter", kStatusCodeFilterFields),
    fields_of("envoy.config.accesslog.v3.DurationFilter", kDurationFilterFields),
    no_fields_of("envoy.config.accesslog.v3.NotHealthCheckFilter"),
    fields_of("envoy.config.accesslog.v3.RuntimeFilter", kRuntimeFilterFields),
    fields_of("envoy.config.accesslog.v3.AndFilter", kAndFilterFields),
    fields_of("envoy.config.accesslog.v3.OrFilter", kOrFilterFields),
    fields_of("envoy.config.accesslog.v3.HeaderFilter", kHeaderFilterFields),
    fields_of("envoy.config.accesslog.v3.ResponseFlagFilter", kResponseFlagFilterFields),
    fields_of("envoy.extensions.access_loggers.file.v3.FileAccessLog", kFileAccessLogFields, "", "access_logger"),
    fields_of("envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", kStdoutAccessLogFields, "", "access_logger"),
    fields_of("envoy.extensions.access_loggers.stream.v3.StderrAccessLog", kStderrAccessLogFields, "", "access_logger"),
};

}  // namespace

FieldTables listener_tables() { return all_of(kTables); }

}  // namespace weft::config
