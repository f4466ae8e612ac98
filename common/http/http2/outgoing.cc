// What we give the session: heads as lines, bodies as slices that it asks for when windows allow and that go to the output without
// a copy, trailers behind the last of them.
#include "common/http/http2/codec.h"

#include "common/http/syntax.h"

#include <algorithm>

namespace weft::http::http2 {
namespace {

// A bit for each name whose values hardly come twice: in HPACK's table they would only push out what does, and a search for them goes
// past all of them. 0: any other name.
unsigned bit_of_unique(HeaderId id, std::string_view name) {
  switch (id) {
    case HeaderId::kXRequestId: return 1;
    case HeaderId::kXEnvoyUpstreamServiceTime: return 2;
    case HeaderId::kGrpcTimeout: return 4;
    case HeaderId::kOther: return name == "traceparent" ? 8 : name == "x-b3-traceid" ? 16 : name == "x-b3-spanid" ? 32 : 0;
    default: return 0;
  }
}

nghttp2_nv line_of(HeaderId id, std::string_view name, std::string_view value) {
  uint8_t flags = NGHTTP2_NV_FLAG_NONE;
  if (id != HeaderId::kOther) {
    name = name_of(id);
    flags |= NGHTTP2_NV_FLAG_NO_COPY_NAME;
  }
  // nghttp2's type is not const, but it changes nothing.
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())), reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())),
          name.size(), value.size(), flags};
}

// A pseudo-header, whose name is static text.
nghttp2_nv pseudo(std::string_view name, std::string_view value) {
  nghttp2_nv line = line_of(HeaderId::kOther, name, value);
  line.flags |= NGHTTP2_NV_FLAG_NO_COPY_NAME;
  return line;
}

}  // namespace

void Http2Stream::send_head(const Head& head, bool end) { codec.send_head(*this, head, end); }
void Http2Stream::send_body(Slice slice, bool end) { codec.send_body(*this, std::move(slice), end); }
void Http2Stream::send_trailers(const Head& head) { codec.send_trailers(*this, head); }

// --- heads ---

void Http2Codec::build_lines(const Head& head, bool request, bool tunnel) {
  for (const Header& header : head.headers()) {
    if (header.removed || (tunnel && header.id == HeaderId::kContentLength)) continue;
    switch (header.id) {
      case HeaderId::kConnection:
      case HeaderId::kKeepAlive:
      case HeaderId::kProxyConnection:
      case HeaderId::kTransferEncoding:
      case HeaderId::kUpgrade:
      case HeaderId::kHttp2Settings: continue;
      case HeaderId::kHost:
        if (request) continue;
        break;
      case HeaderId::kTe:
        if (header.value() != "trailers") continue;
        break;
      default: break;
    }
    lines_.push_back(line_of(header.id, header.name(), header.value()));
    if (const unsigned bit = bit_of_unique(header.id, header.name())) {
      // The first one puts the name into the table.
      if (indexed_names_ & bit) lines_.back().flags |= NGHTTP2_NV_FLAG_NO_INDEX;
      indexed_names_ |= bit;
    }
  }
}

void Http2Codec::send_head(Http2Stream& stream, const Head& head, bool end) {
  if (!stream.receiver || stream.local_over || dead_) return;
  Entry entry(*this);
  dirty_ = true;
  lines_.clear();
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = read_data;
  if (server_) {
    const bool switches = !stream.upgrade.empty() && head.status() == 101;
    const int code = switches ? 200 : head.status();
    const char status[3] = {static_cast<char>('0' + code / 100 % 10), static_cast<char>('0' + code / 10 % 10),
                            static_cast<char>('0' + code % 10)};
    lines_.push_back(pseudo(":status", {status, 3}));
    build_lines(head, false, switches);
    if (code < 200) {
      nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.number, nullptr, lines_.data(), lines_.size(), nullptr);
      return;
    }
    stream.head_sent = true;
    const int failed = nghttp2_submit_response(session_, stream.number, lines_.data(), lines_.size(), end ? nullptr : &provider);
    if (failed) submit_reset(stream.number, NGHTTP2_INTERNAL_ERROR);
  } else {
    const bool connect = head.method() == "CONNECT";
    stream.tunnel = head.asks_for_tunnel();
    if (stream.tunnel && !connect) stream.upgrade = head.value(HeaderId::kUpgrade);
    lines_.push_back(pseudo(":method", stream.upgrade.empty() ? head.method() : std::string_view("CONNECT")));
    if (!stream.upgrade.empty()) lines_.push_back(pseudo(":protocol", stream.upgrade));
    if (!connect) lines_.push_back(pseudo(":scheme", head.scheme().empty() ? std::string_view("http") : head.scheme()));
    if (!head.authority().empty()) lines_.push_back(pseudo(":authority", head.authority()));
    if (!connect) lines_.push_back(pseudo(":path", head.path().empty() ? std::string_view("/") : head.path()));
    build_lines(head, true, stream.tunnel);
    stream.head_sent = true;
    const int32_t id = nghttp2_submit_request(session_, nullptr, lines_.data(), lines_.size(), end ? nullptr : &provider, &stream);
    if (id < 0) {
      // Identifiers used up, or the session ends: nothing has left.
      unlink(stream);
      graves_.push_back(&stream);
      stream.closed = true;
      return lose(stream, ResetReason::kRemoteRefused, "http2.no_stream");
    }
    stream.number = id;
    guard_.stream_opened();
  }
  if (end) {
    stream.local_over = true;
    maybe_over(stream);
  }
}

// --- bodies and trailers ---

void Http2Codec::send_body(Http2Stream& stream, Slice slice, bool end) {
  if (!stream.receiver || stream.local_over || dead_ || !stream.head_sent) return;
  Entry entry(*this);
  if (slice.size && !stream.no_body) {
    stream.pending += slice.size;
    count(Http2Stat::kPendingSendBytes, static_cast<int64_t>(slice.size));
    stream.slices.push_back(std::move(slice));
  }
  if (end) stream.local_over = true;
  sent_some(stream);
}

void Http2Codec::send_trailers(Http2Stream& stream, const Head& trailers) {
  if (!stream.receiver || stream.local_over || dead_ || !stream.head_sent) return;
  Entry entry(*this);
  for (const Header& header : trailers.headers()) {
    if (!header.removed && !is_forbidden_trailer(header.id))
      stream.trailers.push_back({header.id, std::string(header.name()), std::string(header.value())});
  }
  stream.has_trailers = !stream.trailers.empty();
  stream.local_over = true;
  sent_some(stream);
}

void Http2Codec::sent_some(Http2Stream& stream) {
  dirty_ = true;
  if (stream.pending >= options_.buffer.high) stream.above_high = true;
  if (std::exchange(stream.deferred, false)) nghttp2_session_resume_data(session_, stream.number);
  maybe_over(stream);
}

ssize_t Http2Codec::read_data(nghttp2_session* session, int32_t id, uint8_t*, size_t most, uint32_t* flags, nghttp2_data_source* source,
                              void* self) {
  auto& stream = *static_cast<Http2Stream*>(source->ptr);
  if (stream.pending == 0 && !stream.local_over) {
    stream.deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  const size_t n = std::min(most, stream.pending);
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (n == stream.pending && stream.local_over) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream.has_trailers) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      std::vector<nghttp2_nv>& lines = static_cast<Http2Codec*>(self)->lines_;
      lines.clear();
      for (const auto& [known, name, value] : stream.trailers) lines.push_back(line_of(known, name, value));
      nghttp2_submit_trailer(session, id, lines.data(), lines.size());
      stream.has_trailers = false;
    }
  }
  return static_cast<ssize_t>(n);
}

int Http2Codec::send_data(nghttp2_session*, nghttp2_frame* frame, const uint8_t* head, size_t size, nghttp2_data_source* source,
                          void* self) {
  auto& codec = *static_cast<Http2Codec*>(self);
  auto& stream = *static_cast<Http2Stream*>(source->ptr);
  if (codec.output_.size() >= codec.output_mark_) return NGHTTP2_ERR_WOULDBLOCK;
  if (stream.pending < size) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // was given up meanwhile
  codec.output_.append(std::string_view(reinterpret_cast<const char*>(head), 9));
  codec.guard_.data_sent();
  stream.bytes_sent += 9 + size;
  stream.pending -= size;
  codec.count(Http2Stat::kPendingSendBytes, -static_cast<int64_t>(size));
  while (size) {
    Slice& slice = stream.slices[stream.first];
    if (slice.size <= size) {
      size -= slice.size;
      codec.output_.append(std::move(slice));
      slice = {};
      ++stream.first;
    } else {
      codec.output_.append(Slice{slice.slab, slice.data, size});
      slice.data += size;
      slice.size -= size;
      size = 0;
    }
  }
  if (stream.first == stream.slices.size()) {
    stream.slices.clear();
    stream.first = 0;
  } else if (stream.first >= 64) {
    stream.slices.erase(stream.slices.begin(), stream.slices.begin() + static_cast<std::ptrdiff_t>(stream.first));
    stream.first = 0;
  }
  if (stream.above_high && stream.pending <= codec.options_.buffer.low) {
    stream.above_high = false;
    codec.drained_.push_back(&stream);
  }
  return 0;
}

int Http2Codec::frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  auto& codec = *static_cast<Http2Codec*>(self);
  const uint8_t type = frame->hd.type;
  codec.outbound_.sent(type == NGHTTP2_PING || type == NGHTTP2_SETTINGS || type == NGHTTP2_RST_STREAM);
  if (type == NGHTTP2_GOAWAY) {
    codec.count(Http2Stat::kGoawaySent);
    if (frame->goaway.error_code != NGHTTP2_NO_ERROR) codec.failed_ = true;
  } else if (type == NGHTTP2_RST_STREAM) {
    codec.count(Http2Stat::kTxReset);
    codec.given_up_.add(frame->hd.stream_id);
  }
  Http2Stream* const stream = frame->hd.stream_id ? codec.find(frame->hd.stream_id) : nullptr;
  if (!stream) return 0;
  if (frame->hd.type != NGHTTP2_DATA) stream->bytes_sent += 9 + frame->hd.length;
  if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM && (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)) {
    stream->end_sent = true;
    if (stream->reset_when_sent) codec.refuse_rest(*stream);
  }
  return 0;
}

}  // namespace weft::http::http2
