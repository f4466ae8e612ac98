// What the fault filter keeps for clients that name their cluster (x-envoy-downstream-service-cluster): runtime keys of their own
// and counters. Made when such a name first meets a fault; looked up under a lock by the few requests that bring one. Names are the
// clients' choice, so there is a bound on them; beyond it, keys still work and nothing is counted.
#pragma once
#include "common/observe/shapes.h"
#include "proxy/runtime/runtime.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace weft::filters {

struct DownstreamCluster {
  runtime::Key delay_share, delay_duration, abort_share, abort_http_status, abort_grpc_status;
  std::shared_ptr<observe::Scope> stats;  // null: not counted
};

class DownstreamClusters {
 public:
  static constexpr size_t kMost = 256;

  DownstreamClusters(const runtime::Runtime& runtime, observe::Registry* registry, std::string stat_prefix)
      : runtime_(runtime), registry_(registry), stat_prefix_(std::move(stat_prefix)) {}

  std::shared_ptr<const DownstreamCluster> of(std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (auto found = known_.find(name); found != known_.end()) return found->second;
    auto made = std::make_shared<DownstreamCluster>();
    const std::string prefix = "fault.http." + std::string(name);
    made->delay_share = runtime_.value(prefix + ".delay.fixed_delay_percent");
    made->delay_duration = runtime_.value(prefix + ".delay.fixed_duration_ms");
    made->abort_share = runtime_.value(prefix + ".abort.abort_percent");
    made->abort_http_status = runtime_.value(prefix + ".abort.http_status");
    made->abort_grpc_status = runtime_.value(prefix + ".abort.grpc_status");
    if (known_.size() >= kMost) return made;
    if (registry_) made->stats = observe::fault_cluster_scope(*registry_, stat_prefix_, name);
    known_.emplace(name, made);
    return made;
  }

 private:
  const runtime::Runtime& runtime_;
  observe::Registry* const registry_;
  const std::string stat_prefix_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const DownstreamCluster>, std::less<>> known_;
};

}  // namespace weft::filters
