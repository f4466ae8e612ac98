#include "proxy/upstream/pool.h"

#include "proxy/upstream/client_connection.h"
#include "proxy/upstream/cluster.h"

#include <algorithm>
#include <cstring>

namespace weft::upstream {
namespace {

using observe::ClusterStat;

}  // namespace

// A connection under way. Holds a place among the cluster's connections until it is a ClientConnection or has failed.
struct HostPool::Connecting {
  std::unique_ptr<net::Connector> connector;
  std::chrono::steady_clock::time_point since;
  std::shared_ptr<Budget> budget;
};

HostPool::HostPool(Cluster& cluster, const Host& host, http::Protocol protocol, Priority priority)
    : cluster_(cluster), address_(host.address), addresses_(host.addresses), state_(host.state), protocol_(protocol), priority_(priority) {}

HostPool::~HostPool() {
  for (auto& attempt : connecting_) attempt->budget->connections(priority_).release();
  for (auto& connection : connections_) {
    connection->close();
    connection->budget->connections(priority_).release();
  }
}

void HostPool::request(PoolWaiter& waiter) {
  // One that has failed is not told of before the event's end.
  while (!ready_.empty() && ready_.back()->available() == 0) unlist(*ready_.back());
  if (!ready_.empty()) return lend(*ready_.back(), waiter);
  Budget& budget = cluster_.budget();
  observe::Cells& stats = cluster_.stats();
  if (!budget.pending(priority_).try_acquire()) {
    stats.add(ClusterStat::kUpstreamRqPendingOverflow);
    return waiter.on_pool_failure(PoolFailure::kOverflow, "");
  }
  stats.add(ClusterStat::kUpstreamRqPendingTotal);
  stats.add(ClusterStat::kUpstreamRqPendingActive);
  waiting_.push_back({&waiter, cluster_.shared()->budget});
  if (may_connect()) connect();
}

PoolWaiter* HostPool::leave(std::deque<Waiting>::iterator position) {
  PoolWaiter* waiter = position->waiter;
  position->budget->pending(priority_).release();
  cluster_.stats().sub(ClusterStat::kUpstreamRqPendingActive);
  waiting_.erase(position);
  return waiter;
}

void HostPool::cancel(PoolWaiter& waiter) {
  auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& w) { return w.waiter == &waiter; });
  if (found != waiting_.end()) leave(found);
}

// HTTP/1 needs a connection for each that waits; one HTTP/2 connection will serve many.
bool HostPool::may_connect() {
  if (protocol_ == http::Protocol::kHttp2) return connecting_.empty();
  return connecting_.size() < waiting_.size();
}

void HostPool::connect() {
  auto& connections = cluster_.budget().connections(priority_);
  if (!connections.try_acquire()) {
    cluster_.stats().add(ClusterStat::kUpstreamCxOverflow);
    // Somebody's connection will be free by and by, unless this pool has none at all.
    if (!connections_.empty() || !connecting_.empty()) return;
    connections.force_acquire();
  }
  const ClusterConfig& config = cluster_.config();
  auto attempt = std::make_unique<Connecting>();
  Connecting* self = attempt.get();
  self->since = std::chrono::steady_clock::now();
  self->budget = cluster_.shared()->budget;
  connecting_.push_back(std::move(attempt));
  self->connector =
      std::make_unique<net::Connector>(cluster_.loop(), address_, addresses_, config.connect_timeout, config.connect,
                                       [this, self](int error, net::Socket socket) { on_connected(*self, error, std::move(socket)); });
}

void HostPool::on_connected(Connecting& attempt, int error, net::Socket socket) {
  auto position = std::find_if(connecting_.begin(), connecting_.end(), [&](const auto& candidate) { return candidate.get() == &attempt; });
  std::unique_ptr<Connecting> done = std::move(*position);
  connecting_.erase(position);
  observe::Cells& stats = cluster_.stats();
  if (error != 0) {
    done->budget->connections(priority_).release();
    stats.add(ClusterStat::kUpstreamCxTotal);  // Envoy counts the attempt
    stats.add(ClusterStat::kUpstreamCxDestroy);
    stats.add(ClusterStat::kUpstreamCxConnectFail);
    if (error == ETIMEDOUT) stats.add(ClusterStat::kUpstreamCxConnectTimeout);
    HostState::count(state_->connections);
    HostState::count(state_->connect_failures);
    cluster_.report(state_, {HostResult::Kind::kConnectFailed});
    // The host cannot be reached: all who wait for it hear so, and may try another one.
    char text[128];
    std::string detail = done->connector->local_failure();
    const bool ours = !detail.empty();
    if (ours)
      stats.add(ClusterStat::kBindErrors);
    else
      detail = error == ETIMEDOUT ? "connection timeout" : "delayed connect error: " + std::string(strerror_r(error, text, sizeof text));
    const PoolFailure failure = ours                 ? PoolFailure::kLocalConnectFailed
                                : error == ETIMEDOUT ? PoolFailure::kConnectTimeout
                                                     : PoolFailure::kConnectFailed;
    for (size_t n = waiting_.size(); n > 0 && !waiting_.empty(); --n) {  // those that come while we tell the others wait for the next
      stats.add(ClusterStat::kUpstreamRqPendingFailureEject);
      leave(waiting_.begin())->on_pool_failure(failure, detail);
    }
    if (!waiting_.empty() && may_connect()) connect();
    if (finished()) cluster_.on_pool_finished();
    return;
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - done->since);
  stats.record(ClusterStat::kUpstreamCxConnectMs, static_cast<uint64_t>(took.count()));
  cluster_.report(state_, {HostResult::Kind::kConnectSucceeded});
  std::unique_ptr<net::Stream> stream = net::make_tcp_stream(std::move(socket));
  const bool agreed = cluster_.config().protocol == ClusterConfig::Protocol::kAuto && protocol_ != http::Protocol::kTcp;
  const http::Protocol protocol = agreed && stream->alpn() == "h2" ? http::Protocol::kHttp2 : protocol_;
  auto connection = std::make_unique<ClientConnection>(*this, std::move(stream), protocol);
  ClientConnection& fresh = *connection;
  fresh.budget = done->budget;
  fresh.index = connections_.size();
  connections_.push_back(std::move(connection));
  fresh.listed = true;
  ready_.push_back(&fresh);
  fresh.begin();
  serve_waiting();
  if (draining_ && !fresh.closed()) {
    unlist(fresh);
    fresh.retire_when_idle();
  }
}

void HostPool::lend(ClientConnection& connection, PoolWaiter& waiter) {
  if (!waiter.admit()) return waiter.on_pool_failure(PoolFailure::kOverflow, "");
  http::Stream& stream = connection.open(waiter.receiver());
  if (connection.available() == 0) unlist(connection);
  waiter.on_stream(stream, connection);
}

void HostPool::serve_waiting() {
  while (!waiting_.empty() && !ready_.empty()) {
    lend(*ready_.back(), *leave(waiting_.begin()));
  }
  if (!waiting_.empty() && may_connect()) connect();
}

void HostPool::unlist(ClientConnection& connection) {
  if (!connection.listed) return;
  connection.listed = false;
  if (ready_.back() == &connection)
    ready_.pop_back();
  else
    std::erase(ready_, &connection);
}

void HostPool::on_stream_over(ClientConnection& connection) {
  if (!connection.listed && connection.available() > 0) {
    connection.listed = true;
    ready_.push_back(&connection);
  }
  if (!waiting_.empty()) serve_waiting();
  if (draining_ && !connection.closed() && waiting_.empty()) {
    unlist(connection);
    connection.retire_when_idle();
  }
}

void HostPool::on_no_more_streams(ClientConnection& connection) { unlist(connection); }

void HostPool::on_connection_gone(ClientConnection& connection) {
  unlist(connection);
  connection.budget->connections(priority_).release();
  const size_t index = connection.index;
  std::unique_ptr<ClientConnection> dead = std::move(connections_[index]);
  if (index + 1 != connections_.size()) {
    connections_[index] = std::move(connections_.back());
    connections_[index]->index = index;
  }
  connections_.pop_back();
  cluster_.loop().retire(std::move(dead));
  if (!waiting_.empty() && may_connect()) connect();
  if (finished()) cluster_.on_pool_finished();
}

void HostPool::drain() {
  draining_ = true;
  if (!waiting_.empty()) return;
  std::vector<ClientConnection*> all;
  for (auto& connection : connections_) all.push_back(connection.get());
  for (ClientConnection* connection : all) {
    unlist(*connection);
    connection->retire_when_idle();
  }
}

}  // namespace weft::upstream
