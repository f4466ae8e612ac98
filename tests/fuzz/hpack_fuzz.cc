// links: common_http PkgConfig::NGHTTP2
// Any bytes as header blocks, to ours and to nghttp2's reader: the same verdict, the same fields. What was read is written by ours, and
// both read that again.
#include "common/http/http2/hpack_encoder.h"
#include "http_fuzz_peer.h"
#include "tests/unit/common/http/hpack_oracle.h"

#include <algorithm>

namespace {
using namespace weft::http;

std::string encode(http2::HpackEncoder& encoder, const Fields& fields) {
  size_t most = http2::HpackEncoder::kOverhead;
  for (const auto& [name, value] : fields) most += name.size() + value.size() + http2::HpackEncoder::kOverhead;
  std::string block(most, '\0');
  char* to = encoder.begin(block.data());
  for (const auto& [name, value] : fields) to = encoder.field(to, http2::id_of(name), name, value);
  if (static_cast<size_t>(to - block.data()) > most) fuzz::broken("a block keeps to its bound");
  block.resize(static_cast<size_t>(to - block.data()));
  return block;
}

}  // namespace

// Each block stands behind a byte: its size, and in the upper bits whether the table's limit changes before it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint32_t kLimits[] = {4096, 0, 100, 256};
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  http2::HpackDecoder ours, again;
  OracleDecoder theirs, theirs_again;
  http2::HpackEncoder encoder;
  while (!bytes.empty()) {
    const auto first = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    if ((first & 0xc0) == 0xc0) {
      const uint32_t limit = kLimits[first & 3];
      ours.set_limit(limit);
      theirs.set_limit(limit);
      encoder.set_limit(limit);
      again.set_limit(limit);
      theirs_again.set_limit(limit);
      continue;
    }
    const std::string_view block = bytes.substr(0, first);
    bytes.remove_prefix(block.size());
    const auto fields = decode(ours, block), other = theirs.decode(block);
    if (fields.has_value() != other.has_value()) fuzz::broken("the same verdict", fields ? "ours took it" : "ours refused it");
    if (fields != other) fuzz::broken("the same fields");
    if (!fields) break;
    const std::string written = encode(encoder, *fields);
    if (decode(again, written) != fields) fuzz::broken("what ours writes, ours reads");
    if (theirs_again.decode(written) != fields) fuzz::broken("what ours writes, nghttp2 reads");
  }
  return 0;
}
