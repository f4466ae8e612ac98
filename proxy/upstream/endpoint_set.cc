#include "proxy/upstream/endpoint_set.h"

#include <algorithm>
#include <unordered_set>

namespace weft::upstream {

std::string_view to_string(Health health) {
  switch (health) {
    case Health::kUnknown: return "UNKNOWN";
    case Health::kHealthy: return "HEALTHY";
    case Health::kUnhealthy: return "UNHEALTHY";
    case Health::kDraining: return "DRAINING";
    case Health::kTimeout: return "TIMEOUT";
    case Health::kDegraded: return "DEGRADED";
  }
  return "UNKNOWN";
}

const Host* EndpointSet::find(const net::Endpoint& address) const {
  for (const Locality& locality : localities)
    for (const Host& host : locality.hosts)
      if (host.address == address) return &host;
  return nullptr;
}

std::shared_ptr<const EndpointSet> make_endpoint_set(EndpointSet set, const std::string& cluster, HostStates& states, Doubles doubles) {
  auto out = std::make_shared<EndpointSet>(std::move(set));
  std::stable_sort(out->localities.begin(), out->localities.end(),
                   [](const Locality& a, const Locality& b) { return a.priority < b.priority; });
  out->size = 0;
  out->priorities = 0;
  std::unordered_set<const HostState*> seen;  // a state stands for its address
  for (Locality& locality : out->localities) {
    for (Host& host : locality.hosts)
      if (!host.state) host.state = states.get(cluster, host.address);
    if (doubles == Doubles::kDrop) std::erase_if(locality.hosts, [&](const Host& host) { return !seen.insert(host.state.get()).second; });
    out->size += locality.hosts.size();
    out->priorities = std::max(out->priorities, locality.priority + 1);
  }
  return out;
}

Membership membership(const EndpointSet& set) {
  Membership counts;
  set.for_each([&](const Locality&, const Host& host) {
    ++counts.total;
    if (host.healthy()) ++counts.healthy;
    if (host.degraded()) ++counts.degraded;
    if (host.health == Health::kDraining) ++counts.excluded;
  });
  return counts;
}

}  // namespace weft::upstream
