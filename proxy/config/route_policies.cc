#include "proxy/config/route_policies.h"

#include "common/observe/shapes.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config.pb.h"
#include "envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config.pb.h"
#include "envoy/extensions/internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config.pb.h"
#include "envoy/extensions/path/match/uri_template/v3/uri_template_match.pb.h"
#include "envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite.pb.h"
#include "proxy/filters/matching/config.h"

#include <google/protobuf/wrappers.pb.h>

#include <algorithm>

namespace weft::config {
namespace {

namespace route_v3 = envoy::config::route::v3;
namespace redirects = envoy::extensions::internal_redirect;

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return text;
}

}  // namespace

std::shared_ptr<const routing::MirrorPolicies> mirror_policies(
    const google::protobuf::RepeatedPtrField<route_v3::RouteAction_RequestMirrorPolicy>& from, const filters::FilterBuild& build,
    const Where& parent) {
  if (from.empty()) return nullptr;
  auto to = std::make_shared<routing::MirrorPolicies>();
  for (int i = 0; i < from.size(); ++i) {
    const Where where(parent, "request_mirror_policies", i);
    routing::MirrorPolicy policy;
    if (from[i].cluster().empty() == from[i].cluster_header().empty()) where.fail("needs exactly one of cluster, cluster_header");
    policy.cluster = from[i].cluster();
    policy.cluster_header = lower_case(from[i].cluster_header());
    if (from[i].has_runtime_fraction()) policy.fraction = filters::fraction(from[i].runtime_fraction(), build.runtime);
    policy.keep_host = from[i].disable_shadow_host_suffix_append();
    policy.host = from[i].host_rewrite_literal();
    policy.mutations = filters::header_steps(from[i].request_headers_mutations(), where, "request_headers_mutations");
    to->push_back(std::move(policy));
  }
  return to;
}

std::shared_ptr<const routing::InternalRedirect> internal_redirect(const route_v3::InternalRedirectPolicy& from, const Where& where) {
  auto to = std::make_shared<routing::InternalRedirect>();
  if (from.has_max_internal_redirects()) to->most = from.max_internal_redirects().value();
  if (!from.redirect_response_codes().empty()) to->codes.clear();
  for (int i = 0; i < from.redirect_response_codes_size(); ++i) {
    const uint32_t code = from.redirect_response_codes(i);
    if (code != 301 && code != 302 && code != 303 && code != 307 && code != 308)
      Where(where, "redirect_response_codes", i).fail("must be one of 301, 302, 303, 307 and 308, found " + std::to_string(code));
    to->codes.push_back(static_cast<int>(code));
  }
  to->cross_scheme = from.allow_cross_scheme_redirect();
  for (int i = 0; i < from.response_headers_to_copy_size(); ++i) {
    const std::string name = lower_case(from.response_headers_to_copy(i));
    if (name.starts_with(':') || name == "host")
      Where(where, "response_headers_to_copy", i).fail(":-prefixed headers or Hosts may not be specified here, found \"" + name + "\"");
    to->copy.push_back(name);
  }
  for (int i = 0; i < from.predicates_size(); ++i) {
    const google::protobuf::Any& any = from.predicates(i).typed_config();
    redirects::allow_listed_routes::v3::AllowListedRoutesConfig allowed;
    if (any.Is<redirects::previous_routes::v3::PreviousRoutesConfig>())
      to->never_twice = true;
    else if (any.Is<redirects::safe_cross_scheme::v3::SafeCrossSchemeConfig>())
      to->no_downgrade = true;
    else if (any.UnpackTo(&allowed))
      to->allowed_routes.emplace(allowed.allowed_route_names().begin(), allowed.allowed_route_names().end());
  }
  return to;
}

std::shared_ptr<const routing::VirtualClusters> virtual_clusters(const route_v3::VirtualHost& from, const filters::FilterBuild& build,
                                                                 const Where& where) {
  if (from.virtual_clusters().empty()) return nullptr;
  auto to = std::make_shared<routing::VirtualClusters>();
  auto scope = [&](const std::string& name) {
    return build.registry ? observe::virtual_cluster_scope(*build.registry, from.name(), name) : nullptr;
  };
  for (int i = 0; i < from.virtual_clusters_size(); ++i) {
    const auto& one = from.virtual_clusters(i);
    const Where at(where, "virtual_clusters", i);
    if (one.headers().empty()) at.fail("virtual clusters must define 'headers'");
    to->clusters.push_back({one.name(), filters::header_matchers(one.headers(), at, "headers"), scope(one.name())});
  }
  to->other = scope("other");
  return to;
}

std::shared_ptr<const routing::RareConditions> rare_conditions(const route_v3::RouteMatch& from, const Where& where) {
  if (from.dynamic_metadata().empty() && from.filter_state().empty() && from.cookies().empty() && !from.has_tls_context()) return nullptr;
  auto to = std::make_shared<routing::RareConditions>();
  for (int i = 0; i < from.dynamic_metadata_size(); ++i)
    if (auto matcher = filters::metadata_matcher(from.dynamic_metadata(i), Where(where, "dynamic_metadata", i)))
      to->metadata.push_back(std::move(*matcher));
  for (int i = 0; i < from.filter_state_size(); ++i) {
    const Where at(where, "filter_state", i);
    if (auto value = filters::string_matcher(from.filter_state(i).string_match(), Where(at, "string_match")))
      to->filter_state.push_back({from.filter_state(i).key(), std::move(*value)});
  }
  for (int i = 0; i < from.cookies_size(); ++i) {
    const Where at(where, "cookies", i);
    if (auto value = filters::string_matcher(from.cookies(i).string_match(), Where(at, "string_match")))
      to->cookies.push_back({from.cookies(i).name(), std::move(*value), from.cookies(i).invert_match()});
  }
  if (from.tls_context().has_presented()) to->certificate_presented = from.tls_context().presented().value();
  if (from.tls_context().has_validated()) to->certificate_validated = from.tls_context().validated().value();
  return to;
}

std::optional<routing::UriTemplate> path_template(const envoy::config::core::v3::TypedExtensionConfig& from, const Where& where) {
  envoy::extensions::path::match::uri_template::v3::UriTemplateMatchConfig config;
  if (!from.typed_config().UnpackTo(&config)) return where.fail("holds no UriTemplateMatchConfig"), std::nullopt;
  Result<routing::UriTemplate> parsed = routing::UriTemplate::parse(config.path_template());
  if (parsed) return std::move(*parsed);
  where.fail(parsed.error().detail);
  return {};
}

std::optional<routing::RegexRewrite> template_rewrite(const envoy::config::core::v3::TypedExtensionConfig& from,
                                                      const routing::UriTemplate* match, const Where& where) {
  envoy::extensions::path::rewrite::uri_template::v3::UriTemplateRewriteConfig config;
  if (!from.typed_config().UnpackTo(&config)) return where.fail("holds no UriTemplateRewriteConfig"), std::nullopt;
  if (!match) return where.fail("needs a route that matches by path_match_policy"), std::nullopt;
  Result<routing::RegexRewrite> made = routing::uri_template_rewrite(*match, config.path_template_rewrite());
  if (made) return std::move(*made);
  where.fail(made.error().detail);
  return {};
}

}  // namespace weft::config
