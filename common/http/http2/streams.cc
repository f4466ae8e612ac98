// A stream's life. It has a receiver until both sides have said all, or one gives up; nghttp2 may know it longer than that, for
// what was queued still leaves. Freed once nghttp2 has closed it, by settle.
#include "common/http/http2/codec.h"

#include <algorithm>
#include <cassert>

namespace weft::http::http2 {

Http2Stream& Http2Codec::make_stream(StreamReceiver* receiver) {
  auto* stream = new Http2Stream(*this, receiver);
  stream->next = streams_;
  if (streams_) streams_->previous = stream;
  streams_ = stream;
  ++active_;
  ++known_;
  count(Http2Stat::kStreamsActive);
  return *stream;
}

// What was to be sent of it is not sent.
void Http2Codec::drop_pending(Http2Stream& stream) {
  count(Http2Stat::kPendingSendBytes, -static_cast<int64_t>(stream.pending));
  stream.slices.clear();
  stream.first = stream.pending = 0;
}

void Http2Codec::unlink(Http2Stream& stream) {
  count(Http2Stat::kPendingSendBytes, -static_cast<int64_t>(stream.pending));
  (stream.previous ? stream.previous->next : streams_) = stream.next;
  if (stream.next) stream.next->previous = stream.previous;
  --known_;
  count(Http2Stat::kStreamsActive, -1);
}

size_t Http2Codec::available_streams() const {
  if (dead_ || failed_ || going_away_ || drain_ != Drain::kNo || !nghttp2_session_check_request_allowed(session_)) return 0;
  const uint32_t theirs = nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  const size_t most = std::min({theirs, options_.max_concurrent_streams, uint32_t{0x7fffffff}});
  return most > known_ ? most - known_ : 0;
}

Stream& Http2Codec::open(StreamReceiver& receiver) {
  assert(!server_ && available_streams() > 0);
  return make_stream(&receiver);
}

// --- ends ---

void Http2Codec::maybe_over(Http2Stream& stream) {
  if (stream.receiver && stream.remote_over && stream.local_over && !stream.delivering_end) over(stream);
}

// The receiver's part is done; what is queued leaves on its own.
void Http2Codec::over(Http2Stream& stream) {
  stream.receiver = nullptr;
  --active_;
  if (stream.broken && !stream.closed) refuse_rest(stream);
  events_.on_stream_over();
}

// The answer is whole; of the request no more is wanted. An early reset would cut the answer, so it follows its end.
void Http2Codec::refuse_rest(Http2Stream& stream) {
  if (!stream.end_sent) {
    stream.reset_when_sent = true;
  } else if (nghttp2_session_get_stream_remote_close(session_, stream.number) == 0) {
    submit_reset(stream.number, NGHTTP2_NO_ERROR);
  }
}

void Http2Codec::lose(Http2Stream& stream, ResetReason reason, std::string_view details) {
  StreamReceiver* const receiver = std::exchange(stream.receiver, nullptr);
  if (!receiver) return;
  --active_;
  drop_pending(stream);
  receiver->on_reset(reason, details);
  events_.on_stream_over();
}

void Http2Codec::lose_all(ResetReason reason, std::string_view details) {
  Entry entry(*this);  // keeps the list's elements alive
  for (bool found = true; found;) {
    found = false;
    for (Http2Stream* stream = streams_; stream && !found; stream = stream->next) {
      if (!stream->receiver) continue;
      found = true;
      lose(*stream, reason, details);
    }
  }
}

void Http2Codec::drop_stalled() {
  if (dead_) return;
  Entry entry(*this);
  for (Http2Stream* stream = streams_; stream; stream = stream->next) {
    if (stream->receiver || stream->closed) continue;
    if (stream->sent_before == stream->bytes_sent) {
      dirty_ = true;
      count(Http2Stat::kTxFlushTimeout);
      drop_pending(*stream);
      submit_reset(stream->number, NGHTTP2_CANCEL);
    }
    stream->sent_before = stream->bytes_sent;
  }
}

// --- a receiver's calls ---

void Http2Stream::reset(ResetReason reason) { codec.reset(*this, reason); }
void Http2Stream::resume() { codec.resume(*this); }

void Http2Codec::reset(Http2Stream& stream, ResetReason reason) {
  if (!stream.receiver) return;
  Entry entry(*this);
  dirty_ = true;
  stream.receiver = nullptr;
  --active_;
  if (stream.number == 0) {  // never opened
    unlink(stream);
    stream.closed = true;
    graves_.push_back(&stream);
  } else if (server_ && stream.local_over && reason == ResetReason::kLocal) {
    refuse_rest(stream);
    if (stream.owed) nghttp2_session_consume_stream(session_, stream.number, std::exchange(stream.owed, 0));
  } else {
    uint32_t code = server_ ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL;
    if (server_ && stream.tunnel && stream.head_sent) code = NGHTTP2_CONNECT_ERROR;  // RFC 9113 8.5
    if (reason == ResetReason::kLocalRefused || reason == ResetReason::kRemoteRefused) code = NGHTTP2_REFUSED_STREAM;
    if (reason == ResetReason::kProtocolError) code = NGHTTP2_PROTOCOL_ERROR;
    if (reason == ResetReason::kOverflow) code = NGHTTP2_ENHANCE_YOUR_CALM;
    drop_pending(stream);
    submit_reset(stream.number, code);
  }
  events_.on_stream_over();
}

void Http2Codec::resume(Http2Stream& stream) {
  if (!std::exchange(stream.paused, false) || stream.closed || !stream.owed || dead_) return;
  Entry entry(*this);
  dirty_ = true;
  nghttp2_session_consume_stream(session_, stream.number, std::exchange(stream.owed, 0));
}

}  // namespace weft::http::http2
