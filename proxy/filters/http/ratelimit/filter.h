// envoy.filters.http.ratelimit: asks a rate limit service (gRPC, ShouldRateLimit) about the descriptors that the route's rules read
// off a request. Over the limit is 429; a service that cannot be asked lets requests pass, unless told otherwise.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/http/ratelimit/service.h"
#include "proxy/filters/table.h"
#include "proxy/routing/matchers.h"
#include "proxy/routing/mutations.h"
#include "proxy/routing/rate_limit.h"
#include "proxy/routing/route.h"
#include "proxy/upstream/caller.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weft::filters {

struct RateLimitOptions {
  enum class RequestType : uint8_t { kBoth, kInternal, kExternal };
  std::string domain;
  uint32_t stage = 0;
  RequestType request_type = RequestType::kBoth;
  std::chrono::milliseconds timeout{20};
  std::string cluster, authority;
  std::vector<std::pair<std::string, std::string>> metadata;  // sent with every question
  bool failure_mode_deny = false;
  std::optional<routing::Fraction> failure_mode_deny_share;         // in its place
  bool resource_exhausted = false;                                  // grpc-status of who is limited: RESOURCE_EXHAUSTED
  bool rate_limit_headers = false;                                  // x-ratelimit-limit, -remaining, -reset
  bool retry_after = false;                                         // beside a 429, when it makes sense to come back
  std::string metadata_namespace = "envoy.filters.http.ratelimit";  // of what the service says for logs and routes
  bool ratelimited_header = true;                                   // x-envoy-ratelimited: true
  int status = 429, status_on_error = 500;
  std::vector<routing::HeaderToAdd> response_headers;
  routing::Fraction enabled{1, 1}, enforced{1, 1};
  std::optional<routing::RateLimitRules> rules;  // in place of the route's and the virtual host's
  std::string stat_prefix;
  // Counters lie in the scope of the cluster that the request is for; null: not counted.
  std::function<std::shared_ptr<observe::Scope>(std::string_view cluster)> stats_of;
};

struct RateLimitRoute final : routing::FilterConfig {
  enum class VirtualHostRules : uint8_t { kIfRouteHasNone, kToo, kNever };
  VirtualHostRules virtual_host_rules = VirtualHostRules::kIfRouteHasNone;
  std::optional<routing::RateLimitRules> rules;
  std::string domain;  // empty: the filter's
};

class RateLimit final : public HttpFilter, private upstream::CallEvents {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnResponseHead | kOnDone;
  RateLimit(const RateLimitOptions& options, const std::string& name) : options_(options), name_(name) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  Verdict on_response_head(FilterContext& context, bool end) override;
  void on_done(FilterContext& context) override;

 private:
  void on_answer(const http::Head& head, std::string_view body) override;
  void on_trailers(const http::Head& trailers) override;
  void on_failed(observe::ResponseFlag flag, std::string_view detail) override;
  bool meant_for(FilterContext& context) const;
  std::vector<routing::RateLimitHits> descriptors(FilterContext& context, bool done) const;  // done: those of the request's end
  upstream::CallRequest question(const std::vector<routing::RateLimitHits>& descriptors) const;
  void take(RateLimitAnswer answer);
  void refuse(RateLimitAnswer answer);
  bool tells(size_t descriptor) const;
  void tell_limits(const RateLimitAnswer& answer);
  void tell_when(const RateLimitAnswer& answer);
  void fail();
  void count(unsigned metric);

  const RateLimitOptions& options_;
  const std::string& name_;
  const RateLimitRoute* route_ = nullptr;
  FilterContext* context_ = nullptr;
  std::unique_ptr<upstream::Call> call_;
  std::optional<int> grpc_status_;             // of the trailers
  std::vector<routing::TellLimit> tells_;      // of each descriptor
  RateLimitAnswer::Headers response_headers_;  // that the service gives the client, or that tell of its limits
  bool asks_ = false;                          // the request is one that the filter judges
  bool refused_ = false;
};

HttpFilterType ratelimit_type();

}  // namespace weft::filters
