// A cluster on one worker: what all workers share of it (configuration, breakers, outlier detection, stats), and what is the
// worker's own (its balancer and its pools). An update that changes neither addresses nor protocol keeps every connection.
#pragma once
#include "common/net/loop.h"
#include "common/observe/metrics.h"
#include "common/observe/shapes.h"
#include "proxy/upstream/balancing/hash_tables.h"
#include "proxy/upstream/balancing/load_balancer.h"
#include "proxy/upstream/cluster_config.h"
#include "proxy/upstream/original_hosts.h"
#include "proxy/upstream/pool.h"

#include <boost/unordered/unordered_flat_map.hpp>

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace weft::upstream {

// Made by the control thread, one per cluster and configuration; parts that did not change are carried over. Const or atomic.
struct SharedCluster {
  std::shared_ptr<const ClusterConfig> config;
  std::shared_ptr<Budget> budget;
  std::shared_ptr<OutlierDetector> outlier;     // null: off
  std::shared_ptr<HashTables> hash_tables;      // null: a policy that does not hash
  std::shared_ptr<OriginalHosts> originals;     // null: not ORIGINAL_DST
  std::shared_ptr<observe::Scope> stats;        // observe::ClusterStat
  std::shared_ptr<observe::Scope> http2_stats;  // observe::Http2Stat; null where HTTP/2 is never spoken
  // A streak has reached its threshold: tells the control thread. Any thread.
  std::function<void(const std::shared_ptr<HostState>&, EjectionKind)> on_outlier;
};

class Cluster final : public net::Retirable {
 public:
  Cluster(net::Loop& loop, std::shared_ptr<const SharedCluster> shared, std::shared_ptr<const EndpointSet> endpoints);
  ~Cluster() override;

  void set_shared(std::shared_ptr<const SharedCluster> shared);
  void set_endpoints(std::shared_ptr<const EndpointSet> endpoints);
  // Hosts were ejected or taken back.
  void refresh_health() { balancer_->refresh(); }

  net::Loop& loop() { return loop_; }
  const ClusterConfig& config() const { return *shared_->config; }
  const std::shared_ptr<const SharedCluster>& shared() const { return shared_; }
  Budget& budget() { return *shared_->budget; }
  // This worker's cells; made at the cluster's first use.
  observe::Cells& stats() { return stats_ ? *stats_ : *(stats_ = &shared_->stats->cells(loop_.thread())); }
  const std::shared_ptr<const EndpointSet>& endpoints() const { return balancer_->endpoints(); }

  Pick pick(const PickContext& context);
  HostPool& pool(const Host& host, http::Protocol protocol, Priority priority);
  // What this cluster speaks to a request that came in `downstream`.
  http::Protocol protocol_for(http::Protocol downstream) const;
  void report(const std::shared_ptr<HostState>& host, HostResult result);

  // --- from pools ---
  void on_pool_finished() { sweep_ = true; }

 private:
  struct Key {
    const HostState* state;
    http::Protocol protocol;
    Priority priority;
    bool operator==(const Key&) const = default;
    friend size_t hash_value(const Key& key) {
      return (reinterpret_cast<uintptr_t>(key.state) >> 4) * 8 + static_cast<size_t>(key.protocol) * 2 + static_cast<size_t>(key.priority);
    }
  };
  std::unique_ptr<LoadBalancer> make_balancer(std::shared_ptr<const EndpointSet> endpoints) const;
  void sweep();
  void drain_all();
  net::Loop& loop_;
  std::shared_ptr<const SharedCluster> shared_;
  std::unique_ptr<LoadBalancer> balancer_;
  observe::Cells* stats_ = nullptr;
  boost::unordered_flat_map<Key, std::unique_ptr<HostPool>> pools_;
  std::vector<std::unique_ptr<HostPool>> draining_;
  bool sweep_ = false;
};

// The clusters that a worker knows, by name. Exchanges pin what they use.
class ClusterTable {
 public:
  virtual std::shared_ptr<Cluster> find(std::string_view name) = 0;

 protected:
  ~ClusterTable() = default;
};

}  // namespace weft::upstream
