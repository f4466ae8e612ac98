// envoy.filters.http.compressor with gzip, brotli or zstd: compresses responses for clients that accept it, and requests where
// configured. Streams: each piece that arrives is compressed and flushed, so nothing waits and memory is bounded.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/filters/compression/offers.h"
#include "proxy/filters/compression/streams.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/routing/route.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::filters {

struct CompressorLibrary {
  std::string coding = "gzip";  // as content-encoding names it
  std::function<std::unique_ptr<CompressionStream>()> make;
};

struct CompressorDirection {
  runtime::Flag enabled{false};
  bool configured = false;
  uint32_t min_content_length = 30;
  std::vector<std::string> content_types;
  std::shared_ptr<observe::Scope> stats;  // null: not counted
};

struct CompressorOptions {
  CompressorLibrary library;
  std::shared_ptr<const CompressionOffers> offers;  // of the whole chain
  CompressorDirection request, response;
  std::shared_ptr<observe::Scope> stats;  // of what accept-encoding said
  bool disable_on_etag = false;
  bool weaken_etag = false;
  bool remove_accept_encoding = false;
  bool status_header = false;  // x-envoy-compression-status says what was done, or why not
  std::vector<uint32_t> uncompressible_codes;
};

struct CompressorRoute final : routing::FilterConfig {
  bool disabled = false;
  std::optional<bool> remove_accept_encoding;
  std::optional<CompressorLibrary> library;
};

class Compressor final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnRequestBody | kOnResponseHead | kOnResponseBody;
  Compressor(const CompressorOptions& options, const std::string& name) : options_(options), name_(name) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  void on_request_body(FilterContext& context, Body& body, bool end) override;
  Verdict on_response_head(FilterContext& context, bool end) override;
  void on_response_body(FilterContext& context, Body& body, bool end) override;

 private:
  using Stream = std::unique_ptr<CompressionStream>;
  bool long_enough(FilterContext& context, const CompressorDirection& direction, const http::Head& head) const;
  static bool may_transform(const http::Head& head);
  bool accepted(FilterContext& context);
  void tell(http::Head& response, std::string_view what) const;
  std::string_view why_not(const http::Head& response, bool big_enough) const;
  void count(FilterContext& context, const CompressorDirection& direction, unsigned metric, int64_t n = 1) const;
  void compress(FilterContext& context, const CompressorDirection& direction, Stream& stream, Body& body, bool end);

  const CompressorOptions& options_;
  const std::string& name_;
  const CompressorLibrary* library_ = nullptr;
  bool disabled_ = false;
  std::optional<std::string> accept_encoding_;  // copied: it may be removed from the request
  Stream request_, response_;
};

HttpFilterType compressor_type();

}  // namespace weft::filters
