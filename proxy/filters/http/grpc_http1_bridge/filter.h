// envoy.filters.http.grpc_http1_bridge: gRPC for HTTP/1.1 clients, which see no trailers: an answer is held until it is whole, its
// grpc-status and grpc-message go to its head, and a status other than 0 makes it a 503. With upgrade_protobuf_to_grpc a plain
// protobuf body becomes a gRPC message, and the answer's message a plain body.
#pragma once
#include "proxy/filters/filter.h"
#include "proxy/filters/grpc/calls.h"
#include "proxy/filters/table.h"

#include <string>

namespace weft::filters {

struct GrpcBridgeOptions {
  bool upgrade_protobuf = false;
  bool ignore_query = false;  // of such an upgraded request
};

class GrpcBridge final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnRequestBody | kOnResponseHead;
  GrpcBridge(const GrpcBridgeOptions& options, const std::string&) : options_(options) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  void on_request_body(FilterContext& context, Body& body, bool end) override;
  Verdict on_response_head(FilterContext& context, bool end) override;
  void on_whole_response(FilterContext& context, Body& body) override;

 private:
  const GrpcBridgeOptions& options_;
  bool bridges_ = false, frames_ = false;
  Body held_;  // of a request that is to become one message
};

HttpFilterType grpc_http1_bridge_type();

}  // namespace weft::filters
