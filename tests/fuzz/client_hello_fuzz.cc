// links: common_net
// Any first bytes as a ClientHello: a verdict never turns back, and what was found does not depend on what follows or on how it came.
#include "common/net/first_bytes/client_hello.h"
#include "common/net/first_bytes/http_sniffer.h"

#include <cstdio>
#include <cstdlib>

namespace {
using namespace weft::net;

[[noreturn]] void broken(const char* rule, size_t at) {
  std::fprintf(stderr, "broken: %s, at byte %zu\n", rule, at);
  std::abort();
}

bool same(const ClientHello& a, const ClientHello& b) {
  return a.server_name == b.server_name && a.alpn == b.alpn && a.ja3 == b.ja3 && a.ja4 == b.ja4;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 3000) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ClientHello whole, cut;
  const Verdict last = read_client_hello(bytes, whole);
  Verdict before = Verdict::kNeedMore;
  for (size_t n = 0; n <= size; ++n) {
    const Verdict verdict = read_client_hello(bytes.substr(0, n), cut);
    if (before != Verdict::kNeedMore && verdict != before) broken("a verdict stays", n);
    before = verdict;
  }
  if (before != last || (last == Verdict::kFound && !same(whole, cut))) broken("what is found does not depend on the cut", size);
  if (last == Verdict::kFound && (whole.server_name.find('\0') != std::string::npos || whole.ja3.size() != 32 || whole.ja4.size() != 36))
    broken("what is found makes sense", size);
  std::string protocol;
  before = Verdict::kNeedMore;
  for (size_t n = 0; n <= size; ++n) {
    const Verdict verdict = sniff_http(bytes.substr(0, n), protocol);
    if (before != Verdict::kNeedMore && verdict != before) broken("a verdict about HTTP stays", n);
    before = verdict;
  }
  return 0;
}
