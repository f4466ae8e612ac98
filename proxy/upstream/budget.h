// Circuit breakers: how much of a cluster may be in use at once, over all workers. Atomics only. One Budget per cluster
// lives as long as its configuration's thresholds do (an update with equal thresholds keeps it).
#pragma once
#include "proxy/routing/route.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

namespace weft::upstream {

using routing::Priority;

// config.cluster.v3.CircuitBreakers.Thresholds.
struct Thresholds {
  struct RetryBudget {
    double budget_percent = 20;
    uint32_t min_retry_concurrency = 3;
    bool operator==(const RetryBudget&) const = default;
  };
  uint32_t max_connections = 1024;
  uint32_t max_pending_requests = 1024;
  uint32_t max_requests = 1024;
  uint32_t max_retries = 3;
  bool track_remaining = false;
  std::optional<RetryBudget> retry_budget;  // replaces max_retries
  bool operator==(const Thresholds&) const = default;
};

class Budget {
 public:
  explicit Budget(const std::array<Thresholds, 2>& thresholds);
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  class Resource {
   public:
    // False: the limit is reached, nothing was taken.
    bool try_acquire() {
      uint64_t used = used_.load(std::memory_order_relaxed);
      do {
        if (used >= max_) return false;
      } while (!used_.compare_exchange_weak(used, used + 1, std::memory_order_relaxed));
      return true;
    }
    // Beyond the limit if need be: the first connection of a worker to a host, without which its requests would wait forever.
    void force_acquire() { used_.fetch_add(1, std::memory_order_relaxed); }
    void release() { used_.fetch_sub(1, std::memory_order_relaxed); }
    uint64_t used() const { return used_.load(std::memory_order_relaxed); }
    uint64_t max() const { return max_; }
    uint64_t remaining() const { return used() >= max_ ? 0 : max_ - used(); }
    bool open() const { return used() >= max_; }  // the gauges cx_open, rq_open, ...

   private:
    friend class Budget;
    uint64_t max_ = 0;
    std::atomic<uint64_t> used_{0};
  };

  Resource& connections(Priority priority) { return of(priority).connections; }
  Resource& pending(Priority priority) { return of(priority).pending; }
  Resource& requests(Priority priority) { return of(priority).requests; }
  const Resource& connections(Priority priority) const { return of(priority).connections; }
  const Resource& pending(Priority priority) const { return of(priority).pending; }
  const Resource& requests(Priority priority) const { return of(priority).requests; }

  // A retry holds its place until its attempt ends (as in Envoy). The limit is max_retries, or a share of what is active.
  bool try_acquire_retry(Priority priority);
  void release_retry(Priority priority) { of(priority).retries.release(); }
  uint64_t retries(Priority priority) const { return of(priority).retries.used(); }
  uint64_t max_retries(Priority priority) const;
  bool retry_open(Priority priority) const { return retries(priority) >= max_retries(priority); }

  const Thresholds& thresholds(Priority priority) const { return of(priority).thresholds; }

 private:
  struct alignas(64) Level {
    Thresholds thresholds;
    Resource connections, pending, requests, retries;
  };
  Level& of(Priority priority) { return levels_[static_cast<size_t>(priority)]; }
  const Level& of(Priority priority) const { return levels_[static_cast<size_t>(priority)]; }
  std::array<Level, 2> levels_;
};

}  // namespace weft::upstream
