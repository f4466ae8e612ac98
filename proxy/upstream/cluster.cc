#include "proxy/upstream/cluster.h"

namespace weft::upstream {
namespace {

using observe::ClusterStat;

// What a connection was made with: if it changes, connections are replaced as they become idle; if not, they stay.
bool same_wire(const ClusterConfig& a, const ClusterConfig& b) { return a.protocol == b.protocol && a.connect == b.connect; }

}  // namespace

Cluster::Cluster(net::Loop& loop, std::shared_ptr<const SharedCluster> shared, std::shared_ptr<const EndpointSet> endpoints)
    : loop_(loop), shared_(std::move(shared)), balancer_(make_balancer(std::move(endpoints))) {}

Cluster::~Cluster() = default;

std::unique_ptr<LoadBalancer> Cluster::make_balancer(std::shared_ptr<const EndpointSet> endpoints) const {
  return make_load_balancer(config(), std::move(endpoints), loop_.random(), shared_->hash_tables, shared_->originals);
}

void Cluster::set_shared(std::shared_ptr<const SharedCluster> shared) {
  const bool keep = same_wire(*shared_->config, *shared->config);
  if (shared->stats != shared_->stats) stats_ = nullptr;
  shared_ = std::move(shared);
  balancer_ = make_balancer(balancer_->endpoints());
  if (!keep) drain_all();
}

void Cluster::set_endpoints(std::shared_ptr<const EndpointSet> endpoints) {
  balancer_ = make_balancer(std::move(endpoints));
  // Pools of hosts that are gone drain; the others do not notice.
  std::vector<Key> gone;
  for (auto& [key, pool] : pools_)
    if (!balancer_->holds(*key.state)) gone.push_back(key);
  for (const Key& key : gone) {
    auto found = pools_.find(key);
    draining_.push_back(std::move(found->second));
    pools_.erase(found);
    draining_.back()->drain();
  }
  sweep();
}

void Cluster::drain_all() {
  for (auto& [key, pool] : pools_) draining_.push_back(std::move(pool));
  pools_.clear();
  for (size_t i = 0; i < draining_.size(); ++i) draining_[i]->drain();
  sweep();
}

void Cluster::sweep() {
  sweep_ = false;
  for (size_t i = 0; i < draining_.size();) {
    if (!draining_[i]->finished()) {
      ++i;
      continue;
    }
    // Its connections may still be on their way to the grave, and look at it when they die.
    struct Grave final : net::Retirable {
      std::unique_ptr<HostPool> pool;
    };
    auto grave = std::make_unique<Grave>();
    grave->pool = std::move(draining_[i]);
    draining_.erase(draining_.begin() + static_cast<std::ptrdiff_t>(i));
    loop_.retire(std::move(grave));
  }
}

Pick Cluster::pick(const PickContext& context) {
  const Pick pick = balancer_->pick(context);
  if (pick.panic) stats().add(ClusterStat::kLbHealthyPanic);
  if (pick.misnamed) stats().add(ClusterStat::kOriginalDstHostInvalid);
  if (!pick.host) stats().add(ClusterStat::kUpstreamCxNoneHealthy);
  return pick;
}

HostPool& Cluster::pool(const Host& host, http::Protocol protocol, Priority priority) {
  if (sweep_) sweep();
  auto& pool = pools_[Key{host.state.get(), protocol, priority}];
  if (!pool) pool = std::make_unique<HostPool>(*this, host, protocol, priority);
  return *pool;
}

http::Protocol Cluster::protocol_for(http::Protocol downstream) const {
  switch (config().protocol) {
    case ClusterConfig::Protocol::kHttp1:
    case ClusterConfig::Protocol::kAuto: return http::Protocol::kHttp11;  // a connection may turn out to speak HTTP/2
    case ClusterConfig::Protocol::kHttp2: return http::Protocol::kHttp2;
    case ClusterConfig::Protocol::kAsDownstream: break;
  }
  return downstream == http::Protocol::kHttp2 ? http::Protocol::kHttp2 : http::Protocol::kHttp11;
}

void Cluster::report(const std::shared_ptr<HostState>& host, HostResult result) {
  if (!shared_->outlier) return;
  if (auto why = shared_->outlier->report(*host, result); why && shared_->on_outlier) shared_->on_outlier(host, *why);
}

}  // namespace weft::upstream
