#include "proxy/filters/http/ratelimit/service.h"

#include "common/http/syntax.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "proxy/filters/matching/config.h"

#include <algorithm>

namespace weft::filters {
namespace {

namespace rls = envoy::service::ratelimit::v3;
constexpr size_t kFrameHead = 5;  // compressed or not, and the length

uint32_t seconds_of(rls::RateLimitResponse::RateLimit::Unit unit) {
  using Limit = rls::RateLimitResponse::RateLimit;
  switch (unit) {
    case Limit::SECOND: return 1;
    case Limit::MINUTE: return 60;
    case Limit::HOUR: return 3600;
    case Limit::DAY: return 86'400;
    case Limit::WEEK: return 604'800;
    case Limit::MONTH: return 2'592'000;
    case Limit::YEAR: return 31'536'000;
    default: return 0;
  }
}

// What HTTP cannot carry is left out.
template <class List>
void take_headers(const List& from, RateLimitAnswer::Headers& to) {
  for (const auto& header : from) {
    std::string name = header.key();
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    const bool legal = !name.empty() && name.front() != ':' && name != "host" && name != "content-length" && name != "transfer-encoding" &&
                       http::is_token(name) && http::is_field_value(header.value());
    if (legal) to.emplace_back(std::move(name), header.value());
  }
}

}  // namespace

std::string rate_limit_question(const std::string& domain, const std::vector<routing::RateLimitHits>& descriptors) {
  rls::RateLimitRequest request;
  request.set_domain(domain);
  for (const routing::RateLimitHits& one : descriptors) {
    auto& to = *request.add_descriptors();
    for (const auto& [key, value] : one.descriptor) {
      auto& entry = *to.add_entries();
      entry.set_key(key);
      entry.set_value(value);
    }
    envoy::type::v3::RateLimitUnit unit = envoy::type::v3::UNKNOWN;
    if (one.limit && envoy::type::v3::RateLimitUnit_Parse(one.limit->unit, &unit)) {
      to.mutable_limit()->set_requests_per_unit(one.limit->requests);
      to.mutable_limit()->set_unit(unit);
    }
    if (one.hits) to.mutable_hits_addend()->set_value(*one.hits);
    to.set_is_negative_hits(one.gives_hits);
  }
  const std::string bytes = request.SerializeAsString();
  const auto size = static_cast<uint32_t>(bytes.size());
  std::string frame(kFrameHead, '\0');
  for (unsigned i = 0; i < 4; ++i) frame[1 + i] = static_cast<char>(size >> (24 - 8 * i) & 0xff);
  return frame + bytes;
}

std::optional<RateLimitAnswer> rate_limit_answer(std::string_view frame) {
  if (frame.size() < kFrameHead || frame[0] != 0) return {};
  uint32_t size = 0;
  for (unsigned i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(frame[1 + i]);
  rls::RateLimitResponse from;
  if (frame.size() != kFrameHead + size || !from.ParseFromArray(frame.data() + kFrameHead, static_cast<int>(size))) return {};
  RateLimitAnswer to;
  to.over_limit = from.overall_code() == rls::RateLimitResponse::OVER_LIMIT;
  for (const auto& status : from.statuses()) {
    to.statuses.push_back({status.current_limit().requests_per_unit(), seconds_of(status.current_limit().unit()),
                           status.current_limit().name(), status.limit_remaining(), status.duration_until_reset().seconds(),
                           status.has_current_limit(), status.code() == rls::RateLimitResponse::OVER_LIMIT});
  }
  take_headers(from.response_headers_to_add(), to.response_headers);
  take_headers(from.request_headers_to_add(), to.request_headers);
  to.body = from.raw_body();
  to.metadata = metadata_struct(from.dynamic_metadata());
  return to;
}

}  // namespace weft::filters
