#include "proxy/downstream/tcp_tunnel.h"

#include "common/observe/shapes.h"
#include "proxy/format/formatter.h"

#include <string>

namespace weft::downstream {

using upstream::AttemptEnd;

TcpTunnel::TcpTunnel(TcpSession& session, net::Loop& loop)
    : session_(session), request_(loop.slabs()), answer_(loop.slabs()), trailers_(loop.slabs()) {}

void TcpTunnel::start(std::shared_ptr<upstream::Cluster> cluster, const upstream::Host& host) {
  const config::TcpTunnel& config = *session_.config().tunnel;
  cluster_ = std::move(cluster);
  endpoints_ = cluster_->endpoints();
  std::string target;
  config.hostname->append(target, session_.info());
  request_.set_authority(target);
  if (config.post_path) {
    request_.set_method("POST");
    request_.set_path(*config.post_path);
    request_.set_scheme("http");
  } else {
    request_.set_method("CONNECT");
    request_.ask_for_tunnel(true);
  }
  for (const routing::HeaderToAdd& header : config.headers) header.apply(request_, session_.info());
  attempt_.start(cluster_, host, cluster_->protocol_for(http::Protocol::kHttp11), upstream::Priority::kDefault);
}

void TcpTunnel::close() {
  if (closed_) return;
  closed_ = true;
  if (request_ended_ && answer_ended_)
    attempt_.complete();
  else
    attempt_.cancel();
}

void TcpTunnel::on_attempt_ready() {
  attempt_.mark_sent();
  attempt_.stream()->send_head(request_, false);
}

void TcpTunnel::on_attempt_head(bool end) {
  if (closed_) return;
  if (answer_.status() / 100 != 2) return session_.on_far_failed("tunnel response:" + std::to_string(answer_.status()));
  open_ = true;
  answer_ended_ = end;
  session_.on_far_ready(*this, std::string(attempt_.local_address()));
  if (end && !closed_) session_.on_far_ended();
}

void TcpTunnel::on_attempt_body(Slice slice, bool end) {
  if (closed_ || !open_) return;
  session_.on_activity();
  if (slice.size > 0) session_.take(std::move(slice));
  if (end) return on_answer_ended();
  if (!session_.takes_bytes() && attempt_.stream()) {
    paused_ = true;
    attempt_.stream()->pause();
  }
}

void TcpTunnel::on_answer_ended() {
  if (closed_) return;
  answer_ended_ = true;
  session_.on_far_ended();
}

void TcpTunnel::on_attempt_failed(AttemptEnd how, std::string_view detail) {
  if (closed_) return;
  if (open_) return session_.on_far_closed(true);
  if (how == AttemptEnd::kOverflow || how == AttemptEnd::kLocalOverflow) return session_.on_far_overflow();
  session_.on_far_failed(std::string(detail));
}

void TcpTunnel::on_attempt_drained() {
  stream_writable_ = true;
  if (open_ && !closed_) session_.on_far_flushed();
}

void TcpTunnel::send(ReadBuffer& from) {
  while (!from.empty() && attempt_.stream()) attempt_.stream()->send_body(from.take(from.size()), false);
  stream_writable_ = !attempt_.stream() || attempt_.stream()->writable();
}

void TcpTunnel::finish_sending() {
  if (request_ended_) return;
  request_ended_ = true;
  if (attempt_.stream()) attempt_.stream()->send_body({}, true);
}

void TcpTunnel::read_on() {
  if (!paused_) return;
  paused_ = false;
  if (attempt_.stream()) attempt_.stream()->resume();
}

}  // namespace weft::downstream
