// HTTP/1 bytes into steps, strictly by RFC 9112: a head, slices of its body, trailers, an end. It pulls from the read buffer,
// so back-pressure is not calling it. A complete line is consumed at once and stays where it was read, as a line of the Head;
// only an unfinished line waits in the buffer. What comes out does not depend on how the bytes were cut.
//
// Whatever two readers could take differently is a Fault: both framings, odd lengths, folded lines, bare CR or LF.
#pragma once
#include "common/http/codec.h"

namespace weft::http::http1 {

struct Fault {
  int status;  // for a request: what to answer
  std::string_view details;
};

enum class Framing : uint8_t { kNone, kLength, kChunked, kUntilClose };

class Parser {
 public:
  enum class Side : uint8_t { kRequest, kResponse };
  enum class Step : uint8_t {
    kMore,      // the buffer holds no further step
    kHead,      // the head is filled; framing() and the like are known
    kBody,      // body() is a slice
    kTrailers,  // the trailers are filled, and the message is over
    kEnd,       // the message is over
    kFault,
  };

  Parser(Side side, const Http1Options& options);

  // The next message. `trailers` is filled only where they are wanted.
  void begin(Head& head, Head& trailers);
  // Responses: what the request was decides whether a body follows.
  void answers(std::string_view method) { answers_head_ = method == "HEAD", answers_connect_ = method == "CONNECT"; }
  // Drops blank lines before a request (RFC 9112 2.2), a bounded number. False: a fault.
  bool skip_blank_lines(ReadBuffer& in);
  Step next(ReadBuffer& in);

  Slice take_body() { return std::move(body_); }
  Framing framing() const { return framing_; }
  // kBody was the last slice: kEnd follows without further bytes.
  bool complete() const { return state_ == State::kEnd; }
  // Whether the connection may serve another message after this one, as far as this side said.
  bool keeps_alive() const { return keep_alive_; }
  bool at_body() const { return state_ == State::kUntilClose; }  // only the connection's end ends it
  bool version_10() const { return version_10_; }
  bool is_connect() const { return connect_; }
  const Fault& fault() const { return fault_; }
  uint64_t bytes() const { return bytes_; }  // of this message so far

 private:
  enum class State : uint8_t { kFirstLine, kLines, kLength, kChunkSize, kChunkData, kChunkEnd, kTrailers, kUntilClose, kEnd, kFault };
  enum class Got : uint8_t { kMore, kLine, kFault };

  Got read_line(ReadBuffer& in, size_t limit, std::string_view& line);
  Step take_slice(ReadBuffer& in, State after);
  Step fail(int status, std::string_view details);
  bool parse_request_line(std::string_view line, const SlabRef& slab);
  bool parse_target(std::string_view target);
  bool parse_status_line(std::string_view line);
  bool parse_field(std::string_view line, const SlabRef& slab);
  bool parse_chunk_size(std::string_view line);
  Step finish_head();
  bool frame_request();
  bool frame_response();
  bool read_framing_fields();
  size_t head_limit() const;

  const Http1Options& options_;
  Head* head_ = nullptr;
  Head* trailers_ = nullptr;
  uint64_t left_ = 0;  // of the body, or of the chunk
  uint64_t bytes_ = 0;
  uint64_t head_bytes_ = 0;  // of this head, or of these trailers
  uint64_t overhead_ = 0;    // chunk extensions beyond what the data pays for
  uint32_t scanned_ = 0;     // of the unfinished line: known to hold no control byte
  uint32_t fields_ = 0;
  uint32_t blank_ = 0;
  Fault fault_{400, "http1.codec_error"};
  std::string_view authority_;  // from the request line: wins over Host
  Slice body_;
  Side side_;
  State state_ = State::kFirstLine;
  Framing framing_ = Framing::kNone;
  bool version_10_ = false, keep_alive_ = true, connect_ = false, answers_head_ = false, answers_connect_ = false;
  bool keep_trailers_ = false;
};

}  // namespace weft::http::http1
