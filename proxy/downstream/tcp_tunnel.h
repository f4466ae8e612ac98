// The far side of a TCP session that goes through an HTTP proxy (tunneling_config): a CONNECT, or a POST, on a stream of the
// cluster's pools, whose body carries the client's bytes and whose answer's body the host's.
#pragma once
#include "proxy/downstream/tcp_session.h"
#include "proxy/upstream/attempt.h"

#include <memory>

namespace weft::downstream {

class TcpTunnel final : public net::Retirable, public TcpSession::Far, private upstream::AttemptEvents {
 public:
  TcpTunnel(TcpSession& session, net::Loop& loop);
  void start(std::shared_ptr<upstream::Cluster> cluster, const upstream::Host& host);
  // Gives it up, or gives back what a whole one has used: nothing more is heard of it.
  void close();

  void send(ReadBuffer& from) override;
  void finish_sending() override;
  void read_on() override;
  bool full() const override { return !stream_writable_; }
  bool ended() const override { return answer_ended_; }
  bool empty() const override { return request_ended_; }

 private:
  http::Head& response_head() override { return answer_; }
  http::Head& answer_trailers() override { return trailers_; }
  void on_attempt_ready() override;
  void on_attempt_informational() override {}
  void on_attempt_head(bool end) override;
  void on_attempt_body(Slice slice, bool end) override;
  void on_attempt_trailers() override { on_answer_ended(); }
  void on_attempt_failed(upstream::AttemptEnd how, std::string_view detail) override;
  void on_attempt_drained() override;
  void on_answer_ended();

  TcpSession& session_;
  http::Head request_, answer_, trailers_;
  std::shared_ptr<upstream::Cluster> cluster_;
  std::shared_ptr<const upstream::EndpointSet> endpoints_;  // the host's
  upstream::Attempt attempt_{*this};
  bool open_ = false, closed_ = false;
  bool request_ended_ = false, answer_ended_ = false;
  bool stream_writable_ = true;
  bool paused_ = false;  // the answer waits until the client takes more
};

}  // namespace weft::downstream
