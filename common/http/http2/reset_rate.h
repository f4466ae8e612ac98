// How many streams a client may throw away by time: a bucket that refills every second. The one place here with a clock, which is only
// looked at when a reset comes.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace weft::http::http2 {

class ResetRate {
 public:
  using Limit = std::pair<uint64_t, uint64_t>;  // a burst, and how many more each second
  // Without a limit of its own a connection has one that no honest client comes near.
  explicit ResetRate(const std::optional<Limit>& limit) : limit_(limit.value_or(Limit{1000, 33})), left_(limit_.first) {}
  // False: too many.
  bool take() {
    using namespace std::chrono;
    const auto now = floor<seconds>(steady_clock::now());
    const auto passed = static_cast<uint64_t>((now - last_).count());
    if (passed > 0) {
      left_ = passed > limit_.first ? limit_.first : std::min(limit_.first, left_ + std::min(limit_.first, limit_.second) * passed);
      last_ = now;
    }
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  Limit limit_;
  uint64_t left_;
  std::chrono::time_point<std::chrono::steady_clock, std::chrono::seconds> last_{};
};

}  // namespace weft::http::http2
