// HTTP/2 on nghttp2, which this file alone knows: frames, HPACK, windows and priorities are its work; ours are heads, bodies
// by reference, back-pressure and bounds. One class serves both sides, for all but who opens streams is the same.
//
// nghttp2 must not be entered from its own callbacks, and our receivers call back whenever they like. So every entry counts
// its depth; what leaves (pump) and what is freed (bury) waits for the outermost one to end.
#include "common/http/http2/flood.h"
#include "common/http/http2/head_builder.h"
#include "common/http/syntax.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cassert>

namespace weft::http {
namespace http2 {
namespace {

// Bytes that may wait for the socket before streams are asked for more.
constexpr size_t kOutputMark = 256 << 10;
// A header block may decode to this many times its limit before the whole connection is given up.
constexpr uint64_t kDecodeFactor = 16;
constexpr int kInterimAnswers = 64;
// Marks our own PING: its answer says that the client has seen the GOAWAY before it.
constexpr uint8_t kDrainPing[8] = {'w', 'e', 'f', 't', 'b', 'y', 'e', '.'};

class Http2Codec;

struct Http2Stream final : Stream {
  Http2Stream(Http2Codec& owner, StreamReceiver* to) : codec(owner), receiver(to) {}

  void send_head(const Head& head, bool end) override;
  void send_body(Slice slice, bool end) override;
  void send_trailers(const Head& trailers) override;
  void reset(ResetReason reason) override;
  void pause() override { paused = true; }
  void resume() override;
  bool writable() const override { return !above_high; }
  Protocol protocol() const override { return Protocol::kHttp2; }
  uint32_t id() const override { return static_cast<uint32_t>(number); }
  uint64_t wire_bytes_received() const override { return bytes_received; }
  uint64_t wire_bytes_sent() const override { return bytes_sent; }

  size_t queued() const { return slices.size() - first; }

  Http2Codec& codec;
  StreamReceiver* receiver;  // null: nobody listens any more; what was queued still leaves
  int32_t number = 0;        // 0: a client's stream whose head was not sent
  Http2Stream* previous = nullptr;
  Http2Stream* next = nullptr;
  std::vector<Slice> slices;
  size_t first = 0;
  size_t pending = 0;                                         // bytes in slices
  size_t owed = 0;                                            // received while paused: window to give back
  std::vector<std::pair<std::string, std::string>> trailers;  // wait for the body to leave
  uint64_t bytes_received = 0, bytes_sent = 0;
  std::optional<uint64_t> sent_before;  // bytes_sent when drop_stalled() last came by
  int interim = 0;
  bool head_over = false;    // the final head was handed over
  bool remote_over = false;  // the receiver was told the end
  bool local_over = false;   // send_...(end) was called
  bool head_sent = false;
  bool has_trailers = false;
  bool deferred = false;  // its data provider waits for us
  bool paused = false;
  bool above_high = false;
  bool broken = false;           // faulty: what comes is ignored
  bool reset_when_sent = false;  // the answer is on its way, the request was given up
  bool end_sent = false;         // END_STREAM has left
  bool no_body = false;          // answers HEAD
  bool closed = false;           // nghttp2 knows it no more
  bool delivering_end = false;
};

class Http2Codec final : public ClientCodec {
 public:
  Http2Codec(CodecEvents& events, const Http2Options& options, SlabPool& pool, bool server);
  ~Http2Codec() override;

  Status receive(ReadBuffer& in) override;
  bool on_peer_ended() override;
  void on_connection_lost() override;
  void on_flushed() override;
  bool wants_bytes() const override { return !dead_; }
  bool wants_close() const override;
  void drain() override;
  size_t active_streams() const override { return active_; }
  size_t lingering_streams() const override { return dead_ ? 0 : known_ - active_; }
  void drop_stalled() override;
  Protocol protocol() const override { return Protocol::kHttp2; }
  size_t available_streams() const override;
  Stream& open(StreamReceiver& receiver) override;

  void send_head(Http2Stream& stream, const Head& head, bool end);
  void send_body(Http2Stream& stream, Slice slice, bool end);
  void send_trailers(Http2Stream& stream, const Head& trailers);
  void reset(Http2Stream& stream, ResetReason reason);
  void resume(Http2Stream& stream);

 private:
  // What keeps nghttp2 from being entered twice.
  class Entry {
   public:
    explicit Entry(Http2Codec& codec) : codec_(codec) { ++codec_.depth_; }
    ~Entry() {
      if (--codec_.depth_ == 0) codec_.settle();
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    Http2Codec& codec_;
  };

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size, const uint8_t* value,
                    size_t value_size, uint8_t flags, void* self);
  static int invalid_header(nghttp2_session*, const nghttp2_frame*, const uint8_t*, size_t, const uint8_t*, size_t, uint8_t, void*);
  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int data_received(nghttp2_session*, uint8_t flags, int32_t id, const uint8_t* data, size_t size, void* self);
  static int stream_closed(nghttp2_session*, int32_t id, uint32_t code, void* self);
  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static ssize_t read_data(nghttp2_session*, int32_t id, uint8_t* into, size_t most, uint32_t* flags, nghttp2_data_source* source,
                           void* self);
  static int send_data(nghttp2_session*, nghttp2_frame* frame, const uint8_t* head, size_t size, nghttp2_data_source* source, void* self);

  Http2Stream* find(int32_t id) const { return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session_, id)); }
  Http2Stream& make_stream(StreamReceiver* receiver);
  void unlink(Http2Stream& stream);
  int on_begin_headers(const nghttp2_frame& frame);
  void on_headers_over(Http2Stream& stream, bool end);
  void on_stream_closed(Http2Stream& stream, uint32_t code);
  void told_end(Http2Stream& stream);
  void maybe_over(Http2Stream& stream);
  void over(Http2Stream& stream);
  void refuse_rest(Http2Stream& stream);
  void lose(Http2Stream& stream, ResetReason reason, std::string_view details);
  void lose_all(ResetReason reason, std::string_view details);
  void flood(std::string_view what);
  void say_goodbye();
  void submit_reset(int32_t id, uint32_t code) { nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code); }
  void build_lines(const Head& head, bool request);
  void push(std::string_view name, std::string_view value);
  void sent_some(Http2Stream& stream);
  void wake(Http2Stream& stream);
  void settle();
  void pump();

  CodecEvents& events_;
  Http2Options options_;
  nghttp2_session* session_ = nullptr;
  HeadBuilder builder_;
  FloodGuard guard_;
  std::vector<nghttp2_nv> lines_;
  std::vector<Http2Stream*> drained_;
  std::vector<Http2Stream*> graves_;
  Http2Stream* streams_ = nullptr;
  ReadBuffer* reading_ = nullptr;
  size_t active_ = 0;  // with a receiver
  size_t known_ = 0;   // all, until nghttp2 has closed them
  int depth_ = 0;
  bool server_;
  bool dirty_ = false;
  bool dead_ = false;    // nothing more is read or written
  bool failed_ = false;  // a connection error: GOAWAY is said
  bool going_away_ = false, over_told_ = false;
  enum class Drain : uint8_t { kNo, kNoticed, kFinal } drain_ = Drain::kNo;
  int32_t last_taken_ = 0;  // with Drain::kFinal: what our GOAWAY says
  const char* flood_ = nullptr;
};

std::string_view details_of(uint32_t code) {
  switch (code) {
    case NGHTTP2_REFUSED_STREAM: return "http2.remote_refuse";
    case NGHTTP2_PROTOCOL_ERROR: return "http2.violation.of.messaging.rule";
    default: return "http2.remote_reset";
  }
}

nghttp2_nv line_of(std::string_view name, std::string_view value, uint8_t flags) {
  // nghttp2's type is not const, but it changes nothing.
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())), reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())),
          name.size(), value.size(), flags};
}

// --- setting up ---

Http2Codec::Http2Codec(CodecEvents& events, const Http2Options& options, SlabPool& pool, bool server)
    : ClientCodec(pool), events_(events), options_(options), builder_(options_), guard_(options_), server_(server) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_option_new(&option);
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
  if (server_) {
    nghttp2_session_server_new2(&session_, callbacks, this, option);
  } else {
    nghttp2_session_client_new2(&session_, callbacks, this, option);
  }
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);

  std::vector<nghttp2_settings_entry> settings = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, std::min<uint32_t>(options_.initial_stream_window, 0x7fffffff)},
      {server_ ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS : NGHTTP2_SETTINGS_ENABLE_PUSH, server_ ? options_.max_concurrent_streams : 0}};
  if (options_.hpack_table_size != 4096) settings.push_back({NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, options_.hpack_table_size});
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
}

Http2Stream& Http2Codec::make_stream(StreamReceiver* receiver) {
  auto* stream = new Http2Stream(*this, receiver);
  stream->next = streams_;
  if (streams_) streams_->previous = stream;
  streams_ = stream;
  ++active_;
  ++known_;
  return *stream;
}

void Http2Codec::unlink(Http2Stream& stream) {
  (stream.previous ? stream.previous->next : streams_) = stream.next;
  if (stream.next) stream.next->previous = stream.previous;
  --known_;
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
    if (!in.empty()) {
      reading_ = &in;
      const ssize_t n = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(in.begin()), in.size());
      reading_ = nullptr;
      in.consume(n > 0 ? static_cast<size_t>(n) : in.size());
      if (n < 0) {
        error.detail = nghttp2_strerror(static_cast<int>(n));
        fatal = true;
        if (!failed_)
          nghttp2_session_terminate_session(session_, n == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
      }
      const size_t queued = nghttp2_session_get_outbound_queue_size(session_);
      if (queued > size_t{options_.max_outbound_control_frames} + known_ || queued > options_.max_outbound_frames) {
        flood("http2.outbound_control_flood");
      }
    }
  }
  if (!fatal && !failed_) return boost::system::in_place_value;
  if (flood_) error.detail = flood_;
  dead_ = true;
  lose_all(ResetReason::kProtocolError, flood_ ? std::string_view(flood_) : std::string_view("http2.connection_error"));
  return error;
}

void Http2Codec::flood(std::string_view what) {
  if (failed_) return;
  failed_ = true;
  flood_ = what.data();
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
  dirty_ = true;
}

int Http2Codec::begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  return static_cast<Http2Codec*>(self)->on_begin_headers(*frame);
}

int Http2Codec::on_begin_headers(const nghttp2_frame& frame) {
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
  builder_.begin(kind, stream->head_over ? stream->receiver->incoming_trailers() : stream->receiver->incoming_head());
  return 0;
}

int Http2Codec::header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size, const uint8_t* value,
                       size_t value_size, uint8_t, void* self) {
  auto& codec = *static_cast<Http2Codec*>(self);
  Http2Stream* const stream = codec.find(frame->hd.stream_id);
  if (!stream || !stream->receiver || stream->broken) return 0;
  codec.builder_.field({reinterpret_cast<const char*>(name), name_size}, {reinterpret_cast<const char*>(value), value_size});
  if (codec.builder_.decoded() > kDecodeFactor * 1024 * codec.options_.max_headers_kib) {
    codec.flood("http2.headers_too_large");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  return 0;
}

// A field that the session would silently leave out makes the message malformed.
int Http2Codec::invalid_header(nghttp2_session*, const nghttp2_frame*, const uint8_t*, size_t, const uint8_t*, size_t, uint8_t, void*) {
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

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
      if (!codec.guard_.data_received(frame->hd.length - frame->data.padlen, end)) codec.flood("http2.inbound_empty_frames_flood");
      if (end && stream && stream->receiver && !stream->broken && !stream->remote_over) {
        codec.told_end(*stream);
        stream->receiver->on_body({}, true);
        stream->delivering_end = false;
        codec.maybe_over(*stream);
      }
      break;
    case NGHTTP2_PRIORITY:
      if (!codec.guard_.priority_received()) codec.flood("http2.priority_flood");
      break;
    case NGHTTP2_WINDOW_UPDATE:
      if (!codec.guard_.window_update_received()) codec.flood("http2.window_update_flood");
      break;
    case NGHTTP2_PING:
      if (frame->hd.flags & NGHTTP2_FLAG_ACK && std::equal(std::begin(kDrainPing), std::end(kDrainPing), frame->ping.opaque_data)) {
        codec.say_goodbye();
      }
      break;
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

void Http2Codec::on_headers_over(Http2Stream& stream, bool end) {
  const std::optional<Fault> fault = builder_.finish();
  if (fault) {
    stream.broken = true;
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
    told_end(stream);
    stream.receiver->on_trailers();
    stream.delivering_end = false;
    return maybe_over(stream);
  }
  const int status = stream.receiver->incoming_head().status();
  if (!server_ && status < 200) {
    if (status == 101 || end || ++stream.interim > kInterimAnswers) {
      submit_reset(stream.number, NGHTTP2_PROTOCOL_ERROR);
      return lose(stream, ResetReason::kProtocolError, "http2.violation.of.messaging.rule");
    }
    return stream.receiver->on_informational();
  }
  stream.head_over = true;
  if (server_) stream.no_body = stream.receiver->incoming_head().method() == "HEAD";
  if (end) told_end(stream);
  stream.receiver->on_head(end);
  stream.delivering_end = false;
  maybe_over(stream);
}

// From here our own end ends the stream, but not before the receiver has returned.
void Http2Codec::told_end(Http2Stream& stream) { stream.remote_over = stream.delivering_end = true; }

int Http2Codec::data_received(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size, void* self) {
  auto& codec = *static_cast<Http2Codec*>(self);
  nghttp2_session_consume_connection(session, size);
  Http2Stream* const stream = codec.find(id);
  if (!stream || !stream->receiver || stream->broken) {
    nghttp2_session_consume_stream(session, id, size);
    return 0;
  }
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

int Http2Codec::stream_closed(nghttp2_session*, int32_t id, uint32_t code, void* self) {
  auto& codec = *static_cast<Http2Codec*>(self);
  if (Http2Stream* const stream = codec.find(id)) codec.on_stream_closed(*stream, code);
  return 0;
}

void Http2Codec::on_stream_closed(Http2Stream& stream, uint32_t code) {
  stream.closed = true;
  nghttp2_session_set_stream_user_data(session_, stream.number, nullptr);
  if (server_ && code != NGHTTP2_NO_ERROR && !stream.head_sent) {
    if (!guard_.stream_reset()) flood("http2.rapid_reset");
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

// --- streams' ends ---

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
  stream.slices.clear();
  stream.first = stream.pending = 0;
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

bool Http2Codec::on_peer_ended() {
  dead_ = true;
  lose_all(ResetReason::kConnectionClosed, server_ ? "downstream_remote_disconnect" : "connection_termination");
  return false;
}

void Http2Codec::on_connection_lost() { on_peer_ended(); }

// --- a receiver's calls ---

void Http2Stream::send_head(const Head& head, bool end) { codec.send_head(*this, head, end); }
void Http2Stream::send_body(Slice slice, bool end) { codec.send_body(*this, std::move(slice), end); }
void Http2Stream::send_trailers(const Head& head) { codec.send_trailers(*this, head); }
void Http2Stream::reset(ResetReason reason) { codec.reset(*this, reason); }
void Http2Stream::resume() { codec.resume(*this); }

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

void Http2Codec::push(std::string_view name, std::string_view value) { lines_.push_back(line_of(name, value, NGHTTP2_NV_FLAG_NONE)); }

void Http2Codec::build_lines(const Head& head, bool request) {
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
      case HeaderId::kTe:
        if (header.value() != "trailers") continue;
        break;
      default: break;
    }
    push(header.name(), header.value());
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
    const int code = head.status();
    const char status[3] = {static_cast<char>('0' + code / 100 % 10), static_cast<char>('0' + code / 10 % 10),
                            static_cast<char>('0' + code % 10)};
    push(":status", {status, 3});
    build_lines(head, false);
    if (code < 200) {
      nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.number, nullptr, lines_.data(), lines_.size(), nullptr);
      return;
    }
    stream.head_sent = true;
    const int failed = nghttp2_submit_response(session_, stream.number, lines_.data(), lines_.size(), end ? nullptr : &provider);
    if (failed) submit_reset(stream.number, NGHTTP2_INTERNAL_ERROR);
  } else {
    const bool connect = head.method() == "CONNECT";
    push(":method", head.method());
    if (!connect) push(":scheme", head.scheme().empty() ? std::string_view("http") : head.scheme());
    if (!head.authority().empty()) push(":authority", head.authority());
    if (!connect) push(":path", head.path().empty() ? std::string_view("/") : head.path());
    build_lines(head, true);
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

void Http2Codec::send_body(Http2Stream& stream, Slice slice, bool end) {
  if (!stream.receiver || stream.local_over || dead_ || !stream.head_sent) return;
  Entry entry(*this);
  if (slice.size && !stream.no_body) {
    stream.pending += slice.size;
    stream.slices.push_back(std::move(slice));
  }
  if (end) stream.local_over = true;
  sent_some(stream);
}

void Http2Codec::send_trailers(Http2Stream& stream, const Head& trailers) {
  if (!stream.receiver || stream.local_over || dead_ || !stream.head_sent) return;
  Entry entry(*this);
  for (const Header& header : trailers.headers()) {
    if (!header.removed && !is_forbidden_trailer(header.id)) stream.trailers.emplace_back(header.name(), header.value());
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
    if (reason == ResetReason::kLocalRefused || reason == ResetReason::kRemoteRefused) code = NGHTTP2_REFUSED_STREAM;
    if (reason == ResetReason::kProtocolError) code = NGHTTP2_PROTOCOL_ERROR;
    if (reason == ResetReason::kOverflow) code = NGHTTP2_ENHANCE_YOUR_CALM;
    stream.slices.clear();
    stream.first = stream.pending = 0;
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

void Http2Codec::drop_stalled() {
  if (dead_) return;
  Entry entry(*this);
  for (Http2Stream* stream = streams_; stream; stream = stream->next) {
    if (stream->receiver || stream->closed) continue;
    if (stream->sent_before == stream->bytes_sent) {
      dirty_ = true;
      stream->slices.clear();
      stream->first = stream->pending = 0;
      submit_reset(stream->number, NGHTTP2_CANCEL);
    }
    stream->sent_before = stream->bytes_sent;
  }
}

// --- bytes out ---

ssize_t Http2Codec::read_data(nghttp2_session* session, int32_t id, uint8_t*, size_t most, uint32_t* flags, nghttp2_data_source* source,
                              void*) {
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
      std::vector<nghttp2_nv> lines;
      for (const auto& [name, value] : stream.trailers) lines.push_back(line_of(name, value, NGHTTP2_NV_FLAG_NONE));
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
  if (codec.output_.size() >= kOutputMark) return NGHTTP2_ERR_WOULDBLOCK;
  if (stream.pending < size) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // was given up meanwhile
  codec.output_.append(std::string_view(reinterpret_cast<const char*>(head), 9));
  codec.guard_.data_sent();
  stream.bytes_sent += 9 + size;
  stream.pending -= size;
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
  if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) codec.failed_ = true;
  Http2Stream* const stream = frame->hd.stream_id ? codec.find(frame->hd.stream_id) : nullptr;
  if (!stream) return 0;
  if (frame->hd.type != NGHTTP2_DATA) stream->bytes_sent += 9 + frame->hd.length;
  if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM && (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)) {
    stream->end_sent = true;
    if (stream->reset_when_sent) codec.refuse_rest(*stream);
  }
  return 0;
}

void Http2Codec::on_flushed() {
  if (dead_ || output_.size() >= kOutputMark / 2) return;
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
  for (Http2Stream* stream : std::exchange(graves_, {})) delete stream;
  --depth_;
}

void Http2Codec::pump() {
  const size_t before = output_.size();
  while (output_.size() < kOutputMark) {
    const uint8_t* data = nullptr;
    const ssize_t n = nghttp2_session_mem_send(session_, &data);
    if (n <= 0) {
      if (n < 0) failed_ = true;
      break;
    }
    output_.append(std::string_view(reinterpret_cast<const char*>(data), static_cast<size_t>(n)));
  }
  if (output_.size() != before) events_.on_output();
}

}  // namespace
}  // namespace http2

std::unique_ptr<Codec> make_http2_server(CodecEvents& events, const Http2Options& options, SlabPool& pool) {
  return std::make_unique<http2::Http2Codec>(events, options, pool, true);
}

std::unique_ptr<ClientCodec> make_http2_client(CodecEvents& events, const Http2Options& options, SlabPool& pool) {
  return std::make_unique<http2::Http2Codec>(events, options, pool, false);
}

}  // namespace weft::http
