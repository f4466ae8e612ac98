// Picks a host. One object per cluster and worker, rebuilt with each endpoint set; refresh() after hosts were ejected or
// taken back. Priorities, panic and degraded hosts are the same for every policy and stand in host_lists.h.
#pragma once
#include "proxy/upstream/balancing/tried_priorities.h"
#include "proxy/upstream/cluster_config.h"
#include "proxy/upstream/endpoint_set.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace weft::net {
struct ConnectionFacts;
}
namespace weft::format {
struct RequestInfo;
}

namespace weft::upstream {

class HashTables;
class OriginalHosts;

struct PickContext {
  uint64_t random = 0;                      // fresh for each pick
  std::span<const HostState* const> tried;  // hosts of earlier attempts, to be avoided (previous_hosts predicate)
  uint32_t max_host_attempts = 1;           // how often to pick again for that (host_selection_retry_max_attempts)
  std::optional<uint64_t> hash;             // what the request's hash policy says, for balancers that hash
  TriedPriorities* priorities = nullptr;    // those of earlier attempts, to be left out; null: they do not matter
  // For hosts that the client names: its connection and its request. Null: nobody knows.
  const net::ConnectionFacts* connection = nullptr;
  const format::RequestInfo* request = nullptr;
  bool avoid_canaries = false;           // to be avoided, too
  const Labels* avoid_labels = nullptr;  // hosts that have all of these, to be avoided, too; null: none
  bool avoids(const Host& host) const;
};

struct Pick {
  const Host* host = nullptr;  // null: none may be picked. Lives as long as the endpoint set
  bool panic = false;          // health was ignored: count lb_healthy_panic
  uint32_t priority = 0;       // the host's
  bool misnamed = false;       // the client named one that makes no sense: count original_dst_host_invalid
  // A host that is in no endpoint set of the balancer's lives as long as this.
  std::shared_ptr<const EndpointSet> made = nullptr;
};

class LoadBalancer {
 public:
  virtual ~LoadBalancer() = default;
  // No allocation.
  virtual Pick pick(const PickContext& context) = 0;
  virtual void refresh() = 0;
  virtual const std::shared_ptr<const EndpointSet>& endpoints() const = 0;
  // Whether picks may still fall on that host.
  virtual bool holds(const HostState& host) const { return endpoints()->find(&host) != nullptr; }
};

// `seed` moves the start of a schedule, so that workers do not march in step. `tables`: where the workers share what a hashing
// balancer has built; null: it builds its own. `originals`: the hosts of an ORIGINAL_DST cluster.
std::unique_ptr<LoadBalancer> make_load_balancer(const ClusterConfig& cluster, std::shared_ptr<const EndpointSet> endpoints, uint64_t seed,
                                                 std::shared_ptr<HashTables> tables = nullptr,
                                                 std::shared_ptr<OriginalHosts> originals = nullptr);

}  // namespace weft::upstream
