// Onto the wire. The names that records belong to are compressed, with their case kept: only what is equal to the byte is pointed to.
#include "common/dns/message.h"

#include <unordered_map>

namespace weft::dns {
namespace {

constexpr size_t kMaxPointer = 0x3fff, kOptSize = 11;

class Writer {
 public:
  explicit Writer(size_t limit) : limit_(limit) {}

  void number(uint16_t value) {
    out_ += static_cast<char>(value >> 8);
    out_ += static_cast<char>(value & 255);
  }

  void name(const Name& name) {
    const std::string& wire = name.wire();
    size_t at = 0;
    while (wire[at] != '\0') {
      auto [known, fresh] = offsets_.try_emplace(wire.substr(at), out_.size());
      if (!fresh) return number(static_cast<uint16_t>(0xc000 | known->second));
      if (out_.size() > kMaxPointer) offsets_.erase(known);
      const size_t length = 1u + static_cast<unsigned char>(wire[at]);
      out_.append(wire, at, length);
      at += length;
    }
    out_ += '\0';
  }

  void question(const Question& question) {
    name(question.name);
    number(question.type);
    number(question.klass);
  }

  // False, and nothing written: it does not fit any more.
  bool record(const Record& record) {
    const size_t before = out_.size();
    name(record.name);
    number(record.type);
    number(record.klass);
    number(static_cast<uint16_t>(record.ttl >> 16));
    number(static_cast<uint16_t>(record.ttl & 0xffff));
    number(static_cast<uint16_t>(record.data.size()));
    out_ += record.data;
    if (out_.size() <= limit_ && record.data.size() <= kMaxMessage) return true;
    out_.resize(before);
    std::erase_if(offsets_, [&](const auto& known) { return known.second >= before; });
    return false;
  }

  // How many of them fitted.
  uint16_t records(const std::vector<Record>& section) {
    uint16_t count = 0;
    for (const Record& one : section) {
      if (!record(one)) break;
      ++count;
    }
    return count;
  }

  std::string take() { return std::move(out_); }

 private:
  size_t limit_;
  std::string out_;
  std::unordered_map<std::string, size_t> offsets_;
};

uint16_t flags_of(const Message& message, bool truncated) {
  unsigned flags = message.opcode << 11 | (message.code & 15);
  if (message.response) flags |= 0x8000;
  if (message.authoritative) flags |= 0x0400;
  if (truncated) flags |= 0x0200;
  if (message.recursion_desired) flags |= 0x0100;
  if (message.recursion_available) flags |= 0x0080;
  if (message.authentic_data) flags |= 0x0020;
  if (message.checking_disabled) flags |= 0x0010;
  return static_cast<uint16_t>(flags);
}

}  // namespace

std::string encode(const Message& message, size_t limit) {
  const size_t opt = message.edns ? kOptSize + message.edns->options.size() : 0;
  Writer writer(limit > opt ? limit - opt : 0);
  for (size_t i = 0; i < kHeaderSize / 2; ++i) writer.number(0);
  for (const Question& question : message.questions) writer.question(question);
  const uint16_t answers = writer.records(message.answers);
  const bool all_answers = answers == message.answers.size();
  const uint16_t authorities = all_answers ? writer.records(message.authorities) : 0;
  const bool complete = all_answers && authorities == message.authorities.size();
  const uint16_t additionals = complete ? writer.records(message.additionals) : 0;
  std::string out = writer.take();
  Writer header(kHeaderSize);
  header.number(message.id);
  header.number(flags_of(message, message.truncated || !complete));
  header.number(static_cast<uint16_t>(message.questions.size()));
  header.number(answers);
  header.number(authorities);
  header.number(static_cast<uint16_t>(additionals + (message.edns ? 1 : 0)));
  if (message.edns) {
    Writer last(kMaxMessage);
    last.name(Name());
    last.number(kOpt);
    last.number(message.edns->payload);
    last.number(static_cast<uint16_t>((message.code >> 4) << 8 | message.edns->version));
    last.number(message.edns->dnssec_ok ? 0x8000 : 0);
    last.number(static_cast<uint16_t>(message.edns->options.size()));
    out += last.take() + message.edns->options;
  }
  return out.replace(0, kHeaderSize, header.take());
}

Message reply_to(const Message& query, uint16_t code) {
  Message reply;
  reply.id = query.id;
  reply.response = true;
  reply.opcode = query.opcode;
  reply.recursion_desired = query.recursion_desired;
  reply.checking_disabled = query.checking_disabled;
  reply.recursion_available = true;
  reply.code = code;
  reply.questions = query.questions;
  if (query.edns) reply.edns = Edns{1232, 0, query.edns->dnssec_ok, {}};
  return reply;
}

}  // namespace weft::dns
