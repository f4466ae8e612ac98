#include "common/http/http2/block_pool.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace weft::http::http2 {
namespace {

constexpr size_t kStep = 32, kClasses = 32;  // up to 1 KiB; larger blocks are few and live long
constexpr size_t kMostKept = 512 << 10;      // bytes in a thread's free lists

struct alignas(16) Block {
  Block* next;
  uint64_t room;
  void* payload() { return this + 1; }
  static Block* of(void* payload) { return static_cast<Block*>(payload) - 1; }
};

struct FreeLists {
  ~FreeLists() {
    over = true;
    for (Block* first : lists) {
      while (first) std::free(std::exchange(first, first->next));
    }
  }
  std::array<Block*, kClasses> lists{};
  size_t kept = 0;
  bool over = false;  // the thread ends: what comes now goes straight back
};

thread_local constinit FreeLists free_lists;

// A sanitizer is to see each block.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kPlain = true;
#else
constexpr bool kPlain = false;
#endif

}  // namespace

void* take_block(size_t size) {
  if (kPlain) return ::operator new(size);
  const size_t index = size == 0 ? 0 : (size - 1) / kStep;
  const size_t room = (index + 1) * kStep;
  FreeLists& free = free_lists;
  if (index < kClasses) {
    if (Block* const block = free.lists[index]) {
      free.lists[index] = block->next;
      free.kept -= room;
      return block->payload();
    }
  }
  auto* const block = static_cast<Block*>(std::malloc(sizeof(Block) + room));
  if (!block) std::abort();  // as operator new ends the process: nobody catches
  block->room = room;
  return block->payload();
}

void give_block(void* payload) {
  if (kPlain) return ::operator delete(payload);
  if (!payload) return;
  Block* const block = Block::of(payload);
  const size_t room = block->room;
  FreeLists& free = free_lists;
  if (room > kStep * kClasses || free.kept + room > kMostKept || free.over) return std::free(block);
  Block*& first = free.lists[room / kStep - 1];
  block->next = first;
  first = block;
  free.kept += room;
}

}  // namespace weft::http::http2
