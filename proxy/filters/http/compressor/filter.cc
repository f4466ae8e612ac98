#include "proxy/filters/http/compressor/filter.h"

#include "common/observe/shapes.h"

#include <algorithm>
#include <charconv>

namespace weft::filters {
namespace {

using http::HeaderId;
using observe::CompressorStat;

constexpr std::string_view kEtag = "EtagNotAllowed";

std::optional<std::string_view> content_type(const http::Head& head) {
  const http::Header* type = head.find(HeaderId::kContentType);
  return type ? std::optional<std::string_view>(type->value()) : std::nullopt;
}

}  // namespace

Verdict Compressor::on_request_head(FilterContext& context, bool end) {
  const auto* route = dynamic_cast<const CompressorRoute*>(context.route_config(name_));
  disabled_ = route && route->disabled;
  if (disabled_) return Verdict::kContinue;
  library_ = route && route->library ? &*route->library : &options_.library;
  http::Head& request = context.request();
  std::string scratch;
  if (request.has(HeaderId::kAcceptEncoding)) accept_encoding_ = std::string(request.joined("accept-encoding", scratch));
  const bool remove = route && route->remove_accept_encoding ? *route->remove_accept_encoding : options_.remove_accept_encoding;
  if (options_.response.enabled.on() && remove) request.remove(HeaderId::kAcceptEncoding);

  if (!options_.request.configured) return Verdict::kContinue;
  if (!end && options_.request.enabled.on() && may_transform(request) && long_enough(context, options_.request, request) &&
      type_allowed(options_.request.content_types, content_type(request)) && !request.has(HeaderId::kContentEncoding)) {
    request.remove(HeaderId::kContentLength);
    request.set(HeaderId::kContentEncoding, library_->coding);
    count(context, options_.request, CompressorStat::kCompressed);
    request_ = library_->make();
  } else {
    count(context, options_.request, CompressorStat::kNotCompressed);
  }
  return Verdict::kContinue;
}

Verdict Compressor::on_response_head(FilterContext& context, bool end) {
  const CompressorDirection& direction = options_.response;
  if (disabled_ || !direction.enabled.on()) return Verdict::kContinue;
  http::Head& response = context.response();
  const bool big_enough = long_enough(context, direction, response);
  const bool plain = may_transform(response) && !response.has(HeaderId::kContentEncoding) && !response.has(HeaderId::kUpgrade);
  const std::string_view why = why_not(response, big_enough);
  if (why == kEtag && options_.stats && may_transform(response))
    options_.stats->cells(context.thread()).add(CompressorStat::kNotCompressedEtag);
  const bool compressible = plain && why.empty();
  if (!end && plain && !why.empty()) tell(response, why);
  const bool wanted = !end && big_enough && accepted(context);  // counts, whatever else stands against it
  if (wanted && compressible) {
    if (const http::Header* etag = response.find(HeaderId::kEtag)) {
      const std::string value(etag->value());
      const bool weak = value.size() > 2 && (value[0] == 'w' || value[0] == 'W') && value[1] == '/';
      if (!weak && options_.weaken_etag)
        response.set(HeaderId::kEtag, "W/" + value);
      else if (!weak)
        response.remove(HeaderId::kEtag);
    }
    if (options_.status_header) tell(response, "Compressed;OriginalLength=" + std::string(response.value(HeaderId::kContentLength)));
    response.remove(HeaderId::kContentLength);
    response.set(HeaderId::kContentEncoding, library_->coding);
    count(context, direction, CompressorStat::kCompressed);
    response_ = library_->make();
  } else {
    count(context, direction, CompressorStat::kNotCompressed);
  }
  if (!compressible) return Verdict::kContinue;
  // A cache in front must know that another client might be given something else.
  std::string scratch;
  const std::string_view vary = response.joined("vary", scratch);
  if (vary.empty())
    response.set(HeaderId::kVary, "Accept-Encoding");
  else if (!list_has(vary, "accept-encoding"))
    response.set(HeaderId::kVary, std::string(vary) + ", Accept-Encoding");
  return Verdict::kContinue;
}

void Compressor::on_request_body(FilterContext& context, Body& body, bool end) { compress(context, options_.request, request_, body, end); }
void Compressor::on_response_body(FilterContext& context, Body& body, bool end) {
  compress(context, options_.response, response_, body, end);
}

void Compressor::compress(FilterContext& context, const CompressorDirection& direction, Stream& stream, Body& body, bool end) {
  if (!stream) return;
  count(context, direction, CompressorStat::kTotalUncompressedBytes, static_cast<int64_t>(body.size()));
  stream->compress(body, end, context.slabs());
  count(context, direction, CompressorStat::kTotalCompressedBytes, static_cast<int64_t>(body.size()));
  if (end) stream.reset();
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

bool Compressor::may_transform(const http::Head& head) {
  if (!head.has(HeaderId::kCacheControl)) return true;
  std::string scratch;
  return !list_has(head.joined("cache-control", scratch), "no-transform");
}

// The first of the reasons, as Envoy orders them; empty: none.
std::string_view Compressor::why_not(const http::Head& response, bool big_enough) const {
  if (!big_enough) return "ContentLengthTooSmall";
  if (!type_allowed(options_.response.content_types, content_type(response))) return "ContentTypeNotAllowed";
  if (options_.disable_on_etag && response.has(HeaderId::kEtag)) return kEtag;
  const auto& codes = options_.uncompressible_codes;
  if (std::find(codes.begin(), codes.end(), static_cast<uint32_t>(response.status())) != codes.end()) return "StatusCodeNotAllowed";
  return {};
}

void Compressor::tell(http::Head& response, std::string_view what) const {
  if (options_.status_header) response.add("x-envoy-compression-status", library_->coding + ";" + std::string(what));
}

bool Compressor::accepted(FilterContext& context) {
  using Kind = EncodingChoice::Kind;
  CompressionOffers own;
  const CompressionOffers* offers = options_.offers.get();
  if (library_ != &options_.library) {
    // The route's library in the place of the chain's.
    own = *offers;
    for (CompressionOffer& offer : own)
      if (offer.coding == options_.library.coding) offer.coding = library_->coding;
    offers = &own;
  }
  const EncodingChoice choice = choose_encoding(accept_encoding_, *offers, content_type(context.response()));
  unsigned metric = CompressorStat::kHeaderCompressorOvershadowed;
  bool ours = false;
  switch (choice.kind) {
    case Kind::kMissing: metric = CompressorStat::kNoAcceptHeader; break;
    case Kind::kIdentity: metric = CompressorStat::kHeaderIdentity; break;
    case Kind::kNotValid: metric = CompressorStat::kHeaderNotValid; break;
    case Kind::kWildcard:
      ours = choice.coding == library_->coding;
      metric = CompressorStat::kHeaderWildcard;
      break;
    case Kind::kCoding:
      ours = choice.coding == library_->coding;
      if (ours) metric = CompressorStat::kHeaderCompressorUsed;
      break;
  }
  if (options_.stats) options_.stats->cells(context.thread()).add(metric);
  return ours;
}

void Compressor::count(FilterContext& context, const CompressorDirection& direction, unsigned metric, int64_t n) const {
  if (direction.stats) direction.stats->cells(context.thread()).add(metric, n);
}

}  // namespace weft::filters
