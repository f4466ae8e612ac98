// How much may still be sent one way (RFC 9113 5.2), for a stream or for the connection.
#pragma once
#include "common/http/http2/frame_format.h"

#include <algorithm>
#include <cstdint>

namespace weft::http::http2 {

// What the peer may still send. What it sent is given back once it was consumed, half a window at a time.
class ReceiveWindow {
 public:
  explicit ReceiveWindow(uint32_t size) : size_(size) {}
  // False: more than it was granted.
  bool take(uint32_t n) {
    if (int64_t{received_} + n > size_) return false;
    received_ += n;
    return true;
  }
  // Of what was taken so much needs no more room. Returns what to tell the peer, or 0.
  uint32_t give(uint32_t n) {
    consumed_ += n;
    const uint32_t back = std::min(consumed_, received_);
    if (back == 0 || back < size_ / 2) return 0;
    consumed_ -= back;
    received_ -= back;
    return back;
  }
  // Our SETTINGS changed what streams begin with. False: beyond what a window may be.
  bool move(int64_t by) {
    size_ += by;
    return size_ <= kMostWindow;
  }

 private:
  int64_t size_;
  uint32_t received_ = 0, consumed_ = 0;
};

// What we may still send; a peer's SETTINGS can make it less than nothing.
class SendWindow {
 public:
  explicit SendWindow(uint32_t size) : left_(size) {}
  int64_t left() const { return left_; }
  void use(size_t n) { left_ -= static_cast<int64_t>(n); }
  bool move(int64_t by) {
    left_ += by;
    return left_ <= kMostWindow;
  }

 private:
  int64_t left_;
};

}  // namespace weft::http::http2
