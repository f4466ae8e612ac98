#include "proxy/filters/http/csrf/filter.h"

#include "common/observe/shapes.h"

#include <algorithm>

namespace weft::filters {
namespace {

using observe::CsrfStat;

bool changes_something(std::string_view method) { return method == "POST" || method == "PUT" || method == "DELETE" || method == "PATCH"; }

// Empty: the browser does not say. "null" is what it says of a page whose origin is nobody's business.
std::string_view source_origin(const http::Head& request, std::string& scratch) {
  const std::string_view origin = request.joined("origin", scratch);
  if (origin == "null") return {};
  if (!origin.empty()) return host_of_origin(origin);
  return host_of_origin(request.value(http::HeaderId::kReferer));
}

}  // namespace

std::string_view host_of_origin(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return url;
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  const size_t user = url.rfind('@');
  return user == std::string_view::npos ? url : url.substr(user + 1);
}

Verdict Csrf::on_request_head(FilterContext& context, bool) {
  const auto* route = dynamic_cast<const CsrfRoute*>(context.route_config(name_));
  const CsrfPolicy& policy = route ? route->policy : options_.policy;
  const bool enabled = policy.enabled.matches(context.random());
  if (!enabled && !policy.shadow.matches(context.random())) return Verdict::kContinue;
  const http::Head& request = context.request();
  if (!changes_something(request.method())) return Verdict::kContinue;
  std::string scratch;
  const std::string_view source = source_origin(request, scratch);
  const bool valid = !source.empty() && (source == request.authority() ||
                                         std::any_of(policy.additional_origins.begin(), policy.additional_origins.end(),
                                                     [&](const routing::StringMatcher& origin) { return origin.matches(source); }));
  if (options_.stats)
    options_.stats->cells(context.thread())
        .add(source.empty() ? CsrfStat::kMissingSourceOrigin
             : valid        ? CsrfStat::kRequestValid
                            : CsrfStat::kRequestInvalid);
  if (valid || !enabled) return Verdict::kContinue;
  LocalReply reply;
  reply.status = 403;
  reply.body = "Invalid origin";
  reply.details = "csrf_origin_mismatch";
  context.reply(std::move(reply));
  return Verdict::kReplied;
}

}  // namespace weft::filters
