#include "proxy/routing/timeouts.h"

#include <algorithm>
#include <charconv>

namespace weft::routing {
namespace {

using http::HeaderId;

// Longer than any configuration, short enough to be added to a point in time.
constexpr uint64_t kLongest = uint64_t{1} << 40;

bool read_milliseconds(http::Head& request, HeaderId id, Milliseconds& timeout) {
  const http::Header* header = request.find(id);
  if (!header) return false;
  std::string_view text = header->value();
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  timeout = Milliseconds(std::min(value, kLongest));
  return true;
}

Milliseconds grpc_global(const Forward& forward, const http::Head& request) {
  Milliseconds timeout = parse_grpc_timeout(request.value(HeaderId::kGrpcTimeout)).value_or(Milliseconds(0));
  // An offset that would leave nothing is not applied: 0 means infinity.
  if (forward.grpc_timeout_offset && *forward.grpc_timeout_offset < timeout) timeout -= *forward.grpc_timeout_offset;
  Milliseconds longest = *forward.max_grpc_timeout;
  if (longest.count() != 0 && (timeout.count() == 0 || timeout > longest)) timeout = longest;
  return timeout;
}

// For routes that bound the whole stream: what grpc-timeout asks for if it may, else the route's bound, else the connection manager's.
// gRPC requests are told.
void bound_stream(const Forward& forward, http::Head& request, bool grpc, Milliseconds fallback, Timeouts& timeouts) {
  std::optional<Milliseconds> asked;
  if (forward.grpc_timeout_header_max) asked = parse_grpc_timeout(request.value(HeaderId::kGrpcTimeout));
  if (asked) {
    const Milliseconds longest = *forward.grpc_timeout_header_max;
    if (longest.count() != 0) asked = std::min(*asked, longest);
    if (forward.grpc_timeout_header_offset) *asked -= std::min(*asked, *forward.grpc_timeout_header_offset);
    timeouts.over = asked->count() == 0;
  }
  timeouts.max_stream_from_route = asked || forward.max_stream_duration;
  timeouts.max_stream = asked ? *asked : forward.max_stream_duration.value_or(fallback);
  if (!grpc) return;
  if (timeouts.max_stream.count() != 0)
    request.set(HeaderId::kGrpcTimeout, format_grpc_timeout(timeouts.max_stream));
  else
    request.remove(HeaderId::kGrpcTimeout);
}

}  // namespace

bool is_grpc(const http::Head& head) {
  std::string_view type = head.value(HeaderId::kContentType);
  constexpr std::string_view kGrpc = "application/grpc";
  return type.starts_with(kGrpc) && (type.size() == kGrpc.size() || type[kGrpc.size()] == '+');
}

std::optional<Milliseconds> parse_grpc_timeout(std::string_view value) {
  if (value.size() < 2 || value.size() > 9) return std::nullopt;
  uint64_t number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size() - 1, number);
  if (error != std::errc() || end != value.data() + value.size() - 1) return std::nullopt;
  switch (value.back()) {  // eight digits of hours are 3.6e14 ms: nothing here overflows
    case 'H': return Milliseconds(std::min(number * 3'600'000, kLongest));
    case 'M': return Milliseconds(std::min(number * 60'000, kLongest));
    case 'S': return Milliseconds(number * 1000);
    case 'm': return Milliseconds(number);
    case 'u': return Milliseconds((number + 999) / 1000);
    case 'n': return Milliseconds((number + 999'999) / 1'000'000);
    default: return std::nullopt;
  }
}

std::string format_grpc_timeout(Milliseconds timeout) {
  constexpr int64_t kDigits = 99'999'999;
  int64_t value = timeout.count();
  for (auto [unit, scale] : {std::pair('m', int64_t{1000}), std::pair('S', int64_t{60}), std::pair('M', int64_t{60})}) {
    if (value <= kDigits) return std::to_string(value) + unit;
    value /= scale;
  }
  return std::to_string(std::min(value, kDigits)) + 'H';
}

Timeouts resolve_timeouts(const Route& route, http::Head& request, const TimeoutRules& rules) {
  const Forward& forward = *route.forward();
  const bool grpc = is_grpc(request);
  Timeouts timeouts;
  const bool by_stream = forward.max_stream_duration || forward.grpc_timeout_header_max || forward.grpc_timeout_header_offset;
  const bool by_grpc = grpc && forward.max_grpc_timeout && !by_stream;
  if (by_stream) {
    bound_stream(forward, request, grpc, rules.max_stream, timeouts);
  } else {
    timeouts.global = by_grpc ? grpc_global(forward, request) : forward.timeout;
  }
  if (const RetryPolicy* retry = retry_policy(route)) {
    timeouts.per_try = retry->per_try_timeout;
    timeouts.per_try_idle = retry->per_try_idle_timeout;
  }
  bool expected_stands = rules.respect_expected && request.has(HeaderId::kXEnvoyExpectedRqTimeoutMs);
  read_milliseconds(request, expected_stands ? HeaderId::kXEnvoyExpectedRqTimeoutMs : HeaderId::kXEnvoyUpstreamRqTimeoutMs,
                    timeouts.global);
  read_milliseconds(request, HeaderId::kXEnvoyUpstreamRqPerTryTimeoutMs, timeouts.per_try);
  for (HeaderId id :
       {HeaderId::kXEnvoyUpstreamRqTimeoutMs, HeaderId::kXEnvoyUpstreamRqPerTryTimeoutMs, HeaderId::kXEnvoyUpstreamRqTimeoutAltResponse,
        HeaderId::kXEnvoyHedgeOnPerTryTimeout, HeaderId::kXEnvoyUpstreamAltStatName})
    if (request.has(id)) request.remove(id);
  if (timeouts.global.count() != 0 && timeouts.per_try >= timeouts.global) timeouts.per_try = Milliseconds(0);

  Milliseconds expected = timeouts.per_try.count() != 0 ? timeouts.per_try : timeouts.global;
  if (expected.count() != 0) {
    if (rules.insert_expected && !expected_stands) request.set(HeaderId::kXEnvoyExpectedRqTimeoutMs, std::to_string(expected.count()));
    if (by_grpc) request.set(HeaderId::kGrpcTimeout, format_grpc_timeout(expected));
  }
  return timeouts;
}

}  // namespace weft::routing
