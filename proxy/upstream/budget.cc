#include "proxy/upstream/budget.h"

#include <algorithm>

namespace weft::upstream {

Budget::Budget(const std::array<Thresholds, 2>& thresholds) {
  for (size_t i = 0; i < levels_.size(); ++i) {
    Level& level = levels_[i];
    level.thresholds = thresholds[i];
    level.connections.max_ = thresholds[i].max_connections;
    level.pending.max_ = thresholds[i].max_pending_requests;
    level.requests.max_ = thresholds[i].max_requests;
    level.retries.max_ = thresholds[i].max_retries;
  }
}

uint64_t Budget::max_retries(Priority priority) const {
  const Level& level = of(priority);
  const std::optional<Thresholds::RetryBudget>& share = level.thresholds.retry_budget;
  if (!share) return level.retries.max();
  uint64_t active = level.requests.used() + level.pending.used();
  auto allowed = static_cast<uint64_t>(share->budget_percent / 100.0 * static_cast<double>(active));
  return std::max<uint64_t>(allowed, share->min_retry_concurrency);
}

bool Budget::try_acquire_retry(Priority priority) {
  Resource& retries = of(priority).retries;
  const uint64_t max = max_retries(priority);
  uint64_t used = retries.used_.load(std::memory_order_relaxed);
  do {
    if (used >= max) return false;
  } while (!retries.used_.compare_exchange_weak(used, used + 1, std::memory_order_relaxed));
  return true;
}

}  // namespace weft::upstream
