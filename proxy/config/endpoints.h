// config.endpoint.v3.ClusterLoadAssignment -> upstream::EndpointSet. The hosts come without state: whoever keeps the host states
// gives each cluster its own copy by upstream::make_endpoint_set.
#pragma once
#include "proxy/config/protocol_options.h"
#include "proxy/upstream/cluster_config.h"

#include <memory>
#include <vector>

namespace envoy::config::core::v3 {
class Metadata;
}
namespace envoy::config::endpoint::v3 {
class ClusterLoadAssignment;
}

namespace weft::config {

// Null after a complaint. With `names`, addresses are names: what there is to resolve goes there instead, and the localities come
// without hosts.
std::shared_ptr<const upstream::EndpointSet> build_endpoints(const envoy::config::endpoint::v3::ClusterLoadAssignment& from,
                                                             const Where& where, std::vector<upstream::Naming::Target>* names = nullptr);
// Its namespace "envoy.lb".
upstream::Labels lb_labels(const envoy::config::core::v3::Metadata& metadata);

}  // namespace weft::config
