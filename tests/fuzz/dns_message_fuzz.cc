// links: common_dns
// Any bytes as a DNS message: what is read, written and read again is the same, and no limit is overrun.
#include "common/dns/message.h"

#include <cstdio>
#include <cstdlib>

namespace {

using namespace weft;

[[noreturn]] void broken(const char* rule) {
  std::fprintf(stderr, "broken rule: %s\n", rule);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto read = dns::decode(bytes);
  if (!read) return 0;
  const std::string written = dns::encode(*read);
  const auto again = dns::decode(written);
  // Names in data are not compressed again, so a message near the limit may lose records.
  if (!again && written.size() <= dns::kMaxMessage) broken("what is written reads back");
  if (again && !again->truncated && dns::encode(*again) != written) broken("writing is stable");
  if (read->questions.size() <= 1 &&
      dns::encode(*read, dns::kPlainDatagram).size() > dns::kPlainDatagram + 64 + (read->edns ? read->edns->options.size() : 0))
    broken("the limit holds");
  for (const dns::Question& question : read->questions)
    if (auto name = dns::Name::from_text(question.name.text()); !name || name->wire() != question.name.wire()) broken("a name's text");
  return 0;
}
