#include "proxy/filters/http/local_ratelimit/filter.h"

#include "common/observe/shapes.h"
#include "proxy/format/request_info.h"

#include <algorithm>

namespace weft::filters {
namespace {

using observe::LocalRateLimitStat;

// The same keys, and the same values where one is named.
bool fits_any(const routing::RateLimitDescriptor& entries, const routing::RateLimitDescriptor& descriptor) {
  return std::equal(entries.begin(), entries.end(), descriptor.begin(), descriptor.end(), [](const auto& told, const auto& found) {
    return told.first == found.first && (told.second.empty() || told.second == found.second);
  });
}

}  // namespace

Verdict LocalRateLimit::on_request_head(FilterContext& context, bool) {
  if (const auto* route = dynamic_cast<const LocalRateLimitRoute*>(context.route_config(name_))) settings_ = &route->settings;
  if (!settings_->enabled.matches(context.random())) return Verdict::kContinue;
  count(context, LocalRateLimitStat::kEnabled);
  const Decision decision = decide(context);
  count(context, decision == Decision::kOk ? LocalRateLimitStat::kOk : LocalRateLimitStat::kRateLimited);
  if (decision == Decision::kLimitedInShadow) count(context, LocalRateLimitStat::kShadowMode);
  if (decision != Decision::kLimited) return Verdict::kContinue;
  if (!settings_->enforced.matches(context.random())) {
    for (const routing::HeaderToAdd& header : settings_->request_headers_not_enforced) header.apply(context.request(), context.info());
    return Verdict::kContinue;
  }
  count(context, LocalRateLimitStat::kEnforced);
  LocalReply reply;
  reply.status = settings_->status;
  reply.body = "local_rate_limited";
  reply.details = "local_rate_limited";
  reply.flag = observe::ResponseFlag::kRateLimited;
  if (settings_->resource_exhausted) reply.grpc_status = 8;
  replied_ = true;
  context.reply(std::move(reply));
  return Verdict::kReplied;
}

// The buckets of descriptors first, the slowest before the others; what has been taken is not given back.
LocalRateLimit::Decision LocalRateLimit::decide(FilterContext& context) {
  const auto now = context.now();
  const std::vector<Match> own = matching(context);
  Decision passed = Decision::kOk;
  for (const Match& match : own) {
    if (match.bucket->take(now, match.hits)) continue;
    told_ = match.bucket;
    tell_ = match.tell;
    if (!match.shadow) return Decision::kLimited;
    passed = Decision::kLimitedInShadow;
  }
  if (!told_ && !own.empty()) told_ = own.front().bucket, tell_ = own.front().tell;
  const std::shared_ptr<TokenBucket>& shared = buckets(context).shared;
  if (!shared || (!own.empty() && !settings_->always_take_default)) return passed;
  if (own.empty()) told_ = shared;
  if (shared->take(now)) return passed;
  told_ = shared;
  tell_ = routing::TellLimit::kAsFilter;
  return Decision::kLimited;
}

const LocalRateLimitSettings::Buckets& LocalRateLimit::buckets(FilterContext& context) const {
  if (!settings_->new_buckets) return *settings_->buckets;
  std::shared_ptr<const void>& of_connection = context.connection_state(settings_->buckets);
  if (!of_connection) of_connection = settings_->new_buckets();
  return *static_cast<const LocalRateLimitSettings::Buckets*>(of_connection.get());
}

std::vector<routing::RateLimitHits> LocalRateLimit::descriptors(FilterContext& context) const {
  std::vector<routing::RateLimitHits> out;
  const routing::Route* route = context.route();
  const routing::RateLimitSubject subject{context.request(), context.info().upstream_cluster_raw, context.info().downstream_remote_address,
                                          &context.info(), route ? route->metadata.get() : nullptr};
  auto take = [&](const routing::RateLimitRules* rules, uint32_t stage) {
    for (size_t i = 0; rules && i < rules->size(); ++i)
      if ((*rules)[i].stage == stage && !(*rules)[i].on_done)
        if (auto hits = routing::rate_limit_hits((*rules)[i], subject)) out.push_back(std::move(*hits));
  };
  if (settings_->rules) {
    take(&*settings_->rules, 0);
    return out;
  }
  if (!route || !route->forward()) return out;
  using Rules = LocalRateLimitSettings::VirtualHostRules;
  const routing::RateLimitRules* of_route = route->forward()->rate_limits.get();
  take(of_route, settings_->stage);
  const Rules which = route->forward()->include_virtual_host_rate_limits ? Rules::kToo : settings_->virtual_host_rules;
  if (route->virtual_host && (which == Rules::kToo || (which == Rules::kIfRouteHasNone && !of_route)))
    take(route->virtual_host->rate_limits.get(), settings_->stage);
  return out;
}

// A descriptor belongs to the settings that name all its values, else to the first that take any.
std::vector<LocalRateLimit::Match> LocalRateLimit::matching(FilterContext& context) const {
  std::vector<Match> out;
  const LocalRateLimitSettings::Buckets& all = buckets(context);
  if (all.own.empty()) return out;
  for (const auto& [descriptor, hits, limit, gives, tell] : descriptors(context)) {
    const LocalRateLimitSettings::Own* best = nullptr;
    for (const LocalRateLimitSettings::Own& own : all.own) {
      const bool fits = own.bucket ? own.entries == descriptor : fits_any(own.entries, descriptor);
      if (fits && (!best || own.bucket)) best = &own;
    }
    if (best)
      out.push_back({best->bucket ? best->bucket : best->buckets->of(descriptor), best->shadow,
                     static_cast<double>(hits.value_or(1)) * (gives ? -1 : 1), tell});
  }
  std::stable_sort(out.begin(), out.end(), [](const Match& a, const Match& b) { return a.bucket->rate() < b.bucket->rate(); });
  return out;
}

Verdict LocalRateLimit::on_response_head(FilterContext& context, bool) {
  http::Head& response = context.response();
  if (replied_)
    for (const routing::HeaderToAdd& header : settings_->response_headers) header.apply(response, context.info());
  const auto now = context.now();
  if (replied_ && told_ && settings_->retry_after && settings_->status == 429 && !response.find("retry-after"))
    response.add("retry-after", std::to_string(std::max<long>(1, told_->next(now).count())));
  // Of a bucket that never holds anything Envoy tells nothing either.
  const bool tell = tell_ == routing::TellLimit::kAsFilter ? settings_->rate_limit_headers : tell_ == routing::TellLimit::kAlways;
  if (!told_ || told_->max() == 0 || !tell) return Verdict::kContinue;
  response.add("x-ratelimit-limit", std::to_string(told_->max()));
  response.add("x-ratelimit-remaining", std::to_string(told_->remaining(now)));
  response.add("x-ratelimit-reset", std::to_string(told_->next(now).count()));
  return Verdict::kContinue;
}

void LocalRateLimit::count(FilterContext& context, unsigned metric) const {
  if (settings_->stats) settings_->stats->cells(context.thread()).add(metric);
}

}  // namespace weft::filters
