// What differs between two views, so that a push can be narrow. Empty sets and flags mean: nothing a proxy could see.
#pragma once
#include "controlplane/model/view.h"

#include <set>

namespace weft::model {

struct Changes {
  uint64_t from = 0, to = 0;
  std::vector<Key> keys;                     // every resource added, changed or removed
  std::set<std::string> services;            // hostnames added, removed or changed beyond their endpoints
  std::set<std::string> endpoints;           // hostnames whose endpoints differ (of services that are otherwise equal)
  std::set<std::string> rule_hosts;          // hosts of destination rules that differ
  std::set<Key> virtual_services, gateways;  // and what becomes such: the Gateway API's objects, and Namespaces that it asks for labels
  std::set<Key> workloads;                   // pods and workload entries whose labels or ports differ (what inbound depends on)
  std::set<Key> rate_limits;
  std::set<Key> sidecars;

  bool headless = false;    // among the endpoints are those of a service without an address of its own
  bool hash_rules = false;  // among the destination rules is one by which routes hash

  // Nothing but endpoints: EDS alone is enough.
  bool endpoints_only() const {
    return services.empty() && rule_hosts.empty() && virtual_services.empty() && gateways.empty() && rate_limits.empty() &&
           workloads.empty() && sidecars.empty();
  }
  bool nothing() const { return endpoints_only() && endpoints.empty(); }
};

Changes difference(const View& before, const View& after);

}  // namespace weft::model
