#include "common/base/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace weft {
namespace {

// Below this a copy is cheaper than another iovec and a slab kept alive.
constexpr size_t kCopyBelow = 1024;
// What the free lists keep, per worker: 256 KiB of small and 1 MiB of large slabs.
constexpr int kKeep[2] = {64, 16};

}  // namespace

SlabPool::~SlabPool() {
  for (Slab* list : free_) {
    while (list) {
      Slab* next = list->next_free;
      std::free(list);
      list = next;
    }
  }
}

Slab* SlabPool::take(bool large) {
  Slab* slab = free_[large];
  if (slab) {
    free_[large] = slab->next_free;
    --free_count_[large];
  } else {
    const uint32_t capacity = large ? kLarge : kSmall;
    slab = static_cast<Slab*>(std::malloc(sizeof(Slab) + capacity));
    if (!slab) throw std::bad_alloc();
    slab->owner = this;
    slab->capacity = capacity;
  }
  slab->references = 1;
  ++in_use_;
  return slab;
}

void SlabPool::give(Slab* slab) {
  --in_use_;
  const bool large = slab->capacity == kLarge;
  if (free_count_[large] >= kKeep[large]) return std::free(slab);
  slab->next_free = free_[large];
  free_[large] = slab;
  ++free_count_[large];
}

Slice copy_to_slice(SlabPool& pool, std::string_view text) {
  SlabRef slab(pool.take(text.size() > SlabPool::kSmall));
  const size_t n = std::min<size_t>(text.size(), slab->capacity);
  std::memcpy(slab->data(), text.data(), n);
  const char* at = slab->data();
  return {std::move(slab), at, n};
}

void ReadBuffer::prepare() {
  if (slab_ && empty() && slab_->references == 1) begin_ = end_ = 0;
  if (slab_ && room() >= slab_->capacity / 4 && (!large_ || slab_->capacity == SlabPool::kLarge)) return;
  const uint32_t rest = static_cast<uint32_t>(size());
  SlabRef fresh(pool_.take(large_ || rest > SlabPool::kSmall / 2));
  if (rest) std::memcpy(fresh->data(), begin(), rest);
  slab_ = std::move(fresh);
  begin_ = 0;
  end_ = rest;
}

void ReadBuffer::append(std::string_view text) {
  while (!text.empty()) {
    prepare();
    const size_t n = std::min(room(), text.size());
    std::memcpy(end(), text.data(), n);
    filled(n);
    text.remove_prefix(n);
  }
}

void Output::append(std::string_view text) {
  // Nearly always: it goes behind what was copied last.
  if (tail_ && !pieces_.empty() && !text.empty() && text.size() <= tail_->capacity - tail_used_) {
    char* const at = tail_->data() + tail_used_;
    if (Slice& last = pieces_.back(); last.data + last.size == at) {
      std::memcpy(at, text.data(), text.size());
      last.size += text.size();
      tail_used_ += static_cast<uint32_t>(text.size());
      bytes_ += text.size();
      return;
    }
  }
  while (!text.empty()) {
    const size_t want = std::min<size_t>(text.size(), SlabPool::kLarge);
    if (!tail_ || tail_used_ == tail_->capacity) {
      tail_ = SlabRef(pool_.take(want > SlabPool::kSmall));
      tail_used_ = 0;
    }
    const size_t n = std::min<size_t>(want, tail_->capacity - tail_used_);
    std::memcpy(tail_->data() + tail_used_, text.data(), n);
    commit(n);
    text.remove_prefix(n);
  }
}

void Output::append(Slice slice) {
  if (slice.size <= kCopyBelow) return append(slice.view());
  bytes_ += slice.size;
  pieces_.push_back(std::move(slice));
}

void Output::append(Output&& other) {
  for (size_t i = other.first_; i < other.pieces_.size(); ++i) pieces_.push_back(std::move(other.pieces_[i]));
  bytes_ += other.bytes_;
  other.clear();
}

char* Output::reserve(size_t size) {
  if (!tail_ || tail_->capacity - tail_used_ < size) {
    tail_ = SlabRef(pool_.take(size > SlabPool::kSmall));
    tail_used_ = 0;
  }
  return tail_->data() + tail_used_;
}

void Output::commit(size_t n) {
  if (n == 0) return;
  char* at = tail_->data() + tail_used_;
  Slice* last = pieces_.size() > first_ ? &pieces_.back() : nullptr;
  if (last && last->slab == tail_ && last->data + last->size == at) {
    last->size += n;
  } else {
    pieces_.push_back({tail_, at, n});
  }
  tail_used_ += static_cast<uint32_t>(n);
  bytes_ += n;
}

int Output::gather(iovec* vectors, int max) const {
  int n = 0;
  for (size_t i = first_; i < pieces_.size() && n < max; ++i) vectors[n++] = {const_cast<char*>(pieces_[i].data), pieces_[i].size};
  return n;
}

void Output::consume(size_t n) {
  bytes_ -= n;
  if (bytes_ == 0) return clear();
  while (n) {
    Slice& slice = pieces_[first_];
    const size_t k = std::min(n, slice.size);
    slice.data += k;
    slice.size -= k;
    n -= k;
    if (slice.size == 0) {
      slice = {};
      ++first_;
    }
  }
  // A long-lived backlog must not keep the husks of what has left.
  if (first_ >= 64 && first_ * 2 > pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void Output::clear() {
  pieces_.clear();
  if (pieces_.capacity() > 8) pieces_.shrink_to_fit();
  tail_ = {};
  tail_used_ = 0;
  first_ = bytes_ = 0;
}

}  // namespace weft
