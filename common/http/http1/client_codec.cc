// HTTP/1 as a client: one request at a time. It remembers what it asked, so that it knows which answers have a body. An answer
// that nobody asked for, an odd one or a cut one never lets the connection be used again.
#include "common/http/http1/parser.h"
#include "common/http/http1/writer.h"
#include "common/http/syntax.h"

#include <cassert>

namespace weft::http {
namespace http1 {
namespace {

// 1xx answers to one request; more is a flood.
constexpr int kInterimAnswers = 64;

class UpstreamCodec final : public ClientCodec, private Stream {
 public:
  UpstreamCodec(CodecEvents& events, const Http1Options& options, SlabPool& pool)
      : ClientCodec(pool), events_(events), options_(options), parser_(Parser::Side::kResponse, options_), writer_(output_, options_) {}

  // --- ClientCodec ---
  Status receive(ReadBuffer& in) override;
  bool on_peer_ended() override;
  void on_connection_lost() override;
  void on_flushed() override;
  bool wants_bytes() const override { return !paused_ && !(last_ && !active_); }
  bool wants_close() const override { return !active_ && (last_ || draining_); }
  bool wants_reset() const override { return cut_; }
  bool is_tunnel() const override { return tunnel_open_; }
  void drain() override { draining_ = true; }
  size_t active_streams() const override { return active_; }
  Protocol protocol() const override { return Protocol::kHttp11; }
  size_t available_streams() const override { return active_ || last_ || draining_ ? 0 : 1; }
  Stream& open(StreamReceiver& receiver) override;

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
  uint64_t wire_bytes_received() const override { return received_before_ + parser_.bytes(); }
  uint64_t wire_bytes_sent() const override { return writer_.bytes(); }

  void on_head();
  bool opens_tunnel(Head& head);
  void answer_over() { answer_over_ = delivering_end_ = true; }
  void sent(bool whole, bool end);
  void finish();
  void lose(ResetReason reason, std::string_view details);
  bool conclude();

  CodecEvents& events_;
  Http1Options options_;
  Parser parser_;
  Writer writer_;
  StreamReceiver* receiver_ = nullptr;
  uint64_t received_before_ = 0;  // interim answers, a tunnel's bytes
  std::string upgrade_;           // what was asked for, in lower case
  uint32_t id_ = 0;
  int interim_ = 0;
  bool active_ = false;
  bool request_over_ = false, answer_over_ = false, delivering_end_ = false;
  bool head_sent_ = false;
  bool tunnel_ = false;       // CONNECT, or an upgrade was asked for
  bool tunnel_open_ = false;  // and granted
  bool cut_ = false;          // an open tunnel was given up
  bool last_ = false;         // no request after this one
  bool told_ = false;         // on_going_away() was called
  bool paused_ = false, held_back_ = false, in_receive_ = false;
  bool over_in_receive_ = false;  // a stream ended inside receive()
  bool peer_ended_ = false, draining_ = false, above_high_ = false;
};

Stream& UpstreamCodec::open(StreamReceiver& receiver) {
  assert(available_streams() == 1);
  ++id_;
  receiver_ = &receiver;
  active_ = true;
  request_over_ = answer_over_ = delivering_end_ = head_sent_ = paused_ = above_high_ = tunnel_ = tunnel_open_ = false;
  interim_ = 0;
  received_before_ = 0;
  writer_.reset_count();
  parser_.begin(receiver.incoming_head(), receiver.incoming_trailers());
  return *this;
}

Status UpstreamCodec::receive(ReadBuffer& in) {
  in_receive_ = true;
  held_back_ = false;
  Status result = boost::system::in_place_value;
  while (active_) {
    if (answer_over_) break;
    if (paused_) {
      held_back_ = !in.empty();
      break;
    }
    if (!head_sent_ && !in.empty()) {  // an answer before the question
      lose(ResetReason::kProtocolError, "upstream_unsolicited_bytes");
      break;
    }
    if (tunnel_open_) {
      if (in.empty()) break;
      received_before_ += in.size();
      receiver_->on_body(in.take(in.size()), false);
      continue;
    }
    const Parser::Step step = parser_.next(in);
    if (step == Parser::Step::kMore) break;
    switch (step) {
      case Parser::Step::kHead: on_head(); break;
      case Parser::Step::kBody: {
        const bool end = parser_.complete();
        if (end) answer_over();
        receiver_->on_body(parser_.take_body(), end);
        break;
      }
      case Parser::Step::kTrailers:
        answer_over();
        receiver_->on_trailers();
        break;
      case Parser::Step::kEnd:
        answer_over();
        receiver_->on_body({}, true);
        break;
      case Parser::Step::kFault: lose(ResetReason::kProtocolError, parser_.fault().details); break;
      case Parser::Step::kMore: break;
    }
    if (delivering_end_) {
      delivering_end_ = false;
      if (active_ && request_over_) finish();
    }
  }
  in_receive_ = false;
  if (last_ && !active_) {
    in.consume(in.size());
  } else if (!in.empty() && (!active_ || answer_over_)) {
    // Bytes that belong to no answer: a second answer, or noise on an idle connection. Never taken for the next one's.
    in.consume(in.size());
    lose(ResetReason::kProtocolError, "upstream_unsolicited_bytes");
    result = Error{Error::Kind::kInvalid, "bytes that belong to no answer", Side::kUpstream};
  }
  if (peer_ended_) conclude();
  // Told only now, when no byte is left: whoever gets the connection next must not be given the rest as its answer.
  if (over_in_receive_) {
    over_in_receive_ = false;
    events_.on_stream_over();
  }
  return result;
}

void UpstreamCodec::on_head() {
  Head& head = receiver_->incoming_head();
  if (tunnel_ && opens_tunnel(head)) {
    tunnel_open_ = true;
    if (!told_) {
      told_ = true;
      events_.on_going_away();
    }
    if (active_) receiver_->on_head(false);
    return;
  }
  if (head.status() == 101) return lose(ResetReason::kProtocolError, "http1.unexpected_upgrade");
  if (head.status() < 200) {
    if (++interim_ > kInterimAnswers) return lose(ResetReason::kOverflow, "http1.too_many_interim_responses");
    receiver_->on_informational();
    if (!active_) return;
    received_before_ += parser_.bytes();
    parser_.begin(head, receiver_->incoming_trailers());
    return;
  }
  if (!parser_.keeps_alive()) last_ = true;
  const bool end = parser_.complete();
  if (end) answer_over();
  if (last_ && !told_) {
    told_ = true;
    events_.on_going_away();
    if (!active_) return;
  }
  receiver_->on_head(end);
}

// The server must switch to what was asked for and to nothing else (RFC 9110 7.8).
bool UpstreamCodec::opens_tunnel(Head& head) {
  if (!(upgrade_.empty() ? head.status() / 100 == 2 : head.status() == 101 && equals_ignoring_case(wanted_upgrade(head), upgrade_)))
    return false;
  head.remove(HeaderId::kContentLength);
  head.remove(HeaderId::kTransferEncoding);
  return true;
}

void UpstreamCodec::send_head(const Head& head, bool end) {
  if (!active_ || request_over_) return;
  head_sent_ = true;
  upgrade_.clear();
  tunnel_ = head.asks_for_tunnel();
  if (tunnel_ && head.method() != "CONNECT")
    for (char c : head.value(HeaderId::kUpgrade)) upgrade_ += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  if (options_.close_after_request || draining_ || tunnel_ || head.method() == "CONNECT") last_ = true;
  parser_.answers(head.method());
  writer_.request(head, end, last_);
  sent(end ? writer_.body({}, true) : true, end);
}

void UpstreamCodec::send_body(Slice slice, bool end) {
  if (!active_ || request_over_) return;
  const bool whole = writer_.body(std::move(slice), end);
  sent(whole, end);
}

void UpstreamCodec::send_trailers(const Head& trailers) {
  if (!active_ || request_over_) return;
  const bool whole = options_.enable_trailers ? writer_.trailers(trailers) : writer_.body({}, true);
  sent(whole, true);
}

void UpstreamCodec::sent(bool whole, bool end) {
  if (!whole) last_ = true;  // fewer bytes than promised: the server waits for more, and gets the connection's end instead
  if (output_.size() >= options_.buffer.high) above_high_ = true;
  if (end) request_over_ = true;
  events_.on_output();
  if (!whole && !answer_over_) return lose(ResetReason::kProtocolError, "content_length_mismatch");
  if (end && tunnel_open_) events_.on_output_over();
  if (end && answer_over_ && !delivering_end_ && active_) finish();
}

void UpstreamCodec::reset(ResetReason) {
  if (!active_) return;
  // Before anything was sent the connection is as good as it was.
  if (head_sent_) last_ = true;
  cut_ = tunnel_open_;
  finish();
}

void UpstreamCodec::finish() {
  active_ = paused_ = false;
  receiver_ = nullptr;
  if (in_receive_)
    over_in_receive_ = true;
  else
    events_.on_stream_over();
}

void UpstreamCodec::resume() {
  if (!paused_) return;
  paused_ = false;
  if (!in_receive_) events_.on_readable_again();
}

void UpstreamCodec::lose(ResetReason reason, std::string_view details) {
  last_ = true;
  if (!active_) return;
  StreamReceiver* const receiver = receiver_;
  active_ = paused_ = false;
  receiver_ = nullptr;
  receiver->on_reset(reason, details);
  events_.on_stream_over();
}

// The peer has ended: what is still missing will not come.
bool UpstreamCodec::conclude() {
  last_ = true;
  if (!active_ || held_back_) return active_;
  if (answer_over_) return true;  // our request is still going out
  if (tunnel_open_) {
    answer_over();
    receiver_->on_body({}, true);
    delivering_end_ = false;
    if (active_ && request_over_) finish();
    return active_;
  }
  if (parser_.framing() == Framing::kUntilClose && parser_.at_body()) {
    answer_over_ = request_over_ = true;  // nobody reads the rest of the request
    delivering_end_ = true;
    receiver_->on_body({}, true);
    delivering_end_ = false;
    if (active_) finish();
    return false;
  }
  lose(ResetReason::kConnectionClosed, "connection_termination");
  return false;
}

bool UpstreamCodec::on_peer_ended() {
  peer_ended_ = true;
  return conclude();
}

void UpstreamCodec::on_connection_lost() { lose(ResetReason::kConnectionClosed, "connection_termination"); }

void UpstreamCodec::on_flushed() {
  if (!above_high_ || output_.size() > options_.buffer.low) return;
  above_high_ = false;
  if (active_ && !request_over_) receiver_->on_drained();
}

}  // namespace
}  // namespace http1

std::unique_ptr<ClientCodec> make_http1_client(CodecEvents& events, const Http1Options& options, SlabPool& pool) {
  return std::make_unique<http1::UpstreamCodec>(events, options, pool);
}

}  // namespace weft::http
