// Hash policies, which stand in routes and in the load balancing policies of clusters alike.
#pragma once
#include "proxy/filters/where.h"
#include "proxy/routing/hash_policy.h"

#include <memory>

namespace google::protobuf {
template <class T>
class RepeatedPtrField;
}
namespace envoy::config::route::v3 {
class RouteAction_HashPolicy;
}

namespace weft::config {

// Null for an empty list. `parent` is the message that has the field hash_policy.
std::shared_ptr<const routing::HashPolicy> hash_policy(
    const google::protobuf::RepeatedPtrField<envoy::config::route::v3::RouteAction_HashPolicy>& from, const filters::Where& parent);

}  // namespace weft::config
