#include "envoy/extensions/filters/http/grpc_http1_bridge/v3/config.pb.h"
#include "proxy/filters/http/grpc_http1_bridge/filter.h"

namespace weft::filters {
namespace {

constexpr Field kGrpcBridgeConfig[] = {
    {"upgrade_protobuf_to_grpc"},
    {.name = "ignore_query_parameters", .note = "of requests that are upgraded"},
};
constexpr FieldTable kGrpcBridgeTables[] = {
    fields_of("envoy.extensions.filters.http.grpc_http1_bridge.v3.Config", kGrpcBridgeConfig, "", "http_filter"),
};

std::unique_ptr<const FilterFactory> make_grpc_bridge(const std::string& instance, const std::string& bytes, const FilterBuild&,
                                                      const Where& where) {
  envoy::extensions::filters::http::grpc_http1_bridge::v3::Config from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no Config"), nullptr;
  return std::make_unique<FactoryOf<GrpcBridge, GrpcBridgeOptions>>(
      instance, GrpcBridge::kHooks, GrpcBridgeOptions{from.upgrade_protobuf_to_grpc(), from.ignore_query_parameters()});
}

}  // namespace

HttpFilterType grpc_http1_bridge_type() {
  return {"envoy.filters.http.grpc_http1_bridge",
          "envoy.extensions.filters.http.grpc_http1_bridge.v3.Config",
          "",
          [] { return all_of(kGrpcBridgeTables); },
          &make_grpc_bridge,
          nullptr};
}

}  // namespace weft::filters
