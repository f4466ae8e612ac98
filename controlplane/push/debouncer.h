// Many changes, one push: waits until nothing has come for a while, but never longer than a bound after the first.
#pragma once
#include "common/base/task.h"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace weft::push {

class Debouncer {
 public:
  using Clock = std::chrono::steady_clock;
  // `fire` gets the time of the first change. On the executor's thread, as everything here.
  Debouncer(Executor executor, std::chrono::milliseconds max, std::function<void(Clock::time_point first)> fire);
  ~Debouncer() { *alive_ = false; }
  Debouncer(const Debouncer&) = delete;
  Debouncer& operator=(const Debouncer&) = delete;
  // Something changed; fire after `quiet` without another. Zero fires at once, with all that is pending.
  void note(std::chrono::milliseconds quiet);
  bool pending() const { return first_ != Clock::time_point{}; }

 private:
  void fire();
  std::chrono::milliseconds max_;
  std::function<void(Clock::time_point)> fire_;
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // a handler may be on its way when this goes
  Clock::time_point first_{}, due_{};
};

}  // namespace weft::push
