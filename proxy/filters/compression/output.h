// Room for what a compression library writes: slab after slab, each handed on when it is full.
#pragma once
#include "proxy/filters/filter.h"

#include <cstddef>
#include <utility>

namespace weft::filters {

class SlabOutput {
 public:
  SlabOutput(Body& out, SlabPool& pool, bool large) : out_(out), pool_(pool), large_(large) {}
  ~SlabOutput() { hand_on(); }
  SlabOutput(const SlabOutput&) = delete;
  // Where the next bytes go; never without room.
  char* at() {
    if (!slab_ || used_ == slab_->capacity) {
      hand_on();
      slab_ = SlabRef(pool_.take(large_));
      used_ = 0;
    }
    return slab_->data() + used_;
  }
  size_t room() {
    at();
    return slab_->capacity - used_;
  }
  void wrote(size_t bytes) {
    used_ += bytes;
    total_ += bytes;
  }
  size_t total() const { return total_; }

 private:
  void hand_on() {
    if (!slab_ || used_ == 0) return;
    const char* data = slab_->data();
    out_.slices.push_back({std::move(slab_), data, used_});
    slab_ = SlabRef();
    used_ = 0;
  }
  Body& out_;
  SlabPool& pool_;
  const bool large_;
  SlabRef slab_;
  size_t used_ = 0, total_ = 0;
};

}  // namespace weft::filters
