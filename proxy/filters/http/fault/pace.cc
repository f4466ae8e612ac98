#include "proxy/filters/http/fault/pace.h"

#include <algorithm>

namespace weft::filters {

Pace::Pace(FilterContext& context, HttpFilter& filter, uint64_t kib_per_second)
    : context_(context), filter_(filter), piece_(std::max<uint64_t>(1, kib_per_second * 1024 / kPieces)), budget_(piece_) {}

void Pace::take(Body& body, bool end) {
  for (Slice& slice : body.slices) {
    bytes_ += slice.size;
    held_.push_back(std::move(slice));
  }
  ended_ = end;
  // While the timer runs, what may go goes with it.
  body = timer_.armed() ? Body() : allowed();
  if (end && bytes_ == 0) return stop();  // the end goes with what goes now
  if (end) context_.hold_response_end();
  arm();
}

void Pace::on_time() {
  budget_ = piece_;
  Body now = allowed();
  if (ended_ && bytes_ == 0) return context_.send_response_body(filter_, std::move(now), true);
  arm();
  if (now.size() > 0) context_.send_response_body(filter_, std::move(now), false);
  // Last: more may come from inside this call.
  if (paused_ && bytes_ <= kMostHeld / 2) {
    paused_ = false;
    context_.pause_response(false);
  }
}

Body Pace::allowed() {
  Body out;
  while (budget_ > 0 && !held_.empty()) {
    Slice& first = held_.front();
    const size_t n = std::min<uint64_t>(budget_, first.size);
    budget_ -= n;
    bytes_ -= n;
    if (n == first.size) {
      if (n > 0) out.slices.push_back(std::move(first));
      held_.pop_front();
      continue;
    }
    Slice part = first;
    part.size = n;
    out.slices.push_back(std::move(part));
    first.data += n;
    first.size -= n;
  }
  while (!held_.empty() && held_.front().size == 0) held_.pop_front();
  return out;
}

// The timer runs for as long as the budget of the last interval counts: while something is held, or was just sent.
void Pace::arm() {
  if (bytes_ == 0 && budget_ > 0) return;
  if (!timer_.armed()) context_.wheel().arm(timer_, kInterval);
  if (!paused_ && bytes_ > kMostHeld && !ended_) {
    paused_ = true;
    context_.pause_response(true);
  }
}

}  // namespace weft::filters
