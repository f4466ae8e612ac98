// How a listener listens and what it asks of a connection first: its sockets, the match of its chains, listener filters.
#include "proxy/config/field_tables.h"

namespace weft::config {
namespace {

using namespace filters;

constexpr Field kPipeFields[] = {
    {.name = "path", .checks = kNotEmpty, .note = "of a listener; \"@name\" is one without a file"},
    {.name = "mode", .max = 511},
};
constexpr Field kSocketOptionFields[] = {
    {"description", "for people"}, {"level"}, {"name"}, {"int_value"}, {"buf_value"}, {"state"}, {"type"}, {"ip_version"},
};
constexpr Field kSocketOptionsOverrideFields[] = {
    {"socket_options"},
};
constexpr Field kSocketTypeFields[] = {
    {"stream"},
    {"datagram"},
};
constexpr Field kAdditionalAddressFields[] = {
    {.name = "address", .checks = kRequired},
    {.name = "socket_options", .note = "in place of the listener's"},
    {.name = "tcp_keepalive", .note = "in place of the listener's"},
};
constexpr Field kConnectionBalanceConfigFields[] = {
    {"exact_balance"},
};
constexpr Field kFilterChainMatchFields[] = {
    {.name = "destination_port", .min = 1, .max = 65535},
    {"prefix_ranges"},
    {.name = "server_names", .note = "a name, or \"*.\" and a name"},
    {"transport_protocol"},
    {"application_protocols"},
    {"direct_source_prefix_ranges"},
    {"source_type"},
    {"source_prefix_ranges"},
    {.name = "source_ports", .min = 1, .max = 65535},
};
constexpr Field kListenerFilterFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "typed_config", .takes = "listener_filter"},
    {"filter_disabled"},
};
constexpr Field kPredicateFields[] = {
    {"or_match"}, {"and_match"}, {"not_match"}, {.name = "any_match", .only = "true"}, {"destination_port_range"},
};
constexpr Field kMatchSetFields[] = {
    {.name = "rules", .min = 2},
};
constexpr Field kTlsInspectorFields[] = {
    {"enable_ja3_fingerprinting"},
    {"enable_ja4_fingerprinting"},
    {.name = "initial_read_buffer_size", .ignored = "what has come is read", .min = 256, .max = 65536},
    {"close_connection_on_client_hello_parsing_errors"},
    {.name = "max_client_hello_size", .min = 256, .max = 16384},
};
constexpr Field kProxyProtocolFields[] = {
    {.name = "rules", .note = "for access logs of listeners and of tcp_proxy"},
    {"allow_requests_without_proxy_protocol"},
    {"disallowed_versions"},
    {"stat_prefix"},
    {.name = "tlv_location", .only = "DYNAMIC_METADATA"},
};
constexpr Field kProxyProtocolRuleFields[] = {
    {.name = "tlv_type", .max = 255},
    {.name = "on_tlv_present", .checks = kRequired},
};
constexpr Field kProxyProtocolKeyValuePairFields[] = {
    {"metadata_namespace"},
    {.name = "key", .checks = kNotEmpty},
    {"value_string_encoding"},
};

constexpr FieldTable kTables[] = {
    fields_of("envoy.config.core.v3.Pipe", kPipeFields),
    fields_of("envoy.config.core.v3.SocketOption", kSocketOptionFields, "value"),
    fields_of("envoy.config.core.v3.SocketOption.SocketType", kSocketTypeFields),
    no_fields_of("envoy.config.core.v3.SocketOption.SocketType.Stream"),
    no_fields_of("envoy.config.core.v3.SocketOption.SocketType.Datagram"),
    fields_of("envoy.config.core.v3.SocketOptionsOverride", kSocketOptionsOverrideFields),
    fields_of("envoy.config.listener.v3.AdditionalAddress", kAdditionalAddressFields),
    fields_of("envoy.config.listener.v3.Listener.ConnectionBalanceConfig", kConnectionBalanceConfigFields, "balance_type"),
    no_fields_of("envoy.config.listener.v3.Listener.ConnectionBalanceConfig.ExactBalance"),
    fields_of("envoy.config.listener.v3.FilterChainMatch", kFilterChainMatchFields),
    fields_of("envoy.config.listener.v3.ListenerFilter", kListenerFilterFields, "config_type"),
    fields_of("envoy.config.listener.v3.ListenerFilterChainMatchPredicate", kPredicateFields, "rule"),
    fields_of("envoy.config.listener.v3.ListenerFilterChainMatchPredicate.MatchSet", kMatchSetFields),
    whole_message("envoy.type.v3.Int32Range"),
    no_fields_of("envoy.extensions.filters.listener.original_dst.v3.OriginalDst", "listener_filter"),
    fields_of("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector", kTlsInspectorFields, "", "listener_filter"),
    no_fields_of("envoy.extensions.filters.listener.http_inspector.v3.HttpInspector", "listener_filter"),
    fields_of("envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol", kProxyProtocolFields, "", "listener_filter"),
    fields_of("envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol.Rule", kProxyProtocolRuleFields),
    fields_of("envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol.KeyValuePair", kProxyProtocolKeyValuePairFields),
};

}  // namespace

FieldTables socket_tables() { return all_of(kTables); }

}  // namespace weft::config
