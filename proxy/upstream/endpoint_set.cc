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

std::shared_ptr<const net::Addresses> in_order(const net::Addresses& addresses, const AddressOrder& order) {
  const bool first_is_v6 = order.family == AddressOrder::First::kOfTheFirst ? !addresses.empty() && addresses.front().address().is_v6()
                                                                            : order.family == AddressOrder::First::kV6;
  auto out = std::make_shared<net::Addresses>();
  size_t next[2] = {0, 0};  // of the first family, of the other
  const auto take = [&](unsigned which) {
    for (size_t& at = next[which]; at < addresses.size();) {
      const net::Endpoint& one = addresses[at++];
      if ((one.address().is_v6() == first_is_v6) != (which == 0)) continue;
      out->push_back(one);
      return;
    }
  };
  while (out->size() < addresses.size()) {
    for (uint32_t i = 0; i < order.count && next[0] < addresses.size(); ++i) take(0);
    take(1);
  }
  return out;
}

const Host* EndpointSet::find(const net::Endpoint& address) const {
  for (const Locality& locality : localities)
    for (const Host& host : locality.hosts)
      if (host.address == address) return &host;
  return nullptr;
}

const Host* EndpointSet::find(const HostState* state) const {
  for (const Locality& locality : localities)
    for (const Host& host : locality.hosts)
      if (host.state.get() == state) return &host;
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
