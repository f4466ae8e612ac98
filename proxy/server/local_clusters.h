// The clusters of one loop, by name: what a worker, or the control thread for its own requests, sees of them.
#pragma once
#include "proxy/upstream/cluster.h"

#include <boost/unordered/unordered_flat_map.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::server {

// What changed, for every loop alike. Immutable.
struct ClusterUpdate {
  struct Changed {
    std::shared_ptr<const upstream::SharedCluster> cluster;
    std::shared_ptr<const upstream::EndpointSet> endpoints;  // null: as they are (a new cluster always brings them)
  };
  std::vector<Changed> changed;
  std::vector<std::string> removed;
  std::vector<std::string> health;  // hosts were ejected or taken back
};

class LocalClusters final : public upstream::ClusterTable {
 public:
  explicit LocalClusters(net::Loop& loop) : loop_(loop) {}
  ~LocalClusters();
  std::shared_ptr<upstream::Cluster> find(std::string_view name) override;
  void apply(const ClusterUpdate& update);
  void clear() { clusters_.clear(); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  net::Loop& loop_;
  boost::unordered_flat_map<std::string, std::shared_ptr<upstream::Cluster>, Hash, std::equal_to<>> clusters_;
};

}  // namespace weft::server
