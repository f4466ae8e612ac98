// What several areas share: addresses, header values, matchers, percentages, protocol options, config sources.
#include "proxy/config/field_tables.h"

namespace weft::config {
namespace {

using namespace filters;

constexpr Field kAddressFields[] = {
    {"socket_address"},
    {.name = "pipe", .note = "of a listener"},
};
constexpr Field kSocketAddressFields[] = {
    {.name = "protocol", .only = "TCP"},
    {.name = "address", .checks = kNotEmpty, .note = "an IP address; names only where they are resolved"},
    {.name = "port_value", .max = 65535},
    {.name = "ipv4_compat", .note = "of a listener at an IPv6 address: takes IPv4 as well"},
};
constexpr Field kHeaderValueOptionFields[] = {
    {.name = "header", .checks = kRequired},
    {"append"},
    {"append_action"},
    {"keep_empty_value"},
};
constexpr Field kHeaderValueFields[] = {
    {.name = "key", .checks = kNotEmpty | kHeaderName, .max = 16384},
    {.name = "value", .checks = kHeaderValue, .max = 16384},
};
constexpr Field kRuntimeFractionalPercentFields[] = {
    {.name = "default_value", .checks = kRequired},
    {.name = "runtime_key", .note = "followed while the process runs"},
};
constexpr Field kRuntimeFeatureFlagFields[] = {
    {.name = "default_value", .checks = kRequired},
    {.name = "runtime_key", .note = "followed while the process runs"},
};
constexpr Field kRuntimeUInt32Fields[] = {
    {"default_value"},
    {"runtime_key"},
};
constexpr Field kDataSourceFields[] = {
    {.name = "filename", .checks = kNotEmpty, .note = "read once, when the resource is built"},
    {"inline_bytes"},
    {"inline_string"},
    {.name = "environment_variable", .checks = kNotEmpty},
};
constexpr Field kSubstitutionFormatStringFields[] = {
    {"text_format"},        {.name = "json_format", .checks = kRequired},
    {"omit_empty_values"},  {.name = "content_type", .note = "of local replies and direct responses; a log line has none"},
    {"text_format_source"}, {"json_format_options", "keys of JSON lines are always sorted"},
};
constexpr Field kTypedExtensionConfigFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "typed_config", .checks = kRequired},
};
constexpr Field kTransportSocketFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "typed_config", .takes = "transport_socket"},
};
constexpr Field kLocalityFields[] = {
    {"region"},
    {"zone"},
    {"sub_zone"},
};
constexpr Field kHttpUriFields[] = {
    {.name = "uri", .checks = kNotEmpty, .note = "only cluster and timeout are used"},
    {.name = "cluster", .checks = kNotEmpty},
    {.name = "timeout", .checks = kRequired, .max = 4294967296},
};
constexpr Field kHttpProtocolOptionsFields[] = {
    {"idle_timeout"},
    {.name = "max_headers_count", .min = 1},
    {"max_connection_duration"},
    {.name = "max_connection_duration_jitter", .note = "of listeners"},
    {"max_stream_duration"},
    {"headers_with_underscores_action"},
    {"max_requests_per_connection"},
    {.name = "max_response_headers_kb", .min = 1, .max = 8192, .note = "of clusters; a listener reads no answers"},
};
constexpr Field kHttp1ProtocolOptionsFields[] = {
    {.name = "allow_absolute_url", .only = "true"},
    {"accept_http_10"},
    {"default_host_for_http_10"},
    {"enable_trailers"},
    {.name = "allow_chunked_length", .note = "Transfer-Encoding counts, Content-Length is removed"},
    {"use_balsa_parser", "there is one parser"},
    {"header_key_format"},
    {"override_stream_error_on_invalid_http_message", "a malformed HTTP/1 message always ends its connection"},
    {.name = "send_fully_qualified_url", .note = "of clusters"},
    {"allow_custom_methods"},
    {.name = "ignore_http_11_upgrade", .note = "of listeners"},
};
constexpr Field kHeaderKeyFormatFields[] = {
    {"proper_case_words"},
    {.name = "stateful_formatter", .takes = "header_formatter", .note = "of requests the listener's counts, of answers the cluster's"},
};
constexpr Field kPreserveCaseFormatterConfigFields[] = {
    {.name = "forward_reason_phrase", .only = "false"},
    {"formatter_type_on_envoy_headers"},
};
constexpr Field kSettingsParameterFields[] = {
    {.name = "identifier", .checks = kRequired, .max = 65535, .note = "not of what has a field of its own"},
    {.name = "value", .checks = kRequired},
};
constexpr Field kHttp2ProtocolOptionsFields[] = {
    {"hpack_table_size"},
    {.name = "max_concurrent_streams", .min = 1, .max = 2147483647},
    {.name = "initial_stream_window_size", .min = 65535, .max = 2147483647},
    {.name = "initial_connection_window_size", .min = 65535, .max = 2147483647},
    {.name = "max_outbound_frames", .min = 1},
    {.name = "max_outbound_control_frames", .min = 1},
    {"max_consecutive_inbound_frames_with_empty_payload"},
    {"max_inbound_priority_frames_per_stream"},
    {.name = "max_inbound_window_update_frames_per_data_frame_sent", .min = 1},
    {"override_stream_error_on_invalid_http_message"},
    {"custom_settings_parameters"},
    {"connection_keepalive"},
    {.name = "allow_connect", .note = "extended CONNECT (RFC 8441) is offered to clients; towards hosts it changes nothing"},
    {.name = "use_oghttp2_codec", .only = "false"},
    {.name = "enable_huffman_encoding", .only = "true"},
    {.name = "stream_reset_burst", .note = "with stream_reset_rate, else without effect"},
    {.name = "stream_reset_rate", .note = "with stream_reset_burst, else without effect"},
    {.name = "max_header_field_size_kb", .min = 64, .max = 256, .note = "at most max_request_headers_kb; without it that holds for each"},
    {.name = "disallow_obs_text", .note = "bytes above 0x7f in values are refused"},
    {.name = "allow_metadata", .refused = "METADATA frames are an extension of Envoy's; who sends them speaks to Envoys"},
    {.name = "max_metadata_size", .refused = "METADATA frames are an extension of Envoy's"},
    {.name = "stream_error_on_invalid_http_messaging", .refused = "override_stream_error_on_invalid_http_message has taken its place"},
};
constexpr Field kKeepaliveSettingsFields[] = {
    {.name = "interval", .min = 0.001},
    {.name = "timeout", .checks = kRequired, .min = 0.001},
    {"interval_jitter"},
    {.name = "connection_idle_interval", .min = 0.001},
};
constexpr Field kConfigSourceFields[] = {
    {"path"}, {"ads"}, {"initial_fetch_timeout"}, {.name = "resource_api_version", .only = "AUTO V3"}, {"path_config_source"},
};
constexpr Field kPathConfigSourceFields[] = {
    {.name = "path", .checks = kNotEmpty},
    {"watched_directory"},
};
constexpr Field kWatchedDirectoryFields[] = {
    {.name = "path", .checks = kNotEmpty},
};
constexpr Field kApiConfigSourceFields[] = {
    {.name = "api_type", .only = "GRPC DELTA_GRPC"},
    {"grpc_services"},
    {"set_node_on_first_message_only"},
    {.name = "transport_api_version", .only = "V3"},
};
constexpr Field kGrpcServiceFields[] = {
    {"envoy_grpc"},
    {"timeout", "a stream has none"},
    {"initial_metadata"},
};
constexpr Field kGrpcServiceEnvoyGrpcFields[] = {
    {.name = "cluster_name", .checks = kNotEmpty},
    {.name = "authority", .checks = kHeaderValue, .max = 16384},
    {"retry_policy"},
    {"skip_envoy_headers", "none are sent"},
};
constexpr Field kRetryPolicyFields[] = {
    {.name = "retry_back_off", .note = "of the ADS stream"},
};
constexpr Field kBackoffStrategyFields[] = {
    {.name = "base_interval", .checks = kRequired, .min = 0.001},
    {.name = "max_interval", .checks = kPositive},
};
constexpr Field kPercentFields[] = {
    {.name = "value", .max = 100},
};
constexpr Field kFractionalPercentFields[] = {
    {"numerator"},
    {"denominator"},
};
constexpr Field kInt64RangeFields[] = {
    {"start"},
    {"end"},
};
constexpr Field kHttpStatusFields[] = {
    {"code"},
};
constexpr Field kStringMatcherFields[] = {
    {"exact"},
    {.name = "prefix", .checks = kNotEmpty},
    {.name = "suffix", .checks = kNotEmpty},
    {.name = "safe_regex", .checks = kRequired},
    {"ignore_case"},
    {.name = "contains", .checks = kNotEmpty},
};
constexpr Field kListStringMatcherFields[] = {
    {.name = "patterns", .checks = kNotEmpty},
};
constexpr Field kRegexMatcherFields[] = {
    {"google_re2", "RE2 is the only engine"},
    {.name = "regex", .checks = kNotEmpty},
};
constexpr Field kRegexMatchAndSubstituteFields[] = {
    {.name = "pattern", .checks = kRequired},
    {.name = "substitution", .checks = kHeaderValue},
};
constexpr Field kXdsTypedExtensionConfigFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "typed_config", .checks = kRequired},
};
constexpr Field kMatcherFields[] = {
    {"matcher_list"},
    {"matcher_tree"},
    {"on_no_match"},
};
constexpr Field kMatcherOnMatchFields[] = {
    {.name = "matcher", .note = "one that leads to no action lets those behind it have their turn"},
    {"action"},
    {.name = "keep_matching", .only = "false"},
};
constexpr Field kMatcherListFields[] = {
    {.name = "matchers", .checks = kNotEmpty},
};
constexpr Field kMatcherListFieldMatcherFields[] = {
    {.name = "predicate", .checks = kRequired},
    {.name = "on_match", .checks = kRequired},
};
constexpr Field kMatcherListPredicateFields[] = {
    {"single_predicate"},
    {"or_matcher"},
    {"and_matcher"},
    {"not_matcher"},
};
constexpr Field kMatcherListSinglePredicateFields[] = {
    {.name = "input", .checks = kRequired, .takes = "matching_input"},
    {"value_match"},
};
constexpr Field kMatcherListPredicateListFields[] = {
    {.name = "predicate", .min = 2},
};
constexpr Field kMatcherTreeFields[] = {
    {.name = "input", .checks = kRequired, .takes = "matching_input"},
    {"exact_match_map"},
    {.name = "prefix_match_map", .note = "the longest that leads to an action"},
};
constexpr Field kMatchMapFields[] = {
    {.name = "map", .checks = kNotEmpty},
};
constexpr Field kHeaderMatchInputFields[] = {
    {.name = "header_name", .checks = kHeaderName},
};
constexpr Field kXdsRegexMatcherFields[] = {
    {"google_re2", "RE2 is the only engine"},
    {.name = "regex", .checks = kNotEmpty},
};

constexpr FieldTable kTables[] = {
    fields_of("envoy.config.core.v3.Address", kAddressFields, "address"),
    fields_of("envoy.config.core.v3.SocketAddress", kSocketAddressFields, "port_specifier"),
    fields_of("envoy.config.core.v3.HeaderValueOption", kHeaderValueOptionFields),
    fields_of("envoy.config.core.v3.HeaderValue", kHeaderValueFields),
    fields_of("envoy.config.core.v3.RuntimeFractionalPercent", kRuntimeFractionalPercentFields),
    fields_of("envoy.config.core.v3.RuntimeFeatureFlag", kRuntimeFeatureFlagFields),
    fields_of("envoy.config.core.v3.RuntimeUInt32", kRuntimeUInt32Fields),
    fields_of("envoy.config.core.v3.DataSource", kDataSourceFields, "specifier"),
    fields_of("envoy.config.core.v3.SubstitutionFormatString", kSubstitutionFormatStringFields, "format"),
    fields_of("envoy.config.core.v3.TypedExtensionConfig", kTypedExtensionConfigFields),
    fields_of("envoy.config.core.v3.TransportSocket", kTransportSocketFields),
    no_fields_of("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer", "transport_socket"),
    fields_of("envoy.config.core.v3.Locality", kLocalityFields),
    fields_of("envoy.config.core.v3.HttpUri", kHttpUriFields, "http_upstream_type"),
    fields_of("envoy.config.core.v3.HttpProtocolOptions", kHttpProtocolOptionsFields),
    fields_of("envoy.config.core.v3.Http1ProtocolOptions", kHttp1ProtocolOptionsFields),
    fields_of("envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat", kHeaderKeyFormatFields, "header_format"),
    no_fields_of("envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat.ProperCaseWords"),
    fields_of("envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig", kPreserveCaseFormatterConfigFields,
              "", "header_formatter"),
    fields_of("envoy.config.core.v3.Http2ProtocolOptions", kHttp2ProtocolOptionsFields),
    fields_of("envoy.config.core.v3.Http2ProtocolOptions.SettingsParameter", kSettingsParameterFields),
    fields_of("envoy.config.core.v3.KeepaliveSettings", kKeepaliveSettingsFields),
    fields_of("envoy.config.core.v3.ConfigSource", kConfigSourceFields, "config_source_specifier"),
    fields_of("envoy.config.core.v3.PathConfigSource", kPathConfigSourceFields),
    fields_of("envoy.config.core.v3.WatchedDirectory", kWatchedDirectoryFields),
    no_fields_of("envoy.config.core.v3.AggregatedConfigSource"),
    fields_of("envoy.config.core.v3.ApiConfigSource", kApiConfigSourceFields),
    fields_of("envoy.config.core.v3.GrpcService", kGrpcServiceFields, "target_specifier"),
    fields_of("envoy.config.core.v3.GrpcService.EnvoyGrpc", kGrpcServiceEnvoyGrpcFields),
    fields_of("envoy.config.core.v3.RetryPolicy", kRetryPolicyFields),
    fields_of("envoy.config.core.v3.BackoffStrategy", kBackoffStrategyFields),
    whole_message("envoy.config.core.v3.Node", "sent to the control plane as it stands"),
    fields_of("envoy.type.v3.Percent", kPercentFields),
    fields_of("envoy.type.v3.FractionalPercent", kFractionalPercentFields),
    fields_of("envoy.type.v3.Int64Range", kInt64RangeFields),
    fields_of("envoy.type.v3.HttpStatus", kHttpStatusFields),
    fields_of("envoy.type.matcher.v3.StringMatcher", kStringMatcherFields, "match_pattern"),
    fields_of("envoy.type.matcher.v3.ListStringMatcher", kListStringMatcherFields),
    fields_of("envoy.type.matcher.v3.RegexMatcher", kRegexMatcherFields),
    fields_of("envoy.type.matcher.v3.RegexMatchAndSubstitute", kRegexMatchAndSubstituteFields),
    fields_of("xds.core.v3.TypedExtensionConfig", kXdsTypedExtensionConfigFields),
    fields_of("xds.type.matcher.v3.Matcher", kMatcherFields),
    fields_of("xds.type.matcher.v3.Matcher.OnMatch", kMatcherOnMatchFields, "on_match"),
    fields_of("xds.type.matcher.v3.Matcher.MatcherList", kMatcherListFields),
    fields_of("xds.type.matcher.v3.Matcher.MatcherList.FieldMatcher", kMatcherListFieldMatcherFields),
    fields_of("xds.type.matcher.v3.Matcher.MatcherList.Predicate", kMatcherListPredicateFields, "match_type"),
    fields_of("xds.type.matcher.v3.Matcher.MatcherList.Predicate.SinglePredicate", kMatcherListSinglePredicateFields, "matcher"),
    fields_of("xds.type.matcher.v3.Matcher.MatcherList.Predicate.PredicateList", kMatcherListPredicateListFields),
    fields_of("xds.type.matcher.v3.Matcher.MatcherTree", kMatcherTreeFields, "tree_type"),
    fields_of("xds.type.matcher.v3.Matcher.MatcherTree.MatchMap", kMatchMapFields),
    fields_of("xds.type.matcher.v3.StringMatcher", kStringMatcherFields, "match_pattern"),
    fields_of("xds.type.matcher.v3.RegexMatcher", kXdsRegexMatcherFields, "engine_type"),
    fields_of("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", kHeaderMatchInputFields, "", "matching_input"),
    fields_of("envoy.type.matcher.v3.HttpResponseHeaderMatchInput", kHeaderMatchInputFields, "", "matching_input"),
    no_fields_of("envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput", "matching_input"),
    no_fields_of("envoy.type.matcher.v3.HttpResponseStatusCodeClassMatchInput", "matching_input"),
};

}  // namespace

FieldTables common_tables() { return all_of(kTables); }

}  // namespace weft::config
