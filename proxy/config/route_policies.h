// The rarer parts of a route configuration, from proto into routing's values: mirrors, internal redirects, virtual clusters,
// templates of paths, conditions on metadata and cookies.
#pragma once
#include "proxy/filters/table.h"
#include "proxy/routing/route.h"
#include "proxy/routing/uri_template.h"

#include <memory>
#include <optional>
#include <string_view>

namespace google::protobuf {
template <class T>
class RepeatedPtrField;
}
namespace envoy::config::core::v3 {
class TypedExtensionConfig;
}
namespace envoy::config::route::v3 {
class InternalRedirectPolicy;
class RouteAction_RequestMirrorPolicy;
class RouteMatch;
class VirtualHost;
}  // namespace envoy::config::route::v3

namespace weft::config {

using filters::Where;

// Null for an empty list. `parent` is the message that has the field request_mirror_policies.
std::shared_ptr<const routing::MirrorPolicies> mirror_policies(
    const google::protobuf::RepeatedPtrField<envoy::config::route::v3::RouteAction_RequestMirrorPolicy>& from,
    const filters::FilterBuild& build, const Where& parent);
std::shared_ptr<const routing::InternalRedirect> internal_redirect(const envoy::config::route::v3::InternalRedirectPolicy& from,
                                                                   const Where& where);
// Null when the virtual host has none.
std::shared_ptr<const routing::VirtualClusters> virtual_clusters(const envoy::config::route::v3::VirtualHost& from,
                                                                 const filters::FilterBuild& build, const Where& where);
// dynamic_metadata, filter_state, cookies and tls_context; null when the match has none of them.
std::shared_ptr<const routing::RareConditions> rare_conditions(const envoy::config::route::v3::RouteMatch& from, const Where& where);

// path_match_policy; nothing after a complaint.
std::optional<routing::UriTemplate> path_template(const envoy::config::core::v3::TypedExtensionConfig& from, const Where& where);
// path_rewrite_policy, for a route that matched by `match` (null: by something else, which is complained of).
std::optional<routing::RegexRewrite> template_rewrite(const envoy::config::core::v3::TypedExtensionConfig& from,
                                                      const routing::UriTemplate* match, const Where& where);

}  // namespace weft::config
