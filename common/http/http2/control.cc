// The frames that are about the connection and its windows: SETTINGS, PING, GOAWAY, WINDOW_UPDATE, and those that end a stream or only
// count. A peer that makes us answer more than it reads is found out here (flood.h).
#include "common/http/http2/codec.h"

#include <algorithm>

namespace weft::http::http2 {

// Priorities are ignored, but not whoever sends nothing else (RFC 9113 5.3.2).
void Http2Codec::on_priority(std::string_view payload) {
  if (frame_.stream == 0 || (get32(payload.data()) & kMostStream) == frame_.stream) return fail({}, code::kProtocolError);
  if (!guard_.priority_received()) flood("http2.inbound_priority_frames_flood", Http2Stat::kInboundPriorityFramesFlood);
}

void Http2Codec::on_rst_stream(std::string_view payload) {
  if (frame_.stream == 0 || is_idle(frame_.stream)) return fail({}, code::kProtocolError);
  count(Http2Stat::kRxReset);
  if (server_ && drain_ != Drain::kFinal && !reset_rate_.take()) return fail({}, code::kInternalError);
  if (Http2Stream* const stream = find(frame_.stream)) {
    stream->bytes_received += kFrameHeadSize + payload.size();
    close_stream(*stream, get32(payload.data()));
  }
}

// --- SETTINGS ---

// A frame that is answered by itself; false when there were too many of them at once.
bool Http2Codec::may_answer() {
  if (acknowledgements_ >= options_.max_outbound_control_frames) {
    flood("http2.outbound_control_flood", Http2Stat::kOutboundControlFlood);
    return false;
  }
  ++acknowledgements_;
  return true;
}

void Http2Codec::on_settings(std::string_view payload) {
  if (frame_.stream != 0) return fail({}, code::kProtocolError);
  if (frame_.has(flag::kAck)) return acknowledged_ ? fail({}, code::kProtocolError) : on_settings_acknowledged();
  if (!std::exchange(peer_.told, true)) peer_.streams = UINT32_MAX;
  for (; !payload.empty(); payload.remove_prefix(6)) {
    if (!take_setting(get16(payload.data()), get32(payload.data() + 2))) return;
  }
  if (may_answer()) write_control(FrameType::kSettings, flag::kAck, 0, {});
}

// RFC 9113 6.5.2. False: a connection error.
bool Http2Codec::take_setting(uint32_t identifier, uint32_t value) {
  bool valid = true;
  switch (identifier) {
    case setting::kHeaderTableSize: encoder_.set_limit(value); break;
    case setting::kEnablePush: valid = value == 0 || (server_ && value == 1); break;
    case setting::kMaxConcurrentStreams: peer_.streams = value; break;
    case setting::kInitialWindowSize:
      if (value > kMostWindow) {
        fail({}, code::kFlowControlError);
        return false;
      }
      return move_send_windows(value);
    case setting::kMaxFrameSize:
      valid = value >= kDefaultFrameSize && value <= kMostFrameSize;
      peer_.frame = value;
      break;
    case setting::kEnableConnectProtocol:
      valid = value <= 1 && (server_ || value >= peer_.connect);
      peer_.connect = value;
      break;
    case setting::kNoRfc7540Priorities:
      valid = value <= 1 && peer_.no_priorities.value_or(value) == value;
      peer_.no_priorities = value;
      break;
    default: break;
  }
  if (!valid) fail({}, code::kProtocolError);
  return valid;
}

// What the peer's streams begin with changes those that are there, too (RFC 9113 6.9.2).
bool Http2Codec::move_send_windows(uint32_t size) {
  const int64_t by = int64_t{size} - peer_.window;
  peer_.window = size;
  std::vector<uint32_t> overflown;
  for (Http2Stream* stream = streams_; stream && by != 0; stream = stream->next) {
    if (!stream->send_window.move(by)) {
      overflown.push_back(stream->number);
    } else if (by > 0 && stream->can_send()) {
      enlist(*stream);
    }
  }
  for (uint32_t number : overflown)
    if (Http2Stream* const stream = find(number)) reset_stream(*stream, code::kFlowControlError);
  return !silent();
}

// From now on the peer keeps to what we said.
void Http2Codec::on_settings_acknowledged() {
  acknowledged_ = true;
  decoder_.set_limit(own_table_);
  const int64_t by = int64_t{own_window_} - kDefaultWindow;
  for (Http2Stream* stream = streams_; stream; stream = stream->next) stream->window.move(by);
}

// --- PING, GOAWAY ---

void Http2Codec::on_ping(std::string_view payload) {
  if (frame_.stream != 0) return fail({}, code::kProtocolError);
  if (!frame_.has(flag::kAck)) {
    if (may_answer()) write_control(FrameType::kPing, flag::kAck, 0, payload);
    return;
  }
  if (payload == kDrainPing && drain_ == Drain::kNoticed) say_goodbye();
  if (payload == kAlivePing) events_.on_ping_answered();
}

void Http2Codec::on_goaway(std::string_view payload) {
  const uint32_t last = get32(payload.data()) & kMostStream;
  // Of streams that are ours, and never more than it said before.
  if (frame_.stream != 0 || (last != 0 && last % 2 == (server_ ? 1 : 0)) || last > peer_.last) return fail({}, code::kProtocolError);
  peer_.last = last;
  going_away_ = true;
  if (!std::exchange(over_told_, true)) events_.on_going_away();
  if (server_) return;
  for (Http2Stream* stream = streams_; stream && !silent();) {
    if (stream->number > last) {
      close_stream(*stream, code::kRefusedStream);
      stream = streams_;  // whoever was told may have ended others
    } else {
      stream = stream->next;
    }
  }
}

// --- windows ---

void Http2Codec::on_window_update(std::string_view payload) {
  const uint32_t more = get32(payload.data()) & kMostStream;
  Http2Stream* stream = nullptr;
  if (frame_.stream != 0) {
    if (is_idle(frame_.stream)) return fail({}, code::kProtocolError);
    stream = find(frame_.stream);
    if (!stream) return;
    stream->bytes_received += kFrameHeadSize + payload.size();
  }
  if (more == 0) return fail({}, code::kProtocolError);
  if (!stream) {
    if (!send_window_.move(more)) return fail({}, code::kFlowControlError);
  } else if (!stream->send_window.move(more)) {
    return reset_stream(*stream, code::kFlowControlError);
  } else if (stream->can_send()) {
    enlist(*stream);
  }
  if (!guard_.window_update_received()) flood("http2.inbound_window_update_frames_flood", Http2Stat::kInboundWindowUpdateFramesFlood);
}

void Http2Codec::give_connection(size_t n) {
  const uint32_t back = window_.give(static_cast<uint32_t>(n));
  if (back == 0) return;
  char increment[4];
  put32(increment, back);
  write_control(FrameType::kWindowUpdate, 0, 0, {increment, 4});
}

void Http2Codec::give_stream(Http2Stream& stream, size_t n) {
  const uint32_t back = stream.window.give(static_cast<uint32_t>(n));
  if (back == 0 || stream.closed || stream.end_received) return;
  char increment[4];
  put32(increment, back);
  stream.bytes_sent += kFrameHeadSize + 4;
  write_control(FrameType::kWindowUpdate, 0, stream.number, {increment, 4});
}

}  // namespace weft::http::http2
