// Heads: whose a header block is, what it says, and who is told. They are judged by the builder (head_builder.h).
#include "common/http/http2/codec.h"

#include <algorithm>

namespace weft::http::http2 {
namespace {

// A header block may decode to this many times its limit before the whole connection is given up.
constexpr uint64_t kDecodeFactor = 16;
constexpr int kInterimAnswers = 64;

}  // namespace

// --- blocks ---

void Http2Codec::on_headers(std::string_view payload) {
  const bool end = frame_.has(flag::kEndStream);
  if (!guard_.payload_received(frame_.size, end)) return flood("http2.inbound_empty_frames_flood", Http2Stat::kInboundEmptyFramesFlood);
  size_t padding = 0;
  if (frame_.has(flag::kPadded)) {
    if (payload.empty()) return fail({}, code::kProtocolError);
    padding = static_cast<uint8_t>(payload.front());
    payload.remove_prefix(1);
  }
  uint32_t dependency = 0;
  if (frame_.has(flag::kPriority)) {
    if (payload.size() < 5) return fail({}, code::kFrameSizeError);
    dependency = get32(payload.data()) & kMostStream;
    payload.remove_prefix(5);
  }
  if (padding > payload.size() || frame_.stream == 0) return fail({}, code::kProtocolError);
  payload.remove_suffix(padding);
  block_.stream = frame_.stream;
  block_.end = end;
  if (!begin_block(dependency)) return;
  if (Http2Stream* const stream = find(frame_.stream)) stream->bytes_received += kFrameHeadSize + frame_.size;
  if (frame_.has(flag::kEndHeaders)) return decode_block(payload);
  block_.bytes.assign(payload);
  block_.continuations = 0;
}

void Http2Codec::on_continuation(std::string_view payload) {
  if (!guard_.payload_received(payload.size(), false))
    return flood("http2.inbound_empty_frames_flood", Http2Stat::kInboundEmptyFramesFlood);
  if (++block_.continuations > std::max<uint32_t>(8, options_.max_headers_kib / 16 + 2))
    return flood("http2.too_many_headers", Http2Stat::kHeaderOverflow);
  if (Http2Stream* const stream = find(frame_.stream)) stream->bytes_received += kFrameHeadSize + payload.size();
  block_.bytes.append(payload);
  if (!frame_.has(flag::kEndHeaders)) return;
  std::string whole;  // and its memory goes back
  whole.swap(block_.bytes);
  decode_block(whole);
}

// Whose block it is (RFC 9113 5.1, 5.1.1). One of a stream that is over for us alone is read for the table's sake. False: a connection
// error.
bool Http2Codec::begin_block(uint32_t dependency) {
  const uint32_t number = block_.stream;
  Http2Stream* const stream = find(number);
  block_.ignored = false;
  if (stream && stream->end_received) {
    fail("http2.stream_closed", code::kStreamClosed);
  } else if (stream) {
    stream->begun = true;
  } else if (server_ && number % 2 == 1 && number > last_opened_) {
    return begin_request(dependency);
  } else if (is_idle(number)) {
    fail({}, code::kProtocolError);
  } else if (!may_be_late(number)) {
    fail("http2.stream_closed", code::kStreamClosed);
  } else {
    block_.ignored = true;
  }
  return !failed_;
}

bool Http2Codec::begin_request(uint32_t dependency) {
  const uint32_t number = last_opened_ = block_.stream;
  if (dependency == number) {  // a stream that depends on itself
    fail({}, code::kProtocolError);
    return false;
  }
  // What our last GOAWAY leaves out was not taken: nobody may see it.
  block_.ignored = drain_ == Drain::kFinal || known_ >= options_.max_concurrent_streams;
  if (drain_ == Drain::kFinal) return true;
  if (block_.ignored) {
    count(Http2Stat::kStreamRefusedErrors);
    write_reset(number, code::kRefusedStream);
    return true;
  }
  last_processed_ = number;
  Http2Stream& stream = make_stream(nullptr);
  stream.number = number;
  stream.begun = true;
  table_.add(number, &stream);
  guard_.stream_opened();
  stream.receiver = &events_.on_new_stream(stream);
  return !silent();
}

void Http2Codec::decode_block(std::string_view block) {
  const uint32_t number = std::exchange(block_.stream, 0);
  Http2Stream* const stream = block_.ignored ? nullptr : find(number);
  const bool heard = stream && stream->receiver && !stream->broken;
  if (heard) {
    const auto kind = stream->head_over ? HeadBuilder::Kind::kTrailers
                      : server_         ? HeadBuilder::Kind::kRequest
                                        : HeadBuilder::Kind::kResponse;
    builder_.begin(kind, stream->head_over ? stream->receiver->incoming_trailers() : stream->receiver->incoming_head(), stream->message);
  }
  // No call leaves here before the block is read.
  decoder_.begin(block);
  Field field{};
  uint64_t decoded = 0;
  for (;;) {
    const HpackDecoder::Step step = decoder_.next(field);
    if (step == HpackDecoder::Step::kEnd) break;
    if (step == HpackDecoder::Step::kError) return fail({}, code::kCompressionError);
    decoded += field.name.size() + field.value.size();
    if (decoded > kDecodeFactor * 1024 * options_.max_headers_kib)
      return flood("http2.header_list_size_too_large", Http2Stat::kHeaderListSizeTooLarge);
    if (heard) builder_.field(field);
  }
  decoder_.finish();
  if (heard) {
    on_block(*stream, block_.end);
  } else if (stream && block_.end) {
    stream->end_received = true;
    maybe_closed(*stream);
  }
}

// --- messages ---

void Http2Codec::on_block(Http2Stream& stream, bool end) {
  builder_.finish(end);
  if (const std::string_view details = builder_.malformed(); !details.empty()) {
    count(Http2Stat::kRxMessagingError);
    if (!options_.stream_error_on_invalid_message) return fail(details, code::kProtocolError);
    return reset_stream(stream, code::kProtocolError);
  }
  stream.end_received = end;
  if (builder_.fault()) {
    on_fault(stream, *builder_.fault());
  } else if (stream.head_over) {
    count(Http2Stat::kTrailers);
    told_end(stream);
    stream.receiver->on_trailers();
    stream.delivering_end = false;
    maybe_over(stream);
  } else {
    on_head(stream, end);
  }
  maybe_closed(stream);
}

void Http2Codec::on_fault(Http2Stream& stream, const Fault& fault) {
  stream.broken = true;
  count(fault.status != 431                         ? Http2Stat::kRxMessagingError
        : fault.details == "http2.too_many_headers" ? Http2Stat::kHeaderOverflow
                                                    : Http2Stat::kHeaderListSizeTooLarge);
  if (server_ && !stream.head_over) {
    // Answerable: the frames were sound, the request is not.
    const auto [status, details] = fault;
    told_end(stream);
    stream.receiver->on_invalid(status, details);
    stream.delivering_end = false;
    return maybe_over(stream);
  }
  lose(stream, ResetReason::kProtocolError, fault.details);
  reset_stream(stream, code::kProtocolError);
}

void Http2Codec::on_head(Http2Stream& stream, bool end) {
  Head& head = stream.receiver->incoming_head();
  if (!server_ && !stream.upgrade.empty() && head.status() / 100 == 2) {
    head.set_status(101);
    head.remove(HeaderId::kContentLength);
    set_upgrade(head, stream.upgrade);
  } else if (!server_ && head.status() < 200) {
    if (++stream.interim <= kInterimAnswers) return stream.receiver->on_informational();
    lose(stream, ResetReason::kProtocolError, kMessagingRule);
    return reset_stream(stream, code::kProtocolError);
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

}  // namespace weft::http::http2
