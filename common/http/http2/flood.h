// Counts what is cheap to send and dear to receive, and says when a peer goes beyond any honest use (the floods of
// CVE-2019-9511 to -9518, rapid reset CVE-2023-44487 and its twin CVE-2025-8671). No clock: allowances grow with honest work.
// The rules and their limits are Envoy's.
#pragma once
#include "common/http/codec.h"

#include <algorithm>

namespace weft::http::http2 {

class FloodGuard {
 public:
  explicit FloodGuard(const Http2Options& options) : options_(options) {}

  void stream_opened() { ++streams_; }
  void data_sent() { ++data_sent_; }
  // Each returns false when it was too much. The first is about DATA, HEADERS and CONTINUATION.
  bool payload_received(size_t payload, bool end) {
    empty_frames_ = payload == 0 && !end ? empty_frames_ + 1 : 0;
    return empty_frames_ <= options_.max_consecutive_empty_data_frames;
  }
  bool priority_received() { return ++priority_ <= options_.max_inbound_priority_frames_per_stream * (1 + streams_); }
  // So many per DATA frame of ours, and some for each stream.
  bool window_update_received() {
    return ++window_updates_ <= 5 + 2 * (streams_ + options_.max_inbound_window_updates_per_data_frame * data_sent_);
  }
  // A stream was thrown away before it was answered, whoever said so; answered ones pay it back.
  bool stream_reset() { return ++resets_ <= options_.max_premature_resets; }
  void stream_answered() { resets_ -= std::min<uint64_t>(resets_, 1); }

 private:
  const Http2Options& options_;
  uint64_t streams_ = 0, data_sent_ = 0, priority_ = 0, window_updates_ = 0, resets_ = 0;
  uint32_t empty_frames_ = 0;
};

}  // namespace weft::http::http2
