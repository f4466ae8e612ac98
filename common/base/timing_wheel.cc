#include "common/base/timing_wheel.h"

#include <algorithm>

namespace weft {

void TimeoutNode::disarm() {
  if (!next_) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  next_ = previous_ = nullptr;
  --wheel_->armed_;
}

TimingWheel::TimingWheel(Executor executor, EventClock& clock)
    : timer_(executor), clock_(clock), origin_(std::chrono::steady_clock::now()) {
  for (Anchor& anchor : slots_) anchor.previous_ = anchor.next_ = &anchor;
}

TimingWheel::~TimingWheel() {
  for (Anchor& anchor : slots_) {
    while (anchor.next_ != &anchor) anchor.next_->disarm();
    anchor.next_ = anchor.previous_ = nullptr;  // the anchors themselves are not armed nodes
  }
}

uint64_t TimingWheel::now_tick() const { return static_cast<uint64_t>((clock_.now() - origin_) / kTick); }

void TimingWheel::insert(TimeoutNode& node) {
  Anchor& anchor = slots_[node.due_ % kSlots];
  node.previous_ = anchor.previous_;
  node.next_ = &anchor;
  anchor.previous_->next_ = &node;
  anchor.previous_ = &node;
}

void TimingWheel::arm(TimeoutNode& node, std::chrono::milliseconds delay) {
  const uint64_t now = now_tick();
  if (!running_) tick_ = now;
  // One tick for the part of the current one that is over, one for what the event has taken so far.
  const uint64_t due = std::max(now, tick_) + static_cast<uint64_t>((delay + kTick - std::chrono::milliseconds(1)) / kTick) + 1;
  if (node.armed() && due >= node.due_) {  // put off: advance() moves it on when it meets it
    node.due_ = due;
    return;
  }
  node.disarm();
  node.due_ = due;
  node.wheel_ = this;
  insert(node);
  ++armed_;
  if (!running_ || node.due_ < wake_) schedule();
}

// Sleeps until the next slot that holds something, but at most kNap: a request's timeout is armed and disarmed again long
// before it is due, and must not set the timer each time.
void TimingWheel::schedule() {
  constexpr uint64_t kNap = 10;
  running_ = armed_ > 0;
  if (!running_) return;
  uint64_t ahead = 1;
  while (ahead < kNap && slots_[(tick_ + ahead) % kSlots].next_ == &slots_[(tick_ + ahead) % kSlots]) ++ahead;
  wake_ = tick_ + ahead;
  timer_.expires_at(origin_ + kTick * static_cast<int64_t>(wake_ + 1));
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) advance();
  });
}

void TimingWheel::advance() {
  clock_.begin_event();
  const uint64_t now = now_tick();
  wake_ = 0;  // handlers may arm freely, the timer is set once at the end
  while (tick_ < now) {
    Anchor& slot = slots_[++tick_ % kSlots];
    if (slot.next_ == &slot) continue;
    // Handlers arm and disarm at will, this slot's nodes included: take them out first, then look at one after another.
    Anchor due;
    due.next_ = slot.next_;
    due.previous_ = slot.previous_;
    due.next_->previous_ = due.previous_->next_ = &due;
    slot.next_ = slot.previous_ = &slot;
    while (due.next_ != &due) {
      TimeoutNode& node = *due.next_;
      node.previous_->next_ = node.next_;
      node.next_->previous_ = node.previous_;
      if (node.due_ > tick_) {
        insert(node);
        continue;
      }
      node.next_ = node.previous_ = nullptr;
      --armed_;
      node.on_timeout();
    }
    due.next_ = nullptr;
  }
  schedule();
  if (after_) after_();
  clock_.end_event();
}

}  // namespace weft
