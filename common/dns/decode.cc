// Off the wire. Every length is checked against what is there. A compressed name may only point to what stands before it, and each
// jump must go further back than the last one: so reading a name ends, whatever the bytes say.
#include "common/dns/message.h"

#include <algorithm>

namespace weft::dns {
namespace {

constexpr size_t kMaxJumps = 127;  // a name has no more labels

uint16_t two_bytes(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 | static_cast<unsigned char>(bytes[at + 1]));
}

// How names lie in the data of a record type: `skip` bytes, `strings` texts behind their lengths, `names`, and then `rest` bytes.
struct Layout {
  uint16_t type;
  size_t skip, strings, names;
  int rest;  // exactly so many; -1: any number
};
// The types whose names senders may compress (RFC 3597, section 4), and addresses.
constexpr Layout kLayouts[] = {{kA, 4, 0, 0, 0},    {kNs, 0, 0, 1, 0}, {3, 0, 0, 1, 0},      {4, 0, 0, 1, 0},   {kCname, 0, 0, 1, 0},
                               {kSoa, 0, 0, 2, 20}, {7, 0, 0, 1, 0},   {8, 0, 0, 1, 0},      {9, 0, 0, 1, 0},   {kPtr, 0, 0, 1, 0},
                               {14, 0, 0, 2, 0},    {kMx, 2, 0, 1, 0}, {17, 0, 0, 2, 0},     {18, 2, 0, 1, 0},  {21, 2, 0, 1, 0},
                               {24, 18, 0, 1, -1},  {26, 2, 0, 2, 0},  {kAaaa, 16, 0, 0, 0}, {30, 0, 0, 1, -1}, {kSrv, 6, 0, 1, 0},
                               {35, 4, 3, 1, 0},    {36, 2, 0, 1, 0},  {39, 0, 0, 1, 0}};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  size_t at() const { return at_; }
  bool done() const { return at_ == bytes_.size(); }
  const std::string& problem() const { return problem_; }

  bool number(uint16_t& out) {
    if (bytes_.size() - at_ < 2) return fail("ends inside a number");
    out = two_bytes(bytes_, at_);
    at_ += 2;
    return true;
  }

  bool name(Name& out) { return name(out, bytes_.size()); }

  bool question(Question& out) { return name(out.name) && number(out.type) && number(out.klass); }

  bool record(Record& out) {
    uint16_t high = 0, low = 0, length = 0;
    if (!name(out.name) || !number(out.type) || !number(out.klass) || !number(high) || !number(low) || !number(length)) return false;
    out.ttl = static_cast<uint32_t>(high) << 16 | low;
    if (bytes_.size() - at_ < length) return fail("ends inside a record's data");
    return data(out, at_ + length);
  }

 private:
  bool fail(const char* what) {
    if (problem_.empty()) problem_ = std::string(what) + " at byte " + std::to_string(at_);
    return false;
  }

  // The part that stands here ends at `end` at the latest; what it points to stands before.
  bool name(Name& out, size_t end) {
    std::string wire;
    size_t from = at_, lowest = at_, jumps = 0;
    for (;;) {
      const size_t bound = jumps > 0 ? bytes_.size() : end;
      if (from >= bound) return fail("ends inside a name");
      const auto length = static_cast<unsigned char>(bytes_[from]);
      if ((length & 0xc0) == 0xc0) {
        if (bound - from < 2) return fail("ends inside a name");
        const size_t target = two_bytes(bytes_, from) & 0x3fff;
        if (target >= lowest || target < kHeaderSize) return fail("holds a name that points forward");
        if (jumps == 0) at_ = from + 2;
        if (++jumps > kMaxJumps) return fail("holds a name that points on too often");
        from = lowest = target;
        continue;
      }
      if (length > kMaxLabel) return fail("holds a label of an unknown kind");
      if (bound - from < length + 1u) return fail("ends inside a name");
      wire.append(bytes_.substr(from, length + 1u));
      if (wire.size() > kMaxName) return fail("holds a name of more than 255 bytes");
      from += length + 1u;
      if (length == 0) break;
    }
    if (jumps == 0) at_ = from;
    std::optional<Name> read = Name::from_wire(wire);
    if (!read) return fail("holds a wrong name");
    out = std::move(*read);
    return true;
  }

  bool copy(Record& out, size_t count, size_t end) {
    if (end - at_ < count) return fail("holds data that is too short for its type");
    out.data.append(bytes_.substr(at_, count));
    at_ += count;
    return true;
  }

  bool data(Record& out, size_t end) {
    const auto* layout = std::find_if(std::begin(kLayouts), std::end(kLayouts), [&](const Layout& one) { return one.type == out.type; });
    // Classes other than the Internet's have data of their own.
    if (layout == std::end(kLayouts) || out.klass != kInternet) return copy(out, end - at_, end);
    if (!copy(out, layout->skip, end)) return false;
    for (size_t i = 0; i < layout->strings; ++i) {
      if (at_ == end) return fail("holds data that is too short for its type");
      if (!copy(out, 1u + static_cast<unsigned char>(bytes_[at_]), end)) return false;
    }
    for (size_t i = 0; i < layout->names; ++i) {
      Name inner;
      if (!name(inner, end)) return false;
      out.data += inner.wire();
    }
    if (layout->rest >= 0 && end - at_ != static_cast<size_t>(layout->rest)) return fail("holds data of a wrong length for its type");
    return copy(out, end - at_, end);
  }

  std::string_view bytes_;
  size_t at_ = kHeaderSize;
  std::string problem_;
};

}  // namespace

std::optional<Glimpse> glimpse(std::string_view bytes) {
  if (bytes.size() < kHeaderSize) return std::nullopt;
  const uint16_t flags = two_bytes(bytes, 2);
  return Glimpse{two_bytes(bytes, 0), (flags & 0x8000) != 0, static_cast<uint8_t>(flags >> 11 & 15)};
}

Result<Message> decode(std::string_view bytes) {
  if (bytes.size() < kHeaderSize) return invalid("a message of " + std::to_string(bytes.size()) + " bytes, expected at least 12");
  if (bytes.size() > kMaxMessage) return invalid("a message of " + std::to_string(bytes.size()) + " bytes, expected at most 65535");
  Message out;
  out.id = two_bytes(bytes, 0);
  const uint16_t flags = two_bytes(bytes, 2);
  out.response = flags & 0x8000;
  out.opcode = flags >> 11 & 15;
  out.authoritative = flags & 0x0400;
  out.truncated = flags & 0x0200;
  out.recursion_desired = flags & 0x0100;
  out.recursion_available = flags & 0x0080;
  out.authentic_data = flags & 0x0020;
  out.checking_disabled = flags & 0x0010;
  out.code = flags & 15;

  Reader reader(bytes);
  auto wrong = [&](const std::string& what) { return invalid("the message " + what); };
  for (unsigned i = two_bytes(bytes, 4); i > 0; --i)
    if (!reader.question(out.questions.emplace_back())) return wrong(reader.problem());
  size_t section_start = 6;
  for (std::vector<Record>* section : {&out.answers, &out.authorities, &out.additionals}) {
    for (unsigned i = two_bytes(bytes, section_start); i > 0; --i) {
      Record record;
      if (!reader.record(record)) return wrong(reader.problem());
      if (record.type != kOpt) {
        section->push_back(std::move(record));
        continue;
      }
      if (out.edns || section != &out.additionals || !record.name.is_root()) return wrong("holds a misplaced or second OPT record");
      out.edns = Edns{record.klass, static_cast<uint8_t>(record.ttl >> 16), (record.ttl & 0x8000) != 0, std::move(record.data)};
      out.code = static_cast<uint16_t>(out.code | (record.ttl >> 24) << 4);
    }
    section_start += 2;
  }
  if (!reader.done()) return wrong("goes on behind its last record at byte " + std::to_string(reader.at()));
  return out;
}

}  // namespace weft::dns
