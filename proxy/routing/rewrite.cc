#include "proxy/routing/rewrite.h"

#include "proxy/format/formatter.h"
#include "proxy/routing/forwarded.h"
#include "proxy/routing/route_table.h"

namespace weft::routing {
namespace {

using http::HeaderId;

template <class Apply>
void apply_levels(const Route& route, const WeightedCluster* weighted, Apply apply) {
  if (weighted && weighted->mutations) apply(*weighted->mutations);
  const VirtualHost* host = route.virtual_host;
  const RouteTable* table = host ? host->table : nullptr;
  const HeaderMutations* levels[] = {route.mutations.get(), host ? host->mutations.get() : nullptr,
                                     table ? table->options().mutations.get() : nullptr};
  if (table && table->options().most_specific_header_mutations_wins) std::swap(levels[0], levels[2]);
  for (const HeaderMutations* level : levels)
    if (level) apply(*level);
}

void set_host(http::Head& request, std::string_view host, bool append_forwarded_host) {
  std::string old(request.authority());
  if (old == host) return;
  if (append_forwarded_host && !old.empty()) request.append(HeaderId::kXForwardedHost, old);
  request.set("x-envoy-original-host", old);
  request.set_authority(host);
}

// What `format` makes of the request, as a path. A blank, which a header may bring, would end the target for whoever reads it.
std::string formatted_path(const format::Formatter& format, const format::RequestInfo& info) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text, out;
  format.append(text, info);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7f && c != '#')
      out += c;
    else
      out.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return out;
}

void rewrite_host(http::Head& request, const Rewrite* rewrite, const WeightedCluster* weighted, const format::RequestInfo& info) {
  bool forwarded_host = rewrite && rewrite->append_x_forwarded_host;
  if (weighted && !weighted->host_rewrite.empty()) return set_host(request, weighted->host_rewrite, forwarded_host);
  if (!rewrite) return;
  if (!rewrite->host.empty()) {
    set_host(request, rewrite->host, forwarded_host);
  } else if (!rewrite->host_header.empty()) {
    std::string value(request.value(rewrite->host_header));
    if (!value.empty()) set_host(request, value, forwarded_host);
  } else if (rewrite->host_path_regex) {
    std::string host = rewrite->host_path_regex.apply(path_of(request.path()));
    if (!host.empty()) set_host(request, host, forwarded_host);
  } else if (rewrite->host_format) {
    std::string host;
    rewrite->host_format->append(host, info);
    if (!host.empty()) set_host(request, host, forwarded_host);
  }
}

// How much of `path` the route's own condition covers: what prefix_rewrite replaces.
size_t matched_length(const Route& route, std::string_view path) {
  bool prefix = route.path.kind == PathMatcher::Kind::kPrefix || route.path.kind == PathMatcher::Kind::kSeparatedPrefix;
  return prefix ? std::min(route.path.text.size(), path.size()) : path.size();
}

std::string with_new_path(const Route& route, std::string_view path_and_query, const std::string& prefix, const RegexRewrite& regex) {
  std::string_view path = path_of(path_and_query);
  std::string_view rest = path_and_query.substr(path.size());
  std::string out;
  if (!prefix.empty()) {
    out = prefix;
    out += path.substr(matched_length(route, path));
  } else if (regex) {
    out = regex.apply(path);
  } else {
    return {};
  }
  return out.append(rest);
}

// "https://host/path" of require_tls, which keeps host and port as they came.
bool is_plain_https(const Redirect& redirect, const Route& route) {
  return route.virtual_host && route.virtual_host->require_tls != TlsRequirement::kNone && redirect.scheme == "https" &&
         route.path.text.empty();
}

}  // namespace

std::string rewritten_path(const Route& route, std::string_view path_and_query, const format::RequestInfo& info) {
  const Forward* forward = route.forward();
  if (!forward || !forward->rewrite) return {};
  if (forward->rewrite->path_format) {
    std::string path = formatted_path(*forward->rewrite->path_format, info);
    return path.empty() ? path : path.append(path_and_query.substr(path_of(path_and_query).size()));
  }
  return with_new_path(route, path_and_query, forward->rewrite->prefix, forward->rewrite->path_regex);
}

void finish_request(http::Head& request, const Route& route, const WeightedCluster* weighted, const format::RequestInfo& info,
                    bool insert_original_path) {
  apply_levels(route, weighted, [&](const HeaderMutations& level) { level.request.apply(request, info); });
  const Forward* forward = route.forward();
  if (!forward) return;
  rewrite_host(request, forward->rewrite.get(), weighted, info);
  if (!forward->rewrite) return;
  std::string path = rewritten_path(route, request.path(), info);
  if (path.empty()) return;
  if (insert_original_path) request.set(HeaderId::kXEnvoyOriginalPath, std::string(request.path()));
  request.set_path(path);
}

void rewrite_host_automatically(http::Head& request, const Route& route, std::string_view hostname) {
  const Forward* forward = route.forward();
  if (!forward || !forward->rewrite || !forward->rewrite->auto_host || hostname.empty()) return;
  set_host(request, hostname, forward->rewrite->append_x_forwarded_host);
}

void finish_response(http::Head& response, const Route& route, const WeightedCluster* weighted, const format::RequestInfo& info) {
  apply_levels(route, weighted, [&](const HeaderMutations& level) { level.response.apply(response, info); });
}

std::string redirect_location(const Route& route, const http::Head& request, const format::RequestInfo& info) {
  const Redirect& redirect = *route.redirect();
  std::string_view old_scheme = request.scheme().empty() ? "http" : request.scheme();
  std::string_view scheme = redirect.scheme.empty() ? old_scheme : std::string_view(redirect.scheme);
  std::string_view authority = request.authority();
  std::string out(scheme);
  out += "://";
  if (is_plain_https(redirect, route)) return out.append(authority).append(request.path());

  if (!redirect.host.empty()) {
    out += redirect.host;
  } else {
    std::string_view bare = host_without_port(authority);
    std::string_view port = authority.substr(bare.size());
    bool default_port = (old_scheme == "http" && port == ":80") || (old_scheme == "https" && port == ":443");
    out += bare;
    if (redirect.port == 0 && !(default_port && !redirect.scheme.empty())) out += port;
  }
  if (redirect.port != 0) out.append(":").append(std::to_string(redirect.port));

  std::string_view target = request.path();
  std::string_view query = target.substr(path_of(target).size());
  std::string path;
  bool strip = redirect.strip_query;
  if (redirect.path_format && !(path = formatted_path(*redirect.path_format, info)).empty()) {
    // A query of its own stays.
    if (!strip && path.find('?') == std::string::npos) path += query;
    strip = false;
  } else if (!redirect.path.empty()) {
    path = redirect.path;
    if (path.find('?') == std::string::npos) path += query;
  } else {
    path = with_new_path(route, target, redirect.prefix_rewrite, redirect.regex_rewrite);
    if (path.empty()) path = target;
  }
  if (strip) path.resize(std::min(path.find('?'), path.size()));
  if (!path.starts_with('/')) out += '/';
  return out += path;
}

}  // namespace weft::routing
