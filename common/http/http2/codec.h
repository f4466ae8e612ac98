// HTTP/2 on nghttp2, which the files of this header alone know: frames, HPACK, windows and priorities are its work; ours are heads,
// bodies by reference, back-pressure and bounds. One class serves both sides, for all but who opens streams is the same.
// incoming.cc has what the session tells us, outgoing.cc what we give it, streams.cc how a stream lives and ends, codec.cc the rest.
//
// nghttp2 must not be entered from its own callbacks, and our receivers call back whenever they like. So every entry counts
// its depth; what leaves (pump) and what is freed (settle) waits for the outermost one to end.
#pragma once
#include "common/http/http2/flood.h"
#include "common/http/http2/given_up.h"
#include "common/http/http2/head_builder.h"
#include "common/http/http2/outbound_frames.h"
#include "common/http/http2/session_memory.h"
#include "common/observe/shapes.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::http::http2 {

// Bytes that may wait for the socket before streams are asked for more: at most this, and what a buffer may hold.
constexpr size_t kOutputMark = 256 << 10;
// Marks our own PING: its answer says that the client has seen the GOAWAY before it.
constexpr uint8_t kDrainPing[8] = {'w', 'e', 'f', 't', 'b', 'y', 'e', '.'};
// And this one that it is there.
constexpr uint8_t kAlivePing[8] = {'w', 'e', 'f', 't', 'l', 'i', 'v', 'e'};

using observe::Http2Stat;

class Http2Codec;

struct Trailer {
  HeaderId id;
  std::string name, value;
};

struct Http2Stream final : Stream {
  Http2Stream(Http2Codec& owner, StreamReceiver* to) : codec(owner), receiver(to) {}
  static void* operator new(size_t size) { return take_block(size); }
  static void operator delete(void* block) { give_block(block); }

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
  std::vector<Slice, BlockAllocator<Slice>> slices;
  size_t first = 0;
  size_t pending = 0;                                      // bytes in slices
  size_t owed = 0;                                         // received while paused: window to give back
  std::string upgrade;                                     // what an extended CONNECT asks for; its answer is 101 for us, 200 on the wire
  std::vector<Trailer, BlockAllocator<Trailer>> trailers;  // wait for the body to leave
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
  bool tunnel = false;           // CONNECT of either kind
  bool closed = false;           // nghttp2 knows it no more
  bool delivering_end = false;
};

class Http2Codec final : public ClientCodec {
 public:
  Http2Codec(CodecEvents& events, const Http2Options& options, SlabPool& pool, bool server, observe::Cells* stats);
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
  void send_ping() override;
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

  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* self);
  static int invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int error, void* self);
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
  bool admits(const nghttp2_frame_hd& head);
  // A connection error: GOAWAY with `code`, and nothing more is read.
  void fail(std::string_view details, uint32_t code);
  void flood(std::string_view details, Http2Stat::Index stat);
  void stream_thrown_away();
  void drop_pending(Http2Stream& stream);
  void bound_output();
  void count(Http2Stat::Index stat, int64_t n = 1) {
    if (stats_) stats_->add(stat, n);
  }
  void say_goodbye();
  void submit_reset(int32_t id, uint32_t code) {
    given_up_.add(id);
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code);
  }
  void build_lines(const Head& head, bool request, bool tunnel);
  void sent_some(Http2Stream& stream);
  void settle();
  void pump();

  CodecEvents& events_;
  Http2Options options_;
  const size_t output_mark_ = std::clamp(options_.buffer.high, kOutputMark / 16, kOutputMark);
  nghttp2_session* session_ = nullptr;
  HeadBuilder builder_;
  FloodGuard guard_;
  OutboundFrames outbound_;
  GivenUpStreams given_up_;
  observe::Cells* stats_;
  std::vector<nghttp2_nv> lines_;
  std::vector<Http2Stream*> drained_;
  std::vector<Http2Stream*> graves_;
  Http2Stream* streams_ = nullptr;
  ReadBuffer* reading_ = nullptr;
  Http2Stream* heading_ = nullptr;  // whose head block is being read
  size_t active_ = 0;               // with a receiver
  size_t known_ = 0;                // all, until nghttp2 has closed them
  int depth_ = 0;
  unsigned indexed_names_ = 0;  // of those that come with a new value each time
  bool server_;
  bool dirty_ = false;
  bool dead_ = false;    // nothing more is read or written
  bool failed_ = false;  // a connection error: GOAWAY is said
  bool going_away_ = false, over_told_ = false;
  enum class Drain : uint8_t { kNo, kNoticed, kFinal } drain_ = Drain::kNo;
  int32_t last_taken_ = 0;   // with Drain::kFinal: what our GOAWAY says
  int32_t last_opened_ = 0;  // the highest identifier that the peer has used
  std::string_view fault_;   // why it failed_, if we said so
};

}  // namespace weft::http::http2
