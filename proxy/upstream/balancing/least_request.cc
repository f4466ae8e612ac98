#include "proxy/upstream/balancing/policies.h"

#include <algorithm>
#include <cmath>

namespace weft::upstream {

LeastRequest::LeastRequest(std::shared_ptr<const EndpointSet> endpoints, double panic_threshold, uint64_t seed, uint32_t choices,
                           runtime::Real bias)
    : PriorityBalancer(std::move(endpoints), panic_threshold),
      seed_(seed),
      choices_(choices),
      bias_(std::move(bias)),
      schedules_(lists().size()) {
  rebuild();
}

double LeastRequest::weight(const Host& host) const {
  double weight = host.weight == 0 ? 1.0 : host.weight;
  double active = host.state->active_requests.load(std::memory_order_relaxed) + 1.0;
  // A negative one would send requests to the busiest.
  const double bias = std::max(0.0, bias_.get());
  if (bias == 1.0) return weight / active;
  return bias == 0.0 ? weight : weight / std::pow(active, bias);
}

void LeastRequest::rebuild() {
  for (unsigned list = 0; list < lists().size(); ++list) {
    const HostLists::Hosts& hosts = lists().list(list);
    Schedule& schedule = schedules_[list];
    schedule.clear();
    if (hosts.empty() || equal_weights(hosts)) continue;
    schedule.build(hosts, seed_ % hosts.size(), [this](const Host& host) { return weight(host); });
  }
}

const Host* LeastRequest::pick_from(unsigned list, const HostLists::Hosts& hosts, PickRandom& random) {
  Schedule& schedule = schedules_[list];
  if (!schedule.empty()) return schedule.next([this](const Host& host) { return weight(host); });
  const Host* best = nullptr;
  uint32_t least = 0;
  for (uint32_t i = 0; i < choices_; ++i) {
    const Host* host = hosts[random.next() % hosts.size()];
    uint32_t active = host->state->active_requests.load(std::memory_order_relaxed);
    if (!best || active < least) best = host, least = active;
  }
  return best;
}

}  // namespace weft::upstream
