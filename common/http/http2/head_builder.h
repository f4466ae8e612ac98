// Turns the decoded fields of one HTTP/2 header block into a Head: pseudo-headers become members, `:authority` the host line,
// cookie crumbs one line. It judges the message in two ways. What RFC 9113 8 calls malformed ends the stream or the connection, whatever
// else is wrong. What is sound there but could be read differently once it is written as HTTP/1, or is too large, is a fault that a
// server answers. Decoded sizes are bounded, so that a small compressed block cannot grow into a large head. Knows nothing of frames.
#pragma once
#include "common/http/codec.h"
#include "common/http/http2/hpack_decoder.h"

#include <optional>
#include <string>

namespace weft::http::http2 {

inline constexpr std::string_view kInvalidField = "http2.invalid.header.field";
inline constexpr std::string_view kMessagingRule = "http2.violation.of.messaging.rule";

struct Fault {
  int status;
  std::string_view details;
};

// What outlives a block of the peer's message: its blocks and its body must agree with each other, and with what was asked.
struct Message {
  int64_t length = -1;                       // of the body, as announced; -1: nothing was said, or it does not count
  int64_t received = 0;                      // of the body
  bool host = false;                         // there was a host line
  bool to_head = false, to_connect = false;  // it answers HEAD, or CONNECT of either kind

  bool exceeds() const { return length >= 0 && received > length; }
  bool whole() const { return length < 0 || received == length; }
};

class HeadBuilder {
 public:
  enum class Kind : uint8_t { kRequest, kResponse, kTrailers };
  HeadBuilder(const Http2Options& options, bool server) : options_(options), server_(server) {}

  void begin(Kind kind, Head& head, Message& message);
  void field(const Field& field);
  // The block is complete, and perhaps the message.
  void finish(bool end);
  // Then: why the message is malformed, or empty; else what is wrong with it, if anything.
  std::string_view malformed() const { return malformed_; }
  const std::optional<Fault>& fault() const { return fault_; }
  // What an extended CONNECT asks for; the head says it as an upgrade. Empty: nothing.
  const std::string& protocol() const { return protocol_; }

 private:
  void pseudo(const Field& field);
  void request_pseudo(const Field& field);
  bool is_well_formed(HeaderId id, std::string_view value);
  bool takes_length(std::string_view value);
  void add(HeaderId id, const Field& field);
  void finish_request();
  void fail(int status, std::string_view details) {
    if (!fault_) fault_ = Fault{status, details};
  }
  bool is_request() const { return kind_ == Kind::kRequest; }

  const Http2Options& options_;
  const bool server_;
  Head* head_ = nullptr;
  Message* message_ = nullptr;
  Kind kind_ = Kind::kRequest;
  uint64_t decoded_ = 0;
  uint32_t count_ = 0;
  uint32_t seen_ = 0;  // pseudo-headers, a bit each
  bool regular_ = false, connect_ = false, plain_scheme_ = false, drops_length_ = false;
  std::string cookie_, protocol_;
  std::string_view malformed_;
  std::optional<Fault> fault_;
};

}  // namespace weft::http::http2
