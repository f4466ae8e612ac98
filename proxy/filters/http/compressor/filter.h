// envoy.filters.http.compressor with gzip: compresses responses for clients that accept it, and requests where configured.
// Streams: each piece that arrives is compressed and flushed, so nothing waits and memory is bounded.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/routing/route.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct z_stream_s;

namespace weft::filters {

struct GzipOptions {
  int level = -1;  // zlib's own choice
  int strategy = 0;
  int memory_level = 5;
  int window_bits = 12;
};

// A gzip stream into slabs. Lives with its exchange.
class Gzip {
 public:
  explicit Gzip(const GzipOptions& options);
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  // Replaces the body's slices by their compressed form, flushed so that the peer can read all of it.
  void compress(Body& body, bool end, SlabPool& pool);

 private:
  void run(std::string_view in, int flush, Body& out, SlabPool& pool);
  std::unique_ptr<z_stream_s> stream_;
};

struct CompressorDirection {
  bool enabled = false;
  uint32_t min_content_length = 30;
  std::vector<std::string> content_types;  // in lower case
  std::shared_ptr<observe::Scope> stats;   // null: not counted
};

struct CompressorOptions {
  GzipOptions gzip;
  CompressorDirection request, response;
  bool disable_on_etag = false;
  bool weaken_etag = false;
  bool remove_accept_encoding = false;
  std::vector<uint32_t> uncompressible_codes;
};

struct CompressorRoute final : routing::FilterConfig {
  bool disabled = false;
  std::optional<bool> remove_accept_encoding;
};

// What a client's accept-encoding says about gzip: Envoy's outcomes, each with its counter.
enum class AcceptEncoding : uint8_t { kMissing, kIdentity, kGzip, kWildcard, kNotValid };
AcceptEncoding negotiate(std::optional<std::string_view> accept_encoding);

class Compressor final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnRequestBody | kOnResponseHead | kOnResponseBody;
  Compressor(const CompressorOptions& options, const std::string& name) : options_(options), name_(name) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  void on_request_body(FilterContext& context, Body& body, bool end) override;
  Verdict on_response_head(FilterContext& context, bool end) override;
  void on_response_body(FilterContext& context, Body& body, bool end) override;

 private:
  bool long_enough(FilterContext& context, const CompressorDirection& direction, const http::Head& head) const;
  static bool type_allowed(const CompressorDirection& direction, const http::Head& head);
  static bool may_transform(const http::Head& head);
  bool etag_allowed(FilterContext& context, const http::Head& head) const;
  bool accepted(FilterContext& context);
  void count(FilterContext& context, const CompressorDirection& direction, unsigned metric, int64_t n = 1) const;
  void compress(FilterContext& context, const CompressorDirection& direction, std::unique_ptr<Gzip>& gzip, Body& body, bool end);

  const CompressorOptions& options_;
  const std::string& name_;
  bool disabled_ = false;
  std::optional<std::string> accept_encoding_;  // copied: it may be removed from the request
  std::unique_ptr<Gzip> request_, response_;
};

HttpFilterType compressor_type();

}  // namespace weft::filters
