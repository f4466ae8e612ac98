// Whether a connection's first bytes speak HTTP in plain text, by HTTP/2's preface or the first line of a request.
#pragma once
#include "common/net/first_bytes/verdict.h"

#include <string>
#include <string_view>

namespace weft::net {

// A first line that has not ended by then is none.
inline constexpr size_t kMaxSniffedLine = 64 * 1024;

// kFound: `protocol` is "http/1.0" (which stands for any version of HTTP/1 but 1.1), "http/1.1" or "h2c". Never kMalformed: what is
// broken is not HTTP.
Verdict sniff_http(std::string_view bytes, std::string& protocol);

}  // namespace weft::net
