// DNS messages (RFC 1035) off and onto the wire, with EDNS0 (RFC 6891). Everything that a decoded message holds stands by itself:
// names inside the data of records are written out, so a message may be encoded again beside other ones. Pure.
#pragma once
#include "common/base/error.h"
#include "common/dns/name.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::dns {

inline constexpr uint16_t kA = 1, kNs = 2, kCname = 5, kSoa = 6, kPtr = 12, kMx = 15, kTxt = 16, kAaaa = 28, kSrv = 33, kOpt = 41,
                          kIxfr = 251, kAxfr = 252, kAny = 255;
inline constexpr uint16_t kInternet = 1;
inline constexpr uint16_t kNoError = 0, kFormatError = 1, kServerFailure = 2, kNoSuchName = 3, kNotImplemented = 4, kRefused = 5,
                          kBadVersion = 16;
// What fits into a datagram that nobody asked to be larger, and into any message.
inline constexpr size_t kPlainDatagram = 512, kMaxMessage = 65535, kHeaderSize = 12;

struct Question {
  Name name;
  uint16_t type = kA, klass = kInternet;
  bool same(const Question& other) const { return type == other.type && klass == other.klass && name.same(other.name); }
};

struct Record {
  Name name;
  uint16_t type = kA, klass = kInternet;
  uint32_t ttl = 0;
  std::string data;  // names in it are not compressed
};

struct Edns {
  uint16_t payload = kPlainDatagram;  // the largest datagram that the sender takes
  uint8_t version = 0;
  bool dnssec_ok = false;
  std::string options;
};

struct Message {
  uint16_t id = 0;
  bool response = false, authoritative = false, truncated = false, recursion_desired = false, recursion_available = false,
       authentic_data = false, checking_disabled = false;
  uint8_t opcode = 0;
  uint16_t code = kNoError;  // with EDNS's upper bits
  std::vector<Question> questions;
  std::vector<Record> answers, authorities, additionals;  // without EDNS's record
  std::optional<Edns> edns;
};

// The whole of `bytes` is one message; the error says what is wrong where.
Result<Message> decode(std::string_view bytes);
// The id of what may not even be a message, and whether it says that it is a response.
struct Glimpse {
  uint16_t id = 0;
  bool response = false;
  uint8_t opcode = 0;
};
std::optional<Glimpse> glimpse(std::string_view bytes);

// At most `limit` bytes: records that do not fit are left out whole, from the last on, and `truncated` is set where an answer or an
// authority is missing.
std::string encode(const Message& message, size_t limit = kMaxMessage);

// An answer to `query`: its id, question and wishes, nothing else.
Message reply_to(const Message& query, uint16_t code = kNoError);

}  // namespace weft::dns
