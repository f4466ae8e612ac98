// What every policy shares: which list a pick falls on, and picking again when the host was tried before. A policy keeps
// one state per list of HostLists.
#pragma once
#include "proxy/upstream/balancing/host_lists.h"
#include "proxy/upstream/balancing/load_balancer.h"

namespace weft::upstream {

// SplitMix64: several numbers out of the one that a pick is given.
class PickRandom {
 public:
  explicit PickRandom(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

class PriorityBalancer : public LoadBalancer {
 public:
  PriorityBalancer(std::shared_ptr<const EndpointSet> endpoints, double panic_threshold) : lists_(std::move(endpoints), panic_threshold) {}
  Pick pick(const PickContext& context) final;
  void refresh() final {
    lists_.refresh();
    rebuild();
  }
  const std::shared_ptr<const EndpointSet>& endpoints() const final { return lists_.endpoints(); }

 protected:
  const HostLists& lists() const { return lists_; }
  // The lists have changed.
  virtual void rebuild() = 0;
  // `hosts` is lists().list(list) and not empty.
  virtual const Host* pick_from(unsigned list, const HostLists::Hosts& hosts, PickRandom& random) = 0;

 private:
  HostLists lists_;
};

}  // namespace weft::upstream
