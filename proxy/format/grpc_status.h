// The gRPC status of an answer: from its trailers, else its head, else what the HTTP status stands for.
#pragma once
#include <optional>
#include <string_view>

namespace weft::format {

struct RequestInfo;

bool is_grpc(const RequestInfo& info);  // by the request's content-type
std::optional<int> grpc_status(const RequestInfo& info);
std::string_view grpc_camel_name(int status);  // "NotFound"; empty for others than 0..16
std::string_view grpc_snake_name(int status);  // "NOT_FOUND"

}  // namespace weft::format
