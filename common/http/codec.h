// What HTTP/1.1 and HTTP/2 look like to everything above them: a codec turns bytes into calls on a StreamReceiver, and calls
// on a Stream into bytes. No I/O and no clock: a connection feeds receive() and flushes output(). Modelled for both sides
// of a proxy: a server codec makes streams as requests arrive, a client codec opens them.
//
//   connection --receive()--> Codec --on_head/on_body/..--> StreamReceiver   (an exchange, or its attempt upstream)
//   connection <--output()--- Codec <--send_head/send_body-- Stream <-------- the other side of the proxy
//
// Everything here lives on one worker. Calls may re-enter: a receiver may send on, reset or end its stream, or another one,
// from inside any on_...() call.
#pragma once
#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/http/head.h"
#include "common/observe/metrics.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::http {

enum class Protocol : uint8_t { kHttp10, kHttp11, kHttp2, kTcp };  // kTcp: no HTTP, the bytes of a tunnel
std::string_view to_string(Protocol protocol);                     // "HTTP/1.1", as %PROTOCOL% prints it

enum class ResetReason : uint8_t {
  kLocal,             // we gave up: a timeout, a failed other side
  kLocalRefused,      // we turn a stream away unprocessed (REFUSED_STREAM)
  kRemote,            // RST_STREAM
  kRemoteRefused,     // RST_STREAM(REFUSED_STREAM), or GOAWAY below its id: safe to retry
  kConnectionClosed,  // the peer ended or reset the connection before the message was complete
  kProtocolError,     // what came was malformed
  kOverflow,          // a limit of ours
};

// The peer's half of a stream, as told by the codec. Order: [on_informational]* on_head [on_body]* [on_trailers], the one with
// end = true (or on_trailers) being the last; or, at any time, on_reset or on_invalid, after which nothing follows.
class StreamReceiver {
 public:
  // Filled by the codec before on_head, on_informational (cleared and filled again) and on_trailers.
  virtual Head& incoming_head() = 0;
  virtual Head& incoming_trailers() = 0;

  virtual void on_head(bool end) = 0;
  // Client side: a 1xx other than 101 is in incoming_head(), which is cleared after the call. (101 comes by on_head, and only if
  // the request asked for it.)
  virtual void on_informational() = 0;
  // `slice` may be empty when `end` is set (the end came alone).
  virtual void on_body(Slice slice, bool end) = 0;
  virtual void on_trailers() = 0;
  // The stream is over and the Stream is gone. `details` is static text for response_code_details.
  virtual void on_reset(ResetReason reason, std::string_view details) = 0;
  // Server side, HTTP/1: the request is malformed or beyond a limit. Nothing more is read; the receiver must answer with
  // `status` (400, 413, 431, ...) on the stream, whose codec closes the connection after it. `details` is Envoy's
  // response_code_details, for example "http1.codec_error". If on_head was already given, the answer may have begun: reset then.
  virtual void on_invalid(int status, std::string_view details) = 0;
  // What was sent had gone above the high mark and is below the low mark again.
  virtual void on_drained() = 0;
  // Whether the stream began less than a second ago. Many that end so soon without an answer are an attack (rapid reset).
  virtual bool is_recent() const { return true; }

 protected:
  ~StreamReceiver() = default;
};

// A tunnel is a stream whose bodies are no messages: a request for an upgrade (wanted_upgrade() in its head) or CONNECT does not end
// with its head, sent on it says so (Head::ask_for_tunnel), and once 101 or a 2xx has answered it, bytes go both ways as they come, each
// side ending on its own. With any other answer the request is over, and so is an HTTP/1 connection.

// Our half of a stream. Owned by its codec; gone after on_reset, after reset(), and once both halves have ended (the half
// that ends last makes it go: after the sending call with `end`, or after the receiver's call with `end` returns).
class Stream {
 public:
  // Server: a response (a 1xx with end = false first, if wished). Client: the request. Lines are those of `head` as it is: the
  // caller has removed hop-by-hop fields; the codec adds framing (content-length is kept if present, else chunked on HTTP/1.1
  // or until close on 1.0, nothing on HTTP/2) and `connection: close` / `keep-alive` where the version needs them.
  virtual void send_head(const Head& head, bool end) = 0;
  virtual void send_body(Slice slice, bool end) = 0;
  virtual void send_trailers(const Head& trailers) = 0;
  // Gives the stream up without on_reset. HTTP/1: the connection closes (a server that has not begun its answer included).
  virtual void reset(ResetReason reason) = 0;

  // Back-pressure. pause() stops further on_body calls soon (HTTP/1: nothing more is consumed; HTTP/2: no window is granted);
  // calls nest not: one resume() undoes any number of pauses.
  virtual void pause() = 0;
  virtual void resume() = 0;
  // False while what was sent and has not left is above the high mark: the caller pauses its source until on_drained.
  virtual bool writable() const = 0;

  virtual Protocol protocol() const = 0;
  virtual uint32_t id() const = 0;  // HTTP/2's, else 1, 2, 3, ... per connection
  // Head and body bytes of both directions so far, as on the wire (for %BYTES_*WIRE% and connection stats).
  virtual uint64_t wire_bytes_received() const = 0;
  virtual uint64_t wire_bytes_sent() const = 0;

 protected:
  ~Stream() = default;
};

// What a codec needs from the connection that owns it.
class CodecEvents {
 public:
  // Server side: a request begins. Returns who receives it. Called before anything of its head is parsed.
  virtual StreamReceiver& on_new_stream(Stream& stream) = 0;
  // output() has gained bytes; flush them at the end of the event.
  virtual void on_output() = 0;
  // receive() would consume again (after resume(), or when an answer's end lets a pipelined request in). Never called inside
  // receive(); the connection calls receive() with what its buffer holds and reads on.
  virtual void on_readable_again() = 0;
  // A stream ended (both halves, or reset). Client: the connection may lend itself again; server: idle timers.
  virtual void on_stream_over() = 0;
  // Client side, HTTP/2 GOAWAY or HTTP/1 `connection: close`: open no more streams, close when the present ones are over.
  virtual void on_going_away() = 0;
  // Our half of a tunnel is over: the socket's half ends when output() has left.
  virtual void on_output_over() {}
  // The peer has answered send_ping().
  virtual void on_ping_answered() {}

 protected:
  ~CodecEvents() = default;
};

class Codec {
 public:
  virtual ~Codec() = default;
  // Consumes what it can of `in`. An error means: flush output(), then close the connection (HTTP/2: the GOAWAY is in output());
  // all streams have been told. Stops early, with bytes left, when a stream is paused or an answer must be awaited.
  virtual Status receive(ReadBuffer& in) = 0;
  // The peer has sent its last byte. Returns true if the connection may stay open for our half (an answer under way).
  virtual bool on_peer_ended() = 0;
  // The connection failed or is being closed: every stream gets on_reset(kConnectionClosed).
  virtual void on_connection_lost() = 0;
  // Called after each flush with what is left in output(): wakes paused senders.
  virtual void on_flushed() = 0;
  // Bytes to write. The connection takes them from the front.
  Output& output() { return output_; }
  // False while nothing more can be consumed: the connection stops reading its socket.
  virtual bool wants_bytes() const = 0;
  // All is said: close once output() is empty (after `connection: close`, an error, or a finished drain).
  virtual bool wants_close() const = 0;
  // The close must be a TCP reset: what was sent must not pass for a whole message (an answer that only the end of the
  // connection delimits was cut).
  virtual bool wants_reset() const { return false; }
  // A tunnel was opened, whose sides end one by one: the peer's end is not the connection's, and what is left of ours is to leave.
  virtual bool is_tunnel() const { return false; }
  // Stop taking new streams. HTTP/1: `connection: close` on the next answer; an idle connection wants to close at once. An
  // HTTP/2 server asks for no more by a first GOAWAY, serves what is on its way, and says the final one when the client has
  // answered a PING, or at the second call of drain(), which whoever owns the clock makes in case it never does.
  virtual void drain() = 0;
  virtual size_t active_streams() const = 0;
  // Streams that are over for their receivers but not for the peer, which does not take what was said. Who has a clock calls
  // drop_stalled() now and then: those that have not moved since the last call are reset.
  virtual size_t lingering_streams() const { return 0; }
  virtual void drop_stalled() {}
  // HTTP/2: asks whether the peer is there; on_ping_answered() tells.
  virtual void send_ping() {}
  virtual Protocol protocol() const = 0;

 protected:
  explicit Codec(SlabPool& pool) : output_(pool) {}
  Output output_;
};

class ClientCodec : public Codec {
 public:
  using Codec::Codec;
  // How many more streams may be opened now (HTTP/1: 0 or 1; HTTP/2: by the peer's limit and our own).
  virtual size_t available_streams() const = 0;
  // A new stream; `receiver` outlives it. available_streams() must not be 0.
  virtual Stream& open(StreamReceiver& receiver) = 0;
};

// Marks for buffers per stream (and per connection on HTTP/1), from per_connection_buffer_limit_bytes (Envoy's default: 1 MiB).
struct BufferLimits {
  size_t high = 1 << 20;
  size_t low = 1 << 19;
};

// Upgrades that are read as if they were not asked for (ignore_http_11_upgrade).
class IgnoredUpgrades {
 public:
  virtual ~IgnoredUpgrades() = default;
  virtual bool ignores(std::string_view upgrade) const = 0;
};

// How header names are written. Whatever is chosen, a head that remembers its names' case (keep_case) is written in it.
enum class NameFormat : uint8_t { kLower, kProperCase };  // "x-a" or "X-A"

// envoy.config.core.v3.Http1ProtocolOptions and HCM's limits, for both sides.
struct Http1Options {
  uint32_t max_headers_kib = 60;     // 431 beyond
  uint32_t max_headers_count = 100;  // 431 beyond
  bool accept_http_10 = false;       // else 426 Upgrade Required
  std::string default_host_for_http_10;
  bool allow_chunked_length = false;  // beside Transfer-Encoding a Content-Length is removed; else the message is refused
  bool enable_trailers = false;       // else trailers are dropped
  bool allow_absolute_url = true;
  bool allow_custom_methods = false;  // else methods that no specification names are malformed, as Envoy has it
  NameFormat names = NameFormat::kLower;
  bool keep_case = false;                                   // heads remember how their names were written
  bool send_fully_qualified_url = false;                    // client: absolute form
  std::shared_ptr<const IgnoredUpgrades> ignored_upgrades;  // null: none
  bool close_after_request = false;                         // client: `connection: close` on each request (max_requests_per_connection 1)
  BufferLimits buffer;
};

// envoy.config.core.v3.KeepaliveSettings: a PING now and then, and the end of a connection whose peer does not answer.
struct KeepaliveOptions {
  std::chrono::milliseconds interval{0};       // 0: none at intervals
  std::chrono::milliseconds timeout{0};        // how long an answer may take
  double interval_jitter = 15;                 // percent of the interval, added at random
  std::chrono::milliseconds idle_interval{0};  // a new stream after so long a silence asks first; 0: none does
  bool operator==(const KeepaliveOptions&) const = default;
};

// envoy.config.core.v3.Http2ProtocolOptions.
struct Http2Options {
  uint32_t max_concurrent_streams = 1024;
  uint32_t initial_stream_window = 16 << 20;
  uint32_t initial_connection_window = 24 << 20;
  uint32_t max_headers_kib = 60;
  uint32_t max_headers_count = 100;
  uint32_t max_field_kib = 0;      // of one field: 431 beyond; 0: as max_headers_kib
  bool disallow_obs_text = false;  // bytes above 0x7f in values
  uint32_t hpack_table_size = 4096;
  uint32_t max_outbound_frames = 10000;  // output that the peer does not read: connection error beyond
  uint32_t max_outbound_control_frames = 1000;
  uint32_t max_consecutive_empty_data_frames = 1;  // inbound frames with empty payload and no END_STREAM
  uint32_t max_inbound_priority_frames_per_stream = 100;
  uint32_t max_inbound_window_updates_per_data_frame = 10;
  uint32_t max_premature_resets = 250;                         // rapid reset, theirs and those we are made to send: GOAWAY beyond
  std::optional<std::pair<uint64_t, uint64_t>> reset_rate;     // RST_STREAM frames from the peer: burst, and how many a second
  bool allow_connect = false;                                  // servers: extended CONNECT (RFC 8441) is offered
  bool stream_error_on_invalid_message = false;                // a malformed message ends its stream alone, not the connection
  std::vector<std::pair<uint16_t, uint32_t>> custom_settings;  // sent besides our own
  std::optional<KeepaliveOptions> keepalive;
  BufferLimits buffer;
};

std::unique_ptr<Codec> make_http1_server(CodecEvents& events, const Http1Options& options, SlabPool& pool);
// `stats` are observe::Http2Stat; null counts nothing.
std::unique_ptr<Codec> make_http2_server(CodecEvents& events, const Http2Options& options, SlabPool& pool, observe::Cells* stats = nullptr);
std::unique_ptr<ClientCodec> make_http1_client(CodecEvents& events, const Http1Options& options, SlabPool& pool);
std::unique_ptr<ClientCodec> make_http2_client(CodecEvents& events, const Http2Options& options, SlabPool& pool,
                                               observe::Cells* stats = nullptr);
// No HTTP on the wire: whatever is asked is answered with 200 at once, and what follows are the tunnel's bytes. One stream.
std::unique_ptr<ClientCodec> make_tcp_client(CodecEvents& events, const BufferLimits& limits, SlabPool& pool);
// What such a codec's error says when max_premature_resets was exceeded.
inline constexpr std::string_view kTooManyPrematureResets = "too_many_premature_resets";

// codec_type AUTO: whether the first bytes of a connection are HTTP/2's preface (true), are not (false), or cannot tell yet.
std::optional<bool> is_http2_preface(std::string_view first_bytes);

}  // namespace weft::http
