#include "proxy/xds/grpc_stream.h"

#include <charconv>
#include <cstring>

namespace weft::xds {
namespace {

// gRPC's frame: one byte of flags, four of length (PROTOCOL-HTTP2, Length-Prefixed-Message).
constexpr size_t kPrefix = 5;
// A whole world of resources for a large mesh; beyond this the peer is broken.
constexpr size_t kLongestMessage = size_t{256} << 20;

enum GrpcStatus { kUnknown = 2, kInternal = 13, kUnavailable = 14, kResourceExhausted = 8 };

}  // namespace

GrpcStream::GrpcStream(net::Loop& loop, upstream::ClusterTable& clusters, GrpcTarget target, GrpcStreamEvents& events)
    : loop_(loop),
      clusters_(clusters),
      target_(std::move(target)),
      events_(events),
      request_(loop.slabs()),
      answer_(loop.slabs()),
      trailers_(loop.slabs()) {}

GrpcStream::~GrpcStream() = default;

void GrpcStream::start() {
  loop_.post([this, alive = std::weak_ptr<char>(alive_)] {
    if (!alive.expired()) begin();
  });
}

void GrpcStream::begin() {
  auto cluster = clusters_.find(target_.cluster);
  if (!cluster) return close(kUnavailable, "no cluster \"" + target_.cluster + "\"");
  const upstream::Pick pick = cluster->pick({loop_.random(), {}, 1});
  if (!pick.host) return close(kUnavailable, "no healthy host in cluster \"" + target_.cluster + "\"");
  endpoints_ = cluster->endpoints();
  request_.set_method("POST");
  request_.set_path(target_.path);
  request_.set_scheme("http");
  request_.set_authority(target_.authority.empty() ? target_.cluster : target_.authority);
  request_.add(http::HeaderId::kTe, "trailers");
  request_.add(http::HeaderId::kContentType, "application/grpc");
  request_.add("grpc-accept-encoding", "identity");
  for (const auto& [name, value] : target_.metadata) request_.add(name, value);
  attempt_.start(std::move(cluster), *pick.host, http::Protocol::kHttp2, upstream::Priority::kDefault);
}

void GrpcStream::on_attempt_ready() {
  attempt_.mark_sent();
  attempt_.stream()->send_head(request_, false);
  events_.on_stream_open();
}

void GrpcStream::send(std::string_view message) {
  if (closed_ || !attempt_.stream()) return;
  char prefix[kPrefix] = {0};
  const uint32_t size = static_cast<uint32_t>(message.size());
  for (int i = 0; i < 4; ++i) prefix[1 + i] = static_cast<char>(size >> (24 - 8 * i));
  attempt_.stream()->send_body(copy_to_slice(loop_.slabs(), {prefix, kPrefix}), false);
  while (!message.empty() && attempt_.stream()) {
    Slice slice = copy_to_slice(loop_.slabs(), message);
    message.remove_prefix(slice.size);
    attempt_.stream()->send_body(std::move(slice), false);
  }
}

void GrpcStream::on_attempt_head(bool end) {
  if (answer_.status() != 200) return close(kUnavailable, "HTTP status " + std::to_string(answer_.status()));
  if (end) close_by(answer_);  // trailers only
}

void GrpcStream::on_attempt_body(Slice slice, bool end) {
  received_.append(slice.view());
  slice = {};
  if (!take_messages()) return;
  if (end) close(kUnavailable, "the stream ended without a status");
}

// False: the stream is closed and may be gone.
bool GrpcStream::take_messages() {
  std::weak_ptr<char> alive = alive_;
  size_t at = 0;
  while (received_.size() - at >= kPrefix) {
    const auto* p = reinterpret_cast<const unsigned char*>(received_.data() + at);
    if (p[0] != 0) return close(kInternal, "a compressed message, though none was asked for"), false;
    const size_t size = size_t{p[1]} << 24 | size_t{p[2]} << 16 | size_t{p[3]} << 8 | p[4];
    if (size > kLongestMessage) return close(kResourceExhausted, "a message of " + std::to_string(size) + " bytes"), false;
    if (received_.size() - at < kPrefix + size) break;
    const std::string message = received_.substr(at + kPrefix, size);
    at += kPrefix + size;
    events_.on_stream_message(message);
    if (alive.expired() || closed_) return false;
  }
  received_.erase(0, at);
  if (received_.empty()) received_.shrink_to_fit();
  return true;
}

void GrpcStream::on_attempt_trailers() { close_by(trailers_); }

void GrpcStream::close_by(const http::Head& head) {
  int status = kUnknown;
  const std::string_view text = head.value(http::HeaderId::kGrpcStatus);
  std::from_chars(text.data(), text.data() + text.size(), status);
  close(status, std::string(head.value(http::HeaderId::kGrpcMessage)));
}

void GrpcStream::on_attempt_failed(upstream::AttemptEnd how, std::string_view detail) {
  std::string reason = how == upstream::AttemptEnd::kConnectFailed || how == upstream::AttemptEnd::kLocalConnectFailed
                           ? "connection failure"
                       : how == upstream::AttemptEnd::kConnectTimeout ? "connection timeout"
                                                                      : "connection termination";
  if (!detail.empty()) reason += ": " + std::string(detail);
  close(kUnavailable, std::move(reason));
}

void GrpcStream::close(int status, std::string reason) {
  if (closed_) return;
  closed_ = true;
  attempt_.cancel();
  events_.on_stream_closed(status, reason);
}

}  // namespace weft::xds
