// RING_HASH and MAGLEV: the request's hash chooses the priority and, in that priority's table, the host. Without a hash (no policy, or
// nothing to hash) chance takes its place. With a hash_balance_factor a host that has more than its share of the requests under way
// gives way to another (Mirrokni et al., "Consistent Hashing with Bounded Loads"); which one, the hash decides too.
#pragma once
#include "proxy/upstream/balancing/hash_tables.h"
#include "proxy/upstream/balancing/host_lists.h"
#include "proxy/upstream/balancing/load_balancer.h"

#include <vector>

namespace weft::upstream {

class HashBalancer final : public LoadBalancer {
 public:
  HashBalancer(const ClusterConfig& cluster, std::shared_ptr<const EndpointSet> endpoints, std::shared_ptr<HashTables> shared);
  Pick pick(const PickContext& context) override;
  void refresh() override;
  const std::shared_ptr<const EndpointSet>& endpoints() const override { return lists_.endpoints(); }

 private:
  const Host* pick_from(const HashTable& table, uint64_t hash, uint32_t attempt);
  uint32_t active_requests() const;

  ClusterConfig::Policy policy_;
  std::shared_ptr<const HashingOptions> options_;
  HostLists lists_;
  std::shared_ptr<HashTables> shared_;
  std::vector<std::shared_ptr<const HashTable>> tables_;  // by priority
  std::vector<uint32_t> order_;                           // scratch
};

}  // namespace weft::upstream
