// Earliest deadline first: each host comes as often as its weight says, as evenly spread as can be. O(log n), no allocation
// once built.
#pragma once
#include "proxy/upstream/endpoint_set.h"

#include <algorithm>
#include <vector>

namespace weft::upstream {

class Schedule {
 public:
  bool empty() const { return heap_.empty(); }
  void clear() { heap_.clear(); }

  // weight(const Host&) is positive. Begins as if `skip` picks had been made, so that schedules do not march in step.
  template <class Weight>
  void build(const std::vector<const Host*>& hosts, uint64_t skip, Weight weight) {
    heap_.clear();
    heap_.reserve(hosts.size());
    order_ = 0;
    for (const Host* host : hosts) heap_.push_back({1.0 / weight(*host), order_++, host});
    std::make_heap(heap_.begin(), heap_.end());
    for (; skip != 0; --skip) next(weight);
  }

  template <class Weight>
  const Host* next(Weight weight) {
    std::pop_heap(heap_.begin(), heap_.end());
    Entry& entry = heap_.back();
    const Host* host = entry.host;
    entry.deadline += 1.0 / weight(*host);
    entry.order = order_++;
    std::push_heap(heap_.begin(), heap_.end());
    return host;
  }

 private:
  struct Entry {
    double deadline;
    uint64_t order;
    const Host* host;
    bool operator<(const Entry& other) const {  // a heap keeps the greatest in front
      return deadline != other.deadline ? deadline > other.deadline : order > other.order;
    }
  };
  std::vector<Entry> heap_;
  uint64_t order_ = 0;
};

inline bool equal_weights(const std::vector<const Host*>& hosts) {
  return std::all_of(hosts.begin(), hosts.end(), [&](const Host* host) { return host->weight == hosts.front()->weight; });
}

}  // namespace weft::upstream
