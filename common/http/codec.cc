#include "common/http/codec.h"

#include <algorithm>

namespace weft::http {

std::string_view to_string(Protocol protocol) {
  switch (protocol) {
    case Protocol::kHttp10: return "HTTP/1.0";
    case Protocol::kHttp11: return "HTTP/1.1";
    case Protocol::kHttp2: return "HTTP/2";
    case Protocol::kTcp: break;
  }
  return "";
}

std::optional<bool> is_http2_preface(std::string_view first_bytes) {
  constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const size_t n = std::min(first_bytes.size(), kPreface.size());
  if (first_bytes.substr(0, n) != kPreface.substr(0, n)) return false;
  if (n < kPreface.size()) return std::nullopt;
  return true;
}

}  // namespace weft::http
