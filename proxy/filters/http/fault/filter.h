// envoy.filters.http.fault: delays and aborts a share of the requests, on purpose. One timer, no waiting of its own.
#pragma once
#include "common/base/timing_wheel.h"
#include "common/observe/metrics.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/routing/matchers.h"
#include "proxy/routing/route.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace weft::filters {

// What is done, to which requests: of the chain, or of a route that says otherwise.
struct FaultSettings {
  struct Delay {
    std::chrono::milliseconds duration{0};
    routing::Fraction share{0, 100};
  };
  struct Abort {
    int status = 503;
    routing::Fraction share{0, 100};
  };
  std::optional<Delay> delay;
  std::optional<Abort> abort;
  std::string upstream_cluster;                 // empty: any
  std::vector<routing::HeaderMatcher> headers;  // all must match
  std::optional<uint64_t> max_active;
};

struct FaultRoute final : routing::FilterConfig {
  FaultSettings settings;
};

struct FaultOptions {
  FaultSettings settings;
  std::shared_ptr<observe::Scope> stats;                                                       // null: not counted
  std::shared_ptr<std::atomic<uint64_t>> active = std::make_shared<std::atomic<uint64_t>>(0);  // over all workers, against max_active
};

class Fault final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnDone;
  Fault(const FaultOptions& options, const std::string& name) : options_(options), name_(name) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  void on_done(FilterContext& context) override;

 private:
  bool meant_for(FilterContext& context) const;
  bool become_active();
  bool abort();  // true: replied
  void delay_is_over();
  void count(unsigned metric, int64_t n = 1);

  const FaultOptions& options_;
  const std::string& name_;
  const FaultSettings* settings_ = nullptr;
  FilterContext* context_ = nullptr;
  bool active_ = false;
  Timeout<Fault, &Fault::delay_is_over> timer_{*this};
};

HttpFilterType fault_type();

}  // namespace weft::filters
