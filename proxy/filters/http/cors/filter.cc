#include "proxy/filters/http/cors/filter.h"

#include "common/observe/shapes.h"

#include <algorithm>

namespace weft::filters {
namespace {

constexpr std::string_view kAllowOrigin = "access-control-allow-origin";
constexpr std::string_view kAllowCredentials = "access-control-allow-credentials";

}  // namespace

Verdict Cors::on_request_head(FilterContext& context, bool) {
  // Redirects and direct responses are told of by nobody: Envoy's policies belong to routes that forward.
  if (!context.route() || !context.route()->forward()) return Verdict::kContinue;
  const routing::FilterConfigs policies = context.route_configs(name_);
  const CorsPolicy* own = policies.size > 0 ? dynamic_cast<const CorsPolicy*>(policies.levels[0]) : nullptr;
  if (!own) return Verdict::kContinue;
  const bool enabled = own->enabled.matches(context.random());
  if (!enabled && !own->shadow.matches(context.random())) return Verdict::kContinue;
  std::string scratch;
  const http::Head& request = context.request();
  const std::string_view origin = request.joined("origin", scratch);
  if (origin.empty()) return Verdict::kContinue;
  const bool allowed = allows(context, origin);
  if (options_.stats)
    options_.stats->cells(context.thread()).add(allowed ? observe::CorsStat::kOriginValid : observe::CorsStat::kOriginInvalid);
  if (!enabled) return Verdict::kContinue;
  if (allowed) origin_ = origin;
  if (request.method() != "OPTIONS" || request.value("access-control-request-method").empty()) return Verdict::kContinue;
  if (!allowed && flag(context, &CorsPolicy::forward_not_matching, true)) return Verdict::kContinue;
  return answer_preflight(context, allowed);
}

Verdict Cors::answer_preflight(FilterContext& context, bool allowed) const {
  LocalReply reply;
  reply.status = 200;
  reply.details = "cors_response";
  reply.as_it_stands = true;
  auto say = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) reply.headers.emplace_back(name, value);
  };
  if (allowed) say(kAllowOrigin, origin_);
  if (flag(context, &CorsPolicy::allow_credentials, false)) say(kAllowCredentials, "true");
  say("access-control-allow-methods", text(context, &CorsPolicy::allow_methods));
  say("access-control-allow-headers", text(context, &CorsPolicy::allow_headers));
  say("access-control-max-age", text(context, &CorsPolicy::max_age));
  if (flag(context, &CorsPolicy::allow_private_network, false) &&
      context.request().value("access-control-request-private-network") == "true")
    say("access-control-allow-private-network", "true");
  context.reply(std::move(reply));
  return Verdict::kReplied;
}

Verdict Cors::on_response_head(FilterContext& context, bool) {
  if (origin_.empty()) return Verdict::kContinue;
  http::Head& response = context.response();
  response.set(kAllowOrigin, origin_);
  if (flag(context, &CorsPolicy::allow_credentials, false)) response.set(kAllowCredentials, "true");
  const std::string_view exposed = text(context, &CorsPolicy::expose_headers);
  if (!exposed.empty()) response.set("access-control-expose-headers", exposed);
  return Verdict::kContinue;
}

bool Cors::allows(FilterContext& context, std::string_view origin) const {
  for (const routing::FilterConfig* level : context.route_configs(name_)) {
    const auto* policy = dynamic_cast<const CorsPolicy*>(level);
    if (!policy || policy->allow_origins.empty()) continue;
    return std::any_of(policy->allow_origins.begin(), policy->allow_origins.end(),
                       [&](const routing::StringMatcher& matcher) { return matcher.matches("*") || matcher.matches(origin); });
  }
  return false;
}

std::string_view Cors::text(FilterContext& context, std::string CorsPolicy::*member) const {
  for (const routing::FilterConfig* level : context.route_configs(name_)) {
    const auto* policy = dynamic_cast<const CorsPolicy*>(level);
    if (policy && !(policy->*member).empty()) return policy->*member;
  }
  return {};
}

bool Cors::flag(FilterContext& context, std::optional<bool> CorsPolicy::*member, bool otherwise) const {
  for (const routing::FilterConfig* level : context.route_configs(name_)) {
    const auto* policy = dynamic_cast<const CorsPolicy*>(level);
    if (policy && policy->*member) return *(policy->*member);
  }
  return otherwise;
}

}  // namespace weft::filters
