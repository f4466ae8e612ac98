#include "controlplane/push/debouncer.h"

#include <algorithm>

namespace weft::push {

Debouncer::Debouncer(Executor executor, std::chrono::milliseconds max, std::function<void(Clock::time_point first)> fire)
    : max_(max), fire_(std::move(fire)), timer_(executor) {}

void Debouncer::note(std::chrono::milliseconds quiet) {
  const auto now = Clock::now();
  if (!pending()) first_ = now;
  // A change that can wait less does not hurry those that came before it and asked for more quiet.
  due_ = std::min(std::max(due_, now + quiet), first_ + max_);
  if (due_ <= now) return fire();
  timer_.expires_at(due_);
  timer_.async_wait([this, alive = alive_, due = due_](const boost::system::error_code& error) {
    if (!error && *alive && pending() && due == due_) fire();
  });
}

void Debouncer::fire() {
  timer_.cancel();
  const auto first = first_;
  first_ = due_ = {};
  fire_(first);
}

}  // namespace weft::push
