#include "controlplane/translate/route_trial.h"

#include "controlplane/translate/messages.h"
#include "controlplane/translate/trial_conditions.h"

#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdio>

namespace weft::translate {
namespace {

namespace route = envoy::config::route::v3;
namespace fault = envoy::extensions::filters::http::fault::v3;

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string without_port(const std::string& authority) {
  const size_t colon = authority.rfind(':');
  if (colon == std::string::npos || authority.find(']', colon) != std::string::npos) return authority;
  if (authority.find(':') != colon && !authority.starts_with('[')) return authority;  // an IPv6 address
  return authority.substr(0, colon);
}

// Envoy's order: the very name, the longest "*.suffix", the longest "prefix.*", "*".
const route::VirtualHost* host_for(const route::RouteConfiguration& routes, const std::string& authority, std::string& domain) {
  const std::string host = lower_case(routes.ignore_port_in_host_matching() ? without_port(authority) : authority);
  const route::VirtualHost* best = nullptr;
  size_t best_rank = 0;
  for (const route::VirtualHost& candidate : routes.virtual_hosts()) {
    for (const std::string& written : candidate.domains()) {
      const std::string name = lower_case(written);
      size_t rank = 0;
      if (name == host) {
        rank = 3'000'000;
      } else if (name == "*") {
        rank = 1;
      } else if (name.starts_with('*') && host.size() >= name.size() && host.ends_with(name.substr(1))) {
        rank = 2'000'000 + name.size();
      } else if (name.ends_with('*') && host.size() >= name.size() && host.starts_with(name.substr(0, name.size() - 1))) {
        rank = 1'000'000 + name.size();
      }
      if (rank <= best_rank) continue;
      best_rank = rank;
      best = &candidate;
      domain = written;
    }
  }
  return best;
}

std::string text_of(const google::protobuf::Duration& duration) {
  if (duration.nanos() == 0) return std::to_string(duration.seconds()) + "s";
  return std::to_string(duration.seconds() * 1000 + duration.nanos() / 1'000'000) + "ms";
}

std::string text_of(double percent) {
  char text[32];
  std::snprintf(text, sizeof text, "%g %%", percent);
  return text;
}

double percent_of(const envoy::type::v3::FractionalPercent& share) {
  const double whole = share.denominator() == envoy::type::v3::FractionalPercent::MILLION        ? 1e6
                       : share.denominator() == envoy::type::v3::FractionalPercent::TEN_THOUSAND ? 1e4
                                                                                                 : 100;
  return share.numerator() * 100.0 / whole;
}

// The path without its query, and "?query".
std::pair<std::string, std::string> split(const std::string& path) {
  const size_t mark = path.find('?');
  return {path.substr(0, mark), mark == std::string::npos ? "" : path.substr(mark)};
}

// What the match took off the front, for prefix rewrites.
size_t matched_size(const route::RouteMatch& match, const std::string& path) {
  switch (match.path_specifier_case()) {
    case route::RouteMatch::kPrefix: return match.prefix().size();
    case route::RouteMatch::kPathSeparatedPrefix: return match.path_separated_prefix().size();
    default: return path.size();
  }
}

std::string substituted(const envoy::type::matcher::v3::RegexMatchAndSubstitute& rewrite, std::string path) {
  const RE2 pattern(rewrite.pattern().regex(), RE2::Quiet);
  if (pattern.ok()) RE2::GlobalReplace(&path, pattern, rewrite.substitution());
  return path;
}

void add_settings(const route::RouteAction& action, TrialAction& out) {
  if (action.has_timeout() && (action.timeout().seconds() != 0 || action.timeout().nanos() != 0))
    out.settings.push_back("timeout " + text_of(action.timeout()));
  if (action.has_retry_policy()) {
    const auto& retries = action.retry_policy();
    std::string text = "up to " + std::to_string(retries.num_retries().value()) + " retries on " + retries.retry_on();
    for (uint32_t code : retries.retriable_status_codes()) text += " " + std::to_string(code);
    if (retries.has_per_try_timeout()) text += ", " + text_of(retries.per_try_timeout()) + " for each try";
    out.settings.push_back(text);
  }
  for (const auto& mirror : action.request_mirror_policies())
    out.mirrors.push_back({mirror.cluster(), mirror.has_runtime_fraction() ? percent_of(mirror.runtime_fraction().default_value()) : 100});
}

void add_filters(const route::Route& from, TrialAction& out) {
  for (const auto& [name, config] : from.typed_per_filter_config()) {
    fault::HTTPFault faults;
    if (!config.Is<fault::HTTPFault>() || !config.UnpackTo(&faults)) {
      out.settings.push_back("own configuration of the filter " + name);
      continue;
    }
    if (faults.has_delay())
      out.settings.push_back("delay of " + text_of(faults.delay().fixed_delay()) + " for " +
                             text_of(percent_of(faults.delay().percentage())));
    if (faults.has_abort())
      out.settings.push_back("abort with " +
                             (faults.abort().http_status() != 0 ? std::to_string(faults.abort().http_status())
                                                                : "grpc-status " + std::to_string(faults.abort().grpc_status())) +
                             " for " + text_of(percent_of(faults.abort().percentage())));
  }
  for (const auto& header : from.request_headers_to_add())
    out.settings.push_back("request header " + header.header().key() + ": " + header.header().value());
  for (const std::string& header : from.request_headers_to_remove()) out.settings.push_back("request header " + header + " removed");
  for (const auto& header : from.response_headers_to_add())
    out.settings.push_back("response header " + header.header().key() + ": " + header.header().value());
  for (const std::string& header : from.response_headers_to_remove()) out.settings.push_back("response header " + header + " removed");
}

void forward(const route::Route& from, const TrialRequest& request, TrialAction& out) {
  const route::RouteAction& action = from.route();
  out.kind = TrialAction::Kind::kForward;
  if (action.has_weighted_clusters()) {
    double total = 0;
    for (const auto& cluster : action.weighted_clusters().clusters()) total += cluster.weight().value();
    for (const auto& cluster : action.weighted_clusters().clusters())
      out.destinations.push_back({cluster.name(), total > 0 ? 100.0 * cluster.weight().value() / total : 0});
  } else if (!action.cluster_header().empty()) {
    for (const auto& [name, value] : request.headers)
      if (name == action.cluster_header()) out.destinations.push_back({value, 100});
  } else {
    out.destinations.push_back({action.cluster(), 100});
  }
  auto [path, query] = split(request.path);
  if (!action.prefix_rewrite().empty()) {
    path = action.prefix_rewrite() + path.substr(std::min(path.size(), matched_size(from.match(), path)));
  } else if (action.has_regex_rewrite()) {
    path = substituted(action.regex_rewrite(), path);
  }
  out.path = path + query;
  out.authority = action.host_rewrite_literal().empty() ? request.authority : action.host_rewrite_literal();
  add_settings(action, out);
}

void redirect(const route::Route& from, const TrialRequest& request, TrialAction& out) {
  constexpr uint32_t kCodes[] = {301, 302, 303, 307, 308};
  const route::RedirectAction& action = from.redirect();
  out.kind = TrialAction::Kind::kRedirect;
  out.status = kCodes[std::min<size_t>(static_cast<size_t>(action.response_code()), 4)];
  const std::string scheme = !action.scheme_redirect().empty() ? action.scheme_redirect()
                             : action.https_redirect()         ? "https"
                                                               : request.scheme;
  std::string host = action.host_redirect().empty() ? request.authority : action.host_redirect();
  const bool usual = host.ends_with(request.scheme == "https" ? ":443" : ":80");
  if (action.port_redirect() != 0 || (scheme != request.scheme && usual)) host = without_port(host);
  if (action.port_redirect() != 0) host += ":" + std::to_string(action.port_redirect());
  auto [path, query] = split(request.path);
  if (!action.path_redirect().empty()) {
    path = action.path_redirect();
    if (path.find('?') != std::string::npos) query.clear();
  } else if (!action.prefix_rewrite().empty()) {
    path = action.prefix_rewrite() + path.substr(std::min(path.size(), matched_size(from.match(), path)));
  } else if (action.has_regex_rewrite()) {
    path = substituted(action.regex_rewrite(), path);
  }
  out.location = scheme + "://" + host + path + (action.strip_query() ? "" : query);
}

}  // namespace

std::optional<Trial> try_request(std::string_view bytes, const TrialRequest& request) {
  route::RouteConfiguration routes;
  if (!routes.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  Trial trial;
  const route::VirtualHost* host = host_for(routes, request.authority, trial.domain);
  if (host == nullptr) return trial;
  trial.virtual_host = host->name();
  if (host->require_tls() == route::VirtualHost::ALL && request.scheme != "https") {
    route::Route all;
    all.mutable_redirect()->set_https_redirect(true);
    redirect(all, request, trial.action);
    return trial;
  }
  for (int i = 0; i < host->routes_size(); ++i) {
    const route::Route& from = host->routes(i);
    TriedRoute& tried = trial.routes.emplace_back();
    tried.name = from.name();
    tried.index = static_cast<size_t>(i);
    tried.conditions = conditions_of(from.match(), request);
    tried.matches = std::all_of(tried.conditions.begin(), tried.conditions.end(), [](const Condition& c) { return c.holds; });
    if (!tried.matches) continue;
    TrialAction& out = trial.action;
    if (from.has_redirect()) {
      redirect(from, request, out);
    } else if (from.has_direct_response()) {
      out.kind = TrialAction::Kind::kRespond;
      out.status = from.direct_response().status();
      const auto& body = from.direct_response().body();
      out.body = body.has_inline_bytes() ? "(" + std::to_string(body.inline_bytes().size()) + " bytes)" : body.inline_string();
    } else if (from.has_route()) {
      forward(from, request, out);
    }
    add_filters(from, out);
    return trial;
  }
  return trial;
}

bool names_host(std::string_view bytes, const std::string& authority) {
  route::RouteConfiguration routes;
  std::string domain;
  return routes.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) && host_for(routes, authority, domain) != nullptr &&
         domain != "*";
}

std::optional<RouteOrigins> origins_of(const model::View& view, const model::Node& node, const std::string& name, std::string_view sent) {
  RouteOrigins origins;
  const Client client = client_of(view, node, listener_plan(view, node));
  for (const RouteConfiguration& made : route_configurations(view, client, &origins))
    if (made.name() == name) return serialise(made) == sent ? std::optional(std::move(origins)) : std::nullopt;
  return std::nullopt;
}

size_t healthy_endpoints(std::string_view bytes) {
  envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
  if (!assignment.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return 0;
  size_t healthy = 0;
  for (const auto& locality : assignment.endpoints())
    for (const auto& endpoint : locality.lb_endpoints())
      healthy +=
          endpoint.health_status() == envoy::config::core::v3::UNKNOWN || endpoint.health_status() == envoy::config::core::v3::HEALTHY;
  return healthy;
}

std::vector<std::pair<uint32_t, std::string>> routes_of_listener(std::string_view bytes) {
  std::vector<std::pair<uint32_t, std::string>> out;
  envoy::config::listener::v3::Listener listener;
  if (!listener.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return out;
  for (const auto& chain : listener.filter_chains()) {
    for (const auto& filter : chain.filters()) {
      envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager manager;
      if (!filter.typed_config().Is<decltype(manager)>() || !filter.typed_config().UnpackTo(&manager) || !manager.has_rds()) continue;
      out.emplace_back(listener.address().socket_address().port_value(), manager.rds().route_config_name());
    }
  }
  return out;
}

}  // namespace weft::translate
