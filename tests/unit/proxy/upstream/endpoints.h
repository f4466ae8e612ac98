// Endpoint sets for tests: hosts 10.0.<priority>.<n>:80.
#pragma once
#include "proxy/upstream/endpoint_set.h"

#include <boost/asio/ip/address.hpp>

#include <memory>
#include <string>
#include <vector>

namespace weft::testing {

struct HostSpec {
  uint32_t priority = 0;
  uint32_t weight = 1;
  upstream::Health health = upstream::Health::kHealthy;
};

inline net::Endpoint address(uint32_t priority, size_t n) {
  return {boost::asio::ip::address_v4(0x0A000000u + priority * 0x10000u + static_cast<uint32_t>(n)), 80};
}

// The n-th host of a priority is address(priority, n), counted from 0 within that priority.
inline std::shared_ptr<const upstream::EndpointSet> endpoints(const std::vector<HostSpec>& specs, upstream::HostStates& states,
                                                              const std::string& cluster = "c") {
  upstream::EndpointSet set;
  set.cluster_name = cluster;
  std::vector<size_t> counts;
  for (const HostSpec& spec : specs) {
    while (set.localities.size() <= spec.priority) {
      set.localities.push_back({.priority = static_cast<uint32_t>(set.localities.size())});
      counts.push_back(0);
    }
    upstream::Host host;
    host.address = address(spec.priority, counts[spec.priority]++);
    host.weight = spec.weight;
    host.health = spec.health;
    set.localities[spec.priority].hosts.push_back(std::move(host));
  }
  return upstream::make_endpoint_set(std::move(set), cluster, states);
}

}  // namespace weft::testing
