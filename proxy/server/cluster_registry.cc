#include "proxy/server/cluster_registry.h"

#include "common/observe/shapes.h"

#include <algorithm>

namespace weft::server {

using observe::ClusterManagerStat;
using observe::ClusterStat;
using upstream::Priority;
using upstream::SharedCluster;

// Takes ejected hosts of one cluster back in time.
struct ClusterRegistry::Sweep final : TimeoutNode {
  std::function<void()> run;
  void on_timeout() override { run(); }
};

ClusterRegistry::ClusterRegistry(net::Loop& control, observe::Registry& metrics, std::function<void(ClusterUpdate)> publish)
    : control_(control), metrics_(metrics), publish_(std::move(publish)), stats_(observe::cluster_manager_scope(metrics)) {}

ClusterRegistry::~ClusterRegistry() = default;

void ClusterRegistry::apply(const config::Update& change) {
  ClusterUpdate update;
  observe::Cells& stats = stats_->cells(0);
  for (const auto& [eds_name, set] : change.endpoints) resources_[eds_name] = set;
  for (const auto& config : change.clusters) {
    Entry& entry = entries_[config->name];
    stats.add(entry.shared ? ClusterManagerStat::kClusterModified : ClusterManagerStat::kClusterAdded);
    entry.shared = share(config, entry.shared.get());
    for (size_t i = 0; i < 2; ++i) {
      if (!config->thresholds[i].track_remaining)
        entry.remaining[i] = nullptr;
      else
        entry.remaining[i] = observe::remaining_scope(metrics_, config->stat_name(), i == static_cast<size_t>(Priority::kHigh));
    }
    switch (config->policy) {
      case upstream::ClusterConfig::Policy::kRingHash: entry.hashing = observe::ring_hash_scope(metrics_, config->stat_name()); break;
      case upstream::ClusterConfig::Policy::kMaglev: entry.hashing = observe::maglev_scope(metrics_, config->stat_name()); break;
      default: entry.hashing = nullptr; break;
    }
    std::shared_ptr<const upstream::EndpointSet> resource = config->endpoints;
    if (config->discovery == upstream::ClusterConfig::Discovery::kEds) {
      auto found = resources_.find(config->eds_name());
      resource = found == resources_.end() ? nullptr : found->second;
    }
    if (auto found = resolved_.find(config->name); found != resolved_.end()) {
      if (found->second.config == config)
        resource = found->second.set;
      else
        resolved_.erase(found);
    }
    if (entry.shared->originals) resource = std::make_shared<const upstream::EndpointSet>(entry.shared->originals->all());
    if (!resource) {
      upstream::EndpointSet none;
      none.cluster_name = config->eds_name();
      resource = upstream::make_endpoint_set(std::move(none), config->name, states_);
    }
    set_endpoints(config->name, entry, resource, update);
    update.changed.push_back({entry.shared, entry.endpoints});
  }
  // Endpoints for clusters that themselves stayed as they are.
  for (const auto& [eds_name, set] : change.endpoints) {
    for (auto& [name, entry] : entries_) {
      if (entry.shared->config->discovery != upstream::ClusterConfig::Discovery::kEds || entry.shared->config->eds_name() != eds_name)
        continue;
      bool fresh = false;
      for (const auto& changed : update.changed) fresh = fresh || changed.cluster == entry.shared;
      if (fresh) continue;
      set_endpoints(name, entry, set, update);
      update.changed.push_back({entry.shared, entry.endpoints});
    }
  }
  for (const std::string& name : change.removed_endpoints) resources_.erase(name);
  for (const std::string& name : change.removed_clusters) {
    if (!entries_.erase(name)) continue;
    sweeps_.erase(name);
    cleanups_.erase(name);
    resolved_.erase(name);
    stats.add(ClusterManagerStat::kClusterRemoved);
    update.removed.push_back(name);
  }
  count_clusters();
  if (!update.changed.empty() || !update.removed.empty()) publish_(std::move(update));
}

// What did not change is carried over: breakers keep their counts, outlier detection its records, stats their numbers.
std::shared_ptr<const SharedCluster> ClusterRegistry::share(const std::shared_ptr<const upstream::ClusterConfig>& config,
                                                            const SharedCluster* former) {
  auto shared = std::make_shared<SharedCluster>();
  shared->config = config;
  shared->budget =
      former && former->config->thresholds == config->thresholds ? former->budget : std::make_shared<upstream::Budget>(config->thresholds);
  shared->stats =
      former && former->config->stat_name() == config->stat_name() ? former->stats : observe::cluster_scope(metrics_, config->stat_name());
  if (config->hashing) shared->hash_tables = std::make_shared<upstream::HashTables>();
  if (config->protocol != upstream::ClusterConfig::Protocol::kHttp1)
    shared->http2_stats = former && former->http2_stats && former->stats == shared->stats
                              ? former->http2_stats
                              : observe::cluster_http2_scope(metrics_, config->stat_name());
  const std::string name = config->name;
  cleanups_.erase(name);
  if (config->original) {
    shared->originals = former ? former->originals : nullptr;
    if (!shared->originals)
      shared->originals =
          std::make_shared<upstream::OriginalHosts>(name, [this, name] { control_.post([this, name] { on_originals(name); }); });
    auto cleanup = std::make_unique<Sweep>();
    cleanup->run = [this, name] { on_cleanup(name); };
    control_.wheel().arm(*cleanup, config->original->cleanup);
    cleanups_[name] = std::move(cleanup);
  }
  if (former && former->outlier && former->config->outlier == config->outlier) {
    shared->outlier = former->outlier;
  } else {
    if (former && former->outlier) former->outlier->release_all();
    sweeps_.erase(name);
    if (config->outlier) {
      shared->outlier = std::make_shared<upstream::OutlierDetector>(*config->outlier);
      auto sweep = std::make_unique<Sweep>();
      sweep->run = [this, name] { on_sweep(name); };
      control_.wheel().arm(*sweep, config->outlier->interval);
      sweeps_[name] = std::move(sweep);
    }
  }
  if (shared->outlier) {
    shared->on_outlier = [this, name](const std::shared_ptr<upstream::HostState>& host, upstream::EjectionKind why) {
      control_.post([this, name, host, why] { on_outlier(name, host, why); });
    };
  }
  return shared;
}

void ClusterRegistry::set_endpoints(const std::string& name, Entry& entry, const std::shared_ptr<const upstream::EndpointSet>& resource,
                                    ClusterUpdate&) {
  // The states of hosts belong to the cluster, not to the resource that several clusters may share.
  upstream::EndpointSet own = *resource;
  const upstream::ClusterConfig& config = *entry.shared->config;
  for (upstream::Locality& locality : own.localities) {
    for (upstream::Host& host : locality.hosts) {
      if (!config.original) host.state = nullptr;
      if (host.addresses && config.address_order != upstream::AddressOrder{})
        host.addresses = upstream::in_order(*host.addresses, config.address_order);
    }
  }
  const bool had = entry.endpoints != nullptr;
  const bool twice = config.discovery == upstream::ClusterConfig::Discovery::kStatic;
  entry.endpoints = upstream::make_endpoint_set(std::move(own), name, states_, twice ? upstream::Doubles::kKeep : upstream::Doubles::kDrop);
  if (entry.shared->outlier) entry.shared->outlier->set_hosts(*entry.endpoints);
  if (had || entry.endpoints->size) entry.shared->stats->cells(0).add(ClusterStat::kMembershipChange);
  note_membership(entry);
}

void ClusterRegistry::note_membership(const Entry& entry) {
  const upstream::Membership count = upstream::membership(*entry.endpoints);
  observe::Cells& stats = entry.shared->stats->cells(0);
  stats.set(ClusterStat::kMembershipTotal, count.total);
  stats.set(ClusterStat::kMembershipHealthy, count.healthy);
  stats.set(ClusterStat::kMembershipDegraded, count.degraded);
  stats.set(ClusterStat::kMembershipExcluded, count.excluded);
  uint32_t heaviest = 0;
  entry.endpoints->for_each([&](const upstream::Locality&, const upstream::Host& host) { heaviest = std::max(heaviest, host.weight); });
  stats.set(ClusterStat::kMaxHostWeight, heaviest);
}

void ClusterRegistry::on_outlier(const std::string& name, const std::shared_ptr<upstream::HostState>& host, upstream::EjectionKind why) {
  auto found = entries_.find(name);
  if (found == entries_.end() || !found->second.shared->outlier) return;
  if (found->second.shared->outlier->trigger(host, why, control_.now(), control_.random())) publish_health(name);
}

void ClusterRegistry::on_sweep(const std::string& name) {
  auto found = entries_.find(name);
  if (found == entries_.end() || !found->second.shared->outlier) return;
  if (found->second.shared->outlier->sweep(control_.now())) publish_health(name);
  control_.wheel().arm(*sweeps_[name], found->second.shared->config->outlier->interval);
}

// Workers have made hosts. They know them; pages and stats are to know them too.
void ClusterRegistry::on_originals(const std::string& name) {
  auto found = entries_.find(name);
  if (found == entries_.end() || !found->second.shared->originals) return;
  ClusterUpdate none;
  set_endpoints(name, found->second, std::make_shared<const upstream::EndpointSet>(found->second.shared->originals->all()), none);
}

void ClusterRegistry::on_cleanup(const std::string& name) {
  auto found = entries_.find(name);
  if (found == entries_.end() || !found->second.shared->originals) return;
  Entry& entry = found->second;
  if (entry.shared->originals->sweep()) {
    on_originals(name);
    ClusterUpdate update;
    update.changed.push_back({entry.shared, entry.endpoints});
    publish_(std::move(update));
  }
  control_.wheel().arm(*cleanups_[name], entry.shared->config->original->cleanup);
}

void ClusterRegistry::set_resolved(const std::shared_ptr<const upstream::ClusterConfig>& config,
                                   std::shared_ptr<const upstream::EndpointSet> set) {
  const std::string& name = config->name;
  resolved_[name] = {config, set};
  auto found = entries_.find(name);
  if (found == entries_.end() || found->second.shared->config != config) return;
  ClusterUpdate update;
  set_endpoints(name, found->second, set, update);
  update.changed.push_back({found->second.shared, found->second.endpoints});
  publish_(std::move(update));
}

void ClusterRegistry::publish_health(const std::string& name) {
  note_membership(entries_[name]);
  ClusterUpdate update;
  update.health.push_back(name);
  publish_(std::move(update));
}

void ClusterRegistry::stop() {
  sweeps_.clear();
  cleanups_.clear();
}

void ClusterRegistry::count_clusters() { stats_->cells(0).set(ClusterManagerStat::kActiveClusters, static_cast<int64_t>(entries_.size())); }

void ClusterRegistry::refresh_gauges() {
  for (const auto& [name, entry] : entries_) {
    observe::Cells& stats = entry.shared->stats->cells(0);
    const upstream::Budget& budget = *entry.shared->budget;
    const struct {
      Priority priority;
      unsigned cx, pending, rq, retry;
    } levels[] = {{Priority::kDefault, ClusterStat::kCircuitBreakersDefaultCxOpen, ClusterStat::kCircuitBreakersDefaultRqPendingOpen,
                   ClusterStat::kCircuitBreakersDefaultRqOpen, ClusterStat::kCircuitBreakersDefaultRqRetryOpen},
                  {Priority::kHigh, ClusterStat::kCircuitBreakersHighCxOpen, ClusterStat::kCircuitBreakersHighRqPendingOpen,
                   ClusterStat::kCircuitBreakersHighRqOpen, ClusterStat::kCircuitBreakersHighRqRetryOpen}};
    for (const auto& level : levels) {
      stats.set(level.cx, budget.connections(level.priority).open());
      stats.set(level.pending, budget.pending(level.priority).open());
      stats.set(level.rq, budget.requests(level.priority).open());
      stats.set(level.retry, budget.retry_open(level.priority));
      if (const auto& scope = entry.remaining[static_cast<size_t>(level.priority)]) {
        using observe::RemainingStat;
        observe::Cells& remaining = scope->cells(0);
        const uint64_t retries = budget.retries(level.priority), max_retries = budget.max_retries(level.priority);
        remaining.set(RemainingStat::kRemainingCx, static_cast<int64_t>(budget.connections(level.priority).remaining()));
        remaining.set(RemainingStat::kRemainingPending, static_cast<int64_t>(budget.pending(level.priority).remaining()));
        remaining.set(RemainingStat::kRemainingRq, static_cast<int64_t>(budget.requests(level.priority).remaining()));
        remaining.set(RemainingStat::kRemainingRetries, static_cast<int64_t>(retries >= max_retries ? 0 : max_retries - retries));
      }
    }
    if (entry.hashing && entry.shared->hash_tables) {
      const upstream::HashTable::Spread spread = entry.shared->hash_tables->spread();
      observe::Cells& hashing = entry.hashing->cells(0);
      if (entry.shared->config->policy == upstream::ClusterConfig::Policy::kMaglev) {
        hashing.set(observe::MaglevStat::kMaxEntriesPerHost, static_cast<int64_t>(spread.most));
        hashing.set(observe::MaglevStat::kMinEntriesPerHost, static_cast<int64_t>(spread.least));
      } else {
        hashing.set(observe::RingHashStat::kMaxHashesPerHost, static_cast<int64_t>(spread.most));
        hashing.set(observe::RingHashStat::kMinHashesPerHost, static_cast<int64_t>(spread.least));
        hashing.set(observe::RingHashStat::kSize, static_cast<int64_t>(spread.size));
      }
    }
    if (const upstream::OutlierDetector* outlier = entry.shared->outlier.get()) {
      const upstream::OutlierCounters& counted = outlier->counters();
      stats.set(ClusterStat::kOutlierDetectionEjectionsActive, static_cast<int64_t>(counted.ejections_active.load()));
      stats.set(ClusterStat::kOutlierDetectionEjectionsEnforcedTotal, static_cast<int64_t>(counted.ejections_enforced_total.load()));
      stats.set(ClusterStat::kOutlierDetectionEjectionsTotal, static_cast<int64_t>(counted.ejections_enforced_total.load()));
      stats.set(ClusterStat::kOutlierDetectionEjectionsOverflow, static_cast<int64_t>(counted.ejections_overflow.load()));
      const unsigned detected[] = {ClusterStat::kOutlierDetectionEjectionsDetectedConsecutive5xx,
                                   ClusterStat::kOutlierDetectionEjectionsDetectedConsecutiveGatewayFailure,
                                   ClusterStat::kOutlierDetectionEjectionsDetectedConsecutiveLocalOriginFailure};
      const unsigned enforced[] = {ClusterStat::kOutlierDetectionEjectionsEnforcedConsecutive5xx,
                                   ClusterStat::kOutlierDetectionEjectionsEnforcedConsecutiveGatewayFailure,
                                   ClusterStat::kOutlierDetectionEjectionsEnforcedConsecutiveLocalOriginFailure};
      for (int kind = 0; kind < 3; ++kind) {
        stats.set(detected[kind], static_cast<int64_t>(counted.kinds[kind].detected.load()));
        stats.set(enforced[kind], static_cast<int64_t>(counted.kinds[kind].enforced.load()));
      }
      stats.set(ClusterStat::kOutlierDetectionEjectionsConsecutive5xx, static_cast<int64_t>(counted.kinds[0].enforced.load()));
    }
  }
}

}  // namespace weft::server
