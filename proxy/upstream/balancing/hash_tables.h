// The hash tables of a cluster, shared by its balancers: the first to see its hosts as they are builds (that is the control thread,
// which applies each update before the workers), all others find what they need.
#pragma once
#include "proxy/upstream/balancing/hash_table.h"

#include <memory>
#include <mutex>
#include <vector>

namespace weft::upstream {

class HashTables {
 public:
  // The table of a priority whose hosts are these. Any thread.
  std::shared_ptr<const HashTable> get(ClusterConfig::Policy policy, const HashingOptions& options,
                                       const std::shared_ptr<const EndpointSet>& endpoints, uint32_t priority, Shares shares);
  // Of the table built last that has hosts, as Envoy's gauges. Any thread.
  HashTable::Spread spread() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<const HashTable>> tables_;  // by priority: they live as long as a balancer has them
  HashTable::Spread spread_;
};

}  // namespace weft::upstream
