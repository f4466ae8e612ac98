// Which hosts a pick may fall on: per priority all, healthy and degraded ones, and how much of the traffic each priority
// takes, as Envoy computes it: a priority's health is healthy / total * overprovisioning factor; what one lacks the next
// takes over; below the panic threshold health is ignored.
#pragma once
#include "proxy/upstream/balancing/tried_priorities.h"
#include "proxy/upstream/endpoint_set.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace weft::upstream {

class HostLists {
 public:
  using Hosts = std::vector<const Host*>;
  enum Kind : unsigned { kAll, kHealthy, kDegraded, kKinds };

  HostLists(std::shared_ptr<const EndpointSet> endpoints, double panic_threshold);
  // Reads health and ejections again.
  void refresh();

  // The list that traffic with this random number goes to: its index, for list(). Never refers to nothing: an empty set has
  // one priority without hosts.
  struct Choice {
    unsigned list;
    bool panic;
    uint32_t priority() const { return list / kKinds; }
  };
  Choice choose(uint64_t random) const;
  // Beside the priorities that `tried` leaves out, if any of the others has somebody.
  Choice choose(uint64_t random, TriedPriorities* tried) const { return tried == nullptr ? choose(random) : choose_beside(random, *tried); }
  unsigned size() const { return static_cast<unsigned>(lists_.size()); }
  const Hosts& list(unsigned index) const { return lists_[index]; }
  const std::shared_ptr<const EndpointSet>& endpoints() const { return endpoints_; }

  // For tests and /clusters: percent of the traffic.
  uint32_t healthy_load(uint32_t priority) const { return levels_[priority].healthy_load; }
  uint32_t degraded_load(uint32_t priority) const { return levels_[priority].degraded_load; }
  bool panic(uint32_t priority) const { return levels_[priority].panic; }

 private:
  struct Level {
    uint32_t hosts = 0;                            // those that count: draining ones do not
    uint32_t healthy = 0, degraded = 0;            // availability in percent, overprovisioned, at most 100
    uint32_t healthy_load = 0, degraded_load = 0;  // share of the traffic; all shares add up to 100
    bool panic = false;
  };
  Choice at(uint32_t priority, Kind kind) const;
  Choice choose_beside(uint64_t random, TriedPriorities& tried) const;
  void share_load();
  void detect_panic(uint32_t availability);

  std::shared_ptr<const EndpointSet> endpoints_;
  uint32_t panic_threshold_;
  std::vector<Hosts> lists_;  // by priority * kKinds + kind
  std::vector<Level> levels_;
};

}  // namespace weft::upstream
