#include "proxy/filters/http/fault/filter.h"

#include "common/observe/shapes.h"
#include "proxy/format/request_info.h"

namespace weft::filters {

using observe::FaultStat;

Verdict Fault::on_request_head(FilterContext& context, bool) {
  context_ = &context;
  settings_ = &options_.settings;
  if (const auto* route = dynamic_cast<const FaultRoute*>(context.route_config(name_))) settings_ = &route->settings;
  if (!meant_for(context)) return Verdict::kContinue;
  if (settings_->delay && settings_->delay->duration.count() > 0 && settings_->delay->share.matches(context.random()) && become_active()) {
    count(FaultStat::kDelaysInjected);
    context.info().flags.set(observe::ResponseFlag::kDelayInjected);
    context.wheel().arm(timer_, settings_->delay->duration);
    return Verdict::kWait;
  }
  return abort() ? Verdict::kReplied : Verdict::kContinue;
}

void Fault::delay_is_over() {
  if (!abort()) context_->resume_request();
}

bool Fault::meant_for(FilterContext& context) const {
  if (!settings_->upstream_cluster.empty()) {
    // The cluster already chosen, where weights decide; else what the route says.
    std::string_view cluster = context.info().upstream_cluster_raw;
    const routing::Route* route = context.route();
    if (cluster.empty() && route && route->forward()) cluster = routing::cluster_name(*route->forward(), nullptr, context.request());
    if (cluster != settings_->upstream_cluster) return false;
  }
  return routing::all_match(settings_->headers, context.request());
}

// Counts once per request; false when as many faults are running as may.
bool Fault::become_active() {
  if (active_) return true;
  std::atomic<uint64_t>& active = *options_.active;
  if (active.fetch_add(1, std::memory_order_relaxed) >= settings_->max_active.value_or(UINT64_MAX)) {
    active.fetch_sub(1, std::memory_order_relaxed);
    count(FaultStat::kFaultsOverflow);
    return false;
  }
  active_ = true;
  count(FaultStat::kActiveFaults);
  return true;
}

bool Fault::abort() {
  if (!settings_->abort || !settings_->abort->share.matches(context_->random()) || !become_active()) return false;
  count(FaultStat::kAbortsInjected);
  LocalReply reply;
  reply.status = settings_->abort->status;
  reply.body = "fault filter abort";
  reply.details = "fault_filter_abort";
  reply.flag = observe::ResponseFlag::kFaultInjected;
  context_->reply(std::move(reply));
  return true;
}

void Fault::on_done(FilterContext&) {
  timer_.disarm();
  if (!active_) return;
  active_ = false;
  options_.active->fetch_sub(1, std::memory_order_relaxed);
  count(FaultStat::kActiveFaults, -1);
}

void Fault::count(unsigned metric, int64_t n) {
  if (options_.stats) options_.stats->cells(context_->thread()).add(metric, n);
}

}  // namespace weft::filters
