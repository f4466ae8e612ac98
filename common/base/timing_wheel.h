// Timeouts of one thread: a hashed wheel of intrusive nodes behind a single asio timer, which runs only while something is
// armed. Arming and disarming are a few pointer writes, so every request may have several. Resolution is kTick; a timeout
// never fires early and fires within three ticks of when it is due.
#pragma once
#include "common/base/event_clock.h"
#include "common/base/task.h"

#include <boost/asio/basic_waitable_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

namespace weft {

class TimingWheel;

// Derive from it (or hold a Timeout). Disarms itself when destroyed.
class TimeoutNode {
 public:
  TimeoutNode() = default;
  TimeoutNode(const TimeoutNode&) = delete;
  TimeoutNode& operator=(const TimeoutNode&) = delete;
  bool armed() const { return next_ != nullptr; }

 protected:
  ~TimeoutNode() { disarm(); }
  virtual void on_timeout() = 0;

 public:
  void disarm();

 private:
  friend class TimingWheel;
  TimeoutNode* previous_ = nullptr;
  TimeoutNode* next_ = nullptr;
  TimingWheel* wheel_ = nullptr;
  uint64_t due_ = 0;  // in ticks
};

class TimingWheel {
 public:
  static constexpr std::chrono::milliseconds kTick{10};
  static constexpr unsigned kSlots = 1024;

  // `clock` is this thread's and outlives the wheel, whose turns are events of it.
  TimingWheel(Executor executor, EventClock& clock);
  ~TimingWheel();
  TimingWheel(const TimingWheel&) = delete;
  TimingWheel& operator=(const TimingWheel&) = delete;

  // (Re)arms `node` to fire `delay` (at least one tick) after the present event.
  void arm(TimeoutNode& node, std::chrono::milliseconds delay);
  size_t armed() const { return armed_; }
  // Called after the timeouts of one wake-up have fired.
  void after_each_turn(std::function<void()> call) { after_ = std::move(call); }

 private:
  friend class TimeoutNode;
  struct Anchor final : TimeoutNode {
    void on_timeout() override {}
  };
  using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
  uint64_t now_tick() const;
  void insert(TimeoutNode& node);
  void schedule();
  void advance();
  Timer timer_;
  EventClock& clock_;
  Anchor slots_[kSlots];
  std::function<void()> after_;
  std::chrono::steady_clock::time_point origin_;
  uint64_t tick_ = 0;  // all due ticks up to this one have fired
  uint64_t wake_ = 0;  // the tick the timer is set to
  size_t armed_ = 0;
  bool running_ = false;
};

// A timeout that calls a member function: Timeout<Exchange, &Exchange::on_idle> idle_{*this};
template <class Owner, void (Owner::*Method)()>
class Timeout final : public TimeoutNode {
 public:
  explicit Timeout(Owner& owner) : owner_(owner) {}

 private:
  void on_timeout() override { (owner_.*Method)(); }
  Owner& owner_;
};

}  // namespace weft
