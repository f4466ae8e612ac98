#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/filters/http/ext_authz/v3/ext_authz.pb.h"
#include "proxy/filters/http/ext_authz/filter.h"

#include <google/protobuf/duration.pb.h>

#include <algorithm>

namespace weft::filters {
namespace {

namespace authz = envoy::extensions::filters::http::ext_authz::v3;

constexpr std::string_view kNoTls = "without TLS there is nothing to tell of";
constexpr Field kExtAuthz[] = {
    {"failure_mode_allow"},
    {"http_service"},
    {"clear_route_cache"},
    {"status_on_error"},
    {"include_peer_certificate", kNoTls},
    {"transport_api_version", "concerns gRPC services, which are refused"},
    {"stat_prefix"},
    {"allowed_headers"},
    {"include_tls_session", kNoTls},
    {"failure_mode_allow_header_add"},
    {"charge_cluster_response_stats", "answers of the service are charged to its own cluster only"},
    {"disallowed_headers"},
};
constexpr Field kHttpService[] = {
    {.name = "server_uri", .checks = kRequired},
    {"path_prefix"},
    {"authorization_request"},
    {"authorization_response"},
};
constexpr Field kAuthorizationRequest[] = {
    {"allowed_headers"},
    {.name = "headers_to_add", .note = "literal values"},
};
constexpr Field kAuthorizationResponse[] = {
    {"allowed_upstream_headers"},
    {"allowed_client_headers"},
    {"allowed_upstream_headers_to_append"},
    {"allowed_client_headers_on_success"},
};
constexpr Field kExtAuthzPerRoute[] = {
    {"disabled"},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", kExtAuthz, "services", "http_filter"),
    fields_of("envoy.extensions.filters.http.ext_authz.v3.HttpService", kHttpService),
    fields_of("envoy.extensions.filters.http.ext_authz.v3.AuthorizationRequest", kAuthorizationRequest),
    fields_of("envoy.extensions.filters.http.ext_authz.v3.AuthorizationResponse", kAuthorizationResponse),
    fields_of("envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute", kExtAuthzPerRoute, "override", "per_route"),
};

void append(NameMatchers& to, NameMatchers more) {
  for (auto& matcher : more) to.push_back(std::move(matcher));
}

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                          const Where& where) {
  authz::ExtAuthz from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no ExtAuthz"), nullptr;
  const authz::HttpService& service = from.http_service();
  const Where at(where, "http_service");
  ExtAuthzOptions options;
  options.cluster = service.server_uri().cluster();
  options.path_prefix = service.path_prefix();
  if (!options.path_prefix.empty() && options.path_prefix.front() != '/')
    Where(at, "path_prefix").fail("must start with \"/\", found \"" + options.path_prefix + "\"");
  const auto& timeout = service.server_uri().timeout();
  options.timeout = std::chrono::milliseconds(timeout.seconds() * 1000 + (timeout.nanos() + 999'999) / 1'000'000);
  options.failure_mode_allow = from.failure_mode_allow();
  options.failure_mode_allow_header_add = from.failure_mode_allow_header_add();
  options.clear_route_cache = from.clear_route_cache();
  if (from.has_status_on_error()) {
    options.status_on_error = static_cast<int>(from.status_on_error().code());
    if (options.status_on_error < 200) Where(Where(where, "status_on_error"), "code").fail("must be a status of 200 or more");
  }
  options.allowed_headers = string_matchers(from.allowed_headers(), Where(where, "allowed_headers"));
  options.disallowed_headers = string_matchers(from.disallowed_headers(), Where(where, "disallowed_headers"));
  const Where request(at, "authorization_request");
  append(options.allowed_headers, string_matchers(service.authorization_request().allowed_headers(), Where(request, "allowed_headers")));
  for (int i = 0; i < service.authorization_request().headers_to_add_size(); ++i) {
    const auto& header = service.authorization_request().headers_to_add(i);
    std::string name = header.key();
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    if (name.front() == ':' || name == "host") Where(Where(request, "headers_to_add", i), "key").fail("\"" + name + "\" may not be added");
    if (header.value().find('%') != std::string::npos)
      Where(Where(request, "headers_to_add", i), "value").unsupported("operators are not supported here by this version");
    options.headers_to_add.emplace_back(std::move(name), header.value());
  }
  const Where response(at, "authorization_response");
  const authz::AuthorizationResponse& answers = service.authorization_response();
  options.upstream_headers = string_matchers(answers.allowed_upstream_headers(), Where(response, "allowed_upstream_headers"));
  options.upstream_headers_to_append =
      string_matchers(answers.allowed_upstream_headers_to_append(), Where(response, "allowed_upstream_headers_to_append"));
  options.client_headers_on_success =
      string_matchers(answers.allowed_client_headers_on_success(), Where(response, "allowed_client_headers_on_success"));
  if (answers.has_allowed_client_headers())
    options.client_headers = string_matchers(answers.allowed_client_headers(), Where(response, "allowed_client_headers"));
  if (build.registry) options.stats = observe::ext_authz_scope(*build.registry, build.stat_prefix, from.stat_prefix());
  return std::make_unique<FactoryOf<ExtAuthz, ExtAuthzOptions>>(instance, ExtAuthz::kHooks, std::move(options));
}

std::shared_ptr<const routing::FilterConfig> make_for_route(const std::string& bytes, const FilterBuild&, const Where& where) {
  authz::ExtAuthzPerRoute from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no ExtAuthzPerRoute"), nullptr;
  if (!from.disabled()) return Where(where, "disabled").fail("must be true"), nullptr;
  auto config = std::make_shared<ExtAuthzRoute>();
  config->disabled = true;
  return config;
}

}  // namespace

HttpFilterType ext_authz_type() {
  return {"envoy.filters.http.ext_authz",
          "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
          "envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute",
          [] { return all_of(kTables); },
          &make,
          &make_for_route};
}

}  // namespace weft::filters
