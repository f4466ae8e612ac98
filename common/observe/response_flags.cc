#include "common/observe/response_flags.h"

#include <array>
#include <bit>

namespace weft::observe {
namespace {

struct Names {
  std::string_view brief, full;
};
// In the order of the enum, which is the order in which Envoy prints them.
constexpr std::array<Names, static_cast<size_t>(ResponseFlag::kCount)> kNames = {{
    {"LH", "FailedLocalHealthCheck"},
    {"UH", "NoHealthyUpstream"},
    {"UT", "UpstreamRequestTimeout"},
    {"LR", "LocalReset"},
    {"UR", "UpstreamRemoteReset"},
    {"UF", "UpstreamConnectionFailure"},
    {"UC", "UpstreamConnectionTermination"},
    {"UO", "UpstreamOverflow"},
    {"NR", "NoRouteFound"},
    {"DI", "DelayInjected"},
    {"FI", "FaultInjected"},
    {"RL", "RateLimited"},
    {"UAEX", "UnauthorizedExternalService"},
    {"RLSE", "RateLimitServiceError"},
    {"DC", "DownstreamConnectionTermination"},
    {"URX", "UpstreamRetryLimitExceeded"},
    {"SI", "StreamIdleTimeout"},
    {"IH", "InvalidEnvoyRequestHeaders"},
    {"DPE", "DownstreamProtocolError"},
    {"UMSDR", "UpstreamMaxStreamDurationReached"},
    {"RFCF", "ResponseFromCacheFilter"},
    {"NFCF", "NoFilterConfigFound"},
    {"DT", "DurationTimeout"},
    {"UPE", "UpstreamProtocolError"},
    {"NC", "NoClusterFound"},
    {"OM", "OverloadManagerTerminated"},
    {"DF", "DnsResolutionFailed"},
    {"DO", "DropOverload"},
    {"DR", "DownstreamRemoteReset"},
    {"UDO", "UnconditionalDropOverload"},
}};

template <class Name>
void append(std::string& out, uint64_t bits, Name name) {
  bool first = true;
  for (; bits != 0; bits &= bits - 1) {
    if (!first) out += ',';
    first = false;
    out += name(static_cast<ResponseFlag>(std::countr_zero(bits)));
  }
}

}  // namespace

std::string_view short_name(ResponseFlag flag) { return kNames[static_cast<size_t>(flag)].brief; }
std::string_view long_name(ResponseFlag flag) { return kNames[static_cast<size_t>(flag)].full; }

std::optional<ResponseFlag> response_flag(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i].brief == name) return static_cast<ResponseFlag>(i);
  return std::nullopt;
}

void ResponseFlags::append_short(std::string& out) const { append(out, bits_, short_name); }
void ResponseFlags::append_long(std::string& out) const { append(out, bits_, long_name); }

}  // namespace weft::observe
