// config.route.v3.RateLimit, of routes and of filters, into routing's rules.
#pragma once
#include "proxy/filters/runtime.h"
#include "proxy/filters/where.h"
#include "proxy/routing/rate_limit.h"

#include <string_view>

namespace google::protobuf {
template <class T>
class RepeatedPtrField;
}
namespace envoy::config::route::v3 {
class RateLimit;
}

namespace weft::filters {

// `local_cluster`: node.cluster, for source_cluster. `runtime`: for disable_key.
routing::RateLimitRules rate_limit_rules(const google::protobuf::RepeatedPtrField<envoy::config::route::v3::RateLimit>& from,
                                         std::string_view local_cluster, const Where& parent, std::string_view field,
                                         const Runtime* runtime = nullptr);

}  // namespace weft::filters
