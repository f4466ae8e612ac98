// One thread's time, read once per event: a request is handled in some ten steps that each want to know it, and on a virtual
// machine a reading costs as much as parsing a header. Outside of an event each call reads the clock.
#pragma once
#include <chrono>

namespace weft {

class EventClock {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Time now() const {
    if (!in_event_) return std::chrono::steady_clock::now();
    if (now_ == Time()) now_ = std::chrono::steady_clock::now();
    return now_;
  }
  void begin_event() { in_event_ = true, now_ = {}; }
  void end_event() { in_event_ = false; }

 private:
  mutable Time now_;
  bool in_event_ = false;
};

}  // namespace weft
