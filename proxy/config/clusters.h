// config.cluster.v3.Cluster -> upstream::ClusterConfig.
#pragma once
#include "proxy/config/build_context.h"
#include "proxy/config/protocol_options.h"
#include "proxy/upstream/cluster_config.h"

#include <memory>

namespace envoy::config::cluster::v3 {
class Cluster;
}

namespace weft::config {

// Null after a complaint. `hash` is that of the resource's bytes.
std::shared_ptr<const upstream::ClusterConfig> build_cluster(const envoy::config::cluster::v3::Cluster& from, uint64_t hash,
                                                             const BuildContext& context, const Where& where);

}  // namespace weft::config
