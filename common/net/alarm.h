// A timer of its own, exact to what the system offers: for the few waits whose length matters below the wheel's ticks (the
// back-off before a retry). Setting one costs a system call.
#pragma once
#include "common/net/loop.h"

#include <functional>
#include <memory>

namespace weft::net {

class Alarm {
 public:
  Alarm(Loop& loop, std::function<void()> ring);
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  // Rings once after `delay`, in an event of its own; an earlier setting is forgotten.
  void set(std::chrono::microseconds delay);
  void cancel();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace weft::net
