// A token bucket that any thread may take from, without a lock and without a timer: one number says since when tokens have been
// gathering; to take some is to move that point on.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>

namespace weft::filters {

class TokenBucket {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // Starts full. `max` 0: never gives anything.
  TokenBucket(uint32_t max, double tokens_per_second) : max_(max), rate_(tokens_per_second) {}
  TokenBucket(const TokenBucket&) = delete;

  bool take(Time now, double n = 1) {
    const double at = seconds(now);
    double since = since_.load(std::memory_order_relaxed);
    for (;;) {
      const double tokens = gathered(since, at);
      if (tokens < n * kOne) return false;
      if (since_.compare_exchange_weak(since, at - std::max(0.0, tokens - n) / rate_, std::memory_order_relaxed)) return true;
    }
  }
  uint32_t max() const { return max_; }
  double rate() const { return rate_; }
  uint32_t remaining(Time now) const { return static_cast<uint32_t>(gathered(now) + 1 - kOne); }
  // Until there is a token again, in whole seconds; 0 while there is one.
  std::chrono::seconds next(Time now) const {
    const double tokens = gathered(now);
    return std::chrono::seconds(tokens >= kOne ? 0 : static_cast<int64_t>(std::ceil((kOne - tokens) / rate_)));
  }

 private:
  static constexpr double kOne = 1 - 1e-6;  // rounding costs nobody a token
  static double seconds(Time at) { return std::chrono::duration<double>(at.time_since_epoch()).count(); }
  double gathered(Time now) const { return gathered(since_.load(std::memory_order_relaxed), seconds(now)); }
  double gathered(double since, double at) const { return std::min<double>(max_, std::max(0.0, (at - since) * rate_)); }

  const uint32_t max_;
  const double rate_;
  std::atomic<double> since_{-std::numeric_limits<double>::infinity()};  // full
};

}  // namespace weft::filters
