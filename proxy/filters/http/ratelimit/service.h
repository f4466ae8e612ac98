// The rate limit service's messages (envoy.service.ratelimit.v3), as gRPC carries them in one request and one answer.
#pragma once
#include "proxy/routing/rate_limit.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::filters {

struct RateLimitAnswer {
  struct Status {
    uint32_t limit = 0, window_seconds = 0;  // of current_limit; window 0: of no known unit
    std::string name;
    uint32_t remaining = 0;
    int64_t reset_seconds = 0;
    bool has_limit = false;  // a current_limit is told
    bool over = false;       // it is this one that is over its limit
  };
  using Headers = std::vector<std::pair<std::string, std::string>>;  // lower-case names
  bool over_limit = false;                                           // else OK, as Envoy takes an answer without a code
  std::vector<Status> statuses;                                      // one for each descriptor that was asked about
  Headers response_headers, request_headers;
  std::string body;
  format::MetadataStruct metadata;
};

// A RateLimitRequest in its gRPC frame.
std::string rate_limit_question(const std::string& domain, const std::vector<routing::RateLimitHits>& descriptors);
// Nothing: not one whole, uncompressed message.
std::optional<RateLimitAnswer> rate_limit_answer(std::string_view frame);

}  // namespace weft::filters
