// envoy.filters.http.health_check: answers a load balancer's probes in place of the upstream, or lets them pass and remembers the
// answer for a while. What it answers may depend on how many hosts of some clusters are healthy; a process that was told to
// fail its health checks says 503.
#pragma once
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/routing/matchers.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::filters {

// The upstream's last answer to a probe, for all workers; whoever writes last is right.
struct HealthAnswer {
  std::atomic<int64_t> good_until{0};  // on the monotonic clock, in nanoseconds
  std::atomic<int> status{0};
  std::atomic<bool> degraded{false};
};

struct HealthCheckOptions {
  std::vector<routing::HeaderMatcher> headers;  // all must match
  bool pass_through = false;
  std::chrono::milliseconds cache_time{0};               // 0: every probe passes
  std::vector<std::pair<std::string, double>> clusters;  // and the percentage of their hosts that must be healthy
  std::string local_cluster;                             // x-envoy-upstream-healthchecked-cluster
  std::shared_ptr<HealthAnswer> last = std::make_shared<HealthAnswer>();
};

class HealthCheck final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnResponseHead;
  HealthCheck(const HealthCheckOptions& options, const std::string&) : options_(options) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  Verdict on_response_head(FilterContext& context, bool end) override;

 private:
  struct Answer {
    int status;
    std::string_view details;
  };
  bool may_answer_from_memory(FilterContext& context) const;
  Answer look_at_clusters(FilterContext& context) const;

  const HealthCheckOptions& options_;
  bool probe_ = false, answered_ = false;
};

HttpFilterType health_check_type();

}  // namespace weft::filters
