// Writes HTTP/1 messages into an Output: the first line, untouched header lines copied in runs, our own framing, the body by
// reference. Keeps count against content-length, so that what contradicts it never leaves as a whole message.
#pragma once
#include "common/http/http1/parser.h"

namespace weft::http::http1 {

class Writer {
 public:
  Writer(Output& output, const Http1Options& options) : output_(output), options_(options) {}

  void request(const Head& head, bool end, bool close);

  struct Answer {
    bool to_head = false;       // no body, whatever the head says
    bool to_10 = false;         // never chunked
    bool opens_tunnel = false;  // 101, or 2xx to CONNECT: what follows is no body
    bool close = false;
  };
  // Returns whether the connection must close after the body (which only its end delimits, or because the head says so).
  bool response(const Head& head, bool end, const Answer& answer);
  void informational(const Head& head);

  // False: the body does not fit the content-length that was promised; what was too much is not sent.
  bool body(Slice slice, bool end);
  // Sends the trailers where the framing can carry them, else only the end. False as for body().
  bool trailers(const Head& trailers);

  uint64_t bytes() const { return bytes_; }
  void reset_count() { bytes_ = 0; }
  Framing framing() const { return framing_; }

 private:
  void text(std::string_view text);
  void status_line(int status);
  void own_line(const Head& head, std::string_view line);
  void formatted_lines(const Head& head, bool skip_length, bool skip_connection);
  void lines(const Head& head, std::string_view first_run, bool skip_length, bool skip_connection);
  Output& output_;
  const Http1Options& options_;
  uint64_t bytes_ = 0;
  uint64_t left_ = 0;
  Framing framing_ = Framing::kNone;
};

}  // namespace weft::http::http1
