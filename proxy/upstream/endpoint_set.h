// A cluster's hosts as the configuration names them (config.endpoint.v3.ClusterLoadAssignment): immutable, by priority, then
// locality. Only HostState, which each host shares with its former selves, changes.
#pragma once
#include "common/net/connector.h"
#include "proxy/upstream/host_state.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::upstream {

// config.core.v3.HealthStatus.
enum class Health : uint8_t { kUnknown, kHealthy, kUnhealthy, kDraining, kTimeout, kDegraded };
std::string_view to_string(Health health);  // "HEALTHY", as EDS and /clusters write it

// Of metadata "envoy.lb": keys, with their values as JSON.
using Labels = std::vector<std::pair<std::string, std::string>>;

struct Host {
  net::Endpoint address;
  std::shared_ptr<const net::Addresses> addresses;  // null: just that one; else all, in the order in which they are tried
  std::string hostname;
  std::string hash_key;  // metadata envoy.lb, hash_key: stands for the address where hosts are hashed
  uint32_t weight = 1;
  Health health = Health::kUnknown;
  bool canary = false;                   // metadata envoy.lb, canary
  std::shared_ptr<const Labels> labels;  // null: none
  std::shared_ptr<HostState> state;      // set by make_endpoint_set when absent

  bool ejected() const { return state->ejected.load(std::memory_order_relaxed); }
  // May be picked for what it is told to be (UNKNOWN and HEALTHY) and is not ejected.
  bool healthy() const { return (health == Health::kUnknown || health == Health::kHealthy) && !ejected(); }
  bool degraded() const { return health == Health::kDegraded && !ejected(); }
};

struct Locality {
  std::string region, zone, sub_zone;
  uint32_t priority = 0;
  uint32_t weight = 0;  // counts where hosts are hashed by locality; elsewhere carried
  std::vector<Host> hosts;
};

// upstream_connection_options.happy_eyeballs_config: in which order the addresses of one host are tried.
struct AddressOrder {
  enum class First : uint8_t { kOfTheFirst, kV4, kV6 } family = First::kOfTheFirst;
  uint32_t count = 1;  // how many of that family come before one of the other
  bool operator==(const AddressOrder&) const = default;
};
std::shared_ptr<const net::Addresses> in_order(const net::Addresses& addresses, const AddressOrder& order);

struct EndpointSet {
  std::string cluster_name;
  uint32_t overprovisioning_factor = 140;
  std::vector<Locality> localities;  // in order of priority
  size_t size = 0;                   // hosts in all
  uint32_t priorities = 0;           // highest priority + 1

  template <class Visit>  // visit(const Locality&, const Host&)
  void for_each(Visit visit) const {
    for (const Locality& locality : localities)
      for (const Host& host : locality.hosts) visit(locality, host);
  }
  const Host* find(const net::Endpoint& address) const;
  const Host* find(const HostState* state) const;
};

// An address that comes twice: EDS takes the first, over all priorities; a STATIC cluster takes both.
enum class Doubles : uint8_t { kDrop, kKeep };

// Orders localities, counts, and gives every host the state it had, under `cluster` (the cluster's name, not the service name
// of EDS).
std::shared_ptr<const EndpointSet> make_endpoint_set(EndpointSet set, const std::string& cluster, HostStates& states,
                                                     Doubles doubles = Doubles::kDrop);

// For membership gauges.
struct Membership {
  uint32_t total = 0, healthy = 0, degraded = 0;
  uint32_t excluded = 0;  // draining: in no calculation
};
Membership membership(const EndpointSet& set);

}  // namespace weft::upstream
