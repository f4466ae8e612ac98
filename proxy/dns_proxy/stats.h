// dns_...: the names that Istio's agent gives to what its DNS proxy does, and what it has no name for.
#pragma once
#include "common/observe/shapes.h"

namespace weft::dns_proxy {

#define WEFT_DNS_STATS(X)                                                                  \
  X(kCacheHits, "cache_hits_total", kCounter, false)                                       \
  X(kHosts, "hosts", kGauge, false)                                                        \
  X(kLoops, "loops_total", kCounter, false)                                                \
  X(kMalformedRequests, "malformed_requests_total", kCounter, false)                       \
  X(kOverflow, "overflow_total", kCounter, false)                                          \
  X(kRequests, "requests_total", kCounter, false)                                          \
  X(kUpstreamFailures, "upstream_failures_total", kCounter, false)                         \
  X(kUpstreamInvalid, "upstream_invalid_responses_total", kCounter, false)                 \
  X(kUpstreamRequestDuration, "upstream_request_duration_milliseconds", kHistogram, false) \
  X(kUpstreamRequests, "upstream_requests_total", kCounter, false)
WEFT_STAT_ENUM(DnsStat, WEFT_DNS_STATS)

observe::ScopePtr dns_scope(observe::Registry& registry);

}  // namespace weft::dns_proxy
