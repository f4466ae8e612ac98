#include "proxy/upstream/balancing/policies.h"

namespace weft::upstream {
namespace {

double weight_of(const Host& host) { return host.weight == 0 ? 1.0 : host.weight; }

}  // namespace

RoundRobin::RoundRobin(std::shared_ptr<const EndpointSet> endpoints, double panic_threshold, uint64_t seed)
    : PriorityBalancer(std::move(endpoints), panic_threshold), seed_(seed), turns_(lists().size(), seed), schedules_(lists().size()) {
  rebuild();
}

void RoundRobin::rebuild() {
  for (unsigned list = 0; list < lists().size(); ++list) {
    const HostLists::Hosts& hosts = lists().list(list);
    Schedule& schedule = schedules_[list];
    schedule.clear();
    if (hosts.empty() || equal_weights(hosts)) continue;
    schedule.build(hosts, seed_ % hosts.size(), weight_of);
  }
}

const Host* RoundRobin::pick_from(unsigned list, const HostLists::Hosts& hosts, PickRandom&) {
  Schedule& schedule = schedules_[list];
  return schedule.empty() ? hosts[turns_[list]++ % hosts.size()] : schedule.next(weight_of);
}

}  // namespace weft::upstream
