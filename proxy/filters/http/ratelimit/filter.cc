#include "proxy/filters/http/ratelimit/filter.h"

#include "common/observe/shapes.h"
#include "proxy/format/request_info.h"

#include <algorithm>
#include <charconv>

namespace weft::filters {
namespace {

using http::HeaderId;
using observe::RateLimitStat;

std::optional<int> status_in(const http::Head& head) {
  const std::string_view text = head.value(HeaderId::kGrpcStatus);
  int status = 0;
  if (text.empty() || std::from_chars(text.data(), text.data() + text.size(), status).ec != std::errc()) return {};
  return status;
}

}  // namespace

Verdict RateLimit::on_request_head(FilterContext& context, bool) {
  context_ = &context;
  if (!options_.enabled.matches(context.random()) || !meant_for(context)) return Verdict::kContinue;
  route_ = dynamic_cast<const RateLimitRoute*>(context.route_config(name_));
  asks_ = true;
  const std::vector<routing::RateLimitHits> found = descriptors(context, false);
  if (found.empty()) return Verdict::kContinue;
  for (const routing::RateLimitHits& one : found) tells_.push_back(one.tell);
  call_ = context.caller().call(question(found), *this);
  return Verdict::kWait;
}

// Requests of a kind, to a cluster that is there.
bool RateLimit::meant_for(FilterContext& context) const {
  using Type = RateLimitOptions::RequestType;
  const bool internal = context.request().value("x-envoy-internal") == "true";
  if (options_.request_type == (internal ? Type::kExternal : Type::kInternal)) return false;
  const routing::Route* route = context.route();
  return route && route->forward() && !context.info().upstream_cluster_raw.empty();
}

std::vector<routing::RateLimitHits> RateLimit::descriptors(FilterContext& context, bool done) const {
  using Rules = RateLimitRoute::VirtualHostRules;
  std::vector<routing::RateLimitHits> out;
  const routing::Route& route = *context.route();
  const routing::RateLimitSubject subject{context.request(), context.info().upstream_cluster_raw, context.info().downstream_remote_address,
                                          &context.info(), route.metadata.get()};
  auto take = [&](const routing::RateLimitRules* rules, uint32_t stage) {
    for (size_t i = 0; rules && i < rules->size(); ++i) {
      const routing::RateLimitRule& rule = (*rules)[i];
      if (rule.on_done != done || rule.stage != stage || !rule.enabled.matches(context.random())) continue;
      if (auto hits = routing::rate_limit_hits(rule, subject)) out.push_back(std::move(*hits));
    }
  };
  if (route_ && route_->rules) {
    take(&*route_->rules, 0);
    return out;
  }
  if (options_.rules) {
    take(&*options_.rules, 0);
    return out;
  }
  const routing::RateLimitRules* of_route = route.forward()->rate_limits.get();
  take(of_route, options_.stage);
  const Rules which = route.forward()->include_virtual_host_rate_limits ? Rules::kToo
                      : route_                                          ? route_->virtual_host_rules
                                                                        : Rules::kIfRouteHasNone;
  if (route.virtual_host && (which == Rules::kToo || (which == Rules::kIfRouteHasNone && !of_route)))
    take(route.virtual_host->rate_limits.get(), options_.stage);
  return out;
}

upstream::CallRequest RateLimit::question(const std::vector<routing::RateLimitHits>& descriptors) const {
  upstream::CallRequest question;
  question.cluster = options_.cluster;
  question.method = "POST";
  question.path = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
  question.authority = options_.authority;
  question.timeout = options_.timeout;
  question.headers = {
      {"te", "trailers"}, {"content-type", "application/grpc"}, {"grpc-timeout", std::to_string(options_.timeout.count()) + "m"}};
  for (const auto& header : options_.metadata) question.headers.push_back(header);
  question.body = rate_limit_question(route_ && !route_->domain.empty() ? route_->domain : options_.domain, descriptors);
  return question;
}

void RateLimit::on_trailers(const http::Head& trailers) { grpc_status_ = status_in(trailers); }

void RateLimit::on_answer(const http::Head& head, std::string_view body) {
  const std::unique_ptr<upstream::Call> over = std::move(call_);
  if (!grpc_status_) grpc_status_ = status_in(head);  // trailers alone come as a head
  auto answer = head.status() == 200 && grpc_status_ == 0 ? rate_limit_answer(body) : std::nullopt;
  if (!answer) return fail();
  take(std::move(*answer));
}

void RateLimit::on_failed(observe::ResponseFlag, std::string_view) {
  const std::unique_ptr<upstream::Call> over = std::move(call_);
  fail();
}

void RateLimit::take(RateLimitAnswer answer) {
  const bool over = answer.over_limit;
  count(over ? RateLimitStat::kOverLimit : RateLimitStat::kOk);
  tell_limits(answer);
  if (!answer.metadata.empty()) format::metadata_of(context_->info()).set(options_.metadata_namespace, std::move(answer.metadata));
  if (over && options_.enforced.matches(context_->random())) return refuse(std::move(answer));
  for (auto& header : answer.response_headers) response_headers_.push_back(std::move(header));
  for (const auto& [name, value] : answer.request_headers) context_->request().add(name, value);
  context_->resume_request();
}

void RateLimit::refuse(RateLimitAnswer answer) {
  refused_ = true;
  if (options_.retry_after && options_.status == 429) tell_when(answer);
  for (auto& header : answer.response_headers) response_headers_.push_back(std::move(header));
  LocalReply reply;
  reply.status = options_.status;
  reply.body = std::move(answer.body);
  reply.details = "request_rate_limited";
  reply.flag = observe::ResponseFlag::kRateLimited;
  if (options_.ratelimited_header) reply.headers.emplace_back("x-envoy-ratelimited", "true");
  if (options_.resource_exhausted) reply.grpc_status = 8;
  context_->reply(std::move(reply));
}

// By what its rule says, else by the filter's setting, which also holds for what the service tells of beyond.
bool RateLimit::tells(size_t descriptor) const {
  const routing::TellLimit said = descriptor < tells_.size() ? tells_[descriptor] : routing::TellLimit::kAsFilter;
  return said == routing::TellLimit::kAsFilter ? options_.rate_limit_headers : said == routing::TellLimit::kAlways;
}

// draft-polli-ratelimit-headers-03: of the limit that is nearest, and the windows of all.
void RateLimit::tell_limits(const RateLimitAnswer& answer) {
  const RateLimitAnswer::Status* nearest = nullptr;
  bool nearest_tells = false;
  std::string windows;
  for (size_t i = 0; i < answer.statuses.size(); ++i) {
    const RateLimitAnswer::Status& status = answer.statuses[i];
    if (!status.has_limit) continue;
    if (!nearest || status.remaining < nearest->remaining) nearest = &status, nearest_tells = tells(i);
    if (status.window_seconds == 0 || !tells(i)) continue;
    windows += ", " + std::to_string(status.limit) + ";w=" + std::to_string(status.window_seconds);
    if (!status.name.empty()) windows += ";name=\"" + status.name + "\"";
  }
  if (!nearest_tells) return;
  response_headers_.emplace_back("x-ratelimit-limit", std::to_string(nearest->limit) + windows);
  response_headers_.emplace_back("x-ratelimit-remaining", std::to_string(nearest->remaining));
  response_headers_.emplace_back("x-ratelimit-reset", std::to_string(nearest->reset_seconds));
}

// The longest of the limits that are exceeded; what the service says itself counts for more.
void RateLimit::tell_when(const RateLimitAnswer& answer) {
  for (const auto& [name, value] : answer.response_headers)
    if (name == "retry-after") return;
  int64_t seconds = 1;
  for (const RateLimitAnswer::Status& status : answer.statuses)
    if (status.over) seconds = std::max(seconds, status.reset_seconds);
  response_headers_.emplace_back("retry-after", std::to_string(seconds));
}

void RateLimit::fail() {
  count(RateLimitStat::kError);
  const bool deny =
      options_.failure_mode_deny_share ? options_.failure_mode_deny_share->matches(context_->random()) : options_.failure_mode_deny;
  if (!deny) {
    count(RateLimitStat::kFailureModeAllowed);
    return context_->resume_request();
  }
  LocalReply reply;
  reply.status = options_.status_on_error;
  reply.details = "rate_limiter_error";
  reply.flag = observe::ResponseFlag::kRateLimitServiceError;
  context_->reply(std::move(reply));
}

Verdict RateLimit::on_response_head(FilterContext& context, bool) {
  http::Head& response = context.response();
  for (const auto& [name, value] : response_headers_) {
    // A body of the service's own may be of a type of its own.
    if (refused_ && name == "content-type")
      response.set(name, value);
    else
      response.add(name, value);
  }
  if (refused_)
    for (const routing::HeaderToAdd& header : options_.response_headers) header.apply(response, context.info());
  return Verdict::kContinue;
}

void RateLimit::on_done(FilterContext& context) {
  call_.reset();
  if (!asks_ || !context.route() || !context.route()->forward()) return;
  const std::vector<routing::RateLimitHits> last = descriptors(context, true);
  if (!last.empty()) context.caller().tell(question(last));
}

void RateLimit::count(unsigned metric) {
  if (!options_.stats_of) return;
  if (const auto scope = options_.stats_of(context_->info().upstream_cluster)) scope->cells(context_->thread()).add(metric);
}

}  // namespace weft::filters
