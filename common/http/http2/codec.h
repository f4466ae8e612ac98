// HTTP/2 (RFC 9113), one class for both sides, for all but who opens streams is the same. Each file of it has one part of the work:
// reading.cc cuts bytes into frames, incoming.cc takes heads and bodies, control.cc the frames that are about the connection,
// outgoing.cc says what we say, streams.cc is how a stream lives and ends, and codec.cc the connection as a whole.
//
// The rule that keeps it simple: what we say goes to the output at once and in that order, heads because HPACK's table is one with
// it; only bytes of bodies wait, for windows, for room in the output and for their turn. And since our receivers call back whenever
// they like, no receiver is called in the middle of a change: a function sets all that it knows first, calls then, and looks again at
// what it needs afterwards. What a call may have ended (a stream is "closed" at once) stays in memory until the outermost entry into
// the codec ends; there too bodies leave that could not before, and on_drained() and on_output() are called, once.
#pragma once
#include "common/http/http2/block_pool.h"
#include "common/http/http2/flood.h"
#include "common/http/http2/frame_format.h"
#include "common/http/http2/given_up.h"
#include "common/http/http2/head_builder.h"
#include "common/http/http2/hpack_decoder.h"
#include "common/http/http2/hpack_encoder.h"
#include "common/http/http2/outbound_frames.h"
#include "common/http/http2/reset_rate.h"
#include "common/http/http2/stream_table.h"
#include "common/http/http2/windows.h"
#include "common/observe/shapes.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::http::http2 {

// Bytes that may wait for the socket before bodies do: at most this, and what a buffer may hold.
constexpr size_t kOutputMark = 256 << 10;
// Marks our own PING: its answer says that the client has seen the GOAWAY before it.
constexpr std::string_view kDrainPing = "weftbye.";
// And this one that it is there.
constexpr std::string_view kAlivePing = "weftlive";

using observe::Http2Stat;

class Http2Codec;

struct Trailer {
  HeaderId id;
  std::string name, value;
};

struct Http2Stream final : Stream {
  Http2Stream(Http2Codec& owner, StreamReceiver* to, uint32_t send, uint32_t receive)
      : codec(owner), receiver(to), send_window(send), window(receive) {}
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
  uint32_t id() const override { return number; }
  uint64_t wire_bytes_received() const override { return bytes_received; }
  uint64_t wire_bytes_sent() const override { return bytes_sent; }

  // Something of it could leave if its own window alone counted.
  bool can_send() const { return pending > 0 ? send_window.left() > 0 : local_over && !end_sent; }

  Http2Codec& codec;
  StreamReceiver* receiver;  // null: nobody listens any more; what was queued still leaves
  uint32_t number = 0;       // 0: a client's stream whose head was not sent
  Http2Stream* previous = nullptr;
  Http2Stream* next = nullptr;
  Http2Stream* before = nullptr;  // among those that are ready to send, in a ring
  Http2Stream* behind = nullptr;
  SendWindow send_window;
  ReceiveWindow window;
  Message message;  // the peer's
  std::vector<Slice, BlockAllocator<Slice>> slices;
  size_t first = 0;
  size_t pending = 0;                                      // bytes in slices
  size_t owed = 0;                                         // received while paused: window to give back
  std::string upgrade;                                     // what an extended CONNECT asks for; its answer is 101 for us, 200 on the wire
  std::vector<Trailer, BlockAllocator<Trailer>> trailers;  // wait for the body to leave
  uint64_t bytes_received = 0, bytes_sent = 0;
  std::optional<uint64_t> sent_before;  // bytes_sent when drop_stalled() last came by
  int interim = 0;
  bool head_over = false;     // the final head was handed over
  bool remote_over = false;   // the receiver was told the end
  bool local_over = false;    // send_...(end) was called
  bool head_sent = false;     // the final one
  bool begun = false;         // a head block has come
  bool end_received = false;  // END_STREAM
  bool end_sent = false;      // ours
  bool paused = false;
  bool above_high = false;
  bool broken = false;           // faulty: what comes is ignored
  bool reset_when_sent = false;  // the answer is on its way, the request was given up
  bool no_body = false;          // answers HEAD
  bool tunnel = false;           // CONNECT of either kind
  bool closed = false;           // both sides have ended, or it was reset
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
  // Counts how deep we are in our own calls.
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

  // --- reading.cc: frames, and bodies as far as they are there ---
  void read(ReadBuffer& in);
  void read_preface(ReadBuffer& in);
  void read_frame(ReadBuffer& in);
  bool admits(const FrameHead& frame);
  void on_frame(std::string_view payload);
  void begin_body();
  void read_body(ReadBuffer& in);
  void deliver(Slice slice, bool last);
  void end_body();

  // --- incoming.cc ---
  void on_headers(std::string_view payload);
  void on_continuation(std::string_view payload);
  bool begin_block(uint32_t dependency);
  bool begin_request(uint32_t dependency);
  void decode_block(std::string_view block);
  void on_block(Http2Stream& stream, bool end);
  void on_head(Http2Stream& stream, bool end);
  void on_fault(Http2Stream& stream, const Fault& fault);

  // --- control.cc ---
  void on_priority(std::string_view payload);
  void on_rst_stream(std::string_view payload);
  void on_settings(std::string_view payload);
  void on_settings_acknowledged();
  bool take_setting(uint32_t identifier, uint32_t value);
  bool move_send_windows(uint32_t size);
  void on_ping(std::string_view payload);
  void on_goaway(std::string_view payload);
  void on_window_update(std::string_view payload);
  bool may_answer();
  void give_connection(size_t n);
  void give_stream(Http2Stream& stream, size_t n);

  // --- outgoing.cc ---
  void write_control(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload);
  void write_goaway(uint32_t last, uint32_t code);
  void write_reset(uint32_t stream, uint32_t code);
  template <class Encode>
  void write_block(Http2Stream& stream, size_t most, bool end, Encode encode);
  void write_split(Http2Stream& stream, std::string_view block, bool end);
  char* encode_lines(char* to, const Head& head, bool request, bool tunnel);
  void write_trailers(Http2Stream& stream);
  void write_data(Http2Stream& stream, Slice slice, bool end);
  char* begin_data(Http2Stream& stream, size_t size, bool end, size_t copied);
  void write_queued(Http2Stream& stream);
  bool may_write(const Http2Stream& stream, size_t n) const;
  void on_end_sent(Http2Stream& stream);
  void enlist(Http2Stream& stream);
  void unlist(Http2Stream& stream);
  void pump();
  void said(size_t bytes, FrameType type);

  // --- streams.cc ---
  Http2Stream* find(uint32_t number) const { return table_.find(number); }
  bool is_idle(uint32_t number) const;
  bool may_be_late(uint32_t number) const;
  Http2Stream& make_stream(StreamReceiver* receiver);
  void unlink(Http2Stream& stream);
  void told_end(Http2Stream& stream) { stream.remote_over = stream.delivering_end = true; }
  void maybe_over(Http2Stream& stream);
  void over(Http2Stream& stream);
  void refuse_rest(Http2Stream& stream);
  void maybe_closed(Http2Stream& stream);
  void close_stream(Http2Stream& stream, uint32_t code);
  void reset_stream(Http2Stream& stream, uint32_t code);
  void lose(Http2Stream& stream, ResetReason reason, std::string_view details);
  void lose_all(ResetReason reason, std::string_view details);
  void drop_pending(Http2Stream& stream);

  // --- codec.cc ---
  void say_hello();
  // A connection error: GOAWAY with `code`, and nothing more is read or said.
  void fail(std::string_view details, uint32_t code);
  void flood(std::string_view details, Http2Stat::Index stat);
  void stream_thrown_away();
  void bound_output();
  void bound_answers();
  void say_goodbye();
  void settle();
  bool silent() const { return dead_ || failed_; }
  void count(Http2Stat::Index stat, int64_t n = 1) {
    if (stats_) stats_->add(stat, n);
  }

  CodecEvents& events_;
  Http2Options options_;
  const size_t output_mark_ = std::clamp(options_.buffer.high, kOutputMark / 16, kOutputMark);
  observe::Cells* stats_;
  const bool server_;

  // What comes.
  size_t preface_left_;
  std::string partial_;  // the beginning of a frame
  FrameHead frame_;      // the one being read
  bool frame_begun_ = false, settings_seen_ = false, in_body_ = false;
  uint32_t skip_ = 0;  // of a frame of a kind that we do not know
  struct Body {
    uint32_t left = 0, padding = 0, size = 0;
    bool padded = false;  // how much is still to be read
  } body_;                // of the DATA frame being read
  struct Block {
    uint32_t stream = 0;  // 0: none has begun that goes on
    bool end = false, ignored = false;
    uint32_t continuations = 0;
    std::string bytes;
  } block_;
  HpackDecoder decoder_;
  HeadBuilder builder_;
  FloodGuard guard_;
  ResetRate reset_rate_;
  ReceiveWindow window_;
  uint32_t answers_ = 0, acknowledgements_ = 0;  // frames that we were made to say since receive() began
  uint32_t last_opened_ = 0;                     // the highest identifier that the client has used
  uint32_t last_processed_ = 0;                  // and of those that were taken
  GivenUpStreams given_up_;

  // What we said in SETTINGS that only counts once it was acknowledged.
  bool acknowledged_ = false;
  uint32_t frame_limit_ = kDefaultFrameSize, own_window_ = kDefaultWindow, own_table_ = HpackDecoder::kDefaultTable;

  // What the peer said.
  struct Peer {
    bool told = false;
    uint32_t streams = 100;  // until it tells
    uint32_t window = kDefaultWindow, frame = kDefaultFrameSize;
    uint32_t connect = 0;
    std::optional<uint32_t> no_priorities;
    uint32_t last = kMostStream;  // of its GOAWAY
  } peer_;

  // What leaves.
  HpackEncoder encoder_;
  OutboundFrames outbound_;
  SendWindow send_window_{kDefaultWindow};
  Http2Stream* ready_ = nullptr;  // whose turn it is
  size_t written_ = 0;            // since on_output() was called
  std::vector<Http2Stream*> drained_;

  StreamTable<Http2Stream> table_;
  Http2Stream* streams_ = nullptr;
  std::vector<Http2Stream*> graves_;
  uint32_t next_ = 1;  // a client's next stream
  size_t active_ = 0;  // with a receiver
  size_t known_ = 0;   // all that are not closed
  int depth_ = 0;
  bool dead_ = false;    // nothing more is read or written
  bool failed_ = false;  // a connection error: GOAWAY is said
  bool going_away_ = false, over_told_ = false;
  enum class Drain : uint8_t { kNo, kNoticed, kFinal } drain_ = Drain::kNo;
  std::string_view fault_;  // why it failed_, if we said so
};

}  // namespace weft::http::http2
