#include "common/observe/grpc_calls.h"

#include <algorithm>

namespace weft::observe {
namespace {

#define WEFT_GRPC_CALL_ROW(id, name, kind, lazy) {name, Kind::kind, lazy},
constexpr Metric kGrpcCallTable[] = {WEFT_GRPC_CALL_STATS(WEFT_GRPC_CALL_ROW)};

}  // namespace

const Shape kGrpcCallShape = make_shape("cluster.grpc", kGrpcCallTable);
const Shape kGrpcWebCallShape = make_shape("cluster.grpc-web", kGrpcCallTable);

ScopePtr grpc_call_scope(Registry& registry, const Shape& shape, std::string_view cluster, std::string_view service,
                         std::string_view method) {
  std::string name(cluster);
  std::replace(name.begin(), name.end(), ':', '_');
  Tags tags{{"envoy_cluster_name", name}};
  std::string prefix(shape.family);
  prefix.insert(sizeof("cluster.") - 1, name + ".");
  prefix += ".";
  if (!service.empty()) {
    prefix += std::string(service) + "." + std::string(method) + ".";
    tags.emplace_back("envoy_grpc_bridge_service", service);
    tags.emplace_back("envoy_grpc_bridge_method", method);
  }
  return registry.scope(shape, std::move(prefix), std::move(tags));
}

}  // namespace weft::observe
