// How many frames wait in the output for a peer that does not read, and how many of them are control frames: those it can make us
// send at will. What one round of writing produced is noted as one batch, so that counting costs next to nothing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weft::http::http2 {

class OutboundFrames {
 public:
  void sent(bool control) {
    ++open_.frames;
    open_.control += control;
  }
  // The frames since the last call are `bytes` of output.
  void close_batch(size_t bytes) {
    written_ += bytes;
    if (open_.frames == 0) return;
    frames_ += open_.frames;
    control_ += open_.control;
    batches_.push_back({written_, open_.frames, open_.control});
    open_ = {};
  }
  // All but the last `left` bytes have gone. A batch waits until its last byte has.
  void flushed(size_t left) {
    const uint64_t gone = written_ - left;
    size_t over = 0;
    for (; over < batches_.size() && batches_[over].end <= gone; ++over) {
      frames_ -= batches_[over].frames;
      control_ -= batches_[over].control;
    }
    batches_.erase(batches_.begin(), batches_.begin() + static_cast<std::ptrdiff_t>(over));
  }
  uint32_t frames() const { return frames_; }
  uint32_t control() const { return control_; }

 private:
  struct Batch {
    uint64_t end = 0;  // in bytes since the connection began
    uint32_t frames = 0, control = 0;
  };
  std::vector<Batch> batches_;
  Batch open_;
  uint64_t written_ = 0;
  uint32_t frames_ = 0, control_ = 0;
};

}  // namespace weft::http::http2
