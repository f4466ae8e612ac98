#include "proxy/filters/http/fault/filter.h"

#include "common/observe/shapes.h"
#include "proxy/format/request_info.h"

#include <algorithm>
#include <charconv>

namespace weft::filters {

using observe::FaultClusterStat;
using observe::FaultStat;
using std::chrono::milliseconds;

Verdict Fault::on_request_head(FilterContext& context, bool) {
  context_ = &context;
  settings_ = &options_.settings;
  if (const auto* route = dynamic_cast<const FaultRoute*>(context.route_config(name_))) settings_ = &route->settings;
  if (!settings_->delay && !settings_->abort && !settings_->rate_limit) return Verdict::kContinue;
  if (!meant_for(context)) return Verdict::kContinue;
  const std::string_view cluster = context.request().value("x-envoy-downstream-service-cluster");
  if (!cluster.empty() && options_.clusters) cluster_ = options_.clusters->of(cluster);
  slow_down();
  if (const auto duration = delay(); duration && become_active()) {
    count(FaultStat::kDelaysInjected);
    count_for_cluster(FaultClusterStat::kDelaysInjected);
    note();
    context.info().flags.set(observe::ResponseFlag::kDelayInjected);
    context.wheel().arm(timer_, *duration);
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
  if (!settings_->downstream_nodes.empty()) {
    const std::string_view node = context.request().value("x-envoy-downstream-service-node");
    const auto& nodes = settings_->downstream_nodes;
    if (node.empty() || std::find(nodes.begin(), nodes.end(), node) == nodes.end()) return false;
  }
  return routing::all_match(settings_->headers, context.request());
}

bool Fault::chosen(const routing::Fraction& share, std::string_view percentage_header, const runtime::Key& key) {
  runtime::Share now{share.numerator, share.denominator};
  if (!percentage_header.empty())
    if (const auto asked = header_number(percentage_header))
      now.numerator = static_cast<uint32_t>(std::min<uint64_t>(*asked, now.numerator));
  if (key) now = key->share().value_or(now);
  return now.numerator > 0 && context_->random() % now.denominator < now.numerator;
}

std::optional<uint64_t> Fault::header_number(std::string_view name) const {
  const std::string_view text = context_->request().value(name);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

void Fault::slow_down() {
  if (!settings_->rate_limit) return;
  const FaultSettings::RateLimit& limit = *settings_->rate_limit;
  const bool by_header = !limit.kib_per_second;
  if (!chosen(limit.share, by_header ? "x-envoy-fault-throughput-response-percentage" : std::string_view(), limit.share.key)) return;
  const auto rate = by_header ? header_number("x-envoy-fault-throughput-response") : limit.kib_per_second;
  if (!rate || *rate == 0 || !become_active()) return;
  count(FaultStat::kResponseRlInjected);
  pace_.emplace(*context_, *this, *rate);
  context_->ask_for_response_body();
}

void Fault::on_response_body(FilterContext&, Body& body, bool end) {
  if (pace_) pace_->take(body, end);
}

std::optional<milliseconds> Fault::delay() {
  if (!settings_->delay) return {};
  const FaultSettings::Delay& from = *settings_->delay;
  const bool by_header = !from.fixed;
  if (!chosen(from.share, by_header ? "x-envoy-fault-delay-request-percentage" : std::string_view(),
              cluster_ ? cluster_->delay_share : from.share.key)) {
    return {};
  }
  uint64_t duration = 0;
  if (by_header) {
    const auto asked = header_number("x-envoy-fault-delay-request");
    if (!asked) return {};
    duration = *asked;
  } else {
    duration = static_cast<uint64_t>(from.fixed->count());
  }
  if (from.duration) duration = from.duration->number().value_or(duration);
  if (cluster_) duration = cluster_->delay_duration->number().value_or(duration);
  if (duration == 0) return {};
  constexpr uint64_t kLongest = uint64_t{365} * 24 * 3600 * 1000;
  return milliseconds(std::min(duration, kLongest));
}

bool Fault::abort() {
  if (!settings_->abort) return false;
  const FaultSettings::Abort& from = *settings_->abort;
  const bool by_header = from.kind == FaultSettings::Abort::Kind::kHeader;
  if (!chosen(from.share, by_header ? "x-envoy-fault-abort-request-percentage" : std::string_view(),
              cluster_ ? cluster_->abort_share : from.share.key)) {
    return false;
  }
  LocalReply reply;
  if (const auto http = http_status()) {
    reply.status = static_cast<int>(*http);
  } else if (const auto grpc = grpc_status()) {
    reply.status = 200;
    reply.grpc_status = static_cast<int>(*grpc);
  } else {
    return false;
  }
  if (!become_active()) return false;
  count(FaultStat::kAbortsInjected);
  count_for_cluster(FaultClusterStat::kAbortsInjected);
  note();
  reply.body = "fault filter abort";
  reply.details = "fault_filter_abort";
  reply.flag = observe::ResponseFlag::kFaultInjected;
  context_->reply(std::move(reply));
  return true;
}

std::optional<uint32_t> Fault::http_status() const {
  using Kind = FaultSettings::Abort::Kind;
  const FaultSettings::Abort& from = *settings_->abort;
  const auto valid = [](uint64_t status) { return status >= 200 && status < 600; };
  uint64_t configured = from.status;
  if (from.kind == Kind::kGrpc) return {};
  if (from.kind == Kind::kHeader) {
    const auto asked = header_number("x-envoy-fault-abort-request");
    if (!asked || !valid(*asked)) return {};
    configured = *asked;
  }
  uint64_t status = from.http_status ? from.http_status->number().value_or(configured) : configured;
  if (cluster_) status = cluster_->abort_http_status->number().value_or(configured);
  return static_cast<uint32_t>(valid(status) ? status : configured);
}

std::optional<uint32_t> Fault::grpc_status() const {
  using Kind = FaultSettings::Abort::Kind;
  const FaultSettings::Abort& from = *settings_->abort;
  uint64_t configured = from.status;
  if (from.kind == Kind::kHttp) return {};
  if (from.kind == Kind::kHeader) {
    const auto asked = header_number("x-envoy-fault-abort-grpc-request");
    if (!asked) return {};
    configured = *asked;
  }
  uint64_t status = from.grpc_status ? from.grpc_status->number().value_or(configured) : configured;
  if (cluster_) status = cluster_->abort_grpc_status->number().value_or(configured);
  return static_cast<uint32_t>(std::min<uint64_t>(status, INT32_MAX));
}

// Counts once per request; false when as many faults are running as may.
bool Fault::become_active() {
  if (active_) return true;
  std::atomic<uint64_t>& active = *options_.active;
  if (active.fetch_add(1, std::memory_order_relaxed) >= settings_->max_active.get()) {
    active.fetch_sub(1, std::memory_order_relaxed);
    count(FaultStat::kFaultsOverflow);
    return false;
  }
  active_ = true;
  count(FaultStat::kActiveFaults);
  return true;
}

void Fault::note() {
  if (!settings_->metadata.empty()) format::metadata_of(context_->info()).set("envoy.filters.http.fault", settings_->metadata);
}

void Fault::on_done(FilterContext&) {
  timer_.disarm();
  if (pace_) pace_->stop();
  if (!active_) return;
  active_ = false;
  options_.active->fetch_sub(1, std::memory_order_relaxed);
  count(FaultStat::kActiveFaults, -1);
}

void Fault::count(unsigned metric, int64_t n) {
  if (options_.stats) options_.stats->cells(context_->thread()).add(metric, n);
}

void Fault::count_for_cluster(unsigned metric) {
  if (cluster_ && cluster_->stats && settings_->downstream_cluster_stats) cluster_->stats->cells(context_->thread()).add(metric);
}

}  // namespace weft::filters
