// layered_runtime: the bootstrap's layers, and a Struct (static_layer, an RTDS resource) as settings.
#pragma once
#include "proxy/config/bootstrap.h"
#include "proxy/filters/where.h"

namespace google::protobuf {
class Struct;
}
namespace envoy::config::bootstrap::v3 {
class LayeredRuntime;
}

namespace weft::config {

// Nested keys are joined by dots; {numerator, denominator} is a share.
runtime::Layer runtime_layer(const google::protobuf::Struct& from);

// Adds the layers to `to.runtime`, static ones with their values, and says where the others come from (to.runtime_sources).
void build_runtime(const envoy::config::bootstrap::v3::LayeredRuntime& from, const std::string& service_cluster, bool has_ads,
                   Bootstrap& to, const filters::Where& where);

}  // namespace weft::config
