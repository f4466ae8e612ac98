// A stream's life. It has a receiver until both sides have said all, or one gives up; it is known longer than that, for what was
// queued still leaves. Closed, it is in no table any more, and settle frees it.
#include "common/http/http2/codec.h"

#include <algorithm>
#include <cassert>

namespace weft::http::http2 {
namespace {

std::string_view details_of(uint32_t code) {
  switch (code) {
    case code::kRefusedStream: return "http2.remote_refuse";
    case code::kProtocolError: return kMessagingRule;
    default: return "http2.remote_reset";
  }
}

ResetReason reason_of(uint32_t code) {
  switch (code) {
    case code::kRefusedStream: return ResetReason::kRemoteRefused;
    case code::kProtocolError:
    case code::kFlowControlError:
    case code::kStreamClosed: return ResetReason::kProtocolError;
    default: return ResetReason::kRemote;
  }
}

}  // namespace

// Nobody has used it yet. Even ones are a server's, and ours opens none.
bool Http2Codec::is_idle(uint32_t number) const { return number % 2 == 0 || (server_ ? number > last_opened_ : number >= next_); }

// Whether frames of a stream that is not there any more may have been on their way when it ended.
bool Http2Codec::may_be_late(uint32_t number) const { return !server_ || drain_ == Drain::kFinal || given_up_.may_contain(number); }

Http2Stream& Http2Codec::make_stream(StreamReceiver* receiver) {
  auto* stream = new Http2Stream(*this, receiver, peer_.window, acknowledged_ ? own_window_ : kDefaultWindow);
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
  if (stream.pending) count(Http2Stat::kPendingSendBytes, -static_cast<int64_t>(stream.pending));
  stream.slices.clear();
  stream.first = stream.pending = 0;
}

void Http2Codec::unlink(Http2Stream& stream) {
  drop_pending(stream);
  unlist(stream);
  (stream.previous ? stream.previous->next : streams_) = stream.next;
  if (stream.next) stream.next->previous = stream.previous;
  if (stream.number) table_.remove(stream.number);
  --known_;
  count(Http2Stat::kStreamsActive, -1);
}

size_t Http2Codec::available_streams() const {
  if (silent() || going_away_ || drain_ != Drain::kNo || next_ > kMostStream) return 0;
  const size_t most = std::min({peer_.streams, options_.max_concurrent_streams, kMostStream});
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
  if (stream.broken) {
    refuse_rest(stream);
  } else {
    maybe_closed(stream);
  }
  events_.on_stream_over();
}

// The answer is whole; of the request no more is wanted. An early reset would cut the answer, so it follows its end.
void Http2Codec::refuse_rest(Http2Stream& stream) {
  if (stream.closed) return;
  if (!stream.end_sent) {
    stream.reset_when_sent = true;
  } else if (!stream.end_received) {
    reset_stream(stream, code::kNoError);
  } else {
    maybe_closed(stream);
  }
}

void Http2Codec::maybe_closed(Http2Stream& stream) {
  if (!stream.closed && stream.end_sent && stream.end_received && !stream.receiver) close_stream(stream, code::kNoError);
}

void Http2Codec::reset_stream(Http2Stream& stream, uint32_t code) {
  if (stream.closed) return;
  stream.bytes_sent += kFrameHeadSize + 4;
  write_reset(stream.number, code);
  close_stream(stream, code);
}

// Nothing more comes or goes, because of `code`, whoever said it.
void Http2Codec::close_stream(Http2Stream& stream, uint32_t code) {
  stream.closed = true;
  unlink(stream);
  graves_.push_back(&stream);
  if (server_ && code != code::kNoError && !stream.head_sent) {
    if (!stream.receiver || stream.receiver->is_recent()) stream_thrown_away();
  } else {
    guard_.stream_answered();
  }
  lose(stream, reason_of(code), details_of(code));
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
  if (silent()) return;
  Entry entry(*this);
  for (Http2Stream *stream = streams_, *next = nullptr; stream && !silent(); stream = next) {
    next = stream->next;  // nobody listens to those that are reset, so nobody ends another
    if (stream->receiver) continue;
    if (stream->sent_before == stream->bytes_sent) {
      count(Http2Stat::kTxFlushTimeout);
      reset_stream(*stream, code::kCancel);
    } else {
      stream->sent_before = stream->bytes_sent;
    }
  }
}

// --- a receiver's calls ---

void Http2Stream::reset(ResetReason reason) { codec.reset(*this, reason); }
void Http2Stream::resume() { codec.resume(*this); }

void Http2Codec::reset(Http2Stream& stream, ResetReason reason) {
  if (!stream.receiver) return;
  Entry entry(*this);
  stream.receiver = nullptr;
  --active_;
  if (stream.number == 0) {  // never opened
    stream.closed = true;
    unlink(stream);
    graves_.push_back(&stream);
  } else if (server_ && stream.local_over && reason == ResetReason::kLocal) {
    refuse_rest(stream);
    if (stream.owed && !stream.closed) give_stream(stream, std::exchange(stream.owed, 0));
  } else {
    uint32_t code = server_ ? code::kInternalError : code::kCancel;
    if (server_ && stream.tunnel && stream.head_sent) code = code::kConnectError;  // RFC 9113 8.5
    if (reason == ResetReason::kLocalRefused || reason == ResetReason::kRemoteRefused) code = code::kRefusedStream;
    if (reason == ResetReason::kProtocolError) code = code::kProtocolError;
    if (reason == ResetReason::kOverflow) code = code::kEnhanceYourCalm;
    reset_stream(stream, code);
  }
  events_.on_stream_over();
}

void Http2Codec::resume(Http2Stream& stream) {
  if (!std::exchange(stream.paused, false) || stream.closed || !stream.owed || silent()) return;
  Entry entry(*this);
  give_stream(stream, std::exchange(stream.owed, 0));
}

}  // namespace weft::http::http2
