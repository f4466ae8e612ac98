#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/filters/http/custom_response/v3/custom_response.pb.h"
#include "envoy/extensions/http/custom_response/local_response_policy/v3/local_response_policy.pb.h"
#include "envoy/extensions/http/custom_response/redirect_policy/v3/redirect_policy.pb.h"
#include "proxy/filters/bodies/config.h"
#include "proxy/filters/http/custom_response/filter.h"
#include "proxy/filters/match_tree/config.h"
#include "proxy/filters/redirects/config.h"

#include <google/protobuf/wrappers.pb.h>

namespace weft::filters {
namespace {

namespace policies = envoy::extensions::http::custom_response;
using CustomResponseProto = envoy::extensions::filters::http::custom_response::v3::CustomResponse;
using LocalProto = policies::local_response_policy::v3::LocalResponsePolicy;
using RedirectProto = policies::redirect_policy::v3::RedirectPolicy;

constexpr Field kCustomResponse[] = {
    {.name = "custom_response_matcher", .takes = "custom_response", .note = "on the answer's status and headers"},
};
constexpr Field kLocalResponsePolicy[] = {
    {"body"},
    {.name = "body_format", .note = "its content_type does not count, as in Envoy: name it in response_headers_to_add"},
    {.name = "status_code", .min = 200, .max = 599},
    {.name = "response_headers_to_add", .max = 1000},
};
constexpr Field kRedirectPolicy[] = {
    {.name = "uri", .checks = kNotEmpty, .note = "absolute"}, {.name = "redirect_action", .note = "its response_code does not count"},
    {.name = "status_code", .min = 200, .max = 999},          {.name = "response_headers_to_add", .max = 1000},
    {.name = "request_headers_to_add", .max = 1000},
};
constexpr FieldTable kCustomResponseTables[] = {
    fields_of("envoy.extensions.filters.http.custom_response.v3.CustomResponse", kCustomResponse, "", "http_filter per_route"),
    fields_of("envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy", kLocalResponsePolicy, "",
              "custom_response"),
    fields_of("envoy.extensions.http.custom_response.redirect_policy.v3.RedirectPolicy", kRedirectPolicy, "redirect_action_specifier",
              "custom_response"),
};

std::shared_ptr<const routing::MatchAction> local_policy(const LocalProto& from, const Where& where) {
  auto to = std::make_shared<LocalResponsePolicy>();
  if (from.has_body())
    if (auto text = data(from.body(), Where(where, "body"))) to->body = std::move(*text);
  if (from.has_body_format())
    if (auto format = body_formatter(from.body_format(), Where(where, "body_format")))
      to->format = std::make_shared<const format::Formatter>(std::move(*format));
  if (from.has_status_code()) to->status = static_cast<int>(from.status_code().value());
  to->headers = headers_to_add(from.response_headers_to_add(), where, "response_headers_to_add");
  return to;
}

std::shared_ptr<const routing::MatchAction> redirect_policy(const RedirectProto& from, const FilterBuild& build, const Where& where) {
  auto to = std::make_shared<RedirectResponsePolicy>();
  if (from.has_redirect_action()) {
    to->route.action = redirect(from.redirect_action(), Where(where, "redirect_action"));
  } else {
    to->url = routing::url_of(from.uri());
    if (!to->url) Where(where, "uri").fail("Invalid uri specified for redirection for custom response: " + from.uri());
  }
  if (from.has_status_code()) to->status = static_cast<int>(from.status_code().value());
  to->response_headers = headers_to_add(from.response_headers_to_add(), where, "response_headers_to_add");
  to->request_headers = headers_to_add(from.request_headers_to_add(), where, "request_headers_to_add");
  if (build.registry && !build.stat_prefix.empty()) to->stats = observe::custom_response_scope(*build.registry, build.stat_prefix);
  return to;
}

CustomResponseRules response_rules(const CustomResponseProto& from, const FilterBuild& build, const Where& where) {
  CustomResponseRules to;
  if (!from.has_custom_response_matcher()) return to;
  MatchTreeBuild tree;
  tree.response_head = true;
  tree.action = [&build](const google::protobuf::Any& config, const Where& at) -> std::shared_ptr<const routing::MatchAction> {
    LocalProto local;
    if (config.UnpackTo(&local)) return local_policy(local, Where(at, "(LocalResponsePolicy)"));
    RedirectProto redirect_to;
    config.UnpackTo(&redirect_to);
    return redirect_policy(redirect_to, build, Where(at, "(RedirectPolicy)"));
  };
  to.matcher = match_tree(from.custom_response_matcher(), tree, Where(where, "custom_response_matcher"));
  return to;
}

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                          const Where& where) {
  CustomResponseProto from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no CustomResponse"), nullptr;
  return std::make_unique<FactoryOf<CustomResponse, CustomResponseRules>>(instance, CustomResponse::kHooks,
                                                                          response_rules(from, build, where));
}

std::shared_ptr<const routing::FilterConfig> make_for_route(const std::string& bytes, const FilterBuild& build, const Where& where) {
  CustomResponseProto from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no CustomResponse"), nullptr;
  return std::make_shared<CustomResponseRules>(response_rules(from, build, where));
}

}  // namespace

HttpFilterType custom_response_type() {
  return {"envoy.filters.http.custom_response",
          "envoy.extensions.filters.http.custom_response.v3.CustomResponse",
          "envoy.extensions.filters.http.custom_response.v3.CustomResponse",
          [] { return all_of(kCustomResponseTables); },
          &make,
          &make_for_route};
}

}  // namespace weft::filters
