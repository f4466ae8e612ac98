#include "controlplane/xds/name_table.h"

#include <xxhash.h>

namespace weft::xds {

NameId NameTable::acquire(std::string_view name) {
  std::lock_guard lock(mutex_);
  if (auto found = ids_.find(name); found != ids_.end()) {
    ++slots_[found->second].uses;
    return found->second;
  }
  NameId id = 0;
  if (free_.empty()) {
    id = static_cast<NameId>(slots_.size());
    slots_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  slots_[id] = {std::string(name), XXH3_64bits(name.data(), name.size()), 1};
  ids_.emplace(slots_[id].text, id);
  return id;
}

void NameTable::acquire(NameId id) {
  std::lock_guard lock(mutex_);
  ++slots_[id].uses;
}

void NameTable::release(NameId id) {
  std::lock_guard lock(mutex_);
  Slot& slot = slots_[id];
  if (--slot.uses > 0) return;
  ids_.erase(slot.text);
  slot = {};
  free_.push_back(id);
}

std::string NameTable::text(NameId id) const {
  std::lock_guard lock(mutex_);
  return slots_[id].text;
}

uint64_t NameTable::hash(NameId id) const {
  std::lock_guard lock(mutex_);
  return slots_[id].hash;
}

size_t NameTable::size() const {
  std::lock_guard lock(mutex_);
  return ids_.size();
}

}  // namespace weft::xds
