// Bytes into frames. A frame that is there as a whole is read where it lies; the beginning of one is kept until its rest has come, but
// for DATA, which is handed on as it comes, as slices of what was read.
#include "common/http/http2/codec.h"

#include <algorithm>

namespace weft::http::http2 {
namespace {

constexpr uint32_t kSettingSize = 6, kMostSettings = 32;

bool is_known(FrameType type) { return type <= FrameType::kContinuation; }

}  // namespace

void Http2Codec::read(ReadBuffer& in) {
  while (!in.empty() && !silent()) {
    if (in_body_) {
      read_body(in);
    } else if (skip_ != 0) {
      const auto n = static_cast<uint32_t>(std::min<size_t>(skip_, in.size()));
      in.consume(n);
      skip_ -= n;
    } else if (preface_left_ != 0) {
      read_preface(in);
    } else {
      read_frame(in);
    }
  }
}

void Http2Codec::read_preface(ReadBuffer& in) {
  const size_t n = std::min(preface_left_, in.size());
  if (in.view().substr(0, n) != kPreface.substr(kPreface.size() - preface_left_, n)) return fail({}, code::kProtocolError);
  in.consume(n);
  preface_left_ -= n;
}

void Http2Codec::read_frame(ReadBuffer& in) {
  if (!frame_begun_) {
    if (partial_.empty() && in.size() >= kFrameHeadSize) {
      frame_ = FrameHead::parse(in.begin());
      in.consume(kFrameHeadSize);
    } else {
      const size_t n = std::min(kFrameHeadSize - partial_.size(), in.size());
      partial_.append(in.begin(), n);
      in.consume(n);
      if (partial_.size() < kFrameHeadSize) return;
      frame_ = FrameHead::parse(partial_.data());
      partial_.clear();
    }
    if (!admits(frame_)) return;
    if (frame_.type == FrameType::kData) return begin_body();
    if (!is_known(frame_.type)) {
      skip_ = frame_.size;
      return;
    }
  }
  if (partial_.empty() && in.size() >= frame_.size) {
    const std::string_view payload(in.begin(), frame_.size);
    in.consume(frame_.size);
    frame_begun_ = false;
    return on_frame(payload);
  }
  frame_begun_ = true;
  const size_t n = std::min(frame_.size - partial_.size(), in.size());
  partial_.append(in.begin(), n);
  in.consume(n);
  if (partial_.size() < frame_.size) return;
  frame_begun_ = false;
  std::string whole;  // and its memory goes back
  whole.swap(partial_);
  on_frame(whole);
}

// What a frame's head alone can say against it.
bool Http2Codec::admits(const FrameHead& frame) {
  const bool known = is_known(frame.type);
  uint32_t error = code::kNoError;
  if (!settings_seen_ && (frame.type != FrameType::kSettings || frame.has(flag::kAck))) {
    error = code::kProtocolError;
  } else if (frame.size > frame_limit_) {
    error = code::kFrameSizeError;
  } else if (block_.stream != 0 ? frame.type != FrameType::kContinuation || frame.stream != block_.stream
                                : frame.type == FrameType::kContinuation) {
    error = code::kProtocolError;  // RFC 9113 6.10: nothing stands between the parts of a block
  } else if (known) {
    bool sized = true;
    switch (frame.type) {
      case FrameType::kPriority: sized = frame.size == 5; break;
      case FrameType::kRstStream:
      case FrameType::kWindowUpdate: sized = frame.size == 4; break;
      case FrameType::kPing: sized = frame.size == 8; break;
      case FrameType::kGoAway: sized = frame.size >= 8; break;
      case FrameType::kSettings: sized = frame.size % kSettingSize == 0 && !(frame.has(flag::kAck) && frame.size != 0); break;
      default: break;
    }
    if (!sized) {
      error = code::kFrameSizeError;
    } else if (frame.type == FrameType::kSettings && frame.size > kMostSettings * kSettingSize) {
      error = code::kEnhanceYourCalm;
    }
  }
  if (error != code::kNoError) fail({}, error);
  settings_seen_ = true;
  return error == code::kNoError;
}

void Http2Codec::on_frame(std::string_view payload) {
  switch (frame_.type) {
    case FrameType::kHeaders: return on_headers(payload);
    case FrameType::kContinuation: return on_continuation(payload);
    case FrameType::kPriority: return on_priority(payload);
    case FrameType::kRstStream: return on_rst_stream(payload);
    case FrameType::kSettings: return on_settings(payload);
    case FrameType::kPushPromise: return fail({}, code::kProtocolError);  // which we never allow
    case FrameType::kPing: return on_ping(payload);
    case FrameType::kGoAway: return on_goaway(payload);
    case FrameType::kWindowUpdate: return on_window_update(payload);
    case FrameType::kData: break;
  }
}

// --- DATA ---

void Http2Codec::begin_body() {
  const FrameHead& frame = frame_;
  if (frame.stream == 0 || is_idle(frame.stream) || (frame.has(flag::kPadded) && frame.size == 0)) return fail({}, code::kProtocolError);
  Http2Stream* const stream = find(frame.stream);
  if (!stream) {
    if (!may_be_late(frame.stream)) return fail("http2.stream_closed", code::kStreamClosed);
  } else if (stream->end_received) {
    return fail("http2.stream_closed", code::kStreamClosed);
  } else if (!stream->begun) {
    return fail({}, code::kProtocolError);
  }
  if (!window_.take(frame.size)) return fail({}, code::kFlowControlError);
  body_ = {frame.size, 0, 0, frame.has(flag::kPadded)};
  in_body_ = true;
  if (stream) {
    stream->bytes_received += kFrameHeadSize;
    if (!stream->window.take(frame.size)) reset_stream(*stream, code::kFlowControlError);
  }
  if (frame.size == 0) end_body();
}

void Http2Codec::read_body(ReadBuffer& in) {
  if (body_.padded) {
    const uint32_t padding = static_cast<uint8_t>(*in.begin());
    in.consume(1);
    if (padding > --body_.left) return fail({}, code::kProtocolError);
    body_.padded = false;
    body_.padding = padding;
    body_.left -= padding;
    // Nobody has to take what is thrown away.
    give_connection(padding + 1);
    if (Http2Stream* const stream = find(frame_.stream); stream && !frame_.has(flag::kEndStream)) give_stream(*stream, padding + 1);
  }
  if (body_.left != 0 && !in.empty()) {
    const auto n = static_cast<uint32_t>(std::min<size_t>(body_.left, in.size()));
    Slice slice = in.take(n);
    body_.left -= n;
    body_.size += n;
    deliver(std::move(slice), body_.left == 0 && body_.padding <= in.size());
  }
  if (body_.left == 0) {
    const auto n = static_cast<uint32_t>(std::min<size_t>(body_.padding, in.size()));
    in.consume(n);
    body_.padding -= n;
    if (body_.padding == 0) end_body();
  }
}

// Part of a body; with `last` the frame's end is there too, and told in the same call.
void Http2Codec::deliver(Slice slice, bool last) {
  const size_t size = slice.size;
  Http2Stream* const stream = find(frame_.stream);
  if (stream) {
    stream->message.received += static_cast<int64_t>(size);
    stream->bytes_received += size;
    // Nothing of it may come before the head, or beyond what the head has said.
    if ((!stream->head_over && !stream->broken) || stream->message.exceeds()) {
      give_connection(size);
      return reset_stream(*stream, code::kProtocolError);
    }
  }
  give_connection(size);
  if (!stream) return;
  const bool ends = frame_.has(flag::kEndStream);
  if (!stream->receiver || stream->broken) {
    if (!ends) give_stream(*stream, size);
    return;
  }
  if (last && ends && stream->message.whole()) {
    stream->end_received = true;
    told_end(*stream);
    stream->receiver->on_body(std::move(slice), true);
    stream->delivering_end = false;
    return maybe_over(*stream);
  }
  stream->owed += size;
  stream->receiver->on_body(std::move(slice), false);
  if (!stream->paused && !stream->closed && stream->owed) give_stream(*stream, std::exchange(stream->owed, 0));
}

void Http2Codec::end_body() {
  in_body_ = false;
  const bool end = frame_.has(flag::kEndStream);
  if (!guard_.payload_received(body_.size, end)) return flood("http2.inbound_empty_frames_flood", Http2Stat::kInboundEmptyFramesFlood);
  Http2Stream* const stream = end ? find(frame_.stream) : nullptr;
  if (!stream || stream->end_received) return;
  if ((!stream->head_over && !stream->broken) || !stream->message.whole()) return reset_stream(*stream, code::kProtocolError);
  stream->end_received = true;
  if (stream->receiver && !stream->broken && !stream->remote_over) {
    told_end(*stream);
    stream->receiver->on_body({}, true);
    stream->delivering_end = false;
    maybe_over(*stream);
  }
  maybe_closed(*stream);
}

}  // namespace weft::http::http2
