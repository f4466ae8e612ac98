// envoy.filters.http.fault: delays and aborts a share of the requests and slows a share of the answers down, on purpose: as
// configured, as the runtime says, or as the request's own x-envoy-fault-* headers ask. Timers, no waiting of its own.
#pragma once
#include "common/base/timing_wheel.h"
#include "common/observe/metrics.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/http/fault/downstream_clusters.h"
#include "proxy/filters/http/fault/pace.h"
#include "proxy/filters/table.h"
#include "proxy/format/metadata.h"
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
    std::optional<std::chrono::milliseconds> fixed;  // nothing: x-envoy-fault-delay-request says
    runtime::Key duration;                           // in milliseconds, in place of either
    routing::Fraction share{0, 100};
  };
  struct Abort {
    enum class Kind : uint8_t { kHttp, kGrpc, kHeader };
    Kind kind = Kind::kHttp;  // kHeader: x-envoy-fault-abort-request or x-envoy-fault-abort-grpc-request says
    uint32_t status = 503;
    runtime::Key http_status, grpc_status;
    routing::Fraction share{0, 100};
  };
  struct RateLimit {
    std::optional<uint64_t> kib_per_second;  // nothing: x-envoy-fault-throughput-response says
    routing::Fraction share{0, 100};
  };
  std::optional<Delay> delay;
  std::optional<Abort> abort;
  std::optional<RateLimit> rate_limit;
  std::string upstream_cluster;                 // empty: any
  std::vector<routing::HeaderMatcher> headers;  // all must match
  std::vector<std::string> downstream_nodes;    // empty: any
  runtime::Number max_active{UINT64_MAX};
  bool downstream_cluster_stats = true;
  format::MetadataStruct metadata;  // noted of requests that are delayed or aborted
};

struct FaultRoute final : routing::FilterConfig {
  FaultSettings settings;
};

struct FaultOptions {
  FaultSettings settings;
  std::shared_ptr<observe::Scope> stats;                                                       // null: not counted
  std::shared_ptr<std::atomic<uint64_t>> active = std::make_shared<std::atomic<uint64_t>>(0);  // over all workers, against max_active
  std::shared_ptr<DownstreamClusters> clusters;
};

class Fault final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnResponseBodyIfAsked | kOnDone;
  Fault(const FaultOptions& options, const std::string& name) : options_(options), name_(name) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  void on_response_body(FilterContext& context, Body& body, bool end) override;
  void on_done(FilterContext& context) override;

 private:
  bool meant_for(FilterContext& context) const;
  // Whether it is this request's turn; a header may ask for a smaller share than is configured.
  bool chosen(const routing::Fraction& share, std::string_view percentage_header, const runtime::Key& key);
  std::optional<uint64_t> header_number(std::string_view name) const;
  void slow_down();
  std::optional<std::chrono::milliseconds> delay();
  bool abort();  // true: replied
  std::optional<uint32_t> http_status() const;
  std::optional<uint32_t> grpc_status() const;
  bool become_active();
  void note();
  void delay_is_over();
  void count(unsigned metric, int64_t n = 1);
  void count_for_cluster(unsigned metric);

  const FaultOptions& options_;
  const std::string& name_;
  const FaultSettings* settings_ = nullptr;
  FilterContext* context_ = nullptr;
  std::shared_ptr<const DownstreamCluster> cluster_;  // null: the client does not name its own
  std::optional<Pace> pace_;
  bool active_ = false;
  Timeout<Fault, &Fault::delay_is_over> timer_{*this};
};

HttpFilterType fault_type();

}  // namespace weft::filters
