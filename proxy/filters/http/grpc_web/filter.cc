#include "proxy/filters/http/grpc_web/filter.h"

#include "proxy/format/request_info.h"
#include "proxy/routing/timeouts.h"

#include <algorithm>
#include <array>

namespace weft::filters {
namespace {

using http::HeaderId;

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr auto kValues = [] {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < kAlphabet.size(); ++i) values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  return values;
}();
// As Envoy: a longer body is no message.
constexpr size_t kLongestMessage = 16384;
constexpr size_t kLongText = 48 << 10;
constexpr std::string_view kText = "application/grpc-web-text", kTextProto = "application/grpc-web-text+proto";

bool is_text(std::string_view type) { return type == kText || type == kTextProto; }
bool is_grpc_web(std::string_view type) { return is_text(type) || type == "application/grpc-web" || type == "application/grpc-web+proto"; }

void put(Body& body, FilterContext& context, std::string_view bytes) {
  while (!bytes.empty()) {
    body.slices.push_back(copy_to_slice(context.slabs(), bytes));
    bytes.remove_prefix(body.slices.back().size);
  }
}

}  // namespace

std::string encode_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](size_t k) { return i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0u; };
    const uint32_t group = at(0) << 16 | at(1) << 8 | at(2);
    out += kAlphabet[group >> 18];
    out += kAlphabet[group >> 12 & 63];
    out += i + 1 < bytes.size() ? kAlphabet[group >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kAlphabet[group & 63] : '=';
  }
  return out;
}

bool decode_base64(std::string_view text, std::string& out) {
  for (; text.size() >= 4; text.remove_prefix(4)) {
    const size_t pads = text[3] != '=' ? 0 : text[2] != '=' ? 1 : 2;
    uint32_t group = 0;
    for (size_t i = 0; i < 4; ++i) {
      const int value = i < 4 - pads ? kValues[static_cast<uint8_t>(text[i])] : 0;
      if (value < 0) return false;
      group = group << 6 | static_cast<uint32_t>(value);
    }
    if (group & ((1u << (8 * pads)) - 1)) return false;  // bits that belong to nothing
    out += static_cast<char>(group >> 16);
    if (pads < 2) out += static_cast<char>(group >> 8 & 255);
    if (pads < 1) out += static_cast<char>(group & 255);
  }
  return text.empty();
}

Verdict GrpcWeb::on_request_head(FilterContext& context, bool) {
  http::Head& request = context.request();
  const std::string_view type = request.value(HeaderId::kContentType);
  active_ = is_grpc_web(type);
  if (!active_) return Verdict::kContinue;
  text_request_ = is_text(type);
  text_answer_ = is_text(request.value(HeaderId::kAccept));
  const GrpcMethod call = grpc_method_of(request.path());
  const std::string_view cluster = context.info().upstream_cluster;
  if (options_.scopes && call && !cluster.empty()) cells_ = &options_.scopes->cells(context.thread(), cluster, call.service, call.method);
  request.remove(HeaderId::kContentLength);  // it counted other bytes than go out
  request.set(HeaderId::kContentType, "application/grpc");
  request.set(HeaderId::kTe, "trailers");
  request.set("grpc-accept-encoding", "identity,deflate,gzip");
  return Verdict::kContinue;
}

void GrpcWeb::on_request_body(FilterContext& context, Body& body, bool end) {
  if (!active_ || !text_request_) return;
  for (const Slice& slice : body.slices) text_.append(slice.data, slice.size);
  body.slices.clear();
  const size_t whole = text_.size() / 4 * 4;
  std::string bytes;
  if (!decode_base64(std::string_view(text_).substr(0, whole), bytes) || (end && whole != text_.size())) {
    text_request_ = false;
    return context.reply({400,
                          "Bad gRPC-web request, invalid base64 data.",
                          whole != text_.size() ? "grpc_base_64_decode_failed_bad_size" : "grpc_base_64_decode_failed",
                          std::nullopt,
                          {}});
  }
  text_.erase(0, whole);
  put(body, context, bytes);
}

Verdict GrpcWeb::on_response_head(FilterContext& context, bool end) {
  if (!active_) return Verdict::kContinue;
  http::Head& response = context.response();
  charge(context, response);
  foreign_ = response.status() != 200 || !routing::is_grpc(response);
  response.set(HeaderId::kContentType, text_answer_ ? kTextProto : std::string_view("application/grpc-web+proto"));
  if (!foreign_) {
    response.remove(HeaderId::kContentLength);
    text_.clear();
    return Verdict::kContinue;
  }
  if (end) return tell_in_head(context, {}), Verdict::kContinue;
  context.wait_for_response();
  return Verdict::kWait;
}

void GrpcWeb::on_whole_response(FilterContext& context, Body& body) {
  std::string message;
  for (const Slice& slice : body.slices) message.append(slice.data, std::min(slice.size, kLongestMessage - message.size()));
  body.slices.clear();
  tell_in_head(context, message);
}

void GrpcWeb::tell_in_head(FilterContext& context, std::string_view message) {
  http::Head& response = context.response();
  if (!message.empty()) response.set(HeaderId::kGrpcMessage, percent_encoded(message));
  if (!response.has(HeaderId::kGrpcStatus)) response.set(HeaderId::kGrpcStatus, std::to_string(grpc_status_of_http(response.status())));
  response.set(HeaderId::kContentLength, "0");
}

// Each frame is encoded, and padded, by itself. One that is long goes ahead in groups of three.
void GrpcWeb::on_response_body(FilterContext& context, Body& body, bool end) {
  if (!active_ || foreign_ || !text_answer_) return;
  for (const Slice& slice : body.slices) text_.append(slice.data, slice.size);
  body.slices.clear();
  std::string out;
  size_t at = 0;
  for (;;) {
    const std::string_view rest = std::string_view(text_).substr(at);
    if (frame_left_ == 0) {
      if (rest.size() < 5) break;
      for (size_t i = 1; i < 5; ++i) frame_left_ = frame_left_ << 8 | static_cast<uint8_t>(rest[i]);
      frame_left_ += 5;
    }
    const bool whole = rest.size() >= frame_left_;
    if (!whole && rest.size() <= kLongText) break;
    const size_t n = whole ? static_cast<size_t>(frame_left_) : rest.size() / 3 * 3;
    out += encode_base64(rest.substr(0, n));
    at += n;
    frame_left_ -= n;
    if (!whole) break;
  }
  text_.erase(0, at);
  if (end) {
    out += encode_base64(text_);
    text_.clear();
  }
  put(body, context, out);
}

void GrpcWeb::on_response_trailers(FilterContext& context, http::Head& trailers) {
  if (!active_ || foreign_) return;
  charge(context, trailers);
  std::string lines;
  for (const http::Header& header : trailers.headers()) {
    if (header.removed) continue;
    lines.append(header.name()).append(":").append(header.value()).append("\r\n");
  }
  std::string frame;
  frame += static_cast<char>(0x80);
  for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(lines.size() >> shift & 255);
  frame += lines;
  context.append_response_body(text_answer_ ? encode_base64(frame) : frame);
  trailers.remove_if([](const http::Header&) { return true; });
}

void GrpcWeb::charge(FilterContext&, const http::Head& head) {
  const std::optional<int> status = charged_ || !cells_ ? std::nullopt : grpc_status_of(head);
  if (!status) return;
  charged_ = true;
  charge_grpc_call(*cells_, *status);
}

}  // namespace weft::filters
