// envoy.filters.http.grpc_web: calls of browsers, which know no trailers. application/grpc-web becomes application/grpc on its way up;
// back, trailers become a last frame of the body (first byte 0x80). The -text forms are base64 besides. An answer that is no gRPC is
// told as a grpc-status with its body for a message.
#pragma once
#include "proxy/filters/filter.h"
#include "proxy/filters/grpc/calls.h"
#include "proxy/filters/table.h"

#include <memory>
#include <string>
#include <string_view>

namespace weft::filters {

struct GrpcWebOptions {
  std::shared_ptr<GrpcCallScopes> scopes;  // null: not counted
};

class GrpcWeb final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnRequestBody | kOnResponseHead | kOnResponseBody | kOnResponseTrailers;
  GrpcWeb(const GrpcWebOptions& options, const std::string&) : options_(options) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  void on_request_body(FilterContext& context, Body& body, bool end) override;
  Verdict on_response_head(FilterContext& context, bool end) override;
  void on_whole_response(FilterContext& context, Body& body) override;
  void on_response_body(FilterContext& context, Body& body, bool end) override;
  void on_response_trailers(FilterContext& context, http::Head& trailers) override;

 private:
  void charge(FilterContext& context, const http::Head& head);
  void tell_in_head(FilterContext& context, std::string_view message);
  const GrpcWebOptions& options_;
  observe::Cells* cells_ = nullptr;
  bool active_ = false, text_request_ = false, text_answer_ = false, charged_ = false, foreign_ = false;
  std::string text_;         // base64 that came, short of a group; or bytes to become base64, short of a frame
  uint64_t frame_left_ = 0;  // of the frame at its front, once its head is there
};

HttpFilterType grpc_web_type();

// Whole groups of four characters; false if they are no base64. Padding may end any group, as each frame is encoded by itself.
bool decode_base64(std::string_view text, std::string& out);
std::string encode_base64(std::string_view bytes);

}  // namespace weft::filters
