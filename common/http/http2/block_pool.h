// Where streams and what hangs on them come from: free lists of the thread, by size. Much cheaper than malloc, and bounded, so that
// what a busy hour needed goes back.
#pragma once
#include <cstddef>

namespace weft::http::http2 {

void* take_block(size_t size);
void give_block(void* block);

template <class T>
struct BlockAllocator {
  using value_type = T;
  BlockAllocator() = default;
  template <class Other>
  BlockAllocator(const BlockAllocator<Other>&) {}
  T* allocate(size_t count) { return static_cast<T*>(take_block(count * sizeof(T))); }
  void deallocate(T* block, size_t) { give_block(block); }
  bool operator==(const BlockAllocator&) const = default;
};

}  // namespace weft::http::http2
