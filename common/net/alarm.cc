#include "common/net/alarm.h"

#include <boost/asio/basic_waitable_timer.hpp>

namespace weft::net {

struct Alarm::State : std::enable_shared_from_this<Alarm::State> {
  using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
  State(Loop& loop, std::function<void()> ring) : loop(loop), timer(loop.executor()), ring(std::move(ring)) {}
  Loop& loop;
  Timer timer;
  std::function<void()> ring;
  uint64_t setting = 0;  // a handler already on its way must not ring for a later setting
};

Alarm::Alarm(Loop& loop, std::function<void()> ring) : state_(std::make_shared<State>(loop, std::move(ring))) {}

Alarm::~Alarm() {
  cancel();
  state_->ring = nullptr;
}

void Alarm::set(std::chrono::microseconds delay) {
  const uint64_t setting = ++state_->setting;
  state_->timer.expires_after(delay);
  state_->timer.async_wait([state = state_, setting](boost::system::error_code error) {
    if (error || state->setting != setting || !state->ring) return;
    state->ring();
    state->loop.end_event();
  });
}

void Alarm::cancel() {
  ++state_->setting;
  state_->timer.cancel();
}

}  // namespace weft::net
