// HPACK's dynamic table (RFC 7541 2.3.2), for either direction: a ring of entries, newest first, whose bytes lie one behind the other
// in one block that grows with use up to what the table may hold. A name that is a NameId takes no bytes.
#pragma once
#include "common/http/http2/hpack_tables.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace weft::http::http2 {

class FieldTable {
 public:
  static constexpr uint32_t kOverhead = 32;  // what an entry counts besides its bytes

  struct Entry {
    uint32_t at;  // its name, if that is no NameId, and then its value
    uint32_t name_size, value_size;
    NameId id;
    bool sound_name, sound_value;  // as whoever put it here found them
  };

  explicit FieldTable(uint32_t limit) : limit_(limit) {}

  // Entries are known by their place in the order of insertion, from 1 on: it stays while they live.
  uint32_t newest() const { return inserted_; }
  uint32_t size() const { return inserted_ - evicted_; }
  bool holds(uint32_t place) const { return inserted_ - place < size(); }
  const Entry& entry(uint32_t place) const { return ring_[place & (static_cast<uint32_t>(ring_.size()) - 1)]; }
  std::string_view name(const Entry& entry) const {
    return entry.id == kOtherName ? std::string_view(bytes_.get() + entry.at, entry.name_size) : text_of(entry.id);
  }
  std::string_view value(const Entry& entry) const {
    return {bytes_.get() + entry.at + (entry.id == kOtherName ? entry.name_size : 0), entry.value_size};
  }

  uint32_t limit() const { return limit_; }
  void set_limit(uint32_t limit);
  // Old entries make room. One that is larger than the table only empties it, and is not there afterwards. Neither text may lie in
  // the table itself.
  void insert(NameId id, std::string_view name, std::string_view value, bool sound_name, bool sound_value);

 private:
  Entry& slot(uint32_t place) { return ring_[place & (static_cast<uint32_t>(ring_.size()) - 1)]; }
  void evict_down_to(uint64_t most);
  // Its bytes and one more, so that no two entries begin at one place.
  static uint32_t room_of(const Entry& entry) { return entry.value_size + (entry.id == kOtherName ? entry.name_size : 0) + 1; }
  uint32_t room_for(uint32_t room);
  void grow(uint32_t room);

  std::vector<Entry> ring_;  // a power of two
  std::unique_ptr<char[]> bytes_;
  uint32_t capacity_ = 0, tail_ = 0;  // of bytes_, and where the next entry's begin
  uint32_t inserted_ = 0, evicted_ = 0;
  uint32_t limit_;
  uint64_t used_ = 0;
};

}  // namespace weft::http::http2
