#include "common/http/http2/session_memory.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
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

void* allocate(size_t size) {
  if (size > std::numeric_limits<size_t>::max() / 2) return nullptr;
  const size_t index = size == 0 ? 0 : (size - 1) / kStep;
  const size_t room = (index + 1) * kStep;
  if (index < kClasses) {
    if (Block* const block = free_lists.lists[index]) {
      free_lists.lists[index] = block->next;
      free_lists.kept -= room;
      return block->payload();
    }
  }
  auto* const block = static_cast<Block*>(std::malloc(sizeof(Block) + room));
  if (!block) return nullptr;
  block->room = room;
  return block->payload();
}

void release(void* payload) {
  if (!payload) return;
  Block* const block = Block::of(payload);
  const size_t room = block->room;
  if (room > kStep * kClasses || free_lists.kept + room > kMostKept || free_lists.over) return std::free(block);
  Block*& first = free_lists.lists[room / kStep - 1];
  block->next = first;
  first = block;
  free_lists.kept += room;
}

void* reallocate(void* payload, size_t size) {
  if (!payload) return allocate(size);
  const size_t room = Block::of(payload)->room;
  if (size <= room && size > room / 2) return payload;
  void* const moved = allocate(size);
  if (!moved) return nullptr;
  std::memcpy(moved, payload, room < size ? room : size);
  release(payload);
  return moved;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kPlain = true;
#else
constexpr bool kPlain = false;
#endif

}  // namespace

nghttp2_mem* session_memory() {
  static nghttp2_mem memory{nullptr, [](size_t size, void*) { return allocate(size); }, [](void* payload, void*) { release(payload); },
                            [](size_t count, size_t size, void*) -> void* {
                              if (size != 0 && count > std::numeric_limits<size_t>::max() / 2 / size) return nullptr;
                              void* const payload = allocate(count * size);
                              return payload ? std::memset(payload, 0, count * size) : nullptr;
                            },
                            [](void* payload, size_t size, void*) { return reallocate(payload, size); }};
  return kPlain ? nullptr : &memory;
}

void* take_block(size_t size) {
  if (kPlain) return ::operator new(size);
  void* const block = allocate(size);
  if (!block) std::abort();  // as operator new ends the process: nobody catches
  return block;
}

void give_block(void* block) { kPlain ? ::operator delete(block) : release(block); }

}  // namespace weft::http::http2
