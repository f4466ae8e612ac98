// HTTP/1 as a server: one exchange at a time; a pipelined request waits in the connection's buffer until the answer before it
// has ended. Once anything was malformed nothing more is read, and the connection closes after the answer.
#include "common/http/http1/parser.h"
#include "common/http/http1/writer.h"

#include <cassert>

namespace weft::http {
namespace http1 {
namespace {

class ServerCodec final : public Codec, private Stream {
 public:
  ServerCodec(CodecEvents& events, const Http1Options& options, SlabPool& pool)
      : Codec(pool), events_(events), options_(options), parser_(Parser::Side::kRequest, options_), writer_(output_, options_) {}

  // --- Codec ---
  Status receive(ReadBuffer& in) override;
  bool on_peer_ended() override;
  void on_connection_lost() override;
  void on_flushed() override;
  bool wants_bytes() const override { return !closing_down() && !paused_ && !(active_ && request_over_) && (active_ || !crowded()); }
  bool wants_close() const override { return !active_ && (last_ || draining_ || (peer_ended_ && !held_back_)); }
  bool wants_reset() const override { return truncated_; }
  bool is_tunnel() const override { return tunnel_open_; }
  void drain() override { draining_ = true; }
  size_t active_streams() const override { return active_; }
  Protocol protocol() const override { return active_ && parser_.version_10() ? Protocol::kHttp10 : Protocol::kHttp11; }

 private:
  // --- Stream ---
  void send_head(const Head& head, bool end) override;
  void send_body(Slice slice, bool end) override;
  void send_trailers(const Head& trailers) override;
  void reset(ResetReason reason) override;
  void pause() override { paused_ = true; }
  void resume() override;
  bool writable() const override { return !above_high_; }
  uint32_t id() const override { return id_; }
  uint64_t wire_bytes_received() const override { return parser_.bytes() + tunneled_; }
  uint64_t wire_bytes_sent() const override { return writer_.bytes(); }

  bool closing_down() const { return (last_ && !active_) || invalid_; }
  // A client that pipelines requests and reads no answers gets no further ones.
  bool crowded() const { return output_.size() >= options_.buffer.high; }
  void begin_stream();
  void invalid(const Fault& fault);
  void sent(bool whole, bool end);
  void request_over();
  bool wants_tunnel() const;
  void peer_over();
  void finish();
  void lose(ResetReason reason, std::string_view details);

  CodecEvents& events_;
  Http1Options options_;
  Parser parser_;
  Writer writer_;
  StreamReceiver* receiver_ = nullptr;
  uint64_t tunneled_ = 0;
  uint32_t id_ = 0;
  bool active_ = false;        // a request is being read or answered
  bool head_over_ = false;     // its head was handed over
  bool answers_head_ = false;  // and said HEAD
  bool request_over_ = false;  // nothing more of it will come
  bool delivering_end_ = false;
  bool answer_begun_ = false, answer_over_ = false;
  bool invalid_ = false;  // malformed: read no more
  bool last_ = false;     // no request after this one
  bool truncated_ = false;
  bool tunnel_ = false;       // CONNECT, or an upgrade is asked for: what follows the head is no message
  bool tunnel_open_ = false;  // and was granted
  bool paused_ = false;
  bool held_back_ = false;  // receive() left bytes that it would take later
  bool in_receive_ = false;
  bool peer_ended_ = false;
  bool draining_ = false;
  bool above_high_ = false;
};

void ServerCodec::begin_stream() {
  ++id_;
  active_ = true;
  head_over_ = answers_head_ = tunnel_ = tunnel_open_ = request_over_ = delivering_end_ = answer_begun_ = answer_over_ = paused_ =
      above_high_ = false;
  writer_.reset_count();
  receiver_ = &events_.on_new_stream(*this);
  if (active_) parser_.begin(receiver_->incoming_head(), receiver_->incoming_trailers());
}

Status ServerCodec::receive(ReadBuffer& in) {
  in_receive_ = true;
  held_back_ = false;
  for (;;) {
    if (closing_down()) {  // what comes after the last request is nobody's
      in.consume(in.size());
      break;
    }
    if (!active_) {
      if (draining_) break;
      if (crowded()) {
        held_back_ = !in.empty();
        break;
      }
      const bool sound = parser_.skip_blank_lines(in);
      if (in.empty() || (sound && *in.begin() == '\r' && in.size() == 1)) break;
      begin_stream();
      continue;
    }
    if (paused_ || request_over_) {
      held_back_ = !in.empty();
      break;
    }
    if (tunnel_) {
      if (in.empty()) break;
      tunneled_ += in.size();
      receiver_->on_body(in.take(in.size()), false);
      continue;
    }
    const Parser::Step step = parser_.next(in);
    if (step == Parser::Step::kMore) break;
    switch (step) {
      case Parser::Step::kHead: {
        head_over_ = true;
        answers_head_ = receiver_->incoming_head().method() == "HEAD";
        tunnel_ = wants_tunnel();
        if (!parser_.keeps_alive() || tunnel_) last_ = true;
        const bool end = parser_.complete() && !tunnel_;
        if (end) request_over();
        receiver_->on_head(end);
        break;
      }
      case Parser::Step::kBody: {
        const bool end = parser_.complete();
        if (end) request_over();
        receiver_->on_body(parser_.take_body(), end);
        break;
      }
      case Parser::Step::kTrailers:
        request_over();
        receiver_->on_trailers();
        break;
      case Parser::Step::kEnd:
        request_over();
        receiver_->on_body({}, true);
        break;
      case Parser::Step::kFault: invalid(parser_.fault()); break;
      case Parser::Step::kMore: break;
    }
    if (delivering_end_) {
      delivering_end_ = false;
      if (active_ && answer_over_) finish();
    }
  }
  in_receive_ = false;
  if (peer_ended_) peer_over();
  return boost::system::in_place_value;
}

// From here an end of the answer ends the stream; but not before the receiver has returned from the call that tells it.
void ServerCodec::request_over() { request_over_ = delivering_end_ = true; }

void ServerCodec::invalid(const Fault& fault) {
  invalid_ = last_ = request_over_ = true;
  delivering_end_ = true;
  receiver_->on_invalid(fault.status, fault.details);
}

// An upgrade with a body is read as any request: what follows it would have to wait for the body's end (RFC 9110 7.8).
bool ServerCodec::wants_tunnel() const {
  if (parser_.is_connect()) return true;
  const Head& head = receiver_->incoming_head();
  if (!head.has(HeaderId::kUpgrade) || parser_.version_10() || !parser_.complete()) return false;
  const std::string_view wanted = wanted_upgrade(head);
  return !wanted.empty() && !is_h2c(wanted) && !(options_.ignored_upgrades && options_.ignored_upgrades->ignores(wanted));
}

void ServerCodec::send_head(const Head& head, bool end) {
  if (!active_ || answer_over_) return;
  const bool opens = tunnel_ && (parser_.is_connect() ? head.status() / 100 == 2 : head.status() == 101);
  if (head.status() < 200 && !opens) {
    if (parser_.version_10()) return;  // knows no interim answers
    writer_.informational(head);
    return sent(true, false);
  }
  // An answer that begins before its request is over could leave the rest of it in the way: this is the last one.
  if (draining_ || !request_over_ || invalid_) last_ = true;
  answer_begun_ = true;
  Writer::Answer answer;
  answer.to_head = answers_head_;
  answer.to_10 = parser_.version_10();
  answer.opens_tunnel = tunnel_open_ = opens;
  answer.close = last_;
  if (writer_.response(head, end, answer)) last_ = true;
  sent(end ? writer_.body({}, true) : true, end);
}

void ServerCodec::send_body(Slice slice, bool end) {
  if (!active_ || answer_over_) return;
  const bool whole = writer_.body(std::move(slice), end);
  sent(whole, end);
}

void ServerCodec::send_trailers(const Head& trailers) {
  if (!active_ || answer_over_) return;
  const bool whole = options_.enable_trailers ? writer_.trailers(trailers) : writer_.body({}, true);
  sent(whole, true);
}

// A body that contradicts its content-length cannot be followed by another answer.
void ServerCodec::sent(bool whole, bool end) {
  if (!whole) last_ = true;
  if (output_.size() >= options_.buffer.high) above_high_ = true;
  if (end) answer_over_ = true;
  events_.on_output();
  if (end && tunnel_open_) events_.on_output_over();
  if (end && request_over_ && !delivering_end_) finish();
}

void ServerCodec::reset(ResetReason) {
  if (!active_) return;
  // Cut where only the connection's end delimits the answer: a plain close would make it look whole.
  if (tunnel_open_ || (answer_begun_ && !answer_over_ && writer_.framing() == Framing::kUntilClose)) truncated_ = true;
  last_ = true;
  finish();
}

void ServerCodec::finish() {
  active_ = paused_ = false;
  receiver_ = nullptr;
  events_.on_stream_over();
  if (!in_receive_ && held_back_ && !closing_down()) events_.on_readable_again();
}

void ServerCodec::resume() {
  if (!paused_) return;
  paused_ = false;
  if (!in_receive_) events_.on_readable_again();
}

void ServerCodec::lose(ResetReason reason, std::string_view details) {
  if (!active_) return;
  StreamReceiver* const receiver = receiver_;
  active_ = paused_ = false;
  last_ = true;
  receiver_ = nullptr;
  receiver->on_reset(reason, details);
  events_.on_stream_over();
}

bool ServerCodec::on_peer_ended() {
  peer_ended_ = true;
  peer_over();
  return active_ || held_back_;
}

// Its half of an open tunnel is over; anything else that was not complete is lost.
void ServerCodec::peer_over() {
  if (!active_ || request_over_ || held_back_) return;
  if (!tunnel_open_) return lose(ResetReason::kConnectionClosed, "downstream_remote_disconnect");
  request_over();
  receiver_->on_body({}, true);
  delivering_end_ = false;
  if (active_ && answer_over_) finish();
}

void ServerCodec::on_connection_lost() {
  last_ = true;
  lose(ResetReason::kConnectionClosed, "downstream_remote_disconnect");
}

void ServerCodec::on_flushed() {
  if (!active_ && held_back_ && !closing_down() && output_.size() <= options_.buffer.low) return events_.on_readable_again();
  if (!above_high_ || output_.size() > options_.buffer.low) return;
  above_high_ = false;
  if (active_ && !answer_over_) receiver_->on_drained();
}

}  // namespace
}  // namespace http1

std::unique_ptr<Codec> make_http1_server(CodecEvents& events, const Http1Options& options, SlabPool& pool) {
  return std::make_unique<http1::ServerCodec>(events, options, pool);
}

}  // namespace weft::http
