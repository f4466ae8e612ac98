// The streams that we have reset, as far as frames of theirs may still be on their way: those are nobody's fault (RFC 9113 5.1).
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace weft::http::http2 {

class GivenUpStreams {
 public:
  void add(uint32_t id) {
    if (!recent_.empty() && recent_.back() == id) return;
    if (recent_.size() == kMost) {
      // The older half is forgotten: for whatever is below, the benefit of the doubt.
      const auto half = recent_.begin() + kMost / 2;
      forgotten_ = std::max(forgotten_, *std::max_element(recent_.begin(), half));
      recent_.erase(recent_.begin(), half);
    }
    recent_.push_back(id);
  }
  bool may_contain(uint32_t id) const { return id <= forgotten_ || std::find(recent_.begin(), recent_.end(), id) != recent_.end(); }

 private:
  static constexpr int kMost = 128;
  std::vector<uint32_t> recent_;
  uint32_t forgotten_ = 0;
};

}  // namespace weft::http::http2
