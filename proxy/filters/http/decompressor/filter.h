// envoy.filters.http.decompressor with gzip, brotli or zstd: unpacks requests and responses, and tells upstreams that it can. A
// body that is no such stream, is cut short or grows beyond its bound ends the message: nobody must take its half for the whole.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/filters/compression/streams.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"

#include <functional>
#include <memory>
#include <string>

namespace weft::filters {

struct DecompressorDirection {
  runtime::Flag enabled;
  bool ignore_no_transform = false;
  std::shared_ptr<observe::Scope> stats;  // null: not counted
};

struct DecompressorOptions {
  std::string coding = "gzip";  // as content-encoding names it
  std::function<std::unique_ptr<DecompressionStream>()> make;
  DecompressorDirection request, response;
  bool advertise = true;                          // in accept-encoding, while responses are unpacked
  std::shared_ptr<observe::Scope> library_stats;  // of gzip; null: not counted
};

class Decompressor final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnRequestBody | kOnResponseHead | kOnResponseBody;
  Decompressor(const DecompressorOptions& options, const std::string&) : options_(options) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  void on_request_body(FilterContext& context, Body& body, bool end) override;
  Verdict on_response_head(FilterContext& context, bool end) override;
  void on_response_body(FilterContext& context, Body& body, bool end) override;

 private:
  using Stream = std::unique_ptr<DecompressionStream>;
  void advertise(http::Head& request) const;
  Stream begin(FilterContext& context, const DecompressorDirection& direction, http::Head& head) const;
  bool unpack(FilterContext& context, const DecompressorDirection& direction, Stream& stream, Body& body, bool end);

  const DecompressorOptions& options_;
  Stream request_, response_;
};

HttpFilterType decompressor_type();

}  // namespace weft::filters
