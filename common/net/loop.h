// One thread's world: its event loop, memory, timeouts and randomness, and what must happen at the end of each event: the
// connections that gained output are flushed once, and what has died is destroyed. Every path into a loop (a socket event, a
// timeout, a posted function) begins with begin_event() and ends with end_event().
#pragma once
#include "common/base/buffer.h"
#include "common/base/event_clock.h"
#include "common/base/task.h"
#include "common/base/timing_wheel.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace weft::net {

class Connection;

// Something that may be destroyed only after the present event: it may still be on the stack.
class Retirable {
 public:
  virtual ~Retirable() = default;
};

class Loop {
 public:
  // `thread` is the index of this thread's metric cells: 0 for control, n + 1 for worker n.
  explicit Loop(unsigned thread);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until stop() and all work is done.
  void run();
  asio::io_context& io() { return io_; }
  Executor executor() { return io_.get_executor(); }
  SlabPool& slabs() { return slabs_; }
  TimingWheel& wheel() { return wheel_; }
  unsigned thread() const { return thread_; }
  // Fast and not predictable enough for secrets.
  uint64_t random();
  // When the present event began, or now where there is none.
  EventClock::Time now() const { return clock_.now(); }

  // Runs `function` on this loop's thread, ended by end_event(). Callable from any thread.
  void post(std::function<void()> function);
  // Only on this loop's thread. The connection is flushed at the end of this event; with `gathers`, once the events that are ready
  // by now are over too, for they may have more for it.
  void mark_dirty(Connection& connection, bool gathers);
  void forget(Connection& connection);
  void retire(std::unique_ptr<Retirable> dead) { retired_.push_back(std::move(dead)); }
  // Calls `hook` at the end of every event, for as long as the loop lives.
  void at_event_end(std::function<void()> hook) { hooks_.push_back(std::move(hook)); }
  void begin_event() { clock_.begin_event(); }
  void end_event();
  // Keeps run() from returning while nothing is going on; released by stop().
  void stop();

 private:
  asio::io_context io_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};  // sockets are used by this thread alone and need no locks
  asio::executor_work_guard<Executor> work_;
  SlabPool slabs_;
  EventClock clock_;
  TimingWheel wheel_;
  unsigned thread_;
  uint64_t random_[2];
  std::vector<Connection*> dirty_, gathering_, flushing_;
  std::vector<std::unique_ptr<Retirable>> retired_;
  std::vector<std::function<void()>> hooks_;
  bool ending_ = false, gathering_ends_ = false;
};

}  // namespace weft::net
