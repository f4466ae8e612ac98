// Turns the decoded fields of one HTTP/2 header block into a Head: pseudo-headers become members, `:authority` the host line,
// cookie crumbs one line. It judges what could be read differently once it is written as HTTP/1, and bounds the decoded size,
// so that a small compressed block cannot grow into a large head. Knows nothing of frames.
#pragma once
#include "common/http/codec.h"

#include <optional>
#include <string>

namespace weft::http::http2 {

struct Fault {
  int status;
  std::string_view details;
};

class HeadBuilder {
 public:
  enum class Kind : uint8_t { kRequest, kResponse, kTrailers };
  explicit HeadBuilder(const Http2Options& options) : options_(options) {}

  void begin(Kind kind, Head& head);
  void field(std::string_view name, std::string_view value);
  // The block is complete: what is wrong with it, if anything.
  std::optional<Fault> finish();
  // Bytes decoded in this block, kept or not.
  uint64_t decoded() const { return decoded_; }
  // What an extended CONNECT asks for; the head says it as an upgrade. Empty: nothing.
  const std::string& protocol() const { return protocol_; }

 private:
  void pseudo(std::string_view name, std::string_view value);
  void fail(int status, std::string_view details);
  std::optional<Fault> finish_request();
  const Http2Options& options_;
  Head* head_ = nullptr;
  Kind kind_ = Kind::kRequest;
  uint64_t decoded_ = 0;
  uint32_t count_ = 0;
  bool authority_ = false, connect_ = false;
  std::string cookie_, protocol_;
  std::optional<Fault> fault_;
};

}  // namespace weft::http::http2
