// Route configurations: which fields are implemented.
#include "proxy/config/field_tables.h"

namespace weft::config {
namespace {

using namespace filters;

constexpr std::string_view kNoSuchInEnvoy = "Envoy takes it and does nothing with it";
constexpr std::string_view kNoSubsets = "there is no subset load balancing";

constexpr Field kRouteConfigurationFields[] = {
    {"name"},
    {"virtual_hosts"},
    {.name = "internal_only_headers", .checks = kHeaderName},
    {.name = "response_headers_to_add", .max = 1000},
    {.name = "response_headers_to_remove", .checks = kHeaderName},
    {.name = "request_headers_to_add", .max = 1000},
    {"validate_clusters"},
    {.name = "request_headers_to_remove", .checks = kHeaderName},
    {.name = "vhds", .refused = "virtual hosts come with their route configuration"},
    {.name = "cluster_specifier_plugins", .refused = "no cluster specifier plugin is there; routes name clusters by cluster_header, too"},
    {"most_specific_header_mutations_wins"},
    {"max_direct_response_body_size_bytes"},
    {"request_mirror_policies"},
    {"ignore_port_in_host_matching"},
    {"ignore_path_parameters_in_path_matching"},
    {.name = "typed_per_filter_config", .takes = "per_route"},
    {"metadata", "carried along and shown in /config_dump; nothing here reads it"},
    {"vhost_header"},
};
constexpr Field kScopedRouteConfigurationFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "route_configuration_name", .note = "or route_configuration; the former only of what SRDS brings"},
    {.name = "key", .checks = kRequired},
    {"route_configuration"},
    {"on_demand", "the routes of every scope are fetched at once: no request has to wait for them"},
};
constexpr Field kScopedRouteConfigurationKeyFields[] = {
    {.name = "fragments", .checks = kNotEmpty},
};
constexpr Field kScopedRouteConfigurationFragmentFields[] = {
    {"string_key"},
};
constexpr Field kVirtualHostFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "domains", .checks = kNotEmpty | kHeaderValue},
    {"routes"},
    {"require_tls"},
    {"virtual_clusters"},
    {"rate_limits"},
    {.name = "cors", .note = "the older form of typed_per_filter_config of envoy.filters.http.cors, which counts for more"},
    {.name = "request_headers_to_add", .max = 1000},
    {.name = "response_headers_to_add", .max = 1000},
    {.name = "response_headers_to_remove", .checks = kItemsNotEmpty | kHeaderName},
    {.name = "request_headers_to_remove", .checks = kItemsNotEmpty | kHeaderName},
    {"include_request_attempt_count"},
    {.name = "typed_per_filter_config", .takes = "per_route"},
    {"retry_policy"},
    {.name = "retry_policy_typed_config", .refused = kNoSuchInEnvoy},
    {"hedge_policy"},
    {"per_request_buffer_limit_bytes"},
    {"include_attempt_count_in_response"},
    {.name = "matcher", .takes = "route_action", .note = "in place of routes; it looks at request headers"},
    {"request_mirror_policies"},
    {"include_is_timeout_retry_header"},
    {"metadata", "carried along and shown in /config_dump; nothing here reads it"},
    {"request_body_buffer_limit"},
};
constexpr Field kRouteFields[] = {
    {.name = "match", .checks = kRequired},
    {"route"},
    {"redirect"},
    {.name = "metadata", .note = "rate limits read it; else carried along and shown in /config_dump"},
    {"decorator"},
    {"direct_response"},
    {.name = "filter_action", .refused = kNoSuchInEnvoy},
    {.name = "non_forwarding_action", .refused = "it is for gRPC servers that take their routes from xDS; Envoy answers 503"},
    {.name = "tracing", .refused = "there is no tracing"},
    {.name = "request_headers_to_add", .max = 1000},
    {.name = "response_headers_to_add", .max = 1000},
    {.name = "response_headers_to_remove", .checks = kItemsNotEmpty | kHeaderName},
    {.name = "request_headers_to_remove", .checks = kItemsNotEmpty | kHeaderName},
    {.name = "typed_per_filter_config", .takes = "per_route"},
    {"name"},
    {"per_request_buffer_limit_bytes"},
    {"stat_prefix"},
    {"request_body_buffer_limit"},
};
constexpr Field kDecoratorFields[] = {
    {.name = "operation", .checks = kNotEmpty},
    {"propagate", "there is no tracing"},
};
constexpr Field kRouteMatchFields[] = {
    {"prefix"},
    {"path"},
    {"case_sensitive"},
    {"headers"},
    {"query_parameters"},
    {"grpc"},
    {"runtime_fraction"},
    {.name = "safe_regex", .checks = kRequired},
    {.name = "connect_matcher", .note = "CONNECT requests, which no other kind of path matches"},
    {.name = "tls_context", .note = "of a plain connection: nothing is presented or validated"},
    {.name = "dynamic_metadata",
     .note = "as it is when the route is looked for: before the filters, and again where one of them asks for it"},
    {.name = "filter_state", .note = "likewise"},
    {"path_separated_prefix"},
    {.name = "path_match_policy", .takes = "path_match"},
    {"cookies"},
};
constexpr Field kTlsContextMatchOptionsFields[] = {
    {"presented"},
    {"validated"},
};
constexpr Field kCookieMatcherFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "string_match", .checks = kRequired},
    {"invert_match"},
};
constexpr Field kFilterStateMatcherFields[] = {
    {.name = "key", .checks = kNotEmpty},
    {"string_match"},
    {.name = "address_match", .refused = "what filters note under a key is text, never an address"},
};
constexpr Field kHedgePolicyFields[] = {
    {.name = "initial_requests", .min = 1, .max = 1},
    {.name = "additional_request_chance", .refused = kNoSuchInEnvoy},
    {"hedge_on_per_try_timeout"},
};
constexpr Field kRouteListFields[] = {
    {.name = "routes", .note = "the first that matches"},
};
constexpr Field kMetadataMatcherFields[] = {
    {.name = "filter", .checks = kNotEmpty},
    {.name = "path", .checks = kNotEmpty},
    {.name = "value", .checks = kRequired},
    {"invert"},
};
constexpr Field kMetadataPathSegmentFields[] = {
    {.name = "key", .checks = kNotEmpty},
};
constexpr Field kValueMatcherFields[] = {
    {"null_match"}, {"double_match"}, {"string_match"}, {"bool_match"}, {"present_match"}, {"list_match"}, {"or_match"},
};
constexpr Field kDoubleMatcherFields[] = {
    {"range"},
    {"exact"},
};
constexpr Field kDoubleRangeFields[] = {
    {"start"},
    {"end"},
};
constexpr Field kListMatcherFields[] = {
    {.name = "one_of", .checks = kRequired},
};
constexpr Field kOrMatcherFields[] = {
    {.name = "value_matchers", .min = 2},
};
constexpr Field kUriTemplateMatchFields[] = {
    {.name = "path_template", .checks = kNotEmpty, .max = 256},
};
constexpr Field kUriTemplateRewriteFields[] = {
    {.name = "path_template_rewrite", .checks = kNotEmpty, .max = 256},
};
constexpr Field kVirtualClusterFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "headers", .checks = kNotEmpty},
};
constexpr Field kRequestMirrorPolicyFields[] = {
    {"cluster"},
    {"runtime_fraction"},
    {"trace_sampled", "there is no tracing"},
    {.name = "cluster_header", .checks = kHeaderName},
    {"disable_shadow_host_suffix_append"},
    {.name = "request_headers_mutations", .max = 1000},
    {.name = "host_rewrite_literal", .checks = kHeaderValue},
};
constexpr Field kInternalRedirectPolicyFields[] = {
    {.name = "max_internal_redirects"},
    {.name = "redirect_response_codes", .note = "up to five of 301, 302, 303, 307 and 308"},
    {.name = "predicates", .takes = "internal_redirect_predicate"},
    {"allow_cross_scheme_redirect"},
    {.name = "response_headers_to_copy", .checks = kHeaderName},
};
constexpr Field kAllowListedRoutesFields[] = {
    {.name = "allowed_route_names", .checks = kItemsNotEmpty},
};
constexpr Field kHeaderMatcherFields[] = {
    {.name = "name", .checks = kNotEmpty | kHeaderName},
    {"exact_match"},
    {"range_match"},
    {"present_match"},
    {"invert_match"},
    {.name = "prefix_match", .checks = kNotEmpty},
    {.name = "suffix_match", .checks = kNotEmpty},
    {"safe_regex_match"},
    {.name = "contains_match", .checks = kNotEmpty},
    {"string_match"},
    {"treat_missing_header_as_empty"},
};
constexpr Field kQueryParameterMatcherFields[] = {
    {.name = "name", .checks = kNotEmpty, .max = 1024},
    {.name = "string_match", .checks = kRequired},
    {"present_match"},
};
constexpr Field kRouteActionFields[] = {
    {.name = "cluster", .checks = kNotEmpty},
    {.name = "cluster_header", .checks = kNotEmpty | kHeaderName},
    {"weighted_clusters"},
    {.name = "prefix_rewrite", .checks = kHeaderValue},
    {.name = "host_rewrite_literal", .checks = kHeaderValue},
    {"auto_host_rewrite"},
    {"timeout"},
    {"retry_policy"},
    {"priority"},
    {"rate_limits"},
    {.name = "upgrade_configs", .note = "in place of what the connection manager says of that type"},
    {"cluster_not_found_response_code"},
    {"max_grpc_timeout"},
    {"idle_timeout"},
    {"grpc_timeout_offset"},
    {.name = "host_rewrite_header", .checks = kHeaderName},
    {"regex_rewrite"},
    {"host_rewrite_path_regex"},
    {"request_mirror_policies"},
    {"internal_redirect_policy"},
    {"hedge_policy"},
    {"max_stream_duration"},
    {"append_x_forwarded_host"},
    {.name = "path_rewrite_policy", .takes = "path_rewrite"},
    {.name = "host_rewrite", .checks = kHeaderValue, .note = "a format"},
    {.name = "path_rewrite", .checks = kHeaderValue, .note = "a format; what it gives takes the place of the path, the query stays"},
    {.name = "hash_policy", .note = "counts in clusters whose policy is RING_HASH or MAGLEV, and for weighted clusters that use it"},
    {.name = "metadata_match", .refused = kNoSubsets},
    {.name = "cors", .note = "the older form of typed_per_filter_config of envoy.filters.http.cors, which counts for more"},
    {.name = "include_vh_rate_limits", .note = "the older form of vh_rate_limits: INCLUDE of the rate limit filters"},
    {.name = "internal_redirect_action", .note = "without internal_redirect_policy: 302 is followed"},
    {.name = "max_internal_redirects", .note = "beside internal_redirect_action"},
    {.name = "retry_policy_typed_config", .refused = kNoSuchInEnvoy},
    {.name = "cluster_specifier_plugin", .refused = "no cluster specifier plugin is there"},
    {.name = "inline_cluster_specifier_plugin", .refused = "no cluster specifier plugin is there"},
    {.name = "early_data_policy", .refused = "without TLS there is no early data"},
    {.name = "flush_timeout", .refused = "the connection manager's stream_flush_timeout holds for all routes"},
};
constexpr Field kRouteActionHashPolicyFields[] = {
    {"header"}, {"cookie"}, {"connection_properties"}, {"query_parameter"}, {"filter_state"}, {"terminal"},
};
constexpr Field kRouteActionHashPolicyFilterStateFields[] = {
    {.name = "key", .checks = kNotEmpty},
};
constexpr Field kRouteActionHashPolicyHeaderFields[] = {
    {.name = "header_name", .checks = kNotEmpty | kHeaderName},
    {"regex_rewrite"},
};
constexpr Field kRouteActionHashPolicyCookieFields[] = {
    {.name = "name", .checks = kNotEmpty | kHeaderValue},
    {.name = "ttl", .min = 0, .note = "whole seconds count"},
    {.name = "path", .checks = kHeaderValue},
    {"attributes"},
};
constexpr Field kRouteActionHashPolicyCookieAttributeFields[] = {
    {.name = "name", .checks = kNotEmpty | kHeaderName, .max = 16384},
    {.name = "value", .checks = kHeaderValue, .max = 16384},
};
constexpr Field kRouteActionHashPolicyConnectionPropertiesFields[] = {
    {"source_ip"},
};
constexpr Field kRouteActionHashPolicyQueryParameterFields[] = {
    {.name = "name", .checks = kNotEmpty},
};
constexpr Field kRouteActionUpgradeConfigFields[] = {
    {.name = "upgrade_type", .checks = kNotEmpty | kHeaderValue},
    {"enabled"},
    {.name = "connect_config", .note = "CONNECT is terminated: a TCP connection to a host of the cluster"},
};
constexpr Field kConnectConfigFields[] = {
    {.name = "proxy_protocol_config",
     .refused = "connections to hosts begin without a PROXY header here; a cluster's transport socket may add one"},
    {.name = "allow_post", .note = "the body of a POST goes to the host as plain TCP, too, and what it says comes back as the answer's"},
};
constexpr Field kCorsPolicyFields[] = {
    {"allow_origin_string_match"},
    {.name = "allow_methods", .checks = kHeaderValue},
    {.name = "allow_headers", .checks = kHeaderValue},
    {.name = "expose_headers", .checks = kHeaderValue},
    {.name = "max_age", .checks = kHeaderValue},
    {"allow_credentials"},
    {"filter_enabled"},
    {"shadow_enabled"},
    {"allow_private_network_access"},
    {"forward_not_matching_preflights"},
};
constexpr Field kRouteActionMaxStreamDurationFields[] = {
    {"max_stream_duration"},
    {"grpc_timeout_header_max"},
    {"grpc_timeout_header_offset"},
};
constexpr Field kWeightedClusterFields[] = {
    {.name = "clusters", .checks = kNotEmpty},
    {"runtime_key_prefix", "weights cannot be overridden at run time"},
    {"total_weight", "the sum of the weights is used"},
    {.name = "header_name", .checks = kHeaderName},
    {"use_hash_policy"},
};
constexpr Field kWeightedClusterClusterWeightFields[] = {
    {"name"},
    {"weight"},
    {.name = "request_headers_to_add", .max = 1000},
    {.name = "response_headers_to_add", .max = 1000},
    {.name = "response_headers_to_remove", .checks = kHeaderName},
    {.name = "request_headers_to_remove", .checks = kHeaderName},
    {.name = "typed_per_filter_config", .takes = "per_route"},
    {.name = "host_rewrite_literal", .checks = kHeaderValue},
    {.name = "cluster_header", .checks = kHeaderName},
    {.name = "metadata_match", .refused = kNoSubsets},
};
constexpr Field kRedirectActionFields[] = {
    {.name = "host_redirect", .checks = kHeaderValue},
    {.name = "path_redirect", .checks = kHeaderValue},
    {"response_code"},
    {"https_redirect"},
    {.name = "prefix_rewrite", .checks = kHeaderValue},
    {"strip_query"},
    {"scheme_redirect"},
    {"port_redirect"},
    {"regex_rewrite"},
    {.name = "path_rewrite", .checks = kHeaderValue, .note = "a format"},
};
constexpr Field kDirectResponseActionFields[] = {
    {.name = "status", .min = 200, .max = 599},
    {"body"},
    {.name = "body_format", .note = "renders the body, which it knows as %LOCAL_REPLY_BODY%"},
};
constexpr Field kRetryPolicyFields[] = {
    {"retry_on"},
    {"num_retries"},
    {"per_try_timeout"},
    {"retry_priority"},
    {"retry_host_predicate"},
    {"host_selection_retry_max_attempts"},
    {"retriable_status_codes"},
    {"retry_back_off"},
    {"retriable_headers"},
    {"retriable_request_headers"},
    {"rate_limited_retry_back_off"},
    {"per_try_idle_timeout"},
    {.name = "retry_options_predicates", .refused = "Envoy brings none of that kind"},
    {.name = "refresh_cluster_on_retry", .refused = "every attempt of a request goes to one cluster"},
};
constexpr Field kRetryPolicyRetryPriorityFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "typed_config", .takes = "retry_priority"},
};
constexpr Field kPreviousPrioritiesFields[] = {
    {.name = "update_frequency", .min = 1, .note = "how many tries until those tried are left out"},
};
constexpr Field kRetryPolicyRetryHostPredicateFields[] = {
    {.name = "name", .checks = kNotEmpty},
    {.name = "typed_config", .takes = "retry_host_predicate"},
};
constexpr Field kOmitHostMetadataFields[] = {
    {.name = "metadata_match", .note = "of the namespace envoy.lb"},
};
constexpr Field kRetryPolicyRetryBackOffFields[] = {
    {.name = "base_interval", .checks = kRequired | kPositive},
    {.name = "max_interval", .checks = kPositive},
};
constexpr Field kRetryPolicyRateLimitedBackOffFields[] = {
    {.name = "reset_headers", .checks = kNotEmpty},
    {.name = "max_interval", .checks = kPositive},
};
constexpr Field kRetryPolicyResetHeaderFields[] = {
    {.name = "name", .checks = kNotEmpty | kHeaderName},
    {"format"},
};
constexpr Field kRateLimitFields[] = {
    {.name = "stage", .max = 10},
    {.name = "disable_key", .note = "followed by envoy.filters.http.ratelimit"},
    {.name = "actions", .checks = kNotEmpty},
    {.name = "limit", .note = "followed by envoy.filters.http.ratelimit"},
    {"hits_addend"},
    {.name = "x_ratelimit_option", .note = "of its descriptor, in place of what the filter says"},
    {.name = "apply_on_stream_done", .note = "of envoy.filters.http.ratelimit; the local filter leaves such a rule out"},
};
constexpr Field kRateLimitHitsAddendFields[] = {
    {.name = "number", .max = 1'000'000'000},
    {.name = "format", .note = "one operator; where it gives no number there is no descriptor"},
    {.name = "is_negative_hits", .note = "gives them back"},
};
constexpr Field kRateLimitOverrideFields[] = {
    {"dynamic_metadata"},
    {"rate_limit"},
};
constexpr Field kRateLimitOverrideRateLimitFields[] = {
    {"requests_per_unit"},
    {"unit"},
};
constexpr Field kRateLimitOverrideDynamicMetadataFields[] = {
    {.name = "metadata_key", .checks = kRequired},
};
constexpr Field kRateLimitMetaDataFields[] = {
    {.name = "descriptor_key", .checks = kNotEmpty},
    {.name = "metadata_key", .checks = kRequired},
    {"default_value"},
    {.name = "source", .only = "DYNAMIC ROUTE_ENTRY"},
    {"skip_if_absent"},
};
constexpr Field kMetadataKeyFields[] = {
    {.name = "key", .checks = kNotEmpty},
    {.name = "path", .checks = kNotEmpty},
};
constexpr Field kMetadataKeyPathSegmentFields[] = {
    {.name = "key", .checks = kNotEmpty},
};
constexpr Field kRateLimitMaskedAddressFields[] = {
    {.name = "v4_prefix_mask_len", .max = 32},
    {.name = "v6_prefix_mask_len", .max = 128},
};
constexpr Field kRateLimitActionFields[] = {
    {"source_cluster"},
    {"destination_cluster"},
    {"request_headers"},
    {"remote_address"},
    {"generic_key"},
    {"header_value_match"},
    {"query_parameter_value_match"},
    {"query_parameters"},
    {"masked_remote_address"},
    {"metadata"},
    {"remote_address_match"},
    {.name = "dynamic_metadata", .refused = "Envoy refuses it, too: metadata has taken its place"},
    {.name = "extension", .refused = "no extension gives descriptors"},
};
constexpr std::string_view kHasValue = "the value has no operators, so it is always there";
constexpr Field kRateLimitRemoteAddressMatchFields[] = {
    {.name = "descriptor_value", .checks = kNotEmpty, .note = "a format"},
    {"descriptor_key"},
    {.name = "default_value", .note = "where the format gives nothing"},
    {.name = "address_matcher", .checks = kRequired},
};
constexpr Field kAddressMatcherFields[] = {
    {.name = "ranges", .checks = kNotEmpty},
    {"invert_match"},
};
constexpr Field kXdsCidrRangeFields[] = {
    {.name = "address_prefix", .checks = kNotEmpty},
    {.name = "prefix_len", .max = 128},
};
constexpr Field kRateLimitRequestHeadersFields[] = {
    {.name = "header_name", .checks = kNotEmpty | kHeaderName},
    {.name = "descriptor_key", .checks = kNotEmpty},
    {"skip_if_absent"},
};
constexpr Field kRateLimitGenericKeyFields[] = {
    {.name = "descriptor_value", .checks = kNotEmpty, .note = "without operators"},
    {"descriptor_key"},
    {"default_value", kHasValue},
};
constexpr Field kRateLimitHeaderValueMatchFields[] = {
    {.name = "descriptor_value", .checks = kNotEmpty, .note = "without operators"},
    {"expect_match"},
    {.name = "headers", .checks = kNotEmpty},
    {"descriptor_key"},
    {"default_value", kHasValue},
};
constexpr Field kRateLimitQueryValueMatchFields[] = {
    {.name = "descriptor_value", .checks = kNotEmpty, .note = "without operators"},
    {"expect_match"},
    {.name = "query_parameters", .checks = kNotEmpty},
    {"descriptor_key"},
    {"default_value", kHasValue},
};
constexpr Field kRateLimitQueryParametersFields[] = {
    {.name = "query_parameter_name", .checks = kNotEmpty},
    {.name = "descriptor_key", .checks = kNotEmpty},
    {"skip_if_absent"},
};
constexpr Field kFilterConfigFields[] = {
    {.name = "config", .checks = kMayBeEmpty, .takes = "per_route", .note = "empty: the filter is switched on"},
    {"is_optional", "a filter that is not supported is refused even so"},
    {"disabled"},
};

constexpr FieldTable kTables[] = {
    fields_of("envoy.config.route.v3.RouteConfiguration", kRouteConfigurationFields),
    fields_of("envoy.config.route.v3.ScopedRouteConfiguration", kScopedRouteConfigurationFields),
    fields_of("envoy.config.route.v3.ScopedRouteConfiguration.Key", kScopedRouteConfigurationKeyFields),
    fields_of("envoy.config.route.v3.ScopedRouteConfiguration.Key.Fragment", kScopedRouteConfigurationFragmentFields, "type"),
    fields_of("envoy.config.route.v3.VirtualHost", kVirtualHostFields),
    fields_of("envoy.config.route.v3.Route", kRouteFields, "action", "route_action"),
    fields_of("envoy.config.route.v3.RouteList", kRouteListFields, "", "route_action"),
    fields_of("envoy.config.route.v3.HedgePolicy", kHedgePolicyFields),
    fields_of("envoy.config.route.v3.Decorator", kDecoratorFields),
    fields_of("envoy.config.route.v3.RouteMatch", kRouteMatchFields, "path_specifier"),
    no_fields_of("envoy.config.route.v3.RouteMatch.GrpcRouteMatchOptions"),
    no_fields_of("envoy.config.route.v3.RouteMatch.ConnectMatcher"),
    fields_of("envoy.config.route.v3.RouteMatch.TlsContextMatchOptions", kTlsContextMatchOptionsFields),
    fields_of("envoy.config.route.v3.CookieMatcher", kCookieMatcherFields),
    fields_of("envoy.type.matcher.v3.FilterStateMatcher", kFilterStateMatcherFields, "matcher"),
    fields_of("envoy.type.matcher.v3.MetadataMatcher", kMetadataMatcherFields),
    fields_of("envoy.type.matcher.v3.MetadataMatcher.PathSegment", kMetadataPathSegmentFields, "segment"),
    fields_of("envoy.type.matcher.v3.ValueMatcher", kValueMatcherFields, "match_pattern"),
    no_fields_of("envoy.type.matcher.v3.ValueMatcher.NullMatch"),
    fields_of("envoy.type.matcher.v3.DoubleMatcher", kDoubleMatcherFields, "match_pattern"),
    fields_of("envoy.type.v3.DoubleRange", kDoubleRangeFields),
    fields_of("envoy.type.matcher.v3.ListMatcher", kListMatcherFields, "match_pattern"),
    fields_of("envoy.type.matcher.v3.OrMatcher", kOrMatcherFields),
    fields_of("envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig", kUriTemplateMatchFields, "", "path_match"),
    fields_of("envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig", kUriTemplateRewriteFields, "", "path_rewrite"),
    fields_of("envoy.config.route.v3.VirtualCluster", kVirtualClusterFields),
    fields_of("envoy.config.route.v3.RouteAction.RequestMirrorPolicy", kRequestMirrorPolicyFields),
    fields_of("envoy.config.route.v3.InternalRedirectPolicy", kInternalRedirectPolicyFields),
    no_fields_of("envoy.extensions.internal_redirect.previous_routes.v3.PreviousRoutesConfig", "internal_redirect_predicate"),
    no_fields_of("envoy.extensions.internal_redirect.safe_cross_scheme.v3.SafeCrossSchemeConfig", "internal_redirect_predicate"),
    fields_of("envoy.extensions.internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig", kAllowListedRoutesFields, "",
              "internal_redirect_predicate"),
    fields_of("envoy.config.route.v3.HeaderMatcher", kHeaderMatcherFields),
    fields_of("envoy.config.route.v3.QueryParameterMatcher", kQueryParameterMatcherFields),
    fields_of("envoy.config.route.v3.RouteAction", kRouteActionFields, "cluster_specifier"),
    fields_of("envoy.config.route.v3.RouteAction.UpgradeConfig", kRouteActionUpgradeConfigFields),
    fields_of("envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig", kConnectConfigFields),
    fields_of("envoy.config.route.v3.CorsPolicy", kCorsPolicyFields),
    fields_of("envoy.config.route.v3.RouteAction.MaxStreamDuration", kRouteActionMaxStreamDurationFields),
    fields_of("envoy.config.route.v3.RouteAction.HashPolicy", kRouteActionHashPolicyFields, "policy_specifier"),
    fields_of("envoy.config.route.v3.RouteAction.HashPolicy.Header", kRouteActionHashPolicyHeaderFields),
    fields_of("envoy.config.route.v3.RouteAction.HashPolicy.Cookie", kRouteActionHashPolicyCookieFields),
    fields_of("envoy.config.route.v3.RouteAction.HashPolicy.CookieAttribute", kRouteActionHashPolicyCookieAttributeFields),
    fields_of("envoy.config.route.v3.RouteAction.HashPolicy.ConnectionProperties", kRouteActionHashPolicyConnectionPropertiesFields),
    fields_of("envoy.config.route.v3.RouteAction.HashPolicy.QueryParameter", kRouteActionHashPolicyQueryParameterFields),
    fields_of("envoy.config.route.v3.RouteAction.HashPolicy.FilterState", kRouteActionHashPolicyFilterStateFields),
    fields_of("envoy.config.route.v3.WeightedCluster", kWeightedClusterFields),
    fields_of("envoy.config.route.v3.WeightedCluster.ClusterWeight", kWeightedClusterClusterWeightFields),
    fields_of("envoy.config.route.v3.RedirectAction", kRedirectActionFields),
    fields_of("envoy.config.route.v3.DirectResponseAction", kDirectResponseActionFields),
    fields_of("envoy.config.route.v3.RetryPolicy", kRetryPolicyFields),
    fields_of("envoy.config.route.v3.RetryPolicy.RetryHostPredicate", kRetryPolicyRetryHostPredicateFields),
    no_fields_of("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate", "retry_host_predicate"),
    no_fields_of("envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate", "retry_host_predicate"),
    fields_of("envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig", kOmitHostMetadataFields, "",
              "retry_host_predicate"),
    fields_of("envoy.config.route.v3.RetryPolicy.RetryPriority", kRetryPolicyRetryPriorityFields),
    fields_of("envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig", kPreviousPrioritiesFields, "",
              "retry_priority"),
    fields_of("envoy.config.route.v3.RetryPolicy.RetryBackOff", kRetryPolicyRetryBackOffFields),
    fields_of("envoy.config.route.v3.RetryPolicy.RateLimitedRetryBackOff", kRetryPolicyRateLimitedBackOffFields),
    fields_of("envoy.config.route.v3.RetryPolicy.ResetHeader", kRetryPolicyResetHeaderFields),
    fields_of("envoy.config.route.v3.RateLimit", kRateLimitFields),
    fields_of("envoy.config.route.v3.RateLimit.Action", kRateLimitActionFields, "action_specifier"),
    no_fields_of("envoy.config.route.v3.RateLimit.Action.SourceCluster"),
    no_fields_of("envoy.config.route.v3.RateLimit.Action.DestinationCluster"),
    no_fields_of("envoy.config.route.v3.RateLimit.Action.RemoteAddress"),
    fields_of("envoy.config.route.v3.RateLimit.Action.MaskedRemoteAddress", kRateLimitMaskedAddressFields),
    fields_of("envoy.config.route.v3.RateLimit.HitsAddend", kRateLimitHitsAddendFields),
    fields_of("envoy.config.route.v3.RateLimit.Override", kRateLimitOverrideFields, "override_specifier"),
    fields_of("envoy.config.route.v3.RateLimit.Override.DynamicMetadata", kRateLimitOverrideDynamicMetadataFields),
    fields_of("envoy.config.route.v3.RateLimit.Override.RateLimitOverride", kRateLimitOverrideRateLimitFields),
    fields_of("envoy.config.route.v3.RateLimit.Action.RemoteAddressMatch", kRateLimitRemoteAddressMatchFields),
    fields_of("envoy.type.matcher.v3.AddressMatcher", kAddressMatcherFields),
    fields_of("xds.core.v3.CidrRange", kXdsCidrRangeFields),
    fields_of("envoy.config.route.v3.RateLimit.Action.MetaData", kRateLimitMetaDataFields),
    fields_of("envoy.type.metadata.v3.MetadataKey", kMetadataKeyFields),
    fields_of("envoy.type.metadata.v3.MetadataKey.PathSegment", kMetadataKeyPathSegmentFields, "segment"),
    fields_of("envoy.config.route.v3.RateLimit.Action.RequestHeaders", kRateLimitRequestHeadersFields),
    fields_of("envoy.config.route.v3.RateLimit.Action.GenericKey", kRateLimitGenericKeyFields),
    fields_of("envoy.config.route.v3.RateLimit.Action.HeaderValueMatch", kRateLimitHeaderValueMatchFields),
    fields_of("envoy.config.route.v3.RateLimit.Action.QueryParameterValueMatch", kRateLimitQueryValueMatchFields),
    fields_of("envoy.config.route.v3.RateLimit.Action.QueryParameters", kRateLimitQueryParametersFields),
    fields_of("envoy.config.route.v3.FilterConfig", kFilterConfigFields, "", "per_route"),
};

}  // namespace

FieldTables route_tables() { return all_of(kTables); }

}  // namespace weft::config
