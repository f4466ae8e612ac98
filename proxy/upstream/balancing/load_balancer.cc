#include "proxy/upstream/balancing/load_balancer.h"

#include "proxy/upstream/balancing/hash_balancer.h"
#include "proxy/upstream/balancing/original_balancer.h"
#include "proxy/upstream/balancing/policies.h"

#include <algorithm>

namespace weft::upstream {

bool PickContext::avoids(const Host& host) const {
  if (std::find(tried.begin(), tried.end(), host.state.get()) != tried.end()) return true;
  if (avoid_canaries && host.canary) return true;
  if (!avoid_labels || !host.labels) return false;
  return std::all_of(avoid_labels->begin(), avoid_labels->end(),
                     [&](const auto& label) { return std::find(host.labels->begin(), host.labels->end(), label) != host.labels->end(); });
}

Pick PriorityBalancer::pick(const PickContext& context) {
  PickRandom random(context.random);
  Pick pick;
  for (uint32_t attempt = 0;; ++attempt) {
    HostLists::Choice choice = lists_.choose(random.next(), context.priorities);
    const HostLists::Hosts& hosts = lists_.list(choice.list);
    pick.panic = choice.panic;
    pick.priority = choice.priority();
    pick.host = hosts.empty() ? nullptr : pick_from(choice.list, hosts, random);
    if (!pick.host || attempt >= context.max_host_attempts) return pick;
    if (!context.avoids(*pick.host)) return pick;
  }
}

std::unique_ptr<LoadBalancer> make_load_balancer(const ClusterConfig& cluster, std::shared_ptr<const EndpointSet> endpoints, uint64_t seed,
                                                 std::shared_ptr<HashTables> tables, std::shared_ptr<OriginalHosts> originals) {
  switch (cluster.policy) {
    case ClusterConfig::Policy::kLeastRequest:
      return std::make_unique<LeastRequest>(std::move(endpoints), cluster.panic_threshold, seed, cluster.choice_count,
                                            cluster.active_request_bias);
    case ClusterConfig::Policy::kRandom: return std::make_unique<Random>(std::move(endpoints), cluster.panic_threshold);
    case ClusterConfig::Policy::kRingHash:
    case ClusterConfig::Policy::kMaglev: return std::make_unique<HashBalancer>(cluster, std::move(endpoints), std::move(tables));
    case ClusterConfig::Policy::kOriginalDestination:
      return std::make_unique<OriginalBalancer>(cluster.original, std::move(endpoints), std::move(originals));
    case ClusterConfig::Policy::kRoundRobin: break;
  }
  return std::make_unique<RoundRobin>(std::move(endpoints), cluster.panic_threshold, seed);
}

}  // namespace weft::upstream
