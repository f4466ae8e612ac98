#include "proxy/config/routes.h"

#include "common/observe/shapes.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts.pb.h"
#include "envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config.pb.h"
#include "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h"
#include "envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.pb.h"
#include "proxy/config/endpoints.h"
#include "proxy/config/hash_policies.h"
#include "proxy/config/proto_loader.h"
#include "proxy/config/route_policies.h"
#include "proxy/filters/bodies/config.h"
#include "proxy/filters/match_tree/config.h"
#include "proxy/filters/matching/config.h"
#include "proxy/filters/rate_limits/config.h"
#include "proxy/filters/redirects/config.h"
#include "proxy/format/formatter.h"

#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <map>

namespace weft::config {
namespace {

namespace route_v3 = envoy::config::route::v3;
namespace core = envoy::config::core::v3;
using google::protobuf::RepeatedPtrField;
using routing::Milliseconds;

const std::string kByType, kCorsFilter = "envoy.filters.http.cors";

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return text;
}

std::vector<std::string> lower_all(const RepeatedPtrField<std::string>& from) {
  std::vector<std::string> out;
  for (const std::string& text : from) out.push_back(lower(text));
  return out;
}

template <class Duration>
std::optional<Milliseconds> when_set(bool set, const Duration& from) {
  return set ? std::optional<Milliseconds>(milliseconds(from)) : std::nullopt;
}

class RouteBuilder {
 public:
  explicit RouteBuilder(const filters::FilterBuild& build) : build_(build) {}

  routing::RouteTableOptions table(const route_v3::RouteConfiguration& from, const Where& where) {
    routing::RouteTableOptions to;
    to.name = from.name();
    to.mutations = mutations(from, where);
    to.filters = filters(from.typed_per_filter_config(), where);
    to.most_specific_header_mutations_wins = from.most_specific_header_mutations_wins();
    to.ignore_port_in_host_matching = from.ignore_port_in_host_matching();
    to.ignore_path_parameters_in_path_matching = from.ignore_path_parameters_in_path_matching();
    to.validate_clusters = from.validate_clusters().value();
    to.virtual_host_header = lower(from.vhost_header());
    if (from.has_max_direct_response_body_size_bytes())
      to.max_direct_response_body_size = from.max_direct_response_body_size_bytes().value();
    to.internal_only_headers = lower_all(from.internal_only_headers());
    to.mirrors = mirror_policies(from.request_mirror_policies(), build_, where);
    to.virtual_hosts.reserve(static_cast<size_t>(from.virtual_hosts_size()));
    for (int i = 0; i < from.virtual_hosts_size(); ++i)
      to.virtual_hosts.push_back(virtual_host(from.virtual_hosts(i), Where(where, "virtual_hosts", i)));
    return to;
  }

 private:
  routing::VirtualHost virtual_host(const route_v3::VirtualHost& from, const Where& where) {
    routing::VirtualHost to;
    to.name = from.name();
    to.domains.assign(from.domains().begin(), from.domains().end());
    switch (from.require_tls()) {
      case route_v3::VirtualHost::EXTERNAL_ONLY: to.require_tls = routing::TlsRequirement::kExternalOnly; break;
      case route_v3::VirtualHost::ALL: to.require_tls = routing::TlsRequirement::kAll; break;
      default: break;
    }
    if (from.has_retry_policy()) to.retry = retry_policy(from.retry_policy(), Where(where, "retry_policy"));
    to.include_request_attempt_count = from.include_request_attempt_count();
    to.include_attempt_count_in_response = from.include_attempt_count_in_response();
    to.include_is_timeout_retry_header = from.include_is_timeout_retry_header();
    to.mutations = mutations(from, where);
    to.filters = filters(from.typed_per_filter_config(), where, from.has_cors() ? &from.cors() : nullptr);
    to.request_body_buffer_limit = buffer_limit(from);
    to.rate_limits = rate_limits(from.rate_limits(), where);
    to.mirrors = mirror_policies(from.request_mirror_policies(), build_, where);
    to.virtual_clusters = virtual_clusters(from, build_, where);
    if (from.has_hedge_policy()) to.hedge_on_per_try_timeout = from.hedge_policy().hedge_on_per_try_timeout();
    to.routes.reserve(static_cast<size_t>(from.routes_size()));
    for (int i = 0; i < from.routes_size(); ++i) to.routes.push_back(route(from.routes(i), from.name(), Where(where, "routes", i)));
    if (from.has_matcher()) match_tree(from, to, Where(where, "matcher"));
    return to;
  }

  // The routes of all leaves, one after the other; each leaf knows its own.
  void match_tree(const route_v3::VirtualHost& from, routing::VirtualHost& to, const Where& where) {
    if (!from.routes().empty()) return where.fail("must not be set beside routes");
    filters::MatchTreeBuild build;
    build.request_head = true;
    build.action = [&](const google::protobuf::Any& config, const Where& at) {
      auto range = std::make_shared<routing::RouteRange>();
      range->first = static_cast<uint32_t>(to.routes.size());
      route_v3::Route one;
      route_v3::RouteList several;
      if (config.UnpackTo(&one)) {
        to.routes.push_back(route(one, from.name(), Where(at, "(Route)")));
      } else if (config.UnpackTo(&several)) {
        const Where list(at, "(RouteList)");
        for (int i = 0; i < several.routes_size(); ++i)
          to.routes.push_back(route(several.routes(i), from.name(), Where(list, "routes", i)));
      }
      range->count = static_cast<uint32_t>(to.routes.size()) - range->first;
      return range;
    };
    to.matcher = filters::match_tree(from.matcher(), build, where);
  }

  routing::Route route(const route_v3::Route& from, const std::string& virtual_host, const Where& where) {
    routing::Route to;
    to.name = from.name();
    template_.reset();
    match(from.match(), to, Where(where, "match"));
    switch (from.action_case()) {
      case route_v3::Route::kRoute: to.action = forward(from.route(), Where(where, "route")); break;
      case route_v3::Route::kRedirect: to.action = filters::redirect(from.redirect(), Where(where, "redirect")); break;
      case route_v3::Route::kDirectResponse: to.action = direct_response(from.direct_response(), Where(where, "direct_response")); break;
      default:
        where.unsupported("this kind of action is not supported by this version; supported: route, redirect, direct_response");
        break;
    }
    to.mutations = mutations(from, where);
    to.filters = filters(from.typed_per_filter_config(), where, from.route().has_cors() ? &from.route().cors() : nullptr);
    to.stat_prefix = from.stat_prefix();
    if (!to.stat_prefix.empty() && build_.registry) to.stats = observe::route_scope(*build_.registry, virtual_host, to.stat_prefix);
    to.decorator = from.decorator().operation();
    to.request_body_buffer_limit = buffer_limit(from);
    to.metadata = filters::metadata(from.metadata());
    return to;
  }

  std::shared_ptr<const routing::RateLimitRules> rate_limits(const RepeatedPtrField<route_v3::RateLimit>& from, const Where& where) {
    if (from.empty()) return nullptr;
    return std::make_shared<const routing::RateLimitRules>(
        filters::rate_limit_rules(from, build_.local_cluster, where, "rate_limits", &build_.runtime));
  }

  template <class Message>
  static std::optional<uint64_t> buffer_limit(const Message& from) {
    if (from.has_request_body_buffer_limit()) return from.request_body_buffer_limit().value();
    if (from.has_per_request_buffer_limit_bytes()) return from.per_request_buffer_limit_bytes().value();
    return {};
  }

  void match(const route_v3::RouteMatch& from, routing::Route& to, const Where& where) {
    using Kind = routing::PathMatcher::Kind;
    const bool case_sensitive = !from.has_case_sensitive() || from.case_sensitive().value();
    switch (from.path_specifier_case()) {
      case route_v3::RouteMatch::kPrefix: to.path = {Kind::kPrefix, from.prefix(), case_sensitive}; break;
      case route_v3::RouteMatch::kPath: to.path = {Kind::kExact, from.path(), case_sensitive}; break;
      case route_v3::RouteMatch::kPathSeparatedPrefix: {
        const std::string& text = from.path_separated_prefix();
        if (text.size() < 2 || text.back() == '/' || text.find_first_of("?#") != std::string::npos)
          Where(where, "path_separated_prefix")
              .fail("must have two characters or more, no \"?\" or \"#\" and no \"/\" at its end, found \"" + text + "\"");
        to.path = {Kind::kSeparatedPrefix, text, case_sensitive};
        break;
      }
      case route_v3::RouteMatch::kSafeRegex: {
        // Envoy takes case_sensitive here and does nothing with it.
        if (auto compiled = filters::regex(from.safe_regex(), Where(where, "safe_regex")))
          to.path = routing::PathMatcher(std::move(*compiled));
        break;
      }
      case route_v3::RouteMatch::kConnectMatcher: to.path = {Kind::kConnect, ""}; break;
      case route_v3::RouteMatch::kPathMatchPolicy:
        template_ = path_template(from.path_match_policy(), Where(where, "path_match_policy"));
        if (template_) to.path = routing::PathMatcher(template_->regex);
        break;
      default: where.unsupported("this kind of path is not supported by this version"); break;
    }
    to.headers = filters::header_matchers(from.headers(), where, "headers");
    to.query = filters::query_matchers(from.query_parameters(), where, "query_parameters");
    if (from.has_runtime_fraction()) to.fraction = filters::fraction(from.runtime_fraction(), build_.runtime);
    to.grpc_only = from.has_grpc();
    to.rare = rare_conditions(from, where);
  }

  std::shared_ptr<const routing::Forward> forward(const route_v3::RouteAction& from, const Where& where) {
    auto to = std::make_shared<routing::Forward>();
    switch (from.cluster_specifier_case()) {
      case route_v3::RouteAction::kCluster: to->cluster = from.cluster(); break;
      case route_v3::RouteAction::kClusterHeader: to->cluster_header = lower(from.cluster_header()); break;
      case route_v3::RouteAction::kWeightedClusters:
        to->weighted = weighted(from.weighted_clusters(), Where(where, "weighted_clusters"));
        break;
      default: where.unsupported("this way to choose a cluster is not supported by this version"); break;
    }
    to->rewrite = rewrite(from, where);
    if (from.has_retry_policy()) to->retry = retry_policy(from.retry_policy(), Where(where, "retry_policy"));
    if (from.has_hedge_policy()) to->hedge_on_per_try_timeout = from.hedge_policy().hedge_on_per_try_timeout();
    if (from.has_timeout()) to->timeout = milliseconds(from.timeout());
    to->idle_timeout = when_set(from.has_idle_timeout(), from.idle_timeout());
    to->max_grpc_timeout = when_set(from.has_max_grpc_timeout(), from.max_grpc_timeout());
    to->grpc_timeout_offset = when_set(from.has_grpc_timeout_offset(), from.grpc_timeout_offset());
    if (from.has_max_stream_duration()) {
      const auto& limits = from.max_stream_duration();
      to->max_stream_duration = when_set(limits.has_max_stream_duration(), limits.max_stream_duration());
      to->grpc_timeout_header_max = when_set(limits.has_grpc_timeout_header_max(), limits.grpc_timeout_header_max());
      to->grpc_timeout_header_offset = when_set(limits.has_grpc_timeout_header_offset(), limits.grpc_timeout_header_offset());
    }
    to->hash_policy = hash_policy(from.hash_policy(), where);
    to->upgrades = upgrades(from, where);
    to->mirrors = mirror_policies(from.request_mirror_policies(), build_, where);
    if (from.has_internal_redirect_policy())
      to->internal_redirect = internal_redirect(from.internal_redirect_policy(), Where(where, "internal_redirect_policy"));
    else if (from.internal_redirect_action() == route_v3::RouteAction::HANDLE_INTERNAL_REDIRECT)
      to->internal_redirect = older_redirect(from);
    to->rate_limits = rate_limits(from.rate_limits(), where);
    to->include_virtual_host_rate_limits = from.include_vh_rate_limits().value();
    if (from.priority() == core::HIGH) to->priority = routing::Priority::kHigh;
    switch (from.cluster_not_found_response_code()) {
      case route_v3::RouteAction::NOT_FOUND: to->cluster_not_found_status = 404; break;
      case route_v3::RouteAction::INTERNAL_SERVER_ERROR: to->cluster_not_found_status = 500; break;
      default: to->cluster_not_found_status = 503; break;
    }
    return to;
  }

  static std::shared_ptr<const routing::InternalRedirect> older_redirect(const route_v3::RouteAction& from) {
    auto to = std::make_shared<routing::InternalRedirect>();
    if (from.has_max_internal_redirects()) to->most = from.max_internal_redirects().value();
    return to;
  }

  static std::shared_ptr<const routing::Upgrades> upgrades(const route_v3::RouteAction& from, const Where& where) {
    if (from.upgrade_configs().empty()) return nullptr;
    auto to = std::make_shared<routing::Upgrades>();
    for (int i = 0; i < from.upgrade_configs_size(); ++i) {
      const auto& upgrade = from.upgrade_configs(i);
      const Where at(where, "upgrade_configs", i);
      if (routing::find_upgrade(to.get(), upgrade.upgrade_type()))
        Where(at, "upgrade_type").fail("\"" + upgrade.upgrade_type() + "\" is there twice");
      if (upgrade.has_connect_config() && !routing::equals_ignoring_case(upgrade.upgrade_type(), "CONNECT"))
        Where(at, "connect_config").fail("is for upgrade_type \"CONNECT\" only, found \"" + upgrade.upgrade_type() + "\"");
      to->push_back({upgrade.upgrade_type(), !upgrade.has_enabled() || upgrade.enabled().value(), upgrade.has_connect_config(),
                     upgrade.connect_config().allow_post()});
    }
    return to;
  }

  std::shared_ptr<routing::WeightedClusters> weighted(const route_v3::WeightedCluster& from, const Where& where) {
    auto to = std::make_shared<routing::WeightedClusters>();
    to->random_header = lower(from.header_name());
    to->by_hash = from.use_hash_policy().value();
    for (int i = 0; i < from.clusters_size(); ++i) {
      const auto& one = from.clusters(i);
      const Where at(where, "clusters", i);
      routing::WeightedCluster entry;
      if (one.name().empty() == one.cluster_header().empty()) at.fail("needs exactly one of name, cluster_header");
      entry.cluster = one.name();
      entry.cluster_header = lower(one.cluster_header());
      entry.weight = one.weight().value();
      entry.host_rewrite = one.host_rewrite_literal();
      entry.mutations = mutations(one, at);
      entry.filters = filters(one.typed_per_filter_config(), at);
      to->clusters.push_back(std::move(entry));
    }
    return to;
  }

  std::shared_ptr<const routing::Rewrite> rewrite(const route_v3::RouteAction& from, const Where& where) {
    auto to = std::make_shared<routing::Rewrite>();
    bool any = false;
    if (!from.prefix_rewrite().empty()) any = true, to->prefix = from.prefix_rewrite();
    if (from.has_regex_rewrite()) {
      if (any) Where(where, "regex_rewrite").fail("only one of prefix_rewrite and regex_rewrite may be set");
      any = true, to->path_regex = filters::substitution(from.regex_rewrite(), Where(where, "regex_rewrite"));
    }
    if (from.has_path_rewrite_policy()) {
      const Where at(where, "path_rewrite_policy");
      if (any) at.fail("only one of prefix_rewrite, regex_rewrite and path_rewrite_policy may be set");
      any = true;
      if (auto rewrite = template_rewrite(from.path_rewrite_policy(), template_ ? &*template_ : nullptr, at))
        to->path_regex = std::move(*rewrite);
    }
    if (!from.path_rewrite().empty()) {
      const Where at(where, "path_rewrite");
      if (any) at.fail("only one of prefix_rewrite, regex_rewrite, path_rewrite_policy and path_rewrite may be set");
      any = true, to->path_format = filters::text_format(from.path_rewrite(), {.omit_empty = true}, at);
    }
    switch (from.host_rewrite_specifier_case()) {
      case route_v3::RouteAction::kHostRewriteLiteral: any = true, to->host = from.host_rewrite_literal(); break;
      case route_v3::RouteAction::kHostRewriteHeader: any = true, to->host_header = lower(from.host_rewrite_header()); break;
      case route_v3::RouteAction::kAutoHostRewrite: any = true, to->auto_host = from.auto_host_rewrite().value(); break;
      case route_v3::RouteAction::kHostRewritePathRegex:
        any = true, to->host_path_regex = filters::substitution(from.host_rewrite_path_regex(), Where(where, "host_rewrite_path_regex"));
        break;
      case route_v3::RouteAction::kHostRewrite:
        any = true, to->host_format = filters::text_format(from.host_rewrite(), {}, Where(where, "host_rewrite"));
        break;
      default: break;
    }
    if (from.append_x_forwarded_host()) any = true, to->append_x_forwarded_host = true;
    return any ? to : nullptr;
  }

  std::shared_ptr<const routing::DirectResponse> direct_response(const route_v3::DirectResponseAction& from, const Where& where) {
    auto to = std::make_shared<routing::DirectResponse>();
    to->status = static_cast<uint16_t>(from.status());
    if (from.has_body())
      if (auto body = filters::data(from.body(), Where(where, "body"))) to->body = std::move(*body);
    if (from.has_body_format()) {
      if (auto format = filters::body_formatter(from.body_format(), Where(where, "body_format")))
        to->format = std::make_shared<const format::Formatter>(std::move(*format));
      to->content_type = filters::content_type(from.body_format());
    }
    return to;
  }

  std::shared_ptr<const routing::RetryPolicy> retry_policy(const route_v3::RetryPolicy& from, const Where& where) {
    auto to = std::make_shared<routing::RetryPolicy>();
    const routing::RetryOnParse parsed = routing::parse_retry_on_config(from.retry_on());
    to->retry_on = parsed.bits;
    if (!parsed.all_known)
      Where(where, "retry_on").unsupported("\"" + from.retry_on() + "\" names a condition that is not supported by this version");
    if (from.has_num_retries()) to->num_retries = from.num_retries().value();
    if (from.has_per_try_timeout()) to->per_try_timeout = milliseconds(from.per_try_timeout());
    if (from.has_per_try_idle_timeout()) to->per_try_idle_timeout = milliseconds(from.per_try_idle_timeout());
    if (from.has_retry_back_off()) {
      to->base_interval = milliseconds(from.retry_back_off().base_interval());
      if (from.retry_back_off().has_max_interval()) to->max_interval = milliseconds(from.retry_back_off().max_interval());
      if (to->max_interval.count() > 0 && to->max_interval < to->base_interval)
        Where(Where(where, "retry_back_off"), "max_interval").fail("must be at least base_interval");
    }
    for (const auto& reset : from.rate_limited_retry_back_off().reset_headers())
      to->reset_headers.push_back({lower(reset.name()), reset.format() == route_v3::RetryPolicy::UNIX_TIMESTAMP});
    if (from.rate_limited_retry_back_off().has_max_interval())
      to->max_reset_interval = milliseconds(from.rate_limited_retry_back_off().max_interval());
    for (int i = 0; i < from.retriable_status_codes_size(); ++i) to->retriable_status_codes.push_back(from.retriable_status_codes(i));
    to->retriable_headers = filters::header_matchers(from.retriable_headers(), where, "retriable_headers");
    to->retriable_request_headers = filters::header_matchers(from.retriable_request_headers(), where, "retriable_request_headers");
    for (int i = 0; i < from.retry_host_predicate_size(); ++i) {
      host_predicate(from.retry_host_predicate(i), Where(where, "retry_host_predicate", i), *to);
    }
    if (from.has_retry_priority()) retry_priority(from.retry_priority(), Where(where, "retry_priority"), *to);
    if (from.host_selection_retry_max_attempts() < 0 || from.host_selection_retry_max_attempts() > 1000)
      Where(where, "host_selection_retry_max_attempts").fail("must be from 0 to 1000");
    if (from.host_selection_retry_max_attempts() > 0)
      to->host_selection_retry_max_attempts = static_cast<uint32_t>(from.host_selection_retry_max_attempts());
    return to;
  }

  void host_predicate(const route_v3::RetryPolicy::RetryHostPredicate& from, const Where& where, routing::RetryPolicy& to) {
    namespace predicates = envoy::extensions::retry::host;
    predicates::omit_host_metadata::v3::OmitHostMetadataConfig metadata;
    const google::protobuf::Any& config = from.typed_config();
    const std::string& name = from.has_typed_config() ? kByType : from.name();
    if (name == "envoy.retry_host_predicates.previous_hosts" || config.Is<predicates::previous_hosts::v3::PreviousHostsPredicate>())
      to.avoid_previous_hosts = true;
    else if (name == "envoy.retry_host_predicates.omit_canary_hosts" ||
             config.Is<predicates::omit_canary_hosts::v3::OmitCanaryHostsPredicate>())
      to.avoid_canaries = true;
    else if (config.UnpackTo(&metadata))
      to.avoid_labels = lb_labels(metadata.metadata_match());
    else
      where.unsupported("\"" + from.name() +
                        "\" is not supported by this version; supported: envoy.retry_host_predicates.previous_hosts, .omit_canary_hosts "
                        "and .omit_host_metadata");
  }

  void retry_priority(const route_v3::RetryPolicy::RetryPriority& from, const Where& where, routing::RetryPolicy& to) {
    envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig config;
    if (!from.has_typed_config()) return where.fail("must have typed_config, a PreviousPrioritiesConfig");
    if (!from.typed_config().UnpackTo(&config))
      return where.unsupported("\"" + from.name() +
                               "\" is not supported by this version; supported: envoy.retry_priorities.previous_priorities");
    if (config.update_frequency() < 1) return Where(Where(where, "typed_config"), "update_frequency").fail("must be at least 1");
    to.previous_priorities_frequency = static_cast<uint32_t>(config.update_frequency());
  }

  // Of a route configuration, virtual host, route or weighted cluster: the fields have the same names.
  template <class Message>
  std::shared_ptr<const routing::HeaderMutations> mutations(const Message& from, const Where& where) {
    if (from.request_headers_to_add().empty() && from.request_headers_to_remove().empty() && from.response_headers_to_add().empty() &&
        from.response_headers_to_remove().empty())
      return nullptr;
    auto to = std::make_shared<routing::HeaderMutations>();
    to->request.add = filters::headers_to_add(from.request_headers_to_add(), where, "request_headers_to_add");
    to->response.add = filters::headers_to_add(from.response_headers_to_add(), where, "response_headers_to_add");
    remove(from.request_headers_to_remove(), to->request, where, "request_headers_to_remove");
    remove(from.response_headers_to_remove(), to->response, where, "response_headers_to_remove");
    return to;
  }

  void remove(const RepeatedPtrField<std::string>& from, routing::HeaderChanges& to, const Where& where, std::string_view field) {
    for (int i = 0; i < from.size(); ++i) {
      const Status allowed = routing::check_removable(from[i]);
      if (!allowed) Where(where, field, i).fail(allowed.error().detail);
      to.remove.push_back(lower(from[i]));
    }
  }

  template <class Map>
  std::shared_ptr<const routing::FilterOverrides> filters(const Map& from, const Where& where,
                                                          const route_v3::CorsPolicy* older_cors = nullptr) {
    if (from.empty() && !older_cors) return nullptr;
    auto to = std::make_shared<routing::FilterOverrides>();
    std::map<std::string, const google::protobuf::Any*> ordered;
    for (const auto& [name, any] : from) ordered.emplace(name, &any);
    for (const auto& [name, any] : ordered) {
      const std::string field = "typed_per_filter_config[\"" + name + "\"]";
      filter_override(name, *any, *to, Where(where, field));
    }
    if (older_cors && !ordered.contains(kCorsFilter)) own_override(kCorsFilter, newer(*older_cors), *to, Where(where, "cors"));
    return to;
  }

  static google::protobuf::Any newer(const route_v3::CorsPolicy& from) {
    envoy::extensions::filters::http::cors::v3::CorsPolicy to;
    *to.mutable_allow_origin_string_match() = from.allow_origin_string_match();
    to.set_allow_methods(from.allow_methods());
    to.set_allow_headers(from.allow_headers());
    to.set_expose_headers(from.expose_headers());
    to.set_max_age(from.max_age());
    if (from.has_allow_credentials()) *to.mutable_allow_credentials() = from.allow_credentials();
    if (from.has_filter_enabled()) *to.mutable_filter_enabled() = from.filter_enabled();
    if (from.has_shadow_enabled()) *to.mutable_shadow_enabled() = from.shadow_enabled();
    if (from.has_allow_private_network_access()) *to.mutable_allow_private_network_access() = from.allow_private_network_access();
    if (from.has_forward_not_matching_preflights()) *to.mutable_forward_not_matching_preflights() = from.forward_not_matching_preflights();
    google::protobuf::Any any;
    any.PackFrom(to);
    return any;
  }

  void filter_override(const std::string& name, const google::protobuf::Any& any, routing::FilterOverrides& to, const Where& where) {
    route_v3::FilterConfig wrapped;
    if (any.UnpackTo(&wrapped)) {
      const Where at(where, "(FilterConfig)");
      if (wrapped.disabled()) return to.push_back({name, nullptr, true});
      if (!wrapped.has_config()) return Where(at, "config").fail("is required unless disabled is true");
      if (wrapped.config().type_url().empty()) return to.push_back({name, nullptr, false});
      return own_override(name, wrapped.config(), to, Where(at, "config"));
    }
    own_override(name, any, to, where);
  }

  void own_override(const std::string& name, const google::protobuf::Any& any, routing::FilterOverrides& to, const Where& where) {
    const std::string message(type_name(any.type_url()));
    const filters::HttpFilterType* type = filters::find_route_filter(message);
    if (!type) return where.unsupported("extension " + message + " is not supported here by this version");
    for (const filters::HttpFilterType& other : filters::http_filter_types())
      if (other.name == name && other.message != type->message)
        where.fail("holds " + message + ", which is not for the filter \"" + name + "\"");
    const std::string inner = "(" + std::string(short_name(message)) + ")";
    auto config = type->make_for_route(any.value(), build_, Where(where, inner));
    if (config) to.push_back({name, std::move(config), false});
  }

  const filters::FilterBuild& build_;
  std::optional<routing::UriTemplate> template_;  // path_match_policy of the route that is being read
};

}  // namespace

std::shared_ptr<const routing::RouteTable> build_routes(const route_v3::RouteConfiguration& from, const filters::FilterBuild& build,
                                                        const Where& where) {
  const size_t before = where.problems().size();
  routing::RouteTableOptions options = RouteBuilder(build).table(from, where);
  if (where.problems().size() != before) return nullptr;
  auto table = routing::RouteTable::build(std::move(options));
  if (table) return std::move(*table);
  where.fail(table.error().detail);
  return nullptr;
}

void check_clusters(const routing::RouteTable& table, const BuildContext& context, const Where& where) {
  if (!context.knows_cluster) return;
  const std::string unknown = table.unknown_cluster(context.knows_cluster);
  if (!unknown.empty()) where.fail("route: unknown cluster '" + unknown + "'");
}

}  // namespace weft::config
