#include "proxy/filters/http/decompressor/filter.h"

#include "common/observe/shapes.h"
#include "proxy/filters/compression/offers.h"

namespace weft::filters {
namespace {

using http::HeaderId;
using observe::DecompressorStat;
using observe::GzipLibraryStat;

// The coding that was applied last, which is the one to take off first (RFC 9110 8.4).
std::string_view outermost(std::string_view codings) {
  const size_t comma = codings.rfind(',');
  return trimmed_text(comma == std::string_view::npos ? codings : codings.substr(comma + 1));
}

}  // namespace

Verdict Decompressor::on_request_head(FilterContext& context, bool end) {
  http::Head& request = context.request();
  if (options_.advertise && options_.response.enabled.on()) advertise(request);
  if (!end) request_ = begin(context, options_.request, request);
  return Verdict::kContinue;
}

Verdict Decompressor::on_response_head(FilterContext& context, bool end) {
  if (!end) response_ = begin(context, options_.response, context.response());
  return Verdict::kContinue;
}

// Behind what the client accepts, once.
void Decompressor::advertise(http::Head& request) const {
  std::string scratch;
  std::string_view rest = request.joined("accept-encoding", scratch);
  std::string list;
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    const std::string_view item = trimmed_text(rest.substr(0, comma));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    if (item.empty() || same_text(item, options_.coding)) continue;
    (list.empty() ? list : list += ',') += item;
  }
  (list.empty() ? list : list += ',') += options_.coding;
  request.remove(HeaderId::kAcceptEncoding);
  request.add(HeaderId::kAcceptEncoding, list);
}

Decompressor::Stream Decompressor::begin(FilterContext& context, const DecompressorDirection& direction, http::Head& head) const {
  std::string scratch, cache;
  const std::string_view codings = head.joined("content-encoding", scratch);
  const bool transformable =
      direction.ignore_no_transform || !head.has(HeaderId::kCacheControl) || !list_has(head.joined("cache-control", cache), "no-transform");
  const bool ours = direction.enabled.on() && transformable && !codings.empty() && same_text(outermost(codings), options_.coding);
  if (direction.stats)
    direction.stats->cells(context.thread()).add(ours ? DecompressorStat::kDecompressed : DecompressorStat::kNotDecompressed);
  if (!ours) return nullptr;
  const size_t comma = codings.rfind(',');
  const std::string inner(comma == std::string_view::npos ? std::string_view() : trimmed_text(codings.substr(0, comma)));
  head.remove(HeaderId::kContentLength);
  head.remove(HeaderId::kContentEncoding);
  if (!inner.empty()) head.add(HeaderId::kContentEncoding, inner);
  return options_.make();
}

void Decompressor::on_request_body(FilterContext& context, Body& body, bool end) {
  if (!request_ || unpack(context, options_.request, request_, body, end)) return;
  body.slices.clear();
  if (context.response_begun()) return context.abandon_response("decompressor_malformed_request");
  LocalReply reply;
  reply.status = 400;
  reply.body = "malformed compressed body";
  reply.details = "decompressor_malformed_request";
  context.reply(std::move(reply));
}

void Decompressor::on_response_body(FilterContext& context, Body& body, bool end) {
  if (!response_ || unpack(context, options_.response, response_, body, end)) return;
  body.slices.clear();
  context.abandon_response("decompressor_malformed_response");
}

bool Decompressor::unpack(FilterContext& context, const DecompressorDirection& direction, Stream& stream, Body& body, bool end) {
  const auto packed = static_cast<int64_t>(body.size());
  const Unpacked result = stream->decompress(body, end, context.slabs());
  if (direction.stats) {
    observe::Cells& stats = direction.stats->cells(context.thread());
    stats.add(DecompressorStat::kTotalCompressedBytes, packed);
    stats.add(DecompressorStat::kTotalUncompressedBytes, static_cast<int64_t>(body.size()));
  }
  if (result == Unpacked::kGood) return true;
  if (options_.library_stats)
    options_.library_stats->cells(context.thread())
        .add(result == Unpacked::kCut ? GzipLibraryStat::kZlibBufError : GzipLibraryStat::kZlibDataError);
  return false;
}

}  // namespace weft::filters
