// What the session tells us, as its callbacks: head blocks, body bytes, frames that only count, closed streams. Heads are judged
// here (head_builder.h), and so is a peer that gives more work than it does (flood.h).
#include "common/http/http2/codec.h"

#include <algorithm>
#include <iterator>

namespace weft::http::http2 {
namespace {

// A header block may decode to this many times its limit before the whole connection is given up.
constexpr uint64_t kDecodeFactor = 16;
constexpr int kInterimAnswers = 64;
constexpr std::string_view kInvalidField = "http2.invalid.header.field";
constexpr std::string_view kMessagingRule = "http2.violation.of.messaging.rule";

std::string_view details_of(uint32_t code) {
  switch (code) {
    case NGHTTP2_REFUSED_STREAM: return "http2.remote_refuse";
    case NGHTTP2_PROTOCOL_ERROR: return kMessagingRule;
    default: return "http2.remote_reset";
  }
}

}  // namespace

// --- every frame ---

int Http2Codec::begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* self) {
  auto& codec = *static_cast<Http2Codec*>(self);
  // What stands behind a connection error is not read.
  return codec.failed_ || !codec.admits(*head) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

// Judges what the session lets pass: empty frames, and HEADERS of a stream that its client has ended, or passed over (RFC 9113 5.1,
// 5.1.1). DATA of such a stream the session drops without telling.
bool Http2Codec::admits(const nghttp2_frame_hd& head) {
  const bool headers = head.type == NGHTTP2_HEADERS;
  if (!headers && head.type != NGHTTP2_CONTINUATION) return true;
  if (!guard_.payload_received(head.length, headers && head.flags & NGHTTP2_FLAG_END_STREAM))
    flood("http2.inbound_empty_frames_flood", Http2Stat::kInboundEmptyFramesFlood);
  if (!server_ || !headers || drain_ == Drain::kFinal || head.stream_id % 2 == 0) return !failed_;
  if (head.stream_id > last_opened_) {
    last_opened_ = head.stream_id;
  } else if (!find(head.stream_id) && !given_up_.may_contain(head.stream_id)) {
    fail("http2.stream_closed", NGHTTP2_STREAM_CLOSED);
  }
  return !failed_;
}

int Http2Codec::invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int error, void* self) {
  auto& codec = *static_cast<Http2Codec*>(self);
  if (error == NGHTTP2_ERR_REFUSED_STREAM) {
    codec.count(Http2Stat::kStreamRefusedErrors);
    codec.given_up_.add(frame->hd.stream_id);
  } else if (error == NGHTTP2_ERR_HTTP_HEADER || error == NGHTTP2_ERR_HTTP_MESSAGING) {
    codec.count(Http2Stat::kRxMessagingError);
    const auto details = error == NGHTTP2_ERR_HTTP_HEADER ? kInvalidField : kMessagingRule;
    if (!codec.options_.stream_error_on_invalid_message) codec.fail(details, NGHTTP2_PROTOCOL_ERROR);
  }
  return 0;
}

// --- heads ---

int Http2Codec::begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  return static_cast<Http2Codec*>(self)->on_begin_headers(*frame);
}

int Http2Codec::on_begin_headers(const nghttp2_frame& frame) {
  heading_ = nullptr;
  if (frame.hd.type != NGHTTP2_HEADERS) return 0;
  Http2Stream* stream = find(frame.hd.stream_id);
  if (server_ && frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
    // Its GOAWAY has not left yet, but will say that this one was not taken: then nobody may see it.
    if (drain_ == Drain::kFinal && frame.hd.stream_id > last_taken_) {
      submit_reset(frame.hd.stream_id, NGHTTP2_REFUSED_STREAM);
      return 0;
    }
    stream = &make_stream(nullptr);
    stream->number = frame.hd.stream_id;
    guard_.stream_opened();
    nghttp2_session_set_stream_user_data(session_, frame.hd.stream_id, stream);
    stream->receiver = &events_.on_new_stream(*stream);
  }
  if (!stream || !stream->receiver || stream->broken) return 0;
  const auto kind = stream->head_over ? HeadBuilder::Kind::kTrailers : server_ ? HeadBuilder::Kind::kRequest : HeadBuilder::Kind::kResponse;
  heading_ = stream;
  builder_.begin(kind, stream->head_over ? stream->receiver->incoming_trailers() : stream->receiver->incoming_head());
  return 0;
}

int Http2Codec::header(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size, const uint8_t* value,
                       size_t value_size, uint8_t, void* self) {
  auto& codec = *static_cast<Http2Codec*>(self);
  if (!codec.heading_ || !codec.heading_->receiver || codec.heading_->broken) return 0;
  codec.builder_.field({reinterpret_cast<const char*>(name), name_size}, {reinterpret_cast<const char*>(value), value_size});
  if (codec.builder_.decoded() > kDecodeFactor * 1024 * codec.options_.max_headers_kib) {
    codec.flood("http2.header_list_size_too_large", Http2Stat::kHeaderListSizeTooLarge);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  return 0;
}

// A field that the session would silently leave out makes the message malformed.
int Http2Codec::invalid_header(nghttp2_session*, const nghttp2_frame*, const uint8_t*, size_t, const uint8_t*, size_t, uint8_t, void*) {
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

void Http2Codec::on_headers_over(Http2Stream& stream, bool end) {
  const std::optional<Fault> fault = builder_.finish();
  if (fault) {
    stream.broken = true;
    count(fault->status != 431                         ? Http2Stat::kRxMessagingError
          : fault->details == "http2.too_many_headers" ? Http2Stat::kHeaderOverflow
                                                       : Http2Stat::kHeaderListSizeTooLarge);
    if (server_ && !stream.head_over) {
      // Answerable: the frames were sound, the request is not.
      told_end(stream);
      stream.receiver->on_invalid(fault->status, fault->details);
      stream.delivering_end = false;
      maybe_over(stream);
      return;
    }
    submit_reset(stream.number, NGHTTP2_PROTOCOL_ERROR);
    return lose(stream, ResetReason::kProtocolError, fault->details);
  }
  if (stream.head_over) {
    count(Http2Stat::kTrailers);
    told_end(stream);
    stream.receiver->on_trailers();
    stream.delivering_end = false;
    return maybe_over(stream);
  }
  Head& head = stream.receiver->incoming_head();
  if (!server_ && !stream.upgrade.empty() && head.status() / 100 == 2) {
    head.set_status(101);
    head.remove(HeaderId::kContentLength);
    set_upgrade(head, stream.upgrade);
  } else if (!server_ && head.status() < 200) {
    const int status = head.status();
    if (status == 101 || end || ++stream.interim > kInterimAnswers) {
      submit_reset(stream.number, NGHTTP2_PROTOCOL_ERROR);
      return lose(stream, ResetReason::kProtocolError, kMessagingRule);
    }
    return stream.receiver->on_informational();
  }
  stream.head_over = true;
  if (server_) {
    stream.no_body = head.method() == "HEAD";
    stream.upgrade = builder_.protocol();
    stream.tunnel = !stream.upgrade.empty() || head.method() == "CONNECT";
  }
  if (end) told_end(stream);
  stream.receiver->on_head(end);
  stream.delivering_end = false;
  maybe_over(stream);
}

// From here our own end ends the stream, but not before the receiver has returned.
void Http2Codec::told_end(Http2Stream& stream) { stream.remote_over = stream.delivering_end = true; }

// --- bodies and other frames ---

int Http2Codec::frame_received(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  auto& codec = *static_cast<Http2Codec*>(self);
  const bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
  Http2Stream* const stream = frame->hd.stream_id ? codec.find(frame->hd.stream_id) : nullptr;
  if (stream) stream->bytes_received += 9 + (frame->hd.type == NGHTTP2_DATA ? 0 : frame->hd.length);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      if (stream && stream->receiver && !stream->broken) codec.on_headers_over(*stream, end);
      break;
    case NGHTTP2_DATA:
      if (!codec.guard_.payload_received(frame->hd.length - frame->data.padlen, end))
        codec.flood("http2.inbound_empty_frames_flood", Http2Stat::kInboundEmptyFramesFlood);
      if (end && stream && stream->receiver && !stream->broken && !stream->remote_over) {
        codec.told_end(*stream);
        stream->receiver->on_body({}, true);
        stream->delivering_end = false;
        codec.maybe_over(*stream);
      }
      break;
    case NGHTTP2_PRIORITY:
      if (!codec.guard_.priority_received()) codec.flood("http2.inbound_priority_frames_flood", Http2Stat::kInboundPriorityFramesFlood);
      break;
    case NGHTTP2_WINDOW_UPDATE:
      if (!codec.guard_.window_update_received())
        codec.flood("http2.inbound_window_update_frames_flood", Http2Stat::kInboundWindowUpdateFramesFlood);
      break;
    case NGHTTP2_PING:
      if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) break;
      if (std::equal(std::begin(kDrainPing), std::end(kDrainPing), frame->ping.opaque_data)) codec.say_goodbye();
      if (std::equal(std::begin(kAlivePing), std::end(kAlivePing), frame->ping.opaque_data)) codec.events_.on_ping_answered();
      break;
    case NGHTTP2_RST_STREAM: codec.count(Http2Stat::kRxReset); break;
    case NGHTTP2_GOAWAY:
      codec.going_away_ = true;
      if (!codec.over_told_) {
        codec.over_told_ = true;
        codec.events_.on_going_away();
      }
      break;
    default: break;
  }
  return 0;
}

int Http2Codec::data_received(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size, void* self) {
  auto& codec = *static_cast<Http2Codec*>(self);
  Http2Stream* const stream = codec.find(id);
  if (!stream || !stream->receiver || stream->broken) {
    nghttp2_session_consume(session, id, size);
    return 0;
  }
  nghttp2_session_consume_connection(session, size);
  stream->bytes_received += size;
  const char* const text = reinterpret_cast<const char*>(data);
  Slice slice;
  if (codec.reading_ && text >= codec.reading_->begin() && text + size <= codec.reading_->end()) {
    slice = {codec.reading_->slab(), text, size};
  } else {
    slice = copy_to_slice(codec.output_.pool(), {text, size});
  }
  stream->owed += size;
  stream->receiver->on_body(std::move(slice), false);
  if (!stream->paused && !stream->closed && stream->owed) {
    nghttp2_session_consume_stream(session, id, std::exchange(stream->owed, 0));
  }
  return 0;
}

// --- the end of a stream ---

int Http2Codec::stream_closed(nghttp2_session*, int32_t id, uint32_t code, void* self) {
  auto& codec = *static_cast<Http2Codec*>(self);
  if (Http2Stream* const stream = codec.find(id)) codec.on_stream_closed(*stream, code);
  return 0;
}

void Http2Codec::on_stream_closed(Http2Stream& stream, uint32_t code) {
  stream.closed = true;
  if (heading_ == &stream) heading_ = nullptr;
  nghttp2_session_set_stream_user_data(session_, stream.number, nullptr);
  if (server_ && code != NGHTTP2_NO_ERROR && !stream.head_sent) {
    if (!stream.receiver || stream.receiver->is_recent()) stream_thrown_away();
  } else {
    guard_.stream_answered();
  }
  if (stream.receiver) {
    const bool refused = code == NGHTTP2_REFUSED_STREAM;
    const bool protocol = code == NGHTTP2_PROTOCOL_ERROR || code == NGHTTP2_FLOW_CONTROL_ERROR || code == NGHTTP2_STREAM_CLOSED;
    lose(stream, refused ? ResetReason::kRemoteRefused : protocol ? ResetReason::kProtocolError : ResetReason::kRemote, details_of(code));
  }
  unlink(stream);
  graves_.push_back(&stream);
}

}  // namespace weft::http::http2
