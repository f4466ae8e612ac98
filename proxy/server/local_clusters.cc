#include "proxy/server/local_clusters.h"

namespace weft::server {

LocalClusters::~LocalClusters() = default;

std::shared_ptr<upstream::Cluster> LocalClusters::find(std::string_view name) {
  auto found = clusters_.find(name);
  return found == clusters_.end() ? nullptr : found->second;
}

void LocalClusters::apply(const ClusterUpdate& update) {
  for (const ClusterUpdate::Changed& changed : update.changed) {
    auto& cluster = clusters_[changed.cluster->config->name];
    if (!cluster) {
      // The last to let go of a cluster may stand on its stack: it is buried at the end of the event.
      net::Loop& loop = loop_;
      cluster =
          std::shared_ptr<upstream::Cluster>(new upstream::Cluster(loop, changed.cluster, changed.endpoints),
                                             [&loop](upstream::Cluster* dead) { loop.retire(std::unique_ptr<net::Retirable>(dead)); });
      continue;
    }
    if (cluster->shared() != changed.cluster) cluster->set_shared(changed.cluster);
    if (changed.endpoints && changed.endpoints != cluster->endpoints()) cluster->set_endpoints(changed.endpoints);
  }
  for (const std::string& name : update.removed) clusters_.erase(name);
  for (const std::string& name : update.health)
    if (auto cluster = find(name)) cluster->refresh_health();
}

}  // namespace weft::server
