// config.route.v3.RetryPolicy as a value. What is done with it: upstream/retry.h.
#pragma once
#include "proxy/routing/matchers.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::routing {

// retry_on, as bits; x-envoy-retry-on and x-envoy-retry-grpc-on add to them.
enum RetryOn : uint32_t {
  kRetryOn5xx = 1 << 0,
  kRetryOnGatewayError = 1 << 1,
  kRetryOnConnectFailure = 1 << 2,
  kRetryOnRetriable4xx = 1 << 3,
  kRetryOnRefusedStream = 1 << 4,
  kRetryOnGrpcCancelled = 1 << 5,
  kRetryOnGrpcDeadlineExceeded = 1 << 6,
  kRetryOnGrpcResourceExhausted = 1 << 7,
  kRetryOnGrpcUnavailable = 1 << 8,
  kRetryOnGrpcInternal = 1 << 9,
  kRetryOnRetriableStatusCodes = 1 << 10,
  kRetryOnReset = 1 << 11,
  kRetryOnRetriableHeaders = 1 << 12,
  kRetryOnEnvoyRateLimited = 1 << 13,
  kRetryOnHttp3PostConnectFailure = 1 << 14,  // accepted; nothing here speaks HTTP/3
  kRetryOnResetBeforeRequest = 1 << 15,
};

struct RetryOnParse {
  uint32_t bits = 0;
  bool all_known = true;
};
// Comma separated words. Envoy ignores unknown words of a header; a configuration may refuse them by `all_known`.
RetryOnParse parse_retry_on(std::string_view words);       // HTTP words
RetryOnParse parse_retry_grpc_on(std::string_view words);  // gRPC words
// What RetryPolicy.retry_on takes: both kinds mixed.
RetryOnParse parse_retry_on_config(std::string_view words);

// RetryPolicy.ResetHeader: where an answer says when it makes sense to ask again.
struct ResetHeader {
  std::string name;           // in lower case
  bool is_timestamp = false;  // seconds since 1970; else seconds from now
};

struct RetryPolicy {
  uint32_t retry_on = 0;
  uint32_t num_retries = 1;
  std::chrono::milliseconds per_try_timeout{0};       // 0: as the route's timeout
  std::chrono::milliseconds per_try_idle_timeout{0};  // 0: none
  std::chrono::milliseconds base_interval{25};
  std::chrono::milliseconds max_interval{0};  // 0: ten times base_interval
  std::vector<ResetHeader> reset_headers;     // rate_limited_retry_back_off: the first that says at most the following wins
  std::chrono::milliseconds max_reset_interval{300'000};
  std::vector<uint32_t> retriable_status_codes;
  std::vector<HeaderMatcher> retriable_headers;                   // of responses: any may match
  std::vector<HeaderMatcher> retriable_request_headers;           // of requests: where there are some, one must match
  bool avoid_previous_hosts = false;                              // envoy.retry_host_predicates.previous_hosts
  bool avoid_canaries = false;                                    // .omit_canary_hosts
  std::vector<std::pair<std::string, std::string>> avoid_labels;  // .omit_host_metadata: hosts that have all of them; empty: none
  uint32_t host_selection_retry_max_attempts = 1;
  uint32_t previous_priorities_frequency = 0;  // envoy.retry_priorities.previous_priorities; 0: none
};

}  // namespace weft::routing
