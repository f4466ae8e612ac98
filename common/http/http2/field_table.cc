#include "common/http/http2/field_table.h"

#include <algorithm>
#include <cstring>

namespace weft::http::http2 {

void FieldTable::evict_down_to(uint64_t most) {
  while (used_ > most) {
    const Entry& oldest = entry(++evicted_);
    used_ -= uint64_t{oldest.name_size} + oldest.value_size + kOverhead;
  }
}

void FieldTable::set_limit(uint32_t limit) {
  limit_ = limit;
  evict_down_to(limit);
}

void FieldTable::insert(NameId id, std::string_view name, std::string_view value, bool sound_name, bool sound_value) {
  const uint64_t needed = uint64_t{name.size()} + value.size() + kOverhead;
  evict_down_to(needed > limit_ ? 0 : limit_ - needed);
  if (needed > limit_) return;
  Entry made{0, static_cast<uint32_t>(name.size()), static_cast<uint32_t>(value.size()), id, sound_name, sound_value};
  made.at = room_for(room_of(made));
  tail_ = made.at + room_of(made);
  char* to = bytes_.get() + made.at;
  if (id == kOtherName) to = std::copy(name.begin(), name.end(), to);
  if (!value.empty()) std::memcpy(to, value.data(), value.size());
  if (size() == ring_.size()) {
    std::vector<Entry> larger(ring_.empty() ? 16 : ring_.size() * 2);
    const auto mask = static_cast<uint32_t>(larger.size()) - 1;
    for (uint32_t place = evicted_ + 1; place != inserted_ + 1; ++place) larger[place & mask] = entry(place);
    ring_.swap(larger);
  }
  ++inserted_;
  slot(inserted_) = made;
  used_ += needed;
}

// Where so many bytes may go: behind the newest entry's, or before the oldest's.
uint32_t FieldTable::room_for(uint32_t room) {
  if (size() == 0) {
    tail_ = 0;
    if (room <= capacity_) return 0;
  } else if (const uint32_t oldest = entry(evicted_ + 1).at; tail_ > oldest) {
    if (room <= capacity_ - tail_) return tail_;
    if (room < oldest) return 0;
  } else if (room < oldest - tail_) {
    return tail_;
  }
  grow(room);
  return tail_;
}

// At most four times what the table may hold: with twice that, what is asked for always fits.
void FieldTable::grow(uint32_t room) {
  uint64_t live = room;
  for (uint32_t place = evicted_ + 1; place != inserted_ + 1; ++place) live += room_of(entry(place));
  const uint64_t larger = std::min<uint64_t>(UINT32_MAX, std::max({uint64_t{256}, uint64_t{capacity_} * 2, live}));
  auto bytes = std::make_unique_for_overwrite<char[]>(larger);
  uint32_t to = 0;
  for (uint32_t place = evicted_ + 1; place != inserted_ + 1; ++place) {
    Entry& moved = slot(place);
    std::memcpy(bytes.get() + to, bytes_.get() + moved.at, room_of(moved) - 1);
    moved.at = to;
    to += room_of(moved);
  }
  bytes_ = std::move(bytes);
  capacity_ = static_cast<uint32_t>(larger);
  tail_ = to;
}

}  // namespace weft::http::http2
