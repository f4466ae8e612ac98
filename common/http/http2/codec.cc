// The connection as a whole: the session and its settings, bytes in and out, and the three ways in which it ends (drained, lost,
// at fault).
#include "common/http/http2/codec.h"

#include <algorithm>
#include <cassert>

namespace weft::http {
namespace http2 {

Http2Codec::Http2Codec(CodecEvents& events, const Http2Options& options, SlabPool& pool, bool server, observe::Cells* stats)
    : ClientCodec(pool), events_(events), options_(options), builder_(options_), guard_(options_), stats_(stats), server_(server) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_option_new(&option);
  nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, begin_frame);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, invalid_frame);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, header);
  nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, invalid_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_received);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data_received);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closed);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, frame_sent);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, options_.max_outbound_control_frames);
  nghttp2_option_set_max_send_header_block_length(option, (size_t{options_.max_headers_kib} + 64) * 1024);
  nghttp2_option_set_max_continuations(option, std::max<size_t>(8, options_.max_headers_kib / 16 + 2));
  if (options_.reset_rate) nghttp2_option_set_stream_reset_rate_limit(option, options_.reset_rate->first, options_.reset_rate->second);
  if (server_) {
    nghttp2_session_server_new3(&session_, callbacks, this, option, session_memory());
  } else {
    nghttp2_session_client_new3(&session_, callbacks, this, option, session_memory());
  }
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);

  std::vector<nghttp2_settings_entry> settings = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, std::min<uint32_t>(options_.initial_stream_window, 0x7fffffff)},
      {server_ ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS : NGHTTP2_SETTINGS_ENABLE_PUSH, server_ ? options_.max_concurrent_streams : 0}};
  if (server_ && options_.allow_connect) settings.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
  if (options_.hpack_table_size != 4096) settings.push_back({NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, options_.hpack_table_size});
  for (const auto& [identifier, value] : options_.custom_settings) settings.push_back({identifier, value});
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  const uint32_t window = std::clamp<uint32_t>(options_.initial_connection_window, 65535, 0x7fffffff);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<int32_t>(window));
  dirty_ = true;  // leaves with the first entry: the owner is not ready for calls yet
}

Http2Codec::~Http2Codec() {
  assert(depth_ == 0);
  depth_ = 1;  // nothing leaves any more
  nghttp2_session_del(session_);
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
  Error error{Error::Kind::kInvalid, "HTTP/2 protocol error", server_ ? Side::kDownstream : Side::kUpstream};
  bool fatal = false;
  {
    Entry entry(*this);
    dirty_ = true;
    bound_output();
    if (!in.empty()) {
      reading_ = &in;
      const ssize_t n = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(in.begin()), in.size());
      reading_ = nullptr;
      in.consume(n > 0 ? static_cast<size_t>(n) : in.size());
      if (n < 0) {
        error.detail = nghttp2_strerror(static_cast<int>(n));
        fatal = true;
        if (n == NGHTTP2_ERR_FLOODED) {
          flood("http2.outbound_control_flood", Http2Stat::kOutboundControlFlood);
        } else if (n == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) {
          flood("http2.too_many_headers", Http2Stat::kHeaderOverflow);
        } else if (!failed_) {
          nghttp2_session_terminate_session(session_, NGHTTP2_PROTOCOL_ERROR);
        }
      }
      // Answers of the library to what was just read; few are heads, at most one for each stream.
      const size_t queued = nghttp2_session_get_outbound_queue_size(session_);
      if (queued > size_t{options_.max_outbound_control_frames} + known_) {
        flood("http2.outbound_control_flood", Http2Stat::kOutboundControlFlood);
      } else if (queued > options_.max_outbound_frames) {
        flood("http2.outbound_frames_flood", Http2Stat::kOutboundFlood);
      }
    }
  }
  if (!fatal && !failed_) return boost::system::in_place_value;
  if (!fault_.empty()) error.detail = fault_;
  dead_ = true;
  lose_all(ResetReason::kProtocolError, fault_.empty() ? std::string_view("http2.connection_error") : fault_);
  return error;
}

void Http2Codec::fail(std::string_view details, uint32_t code) {
  if (failed_) return;
  failed_ = true;
  fault_ = details;
  nghttp2_session_terminate_session(session_, code);
  dirty_ = true;
}

void Http2Codec::flood(std::string_view details, Http2Stat::Index stat) {
  if (failed_) return;
  count(stat);
  fail(details, NGHTTP2_ENHANCE_YOUR_CALM);
}

void Http2Codec::stream_thrown_away() {
  if (!guard_.stream_reset()) fail(kTooManyPrematureResets, NGHTTP2_ENHANCE_YOUR_CALM);
}

// --- bytes out ---

void Http2Codec::on_flushed() {
  const uint32_t frames = outbound_.frames(), control = outbound_.control();
  outbound_.flushed(output_.size());
  count(Http2Stat::kOutboundFramesActive, int64_t{outbound_.frames()} - frames);
  count(Http2Stat::kOutboundControlFramesActive, int64_t{outbound_.control()} - control);
  if (dead_) return;
  bound_output();
  if (!dirty_ && output_.size() >= output_mark_ / 2) return;
  Entry entry(*this);
  dirty_ = true;
}

// Runs when the outermost entry ends: sends what can be sent, wakes who waited, frees what is over.
void Http2Codec::settle() {
  ++depth_;
  while (dirty_ && !dead_) {
    dirty_ = false;
    pump();
    while (!drained_.empty()) {
      Http2Stream* const stream = drained_.back();
      drained_.pop_back();
      if (stream->receiver && !stream->local_over) stream->receiver->on_drained();
    }
  }
  drained_.clear();
  for (Http2Stream* stream : graves_) delete stream;
  graves_.clear();
  --depth_;
}

void Http2Codec::pump() {
  const size_t before = output_.size();
  while (output_.size() < output_mark_) {
    const uint8_t* data = nullptr;
    const ssize_t n = nghttp2_session_mem_send(session_, &data);
    if (n <= 0) {
      if (n < 0) failed_ = true;
      break;
    }
    output_.append(std::string_view(reinterpret_cast<const char*>(data), static_cast<size_t>(n)));
  }
  if (output_.size() == before) return;
  const uint32_t frames = outbound_.frames(), control = outbound_.control();
  outbound_.close_batch(output_.size() - before);
  count(Http2Stat::kOutboundFramesActive, int64_t{outbound_.frames()} - frames);
  count(Http2Stat::kOutboundControlFramesActive, int64_t{outbound_.control()} - control);
  events_.on_output();
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

void Http2Codec::send_ping() {
  if (dead_) return;
  Entry entry(*this);
  dirty_ = true;
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kAlivePing);
}

// --- the end ---

// RFC 9113 6.8: first a GOAWAY that only asks for no new streams; once the client must have seen it (it has answered the PING
// behind it, or the owner is tired of waiting) the one that says which streams were taken. What came in between is served.
void Http2Codec::drain() {
  if (dead_ || drain_ == Drain::kFinal) return;
  Entry entry(*this);
  dirty_ = true;
  if (!server_ || drain_ == Drain::kNoticed) return say_goodbye();
  drain_ = Drain::kNoticed;
  nghttp2_submit_shutdown_notice(session_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kDrainPing);
}

void Http2Codec::say_goodbye() {
  if (drain_ == Drain::kFinal) return;
  drain_ = Drain::kFinal;
  dirty_ = true;
  last_taken_ = nghttp2_session_get_last_proc_stream_id(session_);
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last_taken_, NGHTTP2_NO_ERROR, nullptr, 0);
}

bool Http2Codec::wants_close() const {
  if (dead_ || failed_) return true;
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
