// The policies; make_load_balancer chooses.
#pragma once
#include "proxy/upstream/balancing/priority_balancer.h"
#include "proxy/upstream/balancing/schedule.h"

#include <vector>

namespace weft::upstream {

// In turn; by a schedule when weights differ.
class RoundRobin final : public PriorityBalancer {
 public:
  RoundRobin(std::shared_ptr<const EndpointSet> endpoints, double panic_threshold, uint64_t seed);

 private:
  void rebuild() override;
  const Host* pick_from(unsigned list, const HostLists::Hosts& hosts, PickRandom& random) override;
  uint64_t seed_;
  std::vector<uint64_t> turns_;      // by list
  std::vector<Schedule> schedules_;  // by list; empty where weights are equal
};

// The least busy of a few hosts chosen at random; by a schedule of weight / (active requests + 1)^bias when weights differ.
class LeastRequest final : public PriorityBalancer {
 public:
  LeastRequest(std::shared_ptr<const EndpointSet> endpoints, double panic_threshold, uint64_t seed, uint32_t choices, runtime::Real bias);

 private:
  void rebuild() override;
  const Host* pick_from(unsigned list, const HostLists::Hosts& hosts, PickRandom& random) override;
  double weight(const Host& host) const;
  uint64_t seed_;
  uint32_t choices_;
  runtime::Real bias_;
  std::vector<Schedule> schedules_;
};

// Any, whatever its weight, as in Envoy.
class Random final : public PriorityBalancer {
 public:
  using PriorityBalancer::PriorityBalancer;

 private:
  void rebuild() override {}
  const Host* pick_from(unsigned, const HostLists::Hosts& hosts, PickRandom& random) override {
    return hosts[random.next() % hosts.size()];
  }
};

}  // namespace weft::upstream
