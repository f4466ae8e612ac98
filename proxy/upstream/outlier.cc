#include "proxy/upstream/outlier.h"

#include <algorithm>

namespace weft::upstream {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// True for exactly one caller: the one whose failure completes the streak.
bool streak_complete(std::atomic<uint32_t>& streak, uint32_t threshold) { return streak.fetch_add(1, kRelaxed) + 1 == threshold; }

bool chance(uint32_t percent, uint64_t random) { return percent >= 100 || random % 100 < percent; }

std::atomic<uint32_t>& streak_of(HostState& host, EjectionKind kind) {
  switch (kind) {
    case EjectionKind::kConsecutive5xx: return host.consecutive_5xx;
    case EjectionKind::kConsecutiveGatewayFailure: return host.consecutive_gateway_failure;
    case EjectionKind::kConsecutiveLocalOriginFailure: break;
  }
  return host.consecutive_local_origin_failure;
}

}  // namespace

std::string_view to_string(EjectionKind kind) {
  switch (kind) {
    case EjectionKind::kConsecutive5xx: return "CONSECUTIVE_5XX";
    case EjectionKind::kConsecutiveGatewayFailure: return "CONSECUTIVE_GATEWAY_FAILURE";
    case EjectionKind::kConsecutiveLocalOriginFailure: return "CONSECUTIVE_LOCAL_ORIGIN_FAILURE";
  }
  return "";
}

std::optional<EjectionKind> OutlierDetector::report(HostState& host, HostResult result) const {
  int status = result.status;
  if (result.kind != HostResult::Kind::kStatus) {
    if (options_.split_external_local_origin_errors) {
      if (result.kind == HostResult::Kind::kConnectSucceeded) {
        host.consecutive_local_origin_failure.store(0, kRelaxed);
      } else if (streak_complete(host.consecutive_local_origin_failure, options_.consecutive_local_origin_failure)) {
        return EjectionKind::kConsecutiveLocalOriginFailure;
      }
      return std::nullopt;
    }
    // Not split: they count as the status that the client would see. A connection alone is no success yet.
    if (result.kind == HostResult::Kind::kConnectSucceeded) return std::nullopt;
    status = result.kind == HostResult::Kind::kTimeout ? 504 : 503;
  }
  if (status < 500) {
    host.consecutive_5xx.store(0, kRelaxed);
    host.consecutive_gateway_failure.store(0, kRelaxed);
    return std::nullopt;
  }
  const bool gateway = status >= 502 && status <= 504;
  bool gateway_streak = false;
  if (gateway) {
    gateway_streak = streak_complete(host.consecutive_gateway_failure, options_.consecutive_gateway_failure);
  } else {
    host.consecutive_gateway_failure.store(0, kRelaxed);
  }
  const bool streak = streak_complete(host.consecutive_5xx, options_.consecutive_5xx);
  // When both are complete at once, trigger() sees the gateway's by its count.
  if (streak) return EjectionKind::kConsecutive5xx;
  if (gateway_streak) return EjectionKind::kConsecutiveGatewayFailure;
  return std::nullopt;
}

void OutlierDetector::set_hosts(const EndpointSet& hosts) {
  hosts_.clear();
  std::unordered_map<const HostState*, Record> kept;
  hosts.for_each([&](const Locality&, const Host& host) {
    hosts_.insert(host.state.get());
    auto known = records_.extract(host.state.get());
    if (!known.empty() && known.mapped().state.lock() == host.state) kept.insert(std::move(known));
  });
  // Whoever is gone may come back: then as a host like any other.
  for (auto& [address, record] : records_)
    if (std::shared_ptr<HostState> state = record.state.lock(); state && state->ejected.load(kRelaxed)) take_back(*state);
  records_ = std::move(kept);
}

uint32_t OutlierDetector::enforcing(EjectionKind kind) const {
  switch (kind) {
    case EjectionKind::kConsecutive5xx: return options_.enforcing_consecutive_5xx;
    case EjectionKind::kConsecutiveGatewayFailure: return options_.enforcing_consecutive_gateway_failure;
    case EjectionKind::kConsecutiveLocalOriginFailure: return options_.enforcing_consecutive_local_origin_failure;
  }
  return 0;
}

// Whether one more may go: those that are out stay below the percentage with it, but one may always go when asked for.
bool OutlierDetector::ejection_allowed() const {
  const uint64_t active = counters_.ejections_active.load(kRelaxed);
  const uint64_t hosts = std::max<uint64_t>(hosts_.size(), 1);
  if (options_.always_eject_one_host && active == 0) return true;
  return 100 * (active + 1) <= uint64_t{options_.max_ejection_percent} * hosts;
}

bool OutlierDetector::trigger(const std::shared_ptr<HostState>& host, EjectionKind why, Clock::time_point now, uint64_t random) {
  if (!hosts_.contains(host.get())) return false;  // it left while the news was under way
  bool ejected = false;
  if (why == EjectionKind::kConsecutive5xx && host->consecutive_gateway_failure.load(kRelaxed) >= options_.consecutive_gateway_failure)
    ejected = consider(host, EjectionKind::kConsecutiveGatewayFailure, now, random);
  return consider(host, why, now, random) || ejected;
}

bool OutlierDetector::consider(const std::shared_ptr<HostState>& host, EjectionKind why, Clock::time_point now, uint64_t random) {
  // The streak begins anew whatever is decided.
  streak_of(*host, why).store(0, kRelaxed);
  if (host->ejected.load(kRelaxed)) return false;
  OutlierCounters::PerKind& counts = counters_.kinds[static_cast<size_t>(why)];
  counts.detected.fetch_add(1, kRelaxed);
  if (!ejection_allowed()) {
    counters_.ejections_overflow.fetch_add(1, kRelaxed);
    return false;
  }
  if (!chance(enforcing(why), random)) return false;
  Record& record = records_[host.get()];
  if (record.state.lock() != host) record = Record{};
  record.state = host;
  record.ejected_at = now;
  ++record.ejections;
  const auto jitter = static_cast<uint64_t>(options_.max_ejection_time_jitter.count());
  record.jitter = std::chrono::milliseconds(jitter == 0 ? 0 : (random >> 16) % (jitter + 1));
  host->ejected.store(true, kRelaxed);
  counters_.ejections_active.fetch_add(1, kRelaxed);
  counters_.ejections_enforced_total.fetch_add(1, kRelaxed);
  counts.enforced.fetch_add(1, kRelaxed);
  return true;
}

bool OutlierDetector::sweep(Clock::time_point now) {
  const auto longest = std::max(options_.base_ejection_time, options_.max_ejection_time);
  bool changed = false;
  for (auto entry = records_.begin(); entry != records_.end();) {
    Record& record = entry->second;
    std::shared_ptr<HostState> host = record.state.lock();
    if (!host || (!host->ejected.load(kRelaxed) && --record.ejections == 0)) {  // each quiet interval makes up for one ejection
      entry = records_.erase(entry);
      continue;
    }
    if (host->ejected.load(kRelaxed) &&
        now >= record.ejected_at + std::min(options_.base_ejection_time * record.ejections, longest) + record.jitter) {
      take_back(*host);
      changed = true;
    }
    ++entry;
  }
  return changed;
}

void OutlierDetector::take_back(HostState& host) {
  host.consecutive_5xx.store(0, kRelaxed);
  host.consecutive_gateway_failure.store(0, kRelaxed);
  host.consecutive_local_origin_failure.store(0, kRelaxed);
  host.ejected.store(false, kRelaxed);
  counters_.ejections_active.fetch_sub(1, kRelaxed);
}

void OutlierDetector::release_all() {
  for (auto& [address, record] : records_)
    if (std::shared_ptr<HostState> host = record.state.lock(); host && host->ejected.load(kRelaxed)) take_back(*host);
  records_.clear();
}

}  // namespace weft::upstream
