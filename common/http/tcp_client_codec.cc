// The far end of a CONNECT that is terminated here: a connection that speaks no HTTP, in the clothes of a client codec, so that pools,
// breakers and timeouts treat it as any other.
#include "common/http/codec.h"

#include <cassert>

namespace weft::http {
namespace {

class TcpClientCodec final : public ClientCodec, private Stream {
 public:
  TcpClientCodec(CodecEvents& events, const BufferLimits& limits, SlabPool& pool) : ClientCodec(pool), events_(events), limits_(limits) {}

  // --- ClientCodec ---
  Status receive(ReadBuffer& in) override;
  bool on_peer_ended() override;
  void on_connection_lost() override { lose(); }
  void on_flushed() override;
  bool wants_bytes() const override { return !paused_; }
  bool wants_close() const override { return !active_ && (used_ || draining_); }
  bool wants_reset() const override { return cut_; }
  bool is_tunnel() const override { return used_; }
  void drain() override { draining_ = true; }
  size_t active_streams() const override { return active_; }
  Protocol protocol() const override { return Protocol::kTcp; }
  size_t available_streams() const override { return used_ || draining_ ? 0 : 1; }
  Stream& open(StreamReceiver& receiver) override;

 private:
  // --- Stream ---
  void send_head(const Head& head, bool end) override;
  void send_body(Slice slice, bool end) override;
  void send_trailers(const Head&) override { send_body({}, true); }
  void reset(ResetReason reason) override;
  void pause() override { paused_ = true; }
  void resume() override;
  bool writable() const override { return !above_high_; }
  uint32_t id() const override { return 1; }
  uint64_t wire_bytes_received() const override { return received_; }
  uint64_t wire_bytes_sent() const override { return sent_; }

  void deliver_end();
  void finish();
  void lose();

  CodecEvents& events_;
  const BufferLimits limits_;
  StreamReceiver* receiver_ = nullptr;
  uint64_t received_ = 0, sent_ = 0;
  bool used_ = false, active_ = false, answered_ = false;
  bool our_half_over_ = false, their_half_over_ = false, delivering_end_ = false;
  bool peer_ended_ = false, held_back_ = false, in_receive_ = false;
  bool paused_ = false, above_high_ = false, draining_ = false, cut_ = false;
};

Stream& TcpClientCodec::open(StreamReceiver& receiver) {
  assert(!used_);
  receiver_ = &receiver;
  used_ = active_ = true;
  return *this;
}

void TcpClientCodec::send_head(const Head&, bool end) {
  if (!active_ || answered_) return;
  answered_ = true;
  receiver_->incoming_head().clear();
  receiver_->incoming_head().set_status(200);
  receiver_->on_head(false);
  if (active_ && end) send_body({}, true);   // a POST that has nothing to say
  if (active_) events_.on_readable_again();  // what the host said first
}

Status TcpClientCodec::receive(ReadBuffer& in) {
  in_receive_ = true;
  held_back_ = false;
  while (active_ && !in.empty()) {
    if (paused_ || !answered_) {
      held_back_ = true;
      break;
    }
    received_ += in.size();
    receiver_->on_body(in.take(in.size()), false);
  }
  in_receive_ = false;
  if (!active_) in.consume(in.size());
  if (peer_ended_ && !held_back_) deliver_end();
  return boost::system::in_place_value;
}

bool TcpClientCodec::on_peer_ended() {
  peer_ended_ = true;
  if (active_ && !answered_)
    lose();
  else if (!held_back_)
    deliver_end();
  return active_;
}

void TcpClientCodec::deliver_end() {
  if (!active_ || their_half_over_) return;
  their_half_over_ = delivering_end_ = true;
  receiver_->on_body({}, true);
  delivering_end_ = false;
  if (active_ && our_half_over_) finish();
}

void TcpClientCodec::send_body(Slice slice, bool end) {
  if (!active_ || our_half_over_) return;
  sent_ += slice.size;
  if (slice.size) output_.append(std::move(slice));
  if (output_.size() >= limits_.high) above_high_ = true;
  our_half_over_ = end;
  events_.on_output();
  if (!end) return;
  events_.on_output_over();
  if (their_half_over_ && !delivering_end_) finish();
}

void TcpClientCodec::reset(ResetReason) {
  if (!active_) return;
  cut_ = true;
  finish();
}

void TcpClientCodec::finish() {
  active_ = paused_ = false;
  receiver_ = nullptr;
  events_.on_stream_over();
}

void TcpClientCodec::resume() {
  if (!paused_) return;
  paused_ = false;
  if (!in_receive_) events_.on_readable_again();
}

void TcpClientCodec::lose() {
  if (!active_) return;
  StreamReceiver* const receiver = receiver_;
  active_ = paused_ = false;
  receiver_ = nullptr;
  receiver->on_reset(ResetReason::kConnectionClosed, "connection_termination");
  events_.on_stream_over();
}

void TcpClientCodec::on_flushed() {
  if (!above_high_ || output_.size() > limits_.low) return;
  above_high_ = false;
  if (active_ && !our_half_over_) receiver_->on_drained();
}

}  // namespace

std::unique_ptr<ClientCodec> make_tcp_client(CodecEvents& events, const BufferLimits& limits, SlabPool& pool) {
  return std::make_unique<TcpClientCodec>(events, limits, pool);
}

}  // namespace weft::http
