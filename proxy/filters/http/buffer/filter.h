// envoy.filters.http.buffer: lets a request go on only when all of it is here, so that an upstream never waits for a slow client;
// what is longer than it may be gets 413. The exchange holds the body (FilterContext::wait_for_body).
#pragma once
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/routing/route.h"

#include <cstdint>
#include <optional>
#include <string>

namespace weft::filters {

struct BufferOptions {
  uint64_t max_request_bytes = 0;
};

struct BufferRoute final : routing::FilterConfig {
  std::optional<uint64_t> max_request_bytes;  // nothing: disabled
};

class Buffer final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead;
  Buffer(const BufferOptions& options, const std::string& name) : options_(options), name_(name) {}
  Verdict on_request_head(FilterContext& context, bool end) override;

 private:
  const BufferOptions& options_;
  const std::string& name_;
};

HttpFilterType buffer_type();

}  // namespace weft::filters
