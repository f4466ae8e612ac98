// A connection to a host: the socket, its codec and the pool it belongs to.
#pragma once
#include "common/http/codec.h"
#include "common/http/keepalive.h"
#include "common/net/connection.h"
#include "common/observe/byte_counts.h"

#include <memory>
#include <string>

namespace weft::upstream {

class Budget;
class HostPool;

class ClientConnection final : public net::Connection, private http::CodecEvents {
 public:
  ClientConnection(HostPool& pool, std::unique_ptr<net::Stream> stream, http::Protocol protocol);
  ~ClientConnection() override;
  void begin();

  // Streams that may be opened now; 0 for ever once retiring.
  size_t available() const { return retiring_ ? 0 : codec_->available_streams(); }
  http::Stream& open(http::StreamReceiver& receiver);
  bool idle() const { return codec_->active_streams() == 0; }
  // Opens no more streams; closes once those under way are over.
  void retire_when_idle();
  uint64_t id() const { return id_; }
  const std::string& local_text() const { return local_text_; }  // "127.0.0.1:40000"
  http::Protocol protocol() const { return codec_->protocol(); }
  // Where it stands in the pool's vector, and whether it is on the ready list: the pool's own notes.
  size_t index = 0;
  bool listed = false;
  std::shared_ptr<Budget> budget;  // where its place is to be given back

 private:
  // net::Connection
  void on_bytes() override;
  void on_peer_ended() override;
  void on_closed(int error) override;
  Output& output() override { return codec_->output(); }
  void on_flushed() override;
  bool gathers() const override { return codec_->active_streams() > 1; }
  bool wants_bytes() const override { return codec_->wants_bytes(); }
  // http::CodecEvents
  http::StreamReceiver& on_new_stream(http::Stream& stream) override;
  void on_output() override { mark_dirty(); }
  void on_readable_again() override { resume_reading(); }
  void on_stream_over() override;
  void on_going_away() override;
  void on_output_over() override { end_output(); }
  void on_ping_answered() override;

  void on_idle();
  void on_old();
  void on_dead();
  void gone(bool by_peer);
  void account();
  void count_bytes();
  HostPool& pool_;
  const std::shared_ptr<observe::Scope> http2_stats_;  // kept for as long as the codec counts
  std::unique_ptr<http::ClientCodec> codec_;
  std::unique_ptr<http::Keepalive> keepalive_;
  Timeout<ClientConnection, &ClientConnection::on_idle> idle_{*this};
  Timeout<ClientConnection, &ClientConnection::on_old> age_{*this};
  std::chrono::steady_clock::time_point opened_;
  const std::string local_text_;
  uint64_t id_;
  observe::ByteCounts bytes_;
  uint32_t requests_ = 0;
  bool retiring_ = false, gone_ = false;
};

}  // namespace weft::upstream
