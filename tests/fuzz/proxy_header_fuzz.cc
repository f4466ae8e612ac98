// links: common_net
// Any first bytes as a PROXY header: a verdict never turns back, a header is never longer than what came, and written anew it says the
// same.
#include "common/net/first_bytes/proxy_header.h"

#include <cstdio>
#include <cstdlib>

namespace {
using namespace weft::net;

[[noreturn]] void broken(const char* rule, size_t at) {
  std::fprintf(stderr, "broken: %s, at byte %zu\n", rule, at);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 3000) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Verdict before = Verdict::kNeedMore;
  ProxyHeader header;
  for (size_t n = 0; n <= size; ++n) {
    const Verdict verdict = read_proxy_header(bytes.substr(0, n), header);
    if (before != Verdict::kNeedMore && verdict != before) broken("a verdict stays", n);
    if (before == Verdict::kNeedMore && verdict == Verdict::kFound && header.length != n) broken("a header is found at its last byte", n);
    before = verdict;
  }
  if (before != Verdict::kFound) return 0;
  const std::string written = write_proxy_header(header);
  ProxyHeader again;
  if (read_proxy_header(written, again) != Verdict::kFound || again.length != written.size()) broken("what is written is a header", 0);
  if (again.local != header.local || again.source != header.source || again.destination != header.destination || again.tlvs != header.tlvs)
    broken("it says the same", 0);
  return 0;
}
