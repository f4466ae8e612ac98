// The clusters as the control thread knows them: joins each configuration with what outlives it (breakers, outlier records,
// stats, the states of hosts), and tells all loops what changed. Lives on the control thread.
#pragma once
#include "common/net/loop.h"
#include "common/observe/metrics.h"
#include "proxy/config/update.h"
#include "proxy/server/local_clusters.h"
#include "proxy/upstream/outlier.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace weft::server {

class ClusterRegistry {
 public:
  // `publish` hands an update to every loop.
  ClusterRegistry(net::Loop& control, observe::Registry& metrics, std::function<void(ClusterUpdate)> publish);
  ~ClusterRegistry();

  void apply(const config::Update& update);
  // What the names of that cluster mean now. Counts when it is in force with this very configuration, or comes to be.
  void set_resolved(const std::shared_ptr<const upstream::ClusterConfig>& config, std::shared_ptr<const upstream::EndpointSet> set);
  // No more sweeps: the loop is about to end.
  void stop();
  // Gauges that are states rather than counts (breakers, ejections): brought up to date before they are shown.
  void refresh_gauges();
  // Everything known, for /clusters and /config_dump.
  struct Entry {
    std::shared_ptr<const upstream::SharedCluster> shared;
    std::shared_ptr<const upstream::EndpointSet> endpoints;
    std::shared_ptr<observe::Scope> remaining[2];  // by priority, where track_remaining is set
    std::shared_ptr<observe::Scope> hashing;       // of a ring or a Maglev table
  };
  const std::map<std::string, Entry>& entries() const { return entries_; }
  bool has(const std::string& name) const { return entries_.contains(name); }

 private:
  struct Sweep;
  void set_endpoints(const std::string& name, Entry& entry, const std::shared_ptr<const upstream::EndpointSet>& resource,
                     ClusterUpdate& update);
  std::shared_ptr<const upstream::SharedCluster> share(const std::shared_ptr<const upstream::ClusterConfig>& config,
                                                       const upstream::SharedCluster* former);
  void on_outlier(const std::string& name, const std::shared_ptr<upstream::HostState>& host, upstream::EjectionKind why);
  void on_sweep(const std::string& name);
  void on_originals(const std::string& name);
  void on_cleanup(const std::string& name);
  void publish_health(const std::string& name);
  void note_membership(const Entry& entry);
  void count_clusters();

  net::Loop& control_;
  observe::Registry& metrics_;
  std::function<void(ClusterUpdate)> publish_;
  upstream::HostStates states_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::shared_ptr<const upstream::EndpointSet>> resources_;  // by EDS name, as delivered
  struct Resolved {
    std::shared_ptr<const upstream::ClusterConfig> config;
    std::shared_ptr<const upstream::EndpointSet> set;
  };
  std::map<std::string, Resolved> resolved_;  // by cluster
  std::map<std::string, std::unique_ptr<Sweep>> sweeps_;
  std::map<std::string, std::unique_ptr<Sweep>> cleanups_;  // of ORIGINAL_DST clusters
  std::shared_ptr<observe::Scope> stats_;
};

}  // namespace weft::server
