// A response body at so many KiB a second: pieces of a sixteenth of a second's worth, the first at once. Holds what has come too
// early, and asks the sender to stop while that is much.
#pragma once
#include "common/base/timing_wheel.h"
#include "proxy/filters/filter.h"

#include <chrono>
#include <cstdint>
#include <deque>

namespace weft::filters {

class Pace {
 public:
  Pace(FilterContext& context, HttpFilter& filter, uint64_t kib_per_second);
  // From on_response_body: takes all of `body` but what may go on now.
  void take(Body& body, bool end);
  void stop() { timer_.disarm(); }

 private:
  static constexpr int kPieces = 16;                         // a second's
  static constexpr std::chrono::milliseconds kInterval{63};  // rounded up: never faster than allowed
  static constexpr size_t kMostHeld = 64 * 1024;

  void on_time();
  Body allowed();
  void arm();

  FilterContext& context_;
  HttpFilter& filter_;
  const uint64_t piece_;
  uint64_t budget_;
  std::deque<Slice> held_;
  size_t bytes_ = 0;
  bool ended_ = false, paused_ = false;
  Timeout<Pace, &Pace::on_time> timer_{*this};
};

}  // namespace weft::filters
