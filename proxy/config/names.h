// How names become addresses: resolvers, and clusters whose hosts are names (STRICT_DNS, LOGICAL_DNS, envoy.clusters.dns).
#pragma once
#include "common/resolve/options.h"
#include "proxy/filters/where.h"
#include "proxy/upstream/cluster_config.h"

#include <memory>

namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}
namespace envoy::config::cluster::v3 {
class Cluster;
}
namespace envoy::extensions::clusters::dns::v3 {
class DnsCluster;
}

namespace weft::config {

using filters::Where;

// Of the whole process; `where` is the bootstrap's root.
resolve::Options resolver_options(const envoy::config::bootstrap::v3::Bootstrap& from, const Where& where);

// `fallback`: the process's. `where` is the cluster.
std::shared_ptr<const upstream::Naming> build_naming(const envoy::config::cluster::v3::Cluster& from, const resolve::Options& fallback,
                                                     const Where& where);
// Of a cluster_type; `inside` is `extension`.
std::shared_ptr<const upstream::Naming> build_naming(const envoy::config::cluster::v3::Cluster& from,
                                                     const envoy::extensions::clusters::dns::v3::DnsCluster& extension,
                                                     const resolve::Options& fallback, const Where& where, const Where& inside);

}  // namespace weft::config
