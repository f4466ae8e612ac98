// Resource names as small numbers, so that what a thousand streams remember of a thousand names is numbers and not text.
#pragma once
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::xds {

using NameId = uint32_t;

// Counts the uses of each name; a name that nobody uses is forgotten and its number used again. Thread-safe.
class NameTable {
 public:
  // Each acquire needs a release.
  NameId acquire(std::string_view name);
  void acquire(NameId id);
  void release(NameId id);

  // Of a name that is in use.
  std::string text(NameId id) const;
  uint64_t hash(NameId id) const;  // of the text: the same in every process
  size_t size() const;

 private:
  struct Slot {
    std::string text;
    uint64_t hash = 0;
    uint32_t uses = 0;
  };
  mutable std::mutex mutex_;
  std::deque<Slot> slots_;
  std::vector<NameId> free_;
  std::unordered_map<std::string_view, NameId> ids_;  // keys point into slots_
};

}  // namespace weft::xds
