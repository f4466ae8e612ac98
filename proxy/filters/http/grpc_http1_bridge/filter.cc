#include "proxy/filters/http/grpc_http1_bridge/filter.h"

#include "proxy/format/request_info.h"
#include "proxy/routing/timeouts.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace weft::filters {

using http::HeaderId;

Verdict GrpcBridge::on_request_head(FilterContext& context, bool end) {
  http::Head& request = context.request();
  bool grpc = routing::is_grpc(request);
  const std::string_view type = request.value(HeaderId::kContentType);
  if (!grpc && options_.upgrade_protobuf && !end && (type == "application/x-protobuf" || type == "application/protobuf")) {
    grpc = frames_ = true;
    request.set(HeaderId::kContentType, "application/grpc");
    request.remove(HeaderId::kContentLength);
    request.set(HeaderId::kTe, "trailers");
    const std::string_view path = request.path();
    if (options_.ignore_query && path.find('?') != path.npos) request.set_path(std::string(path.substr(0, path.find('?'))));
  }
  bridges_ = grpc && context.info().protocol != "HTTP/2";
  return Verdict::kContinue;
}

void GrpcBridge::on_request_body(FilterContext& context, Body& body, bool end) {
  if (!frames_) return;
  std::move(body.slices.begin(), body.slices.end(), std::back_inserter(held_.slices));
  body.slices.clear();
  const size_t size = held_.size();
  if (size > context.buffer_limit()) {
    frames_ = false;
    held_.slices.clear();
    return context.reply({413, "Payload Too Large", "request_payload_too_large", std::nullopt, {}});
  }
  if (!end) return;
  const char head[5] = {0, static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                        static_cast<char>(size)};
  body.slices.push_back(copy_to_slice(context.slabs(), {head, sizeof head}));
  std::move(held_.slices.begin(), held_.slices.end(), std::back_inserter(body.slices));
  held_.slices.clear();
}

Verdict GrpcBridge::on_response_head(FilterContext& context, bool end) {
  if (!bridges_ || end || context.response().has(HeaderId::kGrpcStatus)) return Verdict::kContinue;
  context.wait_for_response();
  return Verdict::kWait;
}

void GrpcBridge::on_whole_response(FilterContext& context, Body& body) {
  http::Head* const trailers = context.response_trailers();
  if (!trailers) return;
  http::Head& response = context.response();
  if (const http::Header* status = trailers->find(HeaderId::kGrpcStatus)) {
    // A client that knows no gRPC shall see that the call failed.
    if (grpc_status_of(*trailers) != 0) response.set_status(503);
    response.set(HeaderId::kGrpcStatus, status->value());
  }
  if (const http::Header* message = trailers->find(HeaderId::kGrpcMessage)) response.set(HeaderId::kGrpcMessage, message->value());
  for (size_t head = 5; frames_ && head > 0 && !body.slices.empty();) {
    Slice& first = body.slices.front();
    const size_t n = std::min(head, first.size);
    first.data += n;
    first.size -= n;
    head -= n;
    if (first.size == 0) body.slices.erase(body.slices.begin());
  }
  response.set(HeaderId::kContentLength, std::to_string(body.size()));
}

}  // namespace weft::filters
