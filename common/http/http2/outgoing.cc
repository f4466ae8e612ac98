// What we say: frames about the connection, heads straight from their table of lines, bodies as slices that go to the output without a
// copy, trailers behind the last of them. Streams whose bodies wait take turns, a frame each.
#include "common/http/http2/codec.h"

#include "common/http/syntax.h"

#include <algorithm>
#include <cstring>

namespace weft::http::http2 {
namespace {

// A slice of at most this many bytes is copied next to its frame's head.
constexpr size_t kCopied = 1024;

size_t most_of(const Head& head) {
  size_t most = 0;
  for (const Header& header : head.headers()) most += header.line_size + HpackEncoder::kOverhead;
  return most;
}

}  // namespace

void Http2Stream::send_head(const Head& head, bool end) { codec.send_head(*this, head, end); }
void Http2Stream::send_body(Slice slice, bool end) { codec.send_body(*this, std::move(slice), end); }
void Http2Stream::send_trailers(const Head& head) { codec.send_trailers(*this, head); }

// --- frames ---

void Http2Codec::said(size_t bytes, FrameType type) {
  written_ += bytes;
  outbound_.sent(type == FrameType::kPing || type == FrameType::kSettings || type == FrameType::kRstStream);
}

void Http2Codec::write_control(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload) {
  if (silent()) return;
  char* const at = output_.reserve(kFrameHeadSize + payload.size());
  char* const body = FrameHead{static_cast<uint32_t>(payload.size()), type, flags, stream}.write(at);
  if (!payload.empty()) std::memcpy(body, payload.data(), payload.size());
  output_.commit(kFrameHeadSize + payload.size());
  ++answers_;
  said(kFrameHeadSize + payload.size(), type);
}

void Http2Codec::write_goaway(uint32_t last, uint32_t code) {
  char payload[8];
  put32(put32(payload, last), code);
  write_control(FrameType::kGoAway, 0, 0, {payload, 8});
  count(Http2Stat::kGoawaySent);
}

void Http2Codec::write_reset(uint32_t stream, uint32_t code) {
  if (silent()) return;
  char payload[4];
  put32(payload, code);
  write_control(FrameType::kRstStream, 0, stream, {payload, 4});
  given_up_.add(stream);
  count(Http2Stat::kTxReset);
}

// --- heads ---

// `encode` writes at most `most` bytes.
template <class Encode>
void Http2Codec::write_block(Http2Stream& stream, size_t most, bool end, Encode encode) {
  most += HpackEncoder::kOverhead;
  if (most > kDefaultFrameSize) [[unlikely]] {
    std::string block(most, '\0');
    block.resize(static_cast<size_t>(encode(encoder_.begin(block.data())) - block.data()));
    return write_split(stream, block, end);
  }
  char* const at = output_.reserve(kFrameHeadSize + most);
  char* const block = at + kFrameHeadSize;
  const auto size = static_cast<uint32_t>(encode(encoder_.begin(block)) - block);
  const uint8_t flags = flag::kEndHeaders | (end ? flag::kEndStream : 0);
  FrameHead{size, FrameType::kHeaders, flags, stream.number}.write(at);
  output_.commit(kFrameHeadSize + size);
  stream.bytes_sent += kFrameHeadSize + size;
  said(kFrameHeadSize + size, FrameType::kHeaders);
}

void Http2Codec::write_split(Http2Stream& stream, std::string_view block, bool end) {
  FrameType type = FrameType::kHeaders;
  do {
    const std::string_view part = block.substr(0, kDefaultFrameSize);
    block.remove_prefix(part.size());
    const bool last = block.empty(), first = type == FrameType::kHeaders;
    const auto flags = static_cast<uint8_t>((last ? flag::kEndHeaders : 0) | (first && end ? flag::kEndStream : 0));
    char head[kFrameHeadSize];
    FrameHead{static_cast<uint32_t>(part.size()), type, flags, stream.number}.write(head);
    output_.append({head, kFrameHeadSize});
    output_.append(part);
    stream.bytes_sent += kFrameHeadSize + part.size();
    said(kFrameHeadSize + part.size(), type);
    type = FrameType::kContinuation;
  } while (!block.empty());
}

char* Http2Codec::encode_lines(char* to, const Head& head, bool request, bool tunnel) {
  for (const Header& header : head.headers()) {
    if (header.removed) continue;
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
      case HeaderId::kContentLength:
        if (tunnel) continue;
        break;
      case HeaderId::kTe:
        if (header.value() != "trailers") continue;
        break;
      default: break;
    }
    to = encoder_.field(to, name_id(header.id), header.name(), header.value());
  }
  return to;
}

void Http2Codec::send_head(Http2Stream& stream, const Head& head, bool end) {
  if (!stream.receiver || stream.local_over || silent()) return;
  Entry entry(*this);
  if (server_) {
    const bool switches = !stream.upgrade.empty() && head.status() == 101;
    const int status = switches ? 200 : head.status();
    const bool interim = status < 200;
    stream.head_sent |= !interim;
    write_block(stream, most_of(head) + 3 + HpackEncoder::kOverhead, end && !interim,
                [&](char* to) { return encode_lines(encoder_.status(to, status), head, false, switches); });
    if (interim) return;
  } else {
    if (going_away_ || next_ > kMostStream) {
      // Nothing has left.
      stream.closed = true;
      unlink(stream);
      graves_.push_back(&stream);
      return lose(stream, ResetReason::kRemoteRefused, "http2.no_stream");
    }
    stream.number = std::exchange(next_, next_ + 2);
    table_.add(stream.number, &stream);
    guard_.stream_opened();
    const bool connect = head.method() == "CONNECT";
    stream.tunnel = head.asks_for_tunnel();
    if (stream.tunnel && !connect) stream.upgrade = head.value(HeaderId::kUpgrade);
    stream.message.to_connect = connect || stream.tunnel;
    stream.message.to_head = head.method() == "HEAD";
    stream.head_sent = true;
    const std::string_view scheme = head.scheme().empty() ? std::string_view("http") : head.scheme();
    const std::string_view path = head.path().empty() ? std::string_view("/") : head.path();
    const std::string_view method = stream.upgrade.empty() ? head.method() : std::string_view("CONNECT");
    const size_t most = method.size() + scheme.size() + path.size() + head.authority().size() + stream.upgrade.size() +
                        5 * (HpackEncoder::kOverhead + std::string_view(":authority").size());
    write_block(stream, most + most_of(head), end, [&](char* to) {
      to = encoder_.field(to, kMethod, method);
      if (!stream.upgrade.empty()) to = encoder_.field(to, kProtocol, stream.upgrade);
      if (!connect) to = encoder_.field(to, kScheme, scheme);
      if (!head.authority().empty()) to = encoder_.field(to, kAuthority, head.authority());
      if (!connect) to = encoder_.field(to, kPath, path);
      return encode_lines(to, head, true, stream.tunnel);
    });
  }
  if (!end) return;
  stream.local_over = true;
  on_end_sent(stream);
  maybe_over(stream);
}

// --- bodies and trailers ---

bool Http2Codec::may_write(const Http2Stream& stream, size_t n) const {
  return !ready_ && stream.pending == 0 && output_.size() < output_mark_ &&
         (n == 0 || (n <= kDefaultFrameSize && static_cast<int64_t>(n) <= std::min(stream.send_window.left(), send_window_.left())));
}

void Http2Codec::send_body(Http2Stream& stream, Slice slice, bool end) {
  if (!stream.receiver || stream.local_over || silent() || !stream.head_sent) return;
  if (stream.no_body) slice = {};
  if (slice.size == 0 && !end) return;
  Entry entry(*this);
  stream.local_over = end;
  if (may_write(stream, slice.size)) {
    write_data(stream, std::move(slice), end);
  } else {
    if (slice.size) {
      stream.pending += slice.size;
      count(Http2Stat::kPendingSendBytes, static_cast<int64_t>(slice.size));
      stream.slices.push_back(std::move(slice));
      if (stream.pending >= options_.buffer.high) stream.above_high = true;
    }
    if (stream.can_send()) enlist(stream);
  }
  maybe_over(stream);
}

void Http2Codec::send_trailers(Http2Stream& stream, const Head& trailers) {
  if (!stream.receiver || stream.local_over || silent() || !stream.head_sent) return;
  Entry entry(*this);
  stream.local_over = true;
  const auto leaves = [](const Header& header) { return !header.removed && !is_forbidden_trailer(header.id); };
  const bool any = std::any_of(trailers.headers().begin(), trailers.headers().end(), leaves);
  if (stream.pending > 0) {
    for (const Header& header : trailers.headers())
      if (leaves(header)) stream.trailers.push_back({header.id, std::string(header.name()), std::string(header.value())});
    if (stream.can_send()) enlist(stream);
  } else if (!any) {
    write_data(stream, {}, true);
  } else {
    write_block(stream, most_of(trailers), true, [&](char* to) {
      for (const Header& header : trailers.headers())
        if (leaves(header)) to = encoder_.field(to, name_id(header.id), header.name(), header.value());
      return to;
    });
    on_end_sent(stream);
  }
  maybe_over(stream);
}

void Http2Codec::write_trailers(Http2Stream& stream) {
  size_t most = 0;
  for (const Trailer& trailer : stream.trailers) most += trailer.name.size() + trailer.value.size() + HpackEncoder::kOverhead;
  write_block(stream, most, true, [&](char* to) {
    for (const auto& [id, name, value] : stream.trailers) to = encoder_.field(to, name_id(id), name, value);
    return to;
  });
  stream.trailers.clear();
  on_end_sent(stream);
}

void Http2Codec::write_data(Http2Stream& stream, Slice slice, bool end) {
  const size_t size = slice.size, copied = size <= kCopied ? size : 0;
  char* const body = begin_data(stream, size, end, copied);
  if (copied) std::memcpy(body, slice.data, copied);
  output_.commit(kFrameHeadSize + copied);
  if (size > copied) output_.append(std::move(slice));
  if (end) on_end_sent(stream);
}

// The head of a DATA frame, in room for it and for `copied` bytes behind it, which are to be committed; counts the frame as sent.
char* Http2Codec::begin_data(Http2Stream& stream, size_t size, bool end, size_t copied) {
  guard_.data_sent();
  stream.bytes_sent += kFrameHeadSize + size;
  stream.send_window.use(size);
  send_window_.use(size);
  said(kFrameHeadSize + size, FrameType::kData);
  const FrameHead frame{static_cast<uint32_t>(size), FrameType::kData, end ? flag::kEndStream : uint8_t{0}, stream.number};
  return frame.write(output_.reserve(kFrameHeadSize + copied));
}

// END_STREAM has left.
void Http2Codec::on_end_sent(Http2Stream& stream) {
  stream.end_sent = true;
  unlist(stream);
  if (stream.reset_when_sent) {
    refuse_rest(stream);
  } else {
    maybe_closed(stream);
  }
}

// --- what waits ---

void Http2Codec::enlist(Http2Stream& stream) {
  if (stream.behind || stream.closed) return;
  if (!ready_) {
    ready_ = stream.before = stream.behind = &stream;
    return;
  }
  stream.behind = ready_;
  stream.before = ready_->before;
  stream.before->behind = ready_->before = &stream;
}

void Http2Codec::unlist(Http2Stream& stream) {
  if (!stream.behind) return;
  if (ready_ == &stream) ready_ = stream.behind == &stream ? nullptr : stream.behind;
  stream.before->behind = stream.behind;
  stream.behind->before = stream.before;
  stream.before = stream.behind = nullptr;
}

void Http2Codec::pump() {
  while (ready_ && output_.size() < output_mark_ && !silent()) {
    Http2Stream& stream = *ready_;
    if (!stream.can_send()) {
      unlist(stream);
    } else if (stream.pending > 0 && send_window_.left() <= 0) {
      break;
    } else {
      ready_ = stream.behind;
      write_queued(stream);
    }
  }
}

// One frame of what waits.
void Http2Codec::write_queued(Http2Stream& stream) {
  if (stream.pending == 0) return stream.trailers.empty() ? write_data(stream, {}, true) : write_trailers(stream);
  const int64_t window = std::min(stream.send_window.left(), send_window_.left());
  size_t size = std::min<size_t>({stream.pending, static_cast<size_t>(window), kDefaultFrameSize});
  const bool end = size == stream.pending && stream.local_over && stream.trailers.empty();
  begin_data(stream, size, end, 0);
  output_.commit(kFrameHeadSize);
  stream.pending -= size;
  count(Http2Stat::kPendingSendBytes, -static_cast<int64_t>(size));
  while (size) {
    Slice& slice = stream.slices[stream.first];
    if (slice.size <= size) {
      size -= slice.size;
      output_.append(std::move(slice));
      slice = {};
      ++stream.first;
    } else {
      output_.append(Slice{slice.slab, slice.data, size});
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
  if (stream.above_high && stream.pending <= options_.buffer.low) {
    stream.above_high = false;
    drained_.push_back(&stream);
  }
  if (end) {
    on_end_sent(stream);
  } else if (!stream.can_send()) {
    unlist(stream);
  }
}

}  // namespace weft::http::http2
