// Streams by their number, scattered by it: side by side, as peers count them up, each that goes would have all behind it looked at.
// Whoever chooses them badly only makes its own connection's search longer, as far as it may have streams.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weft::http::http2 {

template <class Stream>
class StreamTable {
 public:
  Stream* find(uint32_t number) const {
    if (slots_.empty()) return nullptr;
    for (size_t i = at(number);; i = next(i)) {
      if (slots_[i].number == number) return slots_[i].stream;
      if (slots_[i].number == 0) return nullptr;
    }
  }
  void add(uint32_t number, Stream* stream) {
    if (++count_ * 2 > slots_.size()) grow();
    put({number, stream});
  }
  void remove(uint32_t number) {
    size_t hole = at(number);
    while (slots_[hole].number != number) {
      if (slots_[hole].number == 0) return;
      hole = next(hole);
    }
    --count_;
    // Whatever was pushed on by what goes moves back.
    for (size_t i = next(hole); slots_[i].number != 0; i = next(i)) {
      if (((i - at(slots_[i].number)) & mask()) < ((i - hole) & mask())) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = {};
  }

 private:
  struct Slot {
    uint32_t number = 0;
    Stream* stream = nullptr;
  };
  size_t mask() const { return slots_.size() - 1; }
  size_t at(uint32_t number) const { return (number * 0x9e3779b97f4a7c15u >> 40) & mask(); }
  size_t next(size_t i) const { return (i + 1) & mask(); }
  void put(Slot slot) {
    size_t i = at(slot.number);
    while (slots_[i].number != 0) i = next(i);
    slots_[i] = slot;
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 8 : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.number != 0) put(slot);
  }
  std::vector<Slot> slots_;  // a power of two, at most half of them used
  size_t count_ = 0;
};

}  // namespace weft::http::http2
