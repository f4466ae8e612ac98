// config.endpoint.v3.ClusterLoadAssignment -> upstream::EndpointSet. The hosts come without state: whoever keeps the host states
// gives each cluster its own copy by upstream::make_endpoint_set.
#pragma once
#include "proxy/config/protocol_options.h"
#include "proxy/upstream/endpoint_set.h"

#include <memory>

namespace envoy::config::core::v3 {
class Metadata;
}
namespace envoy::config::endpoint::v3 {
class ClusterLoadAssignment;
}

namespace weft::config {

// Null after a complaint.
std::shared_ptr<const upstream::EndpointSet> build_endpoints(const envoy::config::endpoint::v3::ClusterLoadAssignment& from,
                                                             const Where& where);
// Its namespace "envoy.lb".
upstream::Labels lb_labels(const envoy::config::core::v3::Metadata& metadata);

}  // namespace weft::config
