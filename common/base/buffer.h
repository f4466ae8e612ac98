// Memory for bytes in flight. Slabs are counted without atomics (they never leave their worker), come in two sizes and
// return to the worker's free lists; an idle connection holds none. Bytes are passed on as slices of the slab they arrived
// in, so a body crosses the proxy without a copy.
#pragma once
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace weft {

class SlabPool;

// A block of bytes behind its header.
struct Slab {
  SlabPool* owner;
  Slab* next_free;
  uint32_t references;
  uint32_t capacity;
  char* data() { return reinterpret_cast<char*>(this + 1); }
};

// One worker's slabs. Not thread-safe; outlives every SlabRef.
class SlabPool {
 public:
  // A page less the header and the allocator's own word; 64 KiB fits what a socket hands over at once.
  static constexpr uint32_t kSmall = 4096 - sizeof(Slab) - 16;
  static constexpr uint32_t kLarge = 65536;

  SlabPool() = default;
  ~SlabPool();
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;

  // A slab with one reference: kLarge bytes, or kSmall.
  Slab* take(bool large);
  // Slabs in use (taken and not returned); for tests and for /memory.
  size_t in_use() const { return in_use_; }

 private:
  friend class SlabRef;
  void give(Slab* slab);
  Slab* free_[2] = {};
  int free_count_[2] = {};
  size_t in_use_ = 0;
};

class SlabRef {
 public:
  SlabRef() = default;
  // Adopts the reference that take() counted.
  explicit SlabRef(Slab* taken) : slab_(taken) {}
  SlabRef(const SlabRef& other) : slab_(other.slab_) {
    if (slab_) ++slab_->references;
  }
  SlabRef(SlabRef&& other) noexcept : slab_(std::exchange(other.slab_, nullptr)) {}
  SlabRef& operator=(SlabRef other) noexcept {
    std::swap(slab_, other.slab_);
    return *this;
  }
  ~SlabRef() {
    if (slab_ && --slab_->references == 0) slab_->owner->give(slab_);
  }
  Slab* operator->() const { return slab_; }
  explicit operator bool() const { return slab_ != nullptr; }
  bool operator==(const SlabRef&) const = default;

 private:
  Slab* slab_ = nullptr;
};

// Some bytes of a slab that the slice keeps alive. A slice without slab points at static text.
struct Slice {
  SlabRef slab;
  const char* data = nullptr;
  size_t size = 0;
  std::string_view view() const { return {data, size}; }
};

// Copies `text` into slabs of `pool`; one slice if it fits a large slab, else the first kLarge bytes (call again for the rest).
Slice copy_to_slice(SlabPool& pool, std::string_view text);

// Bytes that arrived and are not consumed yet. No memory when idle, 4 KiB at first, 64 KiB once a read has filled it.
class ReadBuffer {
 public:
  explicit ReadBuffer(SlabPool& pool) : pool_(pool) {}

  char* begin() { return slab_->data() + begin_; }
  char* end() { return slab_->data() + end_; }
  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  size_t room() const { return slab_ ? slab_->capacity - end_ : 0; }
  // A whole large slab is waiting: no message head may be that long.
  bool full() const { return size() >= SlabPool::kLarge; }
  std::string_view view() const { return slab_ ? std::string_view(slab_->data() + begin_, size()) : std::string_view(); }
  const SlabRef& slab() const { return slab_; }
  SlabPool& pool() { return pool_; }

  void consume(size_t n) { begin_ += static_cast<uint32_t>(n); }
  // The first `n` bytes as a slice, consumed.
  Slice take(size_t n) {
    Slice slice{slab_, begin(), n};
    consume(n);
    return slice;
  }
  // Makes room for a read at end(). Moves what is unconsumed to a fresh slab when needed: pointers into it stay valid only
  // through a SlabRef held on the old one.
  void prepare();
  void filled(size_t n) {
    end_ += static_cast<uint32_t>(n);
    if (room() == 0) large_ = true;
  }
  void append(std::string_view text);  // for tests and for bytes that arrived another way
  // Gives the memory back. Keeps the size learnt: a bulk connection stays one until shrink().
  void release() {
    slab_ = {};
    begin_ = end_ = 0;
  }
  void shrink() { large_ = false; }

 private:
  SlabPool& pool_;
  SlabRef slab_;
  uint32_t begin_ = 0, end_ = 0;
  bool large_ = false;
};

// Bytes that wait to leave: small pieces copied side by side, large slices by reference; one writev takes them all.
class Output {
 public:
  explicit Output(SlabPool& pool) : pool_(pool) {}

  size_t size() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }
  SlabPool& pool() { return pool_; }

  void append(std::string_view text);
  // Takes the slice over; copies it when it is too small to be worth an iovec.
  void append(Slice slice);
  void append(Output&& other);
  // Room for up to `size` contiguous bytes (at most SlabPool::kLarge); commit() says how many were written.
  char* reserve(size_t size);
  void commit(size_t n);

  int gather(iovec* vectors, int max) const;
  void consume(size_t n);
  void clear();

 private:
  SlabPool& pool_;
  std::vector<Slice> pieces_;
  SlabRef tail_;
  uint32_t tail_used_ = 0;
  size_t first_ = 0;
  size_t bytes_ = 0;
};

}  // namespace weft
