// upstream_http_filters of the router, http_filters of a cluster: the filters that an attempt passes on its way to a host.
#pragma once
#include "proxy/config/build_context.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/where.h"

#include <memory>
#include <string_view>

namespace google::protobuf {
template <class T>
class RepeatedPtrField;
}
namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class HttpFilter;
}

namespace weft::config {

// Null for an empty list, after a complaint, and where nothing stands before the codec.
std::shared_ptr<const filters::AttemptPlan> attempt_plan(
    const google::protobuf::RepeatedPtrField<envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter>& from,
    const BuildContext& context, const filters::Where& parent, std::string_view field);

}  // namespace weft::config
