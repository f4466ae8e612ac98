#include "proxy/filters/http/compressor/filter.h"

#include "common/observe/shapes.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>

namespace weft::filters {
namespace {

using http::HeaderId;
using observe::CompressorStat;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == (y >= 'A' && y <= 'Z' ? y + 32 : y); });
}

bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    if (same_word(trimmed(list.substr(0, comma)), token)) return true;
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return false;
}

}  // namespace

Gzip::Gzip(const GzipOptions& options) : stream_(std::make_unique<z_stream>()) {
  *stream_ = {};
  // 16: with a gzip header.
  deflateInit2(stream_.get(), options.level, Z_DEFLATED, options.window_bits | 16, options.memory_level, options.strategy);
}

Gzip::~Gzip() { deflateEnd(stream_.get()); }

void Gzip::compress(Body& body, bool end, SlabPool& pool) {
  Body out;
  for (const Slice& slice : body.slices) run(slice.view(), Z_NO_FLUSH, out, pool);
  if (end)
    run({}, Z_FINISH, out, pool);
  else if (body.size() > 0)
    run({}, Z_SYNC_FLUSH, out, pool);
  body = std::move(out);
}

void Gzip::run(std::string_view in, int flush, Body& out, SlabPool& pool) {
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  stream_->avail_in = static_cast<uInt>(in.size());
  for (;;) {
    if (flush == Z_NO_FLUSH && stream_->avail_in == 0) return;
    SlabRef slab(pool.take(in.size() > SlabPool::kSmall));
    stream_->next_out = reinterpret_cast<Bytef*>(slab->data());
    stream_->avail_out = slab->capacity;
    const int result = deflate(stream_.get(), flush);
    const size_t made = slab->capacity - stream_->avail_out;
    const bool full = stream_->avail_out == 0;
    if (made > 0) {
      const char* data = slab->data();
      out.slices.push_back({std::move(slab), data, made});
    }
    if (result != Z_OK && result != Z_BUF_ERROR) return;  // Z_STREAM_END: finished
    if (!full && stream_->avail_in == 0) return;
  }
}

AcceptEncoding negotiate(std::optional<std::string_view> accept_encoding) {
  if (!accept_encoding) return AcceptEncoding::kMissing;
  if (trimmed(*accept_encoding).empty()) return AcceptEncoding::kIdentity;
  std::string_view list = *accept_encoding, choice;
  double best = 0;
  bool gzip_forbidden = false;
  struct Offer {
    std::string_view name;
    double quality;
  };
  std::vector<Offer> offers;
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view item = list.substr(0, comma);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    const size_t semicolon = item.find(';');
    Offer offer{trimmed(item.substr(0, semicolon)), 1};
    if (semicolon != std::string_view::npos) {
      const std::string_view parameter = item.substr(semicolon + 1);
      const size_t equals = parameter.find('=');
      if (equals != std::string_view::npos && same_word(trimmed(parameter.substr(0, equals)), "q")) {
        const std::string_view value = trimmed(parameter.substr(equals + 1));
        if (std::from_chars(value.data(), value.data() + value.size(), offer.quality).ec != std::errc()) continue;
      }
    }
    if (offer.quality == 0 && same_word(offer.name, "gzip")) gzip_forbidden = true;
    offers.push_back(offer);
  }
  for (const Offer& offer : offers) {
    const bool known = (same_word(offer.name, "gzip") && !gzip_forbidden) || offer.name == "*" || same_word(offer.name, "identity");
    if (known && offer.quality > best) best = offer.quality, choice = offer.name;
  }
  if (best == 0) return AcceptEncoding::kNotValid;
  if (same_word(choice, "identity")) return AcceptEncoding::kIdentity;
  if (choice == "*") return gzip_forbidden ? AcceptEncoding::kNotValid : AcceptEncoding::kWildcard;
  return AcceptEncoding::kGzip;
}

Verdict Compressor::on_request_head(FilterContext& context, bool end) {
  const auto* route = dynamic_cast<const CompressorRoute*>(context.route_config(name_));
  disabled_ = route && route->disabled;
  if (disabled_) return Verdict::kContinue;
  http::Head& request = context.request();
  std::string scratch;
  if (request.has(HeaderId::kAcceptEncoding)) accept_encoding_ = std::string(request.joined("accept-encoding", scratch));
  const bool remove = route && route->remove_accept_encoding ? *route->remove_accept_encoding : options_.remove_accept_encoding;
  if (options_.response.enabled && remove) request.remove(HeaderId::kAcceptEncoding);

  if (!options_.request.enabled) return Verdict::kContinue;
  if (!end && may_transform(request) && long_enough(context, options_.request, request) && type_allowed(options_.request, request) &&
      !request.has(HeaderId::kContentEncoding)) {
    request.remove(HeaderId::kContentLength);
    request.set(HeaderId::kContentEncoding, "gzip");
    count(context, options_.request, CompressorStat::kCompressed);
    request_ = std::make_unique<Gzip>(options_.gzip);
  } else {
    count(context, options_.request, CompressorStat::kNotCompressed);
  }
  return Verdict::kContinue;
}

Verdict Compressor::on_response_head(FilterContext& context, bool end) {
  const CompressorDirection& direction = options_.response;
  if (disabled_ || !direction.enabled) return Verdict::kContinue;
  http::Head& response = context.response();
  const bool big_enough = long_enough(context, direction, response);
  const auto status = static_cast<uint32_t>(response.status());
  const bool compressible =
      big_enough && type_allowed(direction, response) && may_transform(response) && etag_allowed(context, response) &&
      !response.has(HeaderId::kContentEncoding) && !response.has(HeaderId::kUpgrade) &&
      std::find(options_.uncompressible_codes.begin(), options_.uncompressible_codes.end(), status) == options_.uncompressible_codes.end();
  if (!end && compressible && accepted(context)) {
    if (const http::Header* etag = response.find(HeaderId::kEtag)) {
      const std::string value(etag->value());
      const bool weak = value.size() > 2 && (value[0] == 'w' || value[0] == 'W') && value[1] == '/';
      if (!weak && options_.weaken_etag)
        response.set(HeaderId::kEtag, "W/" + value);
      else if (!weak)
        response.remove(HeaderId::kEtag);
    }
    response.remove(HeaderId::kContentLength);
    response.set(HeaderId::kContentEncoding, "gzip");
    count(context, direction, CompressorStat::kCompressed);
    response_ = std::make_unique<Gzip>(options_.gzip);
  } else {
    count(context, direction, CompressorStat::kNotCompressed);
  }
  if (!compressible) return Verdict::kContinue;
  // A cache in front must know that another client might be given something else.
  std::string scratch;
  const std::string_view vary = response.joined("vary", scratch);
  if (vary.empty())
    response.set(HeaderId::kVary, "Accept-Encoding");
  else if (!has_token(vary, "accept-encoding"))
    response.set(HeaderId::kVary, std::string(vary) + ", Accept-Encoding");
  return Verdict::kContinue;
}

void Compressor::on_request_body(FilterContext& context, Body& body, bool end) { compress(context, options_.request, request_, body, end); }
void Compressor::on_response_body(FilterContext& context, Body& body, bool end) {
  compress(context, options_.response, response_, body, end);
}

void Compressor::compress(FilterContext& context, const CompressorDirection& direction, std::unique_ptr<Gzip>& gzip, Body& body, bool end) {
  if (!gzip) return;
  count(context, direction, CompressorStat::kTotalUncompressedBytes, static_cast<int64_t>(body.size()));
  gzip->compress(body, end, context.slabs());
  count(context, direction, CompressorStat::kTotalCompressedBytes, static_cast<int64_t>(body.size()));
  if (end) gzip.reset();
}

bool Compressor::long_enough(FilterContext& context, const CompressorDirection& direction, const http::Head& head) const {
  const http::Header* length = head.find(HeaderId::kContentLength);
  if (!length) return true;
  uint64_t value = 0;
  const std::string_view text = length->value();
  const bool enough =
      std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc() && value >= direction.min_content_length;
  if (!enough) count(context, direction, CompressorStat::kContentLengthTooSmall);
  return enough;
}

bool Compressor::type_allowed(const CompressorDirection& direction, const http::Head& head) {
  const http::Header* type = head.find(HeaderId::kContentType);
  if (!type || direction.content_types.empty()) return true;
  const std::string_view name = trimmed(type->value().substr(0, type->value().find(';')));
  return std::any_of(direction.content_types.begin(), direction.content_types.end(),
                     [&](const std::string& allowed) { return same_word(allowed, name); });
}

bool Compressor::may_transform(const http::Head& head) {
  if (!head.has(HeaderId::kCacheControl)) return true;
  std::string scratch;
  return !has_token(head.joined("cache-control", scratch), "no-transform");
}

bool Compressor::etag_allowed(FilterContext& context, const http::Head& head) const {
  const bool allowed = !(options_.disable_on_etag && head.has(HeaderId::kEtag));
  if (!allowed) count(context, options_.response, CompressorStat::kNotCompressedEtag);
  return allowed;
}

bool Compressor::accepted(FilterContext& context) {
  switch (negotiate(accept_encoding_)) {
    case AcceptEncoding::kMissing: count(context, options_.response, CompressorStat::kNoAcceptHeader); return false;
    case AcceptEncoding::kIdentity: count(context, options_.response, CompressorStat::kHeaderIdentity); return false;
    case AcceptEncoding::kNotValid: count(context, options_.response, CompressorStat::kHeaderNotValid); return false;
    case AcceptEncoding::kWildcard: count(context, options_.response, CompressorStat::kHeaderWildcard); return true;
    case AcceptEncoding::kGzip: count(context, options_.response, CompressorStat::kHeaderCompressorUsed); return true;
  }
  return false;
}

void Compressor::count(FilterContext& context, const CompressorDirection& direction, unsigned metric, int64_t n) const {
  if (direction.stats) direction.stats->cells(context.thread()).add(metric, n);
}

}  // namespace weft::filters
