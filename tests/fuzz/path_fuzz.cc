// links: proxy_routing
// Any path through normalisation: what comes out is its own normal form, has no dot segments and no backslashes, and keeps its query.
#include "http_fuzz_peer.h"
#include "proxy/routing/path.h"

namespace {
using namespace weft;
using routing::EscapedSlashes, routing::PathOptions, routing::PathVerdict;

std::string_view query_of(std::string_view path) {
  const size_t at = path.find('?');
  return at == std::string_view::npos ? std::string_view() : path.substr(at);
}

void check(std::string_view path, const PathOptions& options) {
  SlabPool pool;
  http::Head head(pool);
  head.set_method("GET");
  head.set_path(path);
  head.set_authority("x");
  const PathVerdict verdict = normalize_path(head, options);
  if (verdict != PathVerdict::kAccept) return;
  const std::string once(head.path());
  if (once.empty() || once.front() != '/') http::fuzz::broken("a path begins with a slash", once);
  if (query_of(once) != query_of(path)) http::fuzz::broken("a query stays", once);
  const std::string_view plain = std::string_view(once).substr(0, once.find('?'));
  if (plain.find('\\') != std::string_view::npos) http::fuzz::broken("a backslash is a slash", once);
  for (size_t at = 0; at < plain.size();) {
    const size_t end = std::min(plain.find('/', at + 1), plain.size());
    const std::string_view segment = plain.substr(at + 1, end - at - 1);
    const std::string_view name = segment.substr(0, segment.find(';'));
    if (name == "." || name == "..") http::fuzz::broken("dots are resolved", once);
    if (options.merge_slashes && segment.empty() && end < plain.size()) http::fuzz::broken("slashes are merged", once);
    at = end;
  }
  const PathVerdict again = normalize_path(head, options);
  if (again != PathVerdict::kAccept || head.path() != once) http::fuzz::broken("once is enough", once + "\n" + std::string(head.path()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > 4000) return 0;
  std::string path = "/";
  // What a codec lets through: no blanks, no control characters, no bytes above ASCII.
  for (size_t i = 1; i < size; ++i)
    if (data[i] > 0x20 && data[i] < 0x7f) path += static_cast<char>(data[i]);
  check(path, {.normalize = true, .merge_slashes = (data[0] & 1) != 0, .escaped_slashes = static_cast<EscapedSlashes>((data[0] >> 1) % 4)});
  return 0;
}
