// envoy.filters.http.local_ratelimit: a token bucket that all workers take from, and further ones for requests that descriptors
// tell apart. Who finds a bucket empty gets 429. Of the chain, or wholly of a route that has its own.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/http/local_ratelimit/token_bucket.h"
#include "proxy/filters/http/local_ratelimit/value_buckets.h"
#include "proxy/filters/table.h"
#include "proxy/routing/matchers.h"
#include "proxy/routing/mutations.h"
#include "proxy/routing/rate_limit.h"
#include "proxy/routing/route.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft::filters {

struct LocalRateLimitSettings {
  enum class VirtualHostRules : uint8_t { kIfRouteHasNone, kToo, kNever };
  struct Own {
    routing::RateLimitDescriptor entries;
    std::shared_ptr<TokenBucket> bucket;    // or, where an entry's value is empty and so stands for any,
    std::shared_ptr<ValueBuckets> buckets;  // one for each
    bool shadow = false;                    // only counted
  };
  struct Buckets {
    std::shared_ptr<TokenBucket> shared;  // null: only descriptors limit
    std::vector<Own> own;
  };
  routing::Fraction enabled{0, 1}, enforced{0, 1};
  std::shared_ptr<const Buckets> buckets;
  // Set where each connection has its own (local_rate_limit_per_downstream_connection).
  std::function<std::shared_ptr<const Buckets>()> new_buckets;
  bool always_take_default = true;               // from the shared one, where a descriptor's bucket has given
  std::optional<routing::RateLimitRules> rules;  // in place of the route's and the virtual host's
  VirtualHostRules virtual_host_rules = VirtualHostRules::kIfRouteHasNone;
  uint32_t stage = 0;
  int status = 429;
  bool resource_exhausted = false;  // grpc-status of who is limited: RESOURCE_EXHAUSTED
  bool rate_limit_headers = false;  // x-ratelimit-limit, -remaining, -reset
  bool retry_after = false;         // beside a 429, when it makes sense to come back
  std::vector<routing::HeaderToAdd> response_headers, request_headers_not_enforced;
  std::shared_ptr<observe::Scope> stats;  // null: not counted
};

struct LocalRateLimitRoute final : routing::FilterConfig {
  LocalRateLimitSettings settings;
};

class LocalRateLimit final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnResponseHead;
  LocalRateLimit(const LocalRateLimitSettings& options, const std::string& name) : settings_(&options), name_(name) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  Verdict on_response_head(FilterContext& context, bool end) override;

 private:
  enum class Decision : uint8_t { kOk, kLimited, kLimitedInShadow };
  Decision decide(FilterContext& context);
  const LocalRateLimitSettings::Buckets& buckets(FilterContext& context) const;
  struct Match {
    std::shared_ptr<TokenBucket> bucket;
    bool shadow;
    double hits;  // below 0: given back
    routing::TellLimit tell;
  };
  std::vector<routing::RateLimitHits> descriptors(FilterContext& context) const;
  std::vector<Match> matching(FilterContext& context) const;
  void count(FilterContext& context, unsigned metric) const;

  const LocalRateLimitSettings* settings_;
  const std::string& name_;
  std::shared_ptr<const TokenBucket> told_;  // whose state the response tells
  routing::TellLimit tell_ = routing::TellLimit::kAsFilter;
  bool replied_ = false;
};

HttpFilterType local_ratelimit_type();

}  // namespace weft::filters
