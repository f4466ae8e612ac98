// A client that speaks HTTP: its socket, its codec (found by the first bytes when codec_type is AUTO) and its exchanges.
// Owned by the worker's list of connections.
#pragma once
#include "common/http/codec.h"
#include "common/http/keepalive.h"
#include "common/net/connection.h"
#include "common/net/connection_facts.h"
#include "common/observe/byte_counts.h"
#include "proxy/downstream/environment.h"
#include "proxy/downstream/network_gate.h"

#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace weft::downstream {

class Exchange;

class HttpConnection final : public net::Connection, private http::CodecEvents {
 public:
  HttpConnection(ConnectionOwner& owner, std::shared_ptr<HttpService> service, std::unique_ptr<net::Stream> stream);
  ~HttpConnection() override;
  void begin();
  // Finishes what is under way: no further requests.
  void drain();
  // The next request is its last. An idle client is not cut off in the moment it sends one.
  void drain_with_next_request() { drain_with_next_ = true; }
  // The connection manager's new configuration: holds from the next request on.
  void change_service(std::shared_ptr<HttpService> service) { service_ = std::move(service); }
  // Ends everything now.
  void abort();
  bool aborted() const { return aborted_; }

  HttpService& service() { return *service_; }
  const std::shared_ptr<HttpService>& service_ref() const { return service_; }
  uint64_t id() const { return id_; }
  std::string_view peer_text() const { return peer_text_; }
  std::string_view local_text() const { return local_text_; }
  std::string_view direct_peer_text() const { return direct_texts_ ? direct_texts_->peer : peer_text_; }
  std::string_view direct_local_text() const { return direct_texts_ ? direct_texts_->local : local_text_; }
  // Whom it comes from and what it is for: the socket's addresses, unless more is known.
  const net::Endpoint& client() const { return facts_ ? facts_->remote : peer_address(); }
  const net::Endpoint& destination() const { return facts_ ? facts_->local : local_address(); }
  // What is known of it beside its addresses; null: its listener looks at nothing.
  const std::shared_ptr<const net::ConnectionFacts>& facts() const { return facts_; }
  // Before it begins.
  void set_facts(std::shared_ptr<const net::ConnectionFacts> facts);
  std::chrono::steady_clock::time_point opened() const { return opened_; }
  http::Protocol protocol() const { return codec_->protocol(); }
  // What filters keep for this connection, by keys of theirs; null at first.
  std::shared_ptr<const void>& state_of(const std::shared_ptr<const void>& key);
  // Whether the answer now going out is the connection's last.
  bool draining() const { return draining_; }
  // A request's head has come: a slow one is no longer feared.
  void on_request_head();
  void on_protocol_error() { protocol_error_ = true; }
  // The exchange has told its last and rests.
  void on_exchange_over(Exchange& exchange);

 private:
  // net::Connection
  void on_bytes() override;
  void on_peer_ended() override;
  void on_closed(int error) override;
  Output& output() override { return codec_ ? codec_->output() : nothing_; }
  void on_flushed() override;
  bool gathers() const override { return codec_ && codec_->active_streams() > 1; }
  bool wants_bytes() const override { return !codec_ || codec_->wants_bytes(); }
  // http::CodecEvents
  http::StreamReceiver& on_new_stream(http::Stream& stream) override;
  void on_output() override { mark_dirty(); }
  void on_readable_again() override { resume_reading(); }
  void on_stream_over() override;
  void on_going_away() override {}
  void on_output_over() override { end_output(); }
  void on_ping_answered() override;

  bool passes_gate();
  bool choose_codec();
  void count_bytes();
  void watch_flush();
  void close_if_done();
  void over();
  void on_idle();
  void on_old();
  void on_slow_head();
  void on_drain_timeout();
  void on_stalled();
  void on_dead();
  ConnectionOwner& owner_;
  std::shared_ptr<HttpService> service_;
  const std::shared_ptr<HttpService> opened_with_;  // whose connection counters it moves
  std::unique_ptr<NetworkGate> gate_;               // null: no network filters stand before the connection manager
  std::unique_ptr<http::Codec> codec_;
  std::unique_ptr<http::Keepalive> keepalive_;
  Output nothing_;
  std::vector<Exchange*> exchanges_;
  struct State {
    std::shared_ptr<const void> key, value;
  };
  std::unique_ptr<std::deque<State>> states_;  // null until a filter keeps something
  std::shared_ptr<const net::ConnectionFacts> facts_;
  std::string peer_text_, local_text_;
  struct DirectTexts {
    std::string peer, local;
  };
  std::unique_ptr<DirectTexts> direct_texts_;  // null: the same
  std::chrono::steady_clock::time_point opened_;
  Timeout<HttpConnection, &HttpConnection::on_idle> idle_{*this};
  Timeout<HttpConnection, &HttpConnection::on_old> age_{*this};
  Timeout<HttpConnection, &HttpConnection::on_slow_head> slow_head_{*this};
  Timeout<HttpConnection, &HttpConnection::on_drain_timeout> farewell_{*this};
  // Answers that are complete for us wait for a client that may never read them.
  Timeout<HttpConnection, &HttpConnection::on_stalled> stalled_{*this};
  observe::ByteCounts bytes_;
  uint64_t sent_before_ = 0;  // bytes_sent() when stalled_ was armed
  uint64_t id_;
  uint32_t requests_ = 0;
  bool http2_ = false;
  bool draining_ = false, drain_with_next_ = false, over_ = false, protocol_error_ = false, aborted_ = false;
};

}  // namespace weft::downstream
