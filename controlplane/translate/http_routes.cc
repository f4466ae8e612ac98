#include "controlplane/translate/http_routes.h"

#include "controlplane/translate/messages.h"
#include "controlplane/translate/names.h"

#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h"
#include "envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.pb.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace weft::translate {
namespace {

namespace route = envoy::config::route::v3;
namespace cors = envoy::extensions::filters::http::cors::v3;
namespace fault = envoy::extensions::filters::http::fault::v3;
using envoy::config::core::v3::HeaderValueOption;

constexpr std::string_view kDefaultRetryOn = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
constexpr uint32_t kDefaultRetries = 2;
constexpr int64_t kHostSelectionAttempts = 5;
constexpr int32_t kPrioritiesFrequency = 2;
constexpr std::string_view kFaultFilter = "envoy.filters.http.fault", kCorsFilter = "envoy.filters.http.cors";

void set_string(envoy::type::matcher::v3::StringMatcher& out, const model::StringMatch& match) {
  switch (match.kind) {
    case model::StringMatch::Kind::kPrefix: out.set_prefix(match.value); break;
    case model::StringMatch::Kind::kRegex: out.mutable_safe_regex()->set_regex(match.value); break;
    default: out.set_exact(match.value); break;
  }
}

bool only_presence(const model::StringMatch& match) {
  using Kind = model::StringMatch::Kind;
  return match.kind == Kind::kPresent || (match.kind == Kind::kRegex && match.value == "*");
}

void add_header(route::RouteMatch& out, const std::string& name, const model::StringMatch& match, bool without = false) {
  auto* header = out.add_headers();
  header->set_name(name);
  header->set_invert_match(without);
  if (only_presence(match)) {
    header->set_present_match(true);
    return;
  }
  header->set_treat_missing_header_as_empty(without);
  set_string(*header->mutable_string_match(), match);
}

// What is known before any request: port, gateway and who the client is.
bool applies(const model::HttpMatch& match, const RouteScope& scope) {
  if (match.port && *match.port != scope.port) return false;
  // Gateways of its own make the match one for gateways: who the client is plays no part then.
  if (!match.gateways.empty()) return std::find(match.gateways.begin(), match.gateways.end(), scope.gateway) != match.gateways.end();
  if (match.source_namespace && !match.source_namespace->empty() && *match.source_namespace != scope.client.ns) return false;
  return model::selects(match.source_labels, scope.client.labels);
}

// Names that Envoy does not let headers of routes change.
bool is_authority(std::string_view name) {
  return name == ":authority" ||
         (name.size() == 4 && std::equal(name.begin(), name.end(), "host", [](unsigned char a, char b) { return std::tolower(a) == b; }));
}

template <class Options>
void add_options(Options* out, const std::map<std::string, std::string>& values, HeaderValueOption::HeaderAppendAction action) {
  for (const auto& [name, value] : values) {
    if (name.starts_with(':') || is_authority(name)) continue;
    HeaderValueOption* option = out->Add();
    option->mutable_header()->set_key(name);
    option->mutable_header()->set_value(value);
    option->set_append_action(action);
  }
}

// `out`: a Route or a ClusterWeight; both have the four fields.
template <class Carrier>
void add_headers(Carrier& out, const model::Headers& headers) {
  add_options(out.mutable_request_headers_to_add(), headers.request.set, HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
  add_options(out.mutable_request_headers_to_add(), headers.request.add, HeaderValueOption::APPEND_IF_EXISTS_OR_ADD);
  for (const std::string& name : headers.request.remove) out.add_request_headers_to_remove(name);
  add_options(out.mutable_response_headers_to_add(), headers.response.set, HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
  add_options(out.mutable_response_headers_to_add(), headers.response.add, HeaderValueOption::APPEND_IF_EXISTS_OR_ADD);
  for (const std::string& name : headers.response.remove) out.add_response_headers_to_remove(name);
}

// A rewritten authority, from wherever Istio lets it be written.
std::optional<std::string> authority_of(const model::HeaderOperations& operations) {
  for (const auto* values : {&operations.set, &operations.add}) {
    for (const auto& [name, value] : *values) {
      if (is_authority(name)) return value;
    }
  }
  return std::nullopt;
}

// `hashed`: unless somebody asks for another one, a retry may go to the host that failed, since a hash has chosen it.
void set_retries(route::RouteAction& out, const std::optional<model::Retries>& asked, bool hashed) {
  const model::Retries retries = asked.value_or(model::Retries{.attempts = kDefaultRetries});
  if (retries.attempts == 0) return;
  auto* policy = out.mutable_retry_policy();
  policy->mutable_num_retries()->set_value(retries.attempts);
  if (retries.retry_on.empty()) {
    policy->set_retry_on(std::string(kDefaultRetryOn));
  } else {
    std::string conditions;
    std::string_view rest = retries.retry_on;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      std::string_view word = rest.substr(0, comma);
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
      while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
      uint32_t code = 0;
      auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), code);
      if (error == std::errc() && end == word.data() + word.size()) {
        policy->add_retriable_status_codes(code);
      } else if (!word.empty()) {
        if (!conditions.empty()) conditions += ',';
        conditions += word;
      }
    }
    if (policy->retriable_status_codes_size() > 0 && conditions.find("retriable-status-codes") == std::string::npos) {
      if (!conditions.empty()) conditions += ',';
      conditions += "retriable-status-codes";
    }
    policy->set_retry_on(conditions);
  }
  if (retries.per_try_timeout) set_duration(*policy->mutable_per_try_timeout(), *retries.per_try_timeout);
  if (retries.backoff) set_duration(*policy->mutable_retry_back_off()->mutable_base_interval(), *retries.backoff);
  policy->set_host_selection_retry_max_attempts(kHostSelectionAttempts);
  if (retries.ignore_previous_hosts.value_or(!hashed)) {
    auto* predicate = policy->add_retry_host_predicate();
    predicate->set_name("envoy.retry_host_predicates.previous_hosts");
    pack(*predicate->mutable_typed_config(), envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate());
  }
  if (!retries.remote_localities) return;
  envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig others;
  others.set_update_frequency(kPrioritiesFrequency);
  policy->mutable_retry_priority()->set_name("envoy.retry_priorities.previous_priorities");
  pack(*policy->mutable_retry_priority()->mutable_typed_config(), others);
}

// Deprecated in Envoy, and what istiod sends: it bounds gRPC's own timeout header.
uint32_t port_of(const model::Destination& destination, const RouteScope& scope) {
  if (destination.port) return *destination.port;
  const auto* service = scope.view.find_service(destination.host, scope.client.ns);
  return service && service->ports.size() == 1 ? service->ports.front().number : scope.port;
}

std::string cluster_of(const model::Destination& destination, const RouteScope& scope) {
  if (destination.host.empty()) return "UnknownService";
  return outbound_cluster(port_of(destination, scope), destination.subset, destination.host);
}

// By what the destination's rule hashes requests, if it does. Whether it does.
bool add_hash(route::RouteAction& out, const std::string& host, const std::string& subset_name, uint32_t port, const RouteScope& scope) {
  const model::ServiceInfo* service = scope.view.find_service(host, scope.client.ns);
  const model::MergedRule* rule = scope.view.destination_rule(host, service ? service->ns : scope.client.ns, scope.client.ns);
  if (rule == nullptr) return false;
  const model::Subset* subset = subset_name.empty() ? nullptr : rule->subset(subset_name);
  const model::TrafficPolicy* own = subset && subset->traffic_policy ? &*subset->traffic_policy : nullptr;
  const model::PolicyBlocks policy = effective_policy(rule->policy(), own, port);
  if (!policy.consistent_hash) return false;
  const model::ConsistentHash& hash = *policy.consistent_hash;
  auto* specifier = out.add_hash_policy();
  switch (hash.by) {
    case model::ConsistentHash::By::kHeader: specifier->mutable_header()->set_header_name(hash.name); break;
    case model::ConsistentHash::By::kQueryParam: specifier->mutable_query_parameter()->set_name(hash.name); break;
    case model::ConsistentHash::By::kSourceIp: specifier->mutable_connection_properties()->set_source_ip(true); break;
    case model::ConsistentHash::By::kCookie:
      specifier->mutable_cookie()->set_name(hash.name);
      specifier->mutable_cookie()->set_path(hash.cookie_path);
      if (hash.cookie_ttl) set_duration(*specifier->mutable_cookie()->mutable_ttl(), *hash.cookie_ttl);
      for (const auto& [name, value] : hash.cookie_attributes) {
        auto* attribute = specifier->mutable_cookie()->add_attributes();
        attribute->set_name(name);
        attribute->set_value(value);
      }
      break;
  }
  return true;
}

void set_whole(envoy::type::v3::FractionalPercent& out) { out.set_numerator(100); }

void set_percentage(envoy::type::v3::FractionalPercent& out, double percent) {
  out.set_numerator(static_cast<uint32_t>(std::lround(percent * 10'000)));
  out.set_denominator(envoy::type::v3::FractionalPercent::MILLION);
}

void add_mirrors(route::RouteAction& out, const std::vector<model::Mirror>& mirrors, const RouteScope& scope) {
  for (const model::Mirror& mirror : mirrors) {
    if (mirror.percentage && *mirror.percentage <= 0) continue;  // said to be none
    auto* policy = out.add_request_mirror_policies();
    policy->set_cluster(cluster_of(mirror.destination, scope));
    auto* share = policy->mutable_runtime_fraction()->mutable_default_value();
    if (mirror.percentage) {
      set_percentage(*share, *mirror.percentage);
    } else {
      set_whole(*share);
    }
    policy->mutable_trace_sampled()->set_value(false);
  }
}

void set_rewrite(route::RouteAction& out, const model::Rewrite& rewrite) {
  if (rewrite.uri) out.set_prefix_rewrite(*rewrite.uri);
  if (!rewrite.uri_regex) return;
  out.mutable_regex_rewrite()->mutable_pattern()->set_regex(rewrite.uri_regex->match);
  out.mutable_regex_rewrite()->set_substitution(rewrite.uri_regex->rewrite);
}

void set_destinations(Route& out, const model::HttpRoute& rule, const RouteScope& scope) {
  route::RouteAction& action = *out.mutable_route();
  if (rule.missing_is_500) action.set_cluster_not_found_response_code(route::RouteAction::INTERNAL_SERVER_ERROR);
  set_timeouts(action, rule.timeout.value_or(model::Duration{}));
  if (rule.rewrite) set_rewrite(action, *rule.rewrite);
  add_mirrors(action, rule.mirrors, scope);
  std::optional<std::string> authority = rule.rewrite ? rule.rewrite->authority : std::nullopt;
  if (!authority) authority = authority_of(rule.headers.request);

  const bool alone = rule.routes.size() == 1;
  bool hashed = false;
  for (const model::RouteDestination& to : rule.routes) {
    if (!alone && to.weight.value_or(0) == 0) continue;
    hashed = add_hash(action, to.destination.host, to.destination.subset, port_of(to.destination, scope), scope) || hashed;
    if (alone) {
      action.set_cluster(cluster_of(to.destination, scope));
      add_headers(out, to.headers);  // behind those of the route: the last one to set a header wins
      if (!authority) authority = authority_of(to.headers.request);
      continue;
    }
    auto* weighted = action.mutable_weighted_clusters()->add_clusters();
    weighted->set_name(cluster_of(to.destination, scope));
    weighted->mutable_weight()->set_value(*to.weight);
    add_headers(*weighted, to.headers);
    if (auto host = authority_of(to.headers.request)) weighted->set_host_rewrite_literal(*host);
  }
  set_retries(action, rule.retries, hashed && alone);
  if (authority) action.set_host_rewrite_literal(*authority);
}

void set_redirect(route::RedirectAction& out, const model::Redirect& redirect, uint32_t listener_port) {
  if (redirect.authority) out.set_host_redirect(*redirect.authority);
  if (redirect.uri) out.set_path_redirect(*redirect.uri);
  if (redirect.prefix_rewrite) out.set_prefix_rewrite(*redirect.prefix_rewrite);
  if (redirect.scheme && !redirect.scheme->empty()) out.set_scheme_redirect(*redirect.scheme);
  // The port of the scheme goes without saying.
  const uint32_t port = redirect.port_kind == model::Redirect::Port::kFixed             ? redirect.port
                        : redirect.port_kind == model::Redirect::Port::kFromRequestPort ? listener_port
                                                                                        : 0;
  if (port != (redirect.scheme == "https" ? 443u : 80u)) out.set_port_redirect(port);
  // A scheme brings its port along; the request's own is replaced where it may be another one.
  if (redirect.port_kind == model::Redirect::Port::kOfScheme && !redirect.authority && listener_port != 80)
    out.set_port_redirect(redirect.scheme == "https" ? 443 : 80);
  if (redirect.uri_regex) {
    out.mutable_regex_rewrite()->mutable_pattern()->set_regex(redirect.uri_regex->match);
    out.mutable_regex_rewrite()->set_substitution(redirect.uri_regex->rewrite);
  }
  switch (redirect.code) {
    case 302: out.set_response_code(route::RedirectAction::FOUND); break;
    case 303: out.set_response_code(route::RedirectAction::SEE_OTHER); break;
    case 307: out.set_response_code(route::RedirectAction::TEMPORARY_REDIRECT); break;
    case 308: out.set_response_code(route::RedirectAction::PERMANENT_REDIRECT); break;
    default: out.set_response_code(route::RedirectAction::MOVED_PERMANENTLY); break;
  }
}

void set_fault(Route& out, const model::Fault& rule) {
  fault::HTTPFault filter;
  if (rule.delay) {
    set_duration(*filter.mutable_delay()->mutable_fixed_delay(), rule.delay->fixed);
    set_percentage(*filter.mutable_delay()->mutable_percentage(), rule.delay->percentage);
  }
  if (rule.abort) {
    if (rule.abort->http_status != 0) {
      filter.mutable_abort()->set_http_status(rule.abort->http_status);
    } else {
      filter.mutable_abort()->set_grpc_status(rule.abort->grpc_status);
    }
    set_percentage(*filter.mutable_abort()->mutable_percentage(), rule.abort->percentage);
  }
  pack((*out.mutable_typed_per_filter_config())[std::string(kFaultFilter)], filter);
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

void set_cors(Route& out, const model::CorsPolicy& rule) {
  cors::CorsPolicy policy;
  for (const model::StringMatch& origin : rule.allow_origins) set_string(*policy.add_allow_origin_string_match(), origin);
  policy.set_allow_methods(joined(rule.allow_methods));
  policy.set_allow_headers(joined(rule.allow_headers));
  policy.set_expose_headers(joined(rule.expose_headers));
  if (rule.max_age) policy.set_max_age(std::to_string(rule.max_age->count() / 1000));
  if (rule.allow_credentials) policy.mutable_allow_credentials()->set_value(*rule.allow_credentials);
  set_whole(*policy.mutable_filter_enabled()->mutable_default_value());
  policy.mutable_forward_not_matching_preflights()->set_value(!rule.ignore_unmatched_preflights);
  pack((*out.mutable_typed_per_filter_config())[std::string(kCorsFilter)], policy);
}

// How traces call what the route does: where it leads, else who wrote it, and for which paths.
std::string operation_of(const Route& route, const std::string& rule, const RouteScope& scope) {
  std::string path = "/*";
  switch (route.match().path_specifier_case()) {
    case route::RouteMatch::kPrefix: path = route.match().prefix() + "*"; break;
    case route::RouteMatch::kPath: path = route.match().path(); break;
    case route::RouteMatch::kSafeRegex: path = route.match().safe_regex().regex(); break;
    default: break;
  }
  const ClusterName to = cluster_name(route.route().cluster());
  return to.host.empty() ? virtual_host_name(rule, scope.port) + path : virtual_host_name(to.host, to.port) + path;
}

Route translate(const model::HttpRoute& rule, const model::HttpMatch* match, const model::Resource& source, const RouteScope& scope) {
  Route out;
  out.set_name(rule.name);
  if (match != nullptr) {
    if (!match->name.empty()) out.set_name(rule.name + "." + match->name);
    out.set_stat_prefix(match->stat_prefix);
    set_match(*out.mutable_match(), *match);
  } else {
    out.mutable_match()->set_prefix("/");
  }
  add_headers(out, rule.headers);
  if (rule.redirect) {
    set_redirect(*out.mutable_redirect(), *rule.redirect, scope.port);
  } else if (rule.direct_response) {
    out.mutable_direct_response()->set_status(rule.direct_response->status);
    if (rule.direct_response->body && rule.direct_response->bytes)
      out.mutable_direct_response()->mutable_body()->set_inline_bytes(*rule.direct_response->body);
    else if (rule.direct_response->body)
      out.mutable_direct_response()->mutable_body()->set_inline_string(*rule.direct_response->body);
  } else {
    set_destinations(out, rule, scope);
  }
  out.mutable_decorator()->set_operation(operation_of(out, source.key.name.substr(0, source.key.name.find('~')), scope));
  if (rule.fault) set_fault(out, *rule.fault);
  if (rule.cors) set_cors(out, *rule.cors);
  auto& fields = *(*out.mutable_metadata()->mutable_filter_metadata())["istio"].mutable_fields();
  fields["config"].set_string_value(!rule.source.empty() ? rule.source
                                                         : "/apis/networking.istio.io/v1/namespaces/" + source.key.ns +
                                                               "/virtual-service/" + source.key.name);
  return out;
}

}  // namespace

void set_timeouts(route::RouteAction& out, model::Duration timeout) {
  set_duration(*out.mutable_timeout(), timeout);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  set_duration(*out.mutable_max_grpc_timeout(), timeout);
#pragma GCC diagnostic pop
}

void set_match(route::RouteMatch& out, const model::HttpMatch& match) {
  out.set_prefix("/");
  if (match.uri) {
    switch (match.uri->kind) {
      case model::StringMatch::Kind::kExact: out.set_path(match.uri->value); break;
      case model::StringMatch::Kind::kPrefix:
        if (match.path_separated)
          out.set_path_separated_prefix(match.uri->value);
        else
          out.set_prefix(match.uri->value);
        break;
      case model::StringMatch::Kind::kRegex: out.mutable_safe_regex()->set_regex(match.uri->value); break;
      case model::StringMatch::Kind::kPresent: break;
    }
  }
  if (!out.has_safe_regex()) out.mutable_case_sensitive()->set_value(!match.ignore_uri_case);
  for (const auto& [name, value] : match.headers) add_header(out, name, value);
  for (const auto& [name, value] : match.without_headers) add_header(out, name, value, true);
  std::stable_sort(out.mutable_headers()->begin(), out.mutable_headers()->end(),
                   [](const route::HeaderMatcher& a, const route::HeaderMatcher& b) { return a.name() < b.name(); });
  if (match.method) add_header(out, ":method", *match.method);
  if (match.authority) add_header(out, ":authority", *match.authority);
  if (match.scheme) add_header(out, ":scheme", *match.scheme);
  for (const auto& [name, value] : match.query_params) {
    auto* parameter = out.add_query_parameters();
    parameter->set_name(name);
    if (only_presence(value)) {
      parameter->set_present_match(true);
    } else {
      set_string(*parameter->mutable_string_match(), value);
    }
  }
}

bool matches_everything(const Route& out) {
  const route::RouteMatch& match = out.match();
  const bool any_path = match.path_specifier_case() == route::RouteMatch::kPrefix      ? match.prefix() == "/"
                        : match.path_specifier_case() == route::RouteMatch::kSafeRegex ? match.safe_regex().regex() == ".*"
                                                                                       : false;
  return any_path && match.headers_size() == 0 && match.query_parameters_size() == 0;
}

std::vector<BuiltRoute> http_routes(const model::Typed<model::VirtualService>& source, const RouteScope& scope) {
  std::vector<BuiltRoute> all;
  auto add = [&](const model::HttpRoute& rule, const model::HttpMatch* match) {
    all.push_back({translate(rule, match, *source.resource, scope), source.resource, &rule, match});
  };
  for (const model::HttpRoute& rule : source->http) {
    if (rule.matches.empty()) {
      add(rule, nullptr);
      return all;
    }
    for (const model::HttpMatch& match : rule.matches) {
      if (!applies(match, scope)) continue;
      add(rule, &match);
      if (matches_everything(all.back().route)) return all;
    }
  }
  return all;
}

Route default_route(const std::string& host, const RouteScope& scope) {
  Route out;
  out.set_name("default");
  out.mutable_match()->set_prefix("/");
  out.mutable_route()->set_cluster(outbound_cluster(scope.port, {}, host));
  out.mutable_decorator()->set_operation(service_operation(host, scope.port));
  set_timeouts(*out.mutable_route(), model::Duration{});
  set_retries(*out.mutable_route(), std::nullopt, add_hash(*out.mutable_route(), host, {}, scope.port, scope));
  return out;
}

}  // namespace weft::translate
