// The connection as a whole: what it begins with, bytes in and out, and the three ways in which it ends (drained, lost, at fault).
#include "common/http/http2/codec.h"

#include <cassert>

namespace weft::http {
namespace http2 {

Http2Codec::Http2Codec(CodecEvents& events, const Http2Options& options, SlabPool& pool, bool server, observe::Cells* stats)
    : ClientCodec(pool),
      events_(events),
      options_(options),
      stats_(stats),
      server_(server),
      preface_left_(server ? kPreface.size() : 0),
      builder_(options_, server),
      guard_(options_),
      reset_rate_(options_.reset_rate),
      window_(std::clamp<uint32_t>(options_.initial_connection_window, kDefaultWindow, kMostWindow)) {
  say_hello();
}

// Waits in the output until the first entry: the owner is not ready for calls yet.
void Http2Codec::say_hello() {
  if (!server_) {
    output_.append(kPreface);
    written_ += kPreface.size();
  }
  std::string settings;
  const auto say = [this, &settings](uint16_t identifier, uint32_t value) {
    char entry[6];
    put32(put16(entry, identifier), value);
    settings.append(entry, 6);
    if (identifier == setting::kInitialWindowSize) own_window_ = value;
    if (identifier == setting::kHeaderTableSize) own_table_ = value;
    if (identifier == setting::kMaxFrameSize) frame_limit_ = std::clamp(value, kDefaultFrameSize, kMostFrameSize);
  };
  say(setting::kInitialWindowSize, std::min(options_.initial_stream_window, kMostWindow));
  if (server_) {
    say(setting::kMaxConcurrentStreams, options_.max_concurrent_streams);
    if (options_.allow_connect) say(setting::kEnableConnectProtocol, 1);
  } else {
    say(setting::kEnablePush, 0);
  }
  if (options_.hpack_table_size != HpackDecoder::kDefaultTable) say(setting::kHeaderTableSize, options_.hpack_table_size);
  for (const auto& [identifier, value] : options_.custom_settings) say(identifier, value);
  write_control(FrameType::kSettings, 0, 0, settings);
  const uint32_t window = std::clamp(options_.initial_connection_window, kDefaultWindow, kMostWindow);
  if (window == kDefaultWindow) return;
  char more[4];
  put32(more, window - kDefaultWindow);
  write_control(FrameType::kWindowUpdate, 0, 0, {more, 4});
}

Http2Codec::~Http2Codec() {
  assert(depth_ == 0);
  while (streams_) {
    Http2Stream* const stream = streams_;
    unlink(*stream);
    delete stream;
  }
  for (Http2Stream* stream : graves_) delete stream;
  count(Http2Stat::kOutboundFramesActive, -int64_t{outbound_.frames()});
  count(Http2Stat::kOutboundControlFramesActive, -int64_t{outbound_.control()});
}

// --- bytes in ---

Status Http2Codec::receive(ReadBuffer& in) {
  if (dead_) {
    in.consume(in.size());
    return boost::system::in_place_value;
  }
  {
    Entry entry(*this);
    answers_ = acknowledgements_ = 0;
    bound_output();
    read(in);
    bound_answers();
    // What stands behind a connection error is not read.
    if (silent()) in.consume(in.size());
  }
  if (!failed_) return boost::system::in_place_value;
  Error error{Error::Kind::kInvalid, "HTTP/2 protocol error", server_ ? Side::kDownstream : Side::kUpstream};
  if (!fault_.empty()) error.detail = fault_;
  dead_ = true;
  lose_all(ResetReason::kProtocolError, fault_.empty() ? std::string_view("http2.connection_error") : fault_);
  return error;
}

void Http2Codec::fail(std::string_view details, uint32_t code) {
  if (silent()) return;
  fault_ = details;
  write_goaway(last_processed_, code);
  failed_ = true;
}

void Http2Codec::flood(std::string_view details, Http2Stat::Index stat) {
  if (silent()) return;
  count(stat);
  fail(details, code::kEnhanceYourCalm);
}

void Http2Codec::stream_thrown_away() {
  if (!guard_.stream_reset()) fail(kTooManyPrematureResets, code::kEnhanceYourCalm);
}

// --- bytes out ---

void Http2Codec::on_flushed() {
  const uint32_t frames = outbound_.frames(), control = outbound_.control();
  if (frames == 0) return;
  outbound_.flushed(output_.size());
  count(Http2Stat::kOutboundFramesActive, int64_t{outbound_.frames()} - frames);
  if (control) count(Http2Stat::kOutboundControlFramesActive, int64_t{outbound_.control()} - control);
  if (dead_) return;
  Entry entry(*this);
  bound_output();
}

// Runs when the outermost entry ends: sends what can be sent, wakes who waited, frees what is over.
void Http2Codec::settle() {
  if (!ready_ && drained_.empty() && written_ == 0 && graves_.empty()) return;
  ++depth_;
  for (;;) {
    // Half of the room is worth the work of going on.
    if (ready_ && (written_ || output_.size() < output_mark_ / 2)) pump();
    if (drained_.empty()) break;
    Http2Stream* const stream = drained_.back();
    drained_.pop_back();
    if (!dead_ && stream->receiver && !stream->local_over) stream->receiver->on_drained();
  }
  if (written_) {
    const uint32_t frames = outbound_.frames(), control = outbound_.control();
    outbound_.close_batch(std::exchange(written_, 0));
    count(Http2Stat::kOutboundFramesActive, int64_t{outbound_.frames()} - frames);
    if (outbound_.control() != control) count(Http2Stat::kOutboundControlFramesActive, int64_t{outbound_.control()} - control);
    events_.on_output();
  }
  for (Http2Stream* stream : graves_) delete stream;
  graves_.clear();
  --depth_;
}

// Asked once what could leave has left: what is still here waits for a peer that makes us answer and does not read. How many
// frames a request makes is its client's doing, and no fault of the host that it goes to.
void Http2Codec::bound_output() {
  if (outbound_.control() > options_.max_outbound_control_frames) {
    flood("http2.outbound_control_flood", Http2Stat::kOutboundControlFlood);
  } else if (server_ && outbound_.frames() > options_.max_outbound_frames) {
    flood("http2.outbound_frames_flood", Http2Stat::kOutboundFlood);
  }
}

// And what was said, heads aside, because of what was just read.
void Http2Codec::bound_answers() {
  if (answers_ > options_.max_outbound_control_frames) {
    flood("http2.outbound_control_flood", Http2Stat::kOutboundControlFlood);
  } else if (answers_ > options_.max_outbound_frames) {
    flood("http2.outbound_frames_flood", Http2Stat::kOutboundFlood);
  }
}

void Http2Codec::send_ping() {
  if (silent()) return;
  Entry entry(*this);
  write_control(FrameType::kPing, 0, 0, kAlivePing);
}

// --- the end ---

// RFC 9113 6.8: first a GOAWAY that only asks for no new streams; once the client must have seen it (it has answered the PING
// behind it, or the owner is tired of waiting) the one that says which streams were taken. What came in between is served.
void Http2Codec::drain() {
  if (silent() || drain_ == Drain::kFinal) return;
  Entry entry(*this);
  if (!server_ || drain_ == Drain::kNoticed) return say_goodbye();
  drain_ = Drain::kNoticed;
  write_goaway(kMostStream, code::kNoError);
  write_control(FrameType::kPing, 0, 0, kDrainPing);
}

void Http2Codec::say_goodbye() {
  if (silent() || drain_ == Drain::kFinal) return;
  drain_ = Drain::kFinal;
  write_goaway(last_processed_, code::kNoError);
}

bool Http2Codec::wants_close() const {
  if (silent()) return true;
  return (going_away_ || drain_ == Drain::kFinal) && known_ == 0;
}

bool Http2Codec::on_peer_ended() {
  dead_ = true;
  lose_all(ResetReason::kConnectionClosed, server_ ? "downstream_remote_disconnect" : "connection_termination");
  return false;
}

void Http2Codec::on_connection_lost() { on_peer_ended(); }

}  // namespace http2

std::unique_ptr<Codec> make_http2_server(CodecEvents& events, const Http2Options& options, SlabPool& pool, observe::Cells* stats) {
  return std::make_unique<http2::Http2Codec>(events, options, pool, true, stats);
}

std::unique_ptr<ClientCodec> make_http2_client(CodecEvents& events, const Http2Options& options, SlabPool& pool, observe::Cells* stats) {
  return std::make_unique<http2::Http2Codec>(events, options, pool, false, stats);
}

}  // namespace weft::http
