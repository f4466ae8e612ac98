// cluster.<name>.grpc.[<service>.<method>.], and grpc-web. for calls of browsers: gRPC calls by their status. Scopes are made as calls
// come, so this is apart from the fixed ones in shapes.h; whoever makes them bounds their number.
#pragma once
#include "common/observe/shapes.h"

namespace weft::observe {

#define WEFT_GRPC_CALL_STATS(X)                                  \
  X(kStatus0, "0", kCounter, true)                               \
  X(kStatus1, "1", kCounter, true)                               \
  X(kStatus2, "2", kCounter, true)                               \
  X(kStatus3, "3", kCounter, true)                               \
  X(kStatus4, "4", kCounter, true)                               \
  X(kStatus5, "5", kCounter, true)                               \
  X(kStatus6, "6", kCounter, true)                               \
  X(kStatus7, "7", kCounter, true)                               \
  X(kStatus8, "8", kCounter, true)                               \
  X(kStatus9, "9", kCounter, true)                               \
  X(kStatus10, "10", kCounter, true)                             \
  X(kStatus11, "11", kCounter, true)                             \
  X(kStatus12, "12", kCounter, true)                             \
  X(kStatus13, "13", kCounter, true)                             \
  X(kStatus14, "14", kCounter, true)                             \
  X(kStatus15, "15", kCounter, true)                             \
  X(kStatus16, "16", kCounter, true)                             \
  X(kFailure, "failure", kCounter, true)                         \
  X(kRequestMessages, "request_message_count", kCounter, true)   \
  X(kResponseMessages, "response_message_count", kCounter, true) \
  X(kSuccess, "success", kCounter, true)                         \
  X(kTotal, "total", kCounter, true)                             \
  X(kUpstreamRqTime, "upstream_rq_time", kHistogram, true)
WEFT_STAT_ENUM(GrpcCallStat, WEFT_GRPC_CALL_STATS)
extern const Shape kGrpcCallShape;     // "cluster.grpc"
extern const Shape kGrpcWebCallShape;  // "cluster.grpc-web"

// Without service: of all calls to the cluster.
ScopePtr grpc_call_scope(Registry& registry, const Shape& shape, std::string_view cluster, std::string_view service = {},
                         std::string_view method = {});

}  // namespace weft::observe
