#include "proxy/filters/http/health_check/filter.h"

#include "proxy/format/request_info.h"
#include "proxy/upstream/endpoint_set.h"

namespace weft::filters {
namespace {

int64_t nanoseconds(std::chrono::steady_clock::duration since) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

}  // namespace

Verdict HealthCheck::on_request_head(FilterContext& context, bool) {
  if (!routing::all_match(options_.headers, context.request())) return Verdict::kContinue;
  probe_ = true;
  context.info().health_check = true;
  const bool remembered = may_answer_from_memory(context);
  if (options_.pass_through && !remembered && !context.health_check_failed()) return Verdict::kContinue;
  LocalReply reply;
  Answer answer{200, "health_check_ok"};
  if (context.health_check_failed()) {
    answer = {503, "health_check_failed"};
  } else if (remembered) {
    answer = {options_.last->status.load(std::memory_order_relaxed), "health_check_cached"};
    if (options_.last->degraded.load(std::memory_order_relaxed)) reply.headers.emplace_back("x-envoy-degraded", "");
  } else if (!options_.clusters.empty()) {
    answer = look_at_clusters(context);
  }
  reply.status = answer.status;
  reply.details = answer.details;
  if (answer.status < 200 || answer.status > 299) reply.flag = observe::ResponseFlag::kFailedLocalHealthCheck;
  answered_ = true;
  context.reply(std::move(reply));
  return Verdict::kReplied;
}

bool HealthCheck::may_answer_from_memory(FilterContext& context) const {
  return options_.cache_time.count() > 0 &&
         nanoseconds(context.now().time_since_epoch()) < options_.last->good_until.load(std::memory_order_acquire);
}

HealthCheck::Answer HealthCheck::look_at_clusters(FilterContext& context) const {
  for (const auto& [name, percentage] : options_.clusters) {
    const auto endpoints = context.endpoints(name);
    if (!endpoints) return {503, "health_check_failed_no_cluster_found"};
    const upstream::Membership hosts = upstream::membership(*endpoints);
    if (hosts.total == 0) {
      if (percentage > 0) return {503, "health_check_failed_cluster_empty"};
    } else if (100.0 * (hosts.healthy + hosts.degraded) < hosts.total * percentage) {
      return {503, "health_check_failed_cluster_unhealthy"};
    }
  }
  return {200, "health_check_ok_cluster_healthy"};
}

Verdict HealthCheck::on_response_head(FilterContext& context, bool) {
  http::Head& response = context.response();
  if (probe_) {
    if (!answered_ && options_.cache_time.count() > 0) {
      options_.last->status.store(response.status(), std::memory_order_relaxed);
      options_.last->degraded.store(response.has(http::HeaderId::kXEnvoyDegraded), std::memory_order_relaxed);
      options_.last->good_until.store(nanoseconds((context.now() + options_.cache_time).time_since_epoch()), std::memory_order_release);
    }
    response.set("x-envoy-upstream-healthchecked-cluster", options_.local_cluster);
  }
  if (context.health_check_failed()) response.set(http::HeaderId::kXEnvoyImmediateHealthCheckFail, "true");
  return Verdict::kContinue;
}

}  // namespace weft::filters
