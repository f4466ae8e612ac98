// Envoy's response flags: why a request or a connection ended as it did, short for logs ("UF"), long for people
// ("UpstreamConnectionFailure"). A set of them is 64 bits.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft::observe {

enum class ResponseFlag : uint8_t {
  kFailedLocalHealthCheck,            // LH
  kNoHealthyUpstream,                 // UH
  kUpstreamRequestTimeout,            // UT
  kLocalReset,                        // LR
  kUpstreamRemoteReset,               // UR
  kUpstreamConnectionFailure,         // UF
  kUpstreamConnectionTermination,     // UC
  kUpstreamOverflow,                  // UO
  kNoRouteFound,                      // NR
  kDelayInjected,                     // DI
  kFaultInjected,                     // FI
  kRateLimited,                       // RL
  kUnauthorizedExternalService,       // UAEX
  kRateLimitServiceError,             // RLSE
  kDownstreamConnectionTermination,   // DC
  kUpstreamRetryLimitExceeded,        // URX
  kStreamIdleTimeout,                 // SI
  kInvalidEnvoyRequestHeaders,        // IH
  kDownstreamProtocolError,           // DPE
  kUpstreamMaxStreamDurationReached,  // UMSDR
  kResponseFromCacheFilter,           // RFCF
  kNoFilterConfigFound,               // NFCF
  kDurationTimeout,                   // DT
  kUpstreamProtocolError,             // UPE
  kNoClusterFound,                    // NC
  kOverloadManagerTerminated,         // OM
  kDnsResolutionFailed,               // DF
  kDropOverload,                      // DO
  kDownstreamRemoteReset,             // DR
  kUnconditionalDropOverload,         // UDO
  kCount
};

std::string_view short_name(ResponseFlag flag);
std::string_view long_name(ResponseFlag flag);
// By its short name, as access log filters spell it.
std::optional<ResponseFlag> response_flag(std::string_view short_name);

class ResponseFlags {
 public:
  constexpr ResponseFlags() = default;
  constexpr ResponseFlags(ResponseFlag flag) { set(flag); }
  constexpr void set(ResponseFlag flag) { bits_ |= bit(flag); }
  constexpr bool has(ResponseFlag flag) const { return (bits_ & bit(flag)) != 0; }
  constexpr bool intersects(ResponseFlags other) const { return (bits_ & other.bits_) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr uint64_t bits() const { return bits_; }
  friend constexpr bool operator==(ResponseFlags, ResponseFlags) = default;
  // "UF,URX"; nothing when empty.
  void append_short(std::string& out) const;
  void append_long(std::string& out) const;

 private:
  static constexpr uint64_t bit(ResponseFlag flag) { return uint64_t{1} << static_cast<unsigned>(flag); }
  uint64_t bits_ = 0;
};

}  // namespace weft::observe
