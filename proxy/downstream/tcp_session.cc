#include "proxy/downstream/tcp_session.h"

#include "common/observe/shapes.h"
#include "proxy/format/address_text.h"
#include "proxy/routing/hash_policy.h"
#include "proxy/telemetry/access_log.h"

#include <cstring>

namespace weft::downstream {
namespace {

using observe::ClusterStat;
using observe::ListenerStat;
using observe::ResponseFlag;
using observe::TcpStat;
using upstream::Priority;

// By weight, as tcp_proxy's weighted_clusters.
const std::string& choose(const config::TcpProxy& config, uint64_t random) {
  uint64_t at = config.total_weight ? random % config.total_weight : 0;
  for (const auto& destination : config.destinations) {
    if (at < destination.weight) return destination.cluster;
    at -= destination.weight;
  }
  return config.destinations.back().cluster;
}

}  // namespace

TcpSession::TcpSession(ConnectionOwner& owner, std::shared_ptr<TcpService> service, std::unique_ptr<net::Stream> stream)
    : Connection(service->environment.loop, std::move(stream)),
      owner_(owner),
      service_(std::move(service)),
      out_(loop().slabs()),
      peer_text_(net::to_string(peer_address())),
      local_text_(net::to_string(local_address())) {
  info_.start_time = std::chrono::system_clock::now();
  info_.start = info_.connection_begin = loop().now();
  info_.downstream_local_address = info_.downstream_direct_local_address = local_text_;
  info_.downstream_remote_address = info_.downstream_direct_remote_address = peer_text_;
  info_.log_type = format::AccessLogType::kTcpConnectionEnd;
  service_->tcp.add(TcpStat::kDownstreamCxTotal);
  service_->listener.add(ListenerStat::kDownstreamCxTotal);
  service_->listener.add(ListenerStat::kDownstreamCxActive);
}

TcpSession::~TcpSession() {
  service_->listener.sub(ListenerStat::kDownstreamCxActive);
  service_->listener.add(ListenerStat::kDownstreamCxDestroy);
  count_bytes();
}

void TcpSession::count_bytes() {
  bytes_.note(service_->tcp, TcpStat::kDownstreamCxRxBytesTotal, bytes_received(), TcpStat::kDownstreamCxTxBytesTotal, bytes_sent());
}

void TcpSession::Upstream::count_bytes() {
  bytes_.note(session_.cluster_->stats(), ClusterStat::kUpstreamCxRxBytesTotal, bytes_received(), ClusterStat::kUpstreamCxTxBytesTotal,
              bytes_sent());
}

void TcpSession::begin() {
  on_activity();
  connect();
  if (!over_) start();
}

void TcpSession::connect() {
  const config::TcpProxy& config = *service_->config;
  const std::string& name = choose(config, loop().random());
  cluster_ = service_->environment.clusters.find(name);
  info_.upstream_cluster = info_.upstream_cluster_raw = name;
  if (!cluster_) {
    service_->tcp.add(TcpStat::kDownstreamCxNoRoute);
    info_.flags.set(ResponseFlag::kNoClusterFound);
    return over(false);
  }
  std::optional<uint64_t> hash;
  if (config.hash_source_ip) hash = routing::hash_of(format::ip_of(peer_text_));
  const upstream::Pick pick = cluster_->pick({.random = loop().random(), .hash = hash, .connection = facts_.get(), .request = &info_});
  if (!pick.host) {
    info_.flags.set(ResponseFlag::kNoHealthyUpstream);
    return over(false);
  }
  budget_ = cluster_->shared()->budget;
  if (!budget_->connections(Priority::kDefault).try_acquire()) {
    budget_.reset();
    cluster_->stats().add(ClusterStat::kUpstreamCxOverflow);
    info_.flags.set(ResponseFlag::kUpstreamOverflow);
    return over(false);
  }
  host_ = pick.host->state;
  host_text_ = net::to_string(pick.host->address);
  info_.upstream_host = host_text_;
  ++attempts_;
  connector_ = std::make_unique<net::Connector>(loop(), pick.host->address, pick.host->addresses, cluster_->config().connect_timeout,
                                                cluster_->config().connect,
                                                [this](int error, net::Socket socket) { on_connected(error, std::move(socket)); });
}

void TcpSession::on_connected(int error, net::Socket socket) {
  observe::Cells& stats = cluster_->stats();
  stats.add(ClusterStat::kUpstreamCxTotal);
  upstream::HostState::count(host_->connections);
  if (error != 0) {
    stats.add(ClusterStat::kUpstreamCxConnectFail);
    upstream::HostState::count(host_->connect_failures);
    cluster_->report(host_, {upstream::HostResult::Kind::kConnectFailed});
    if (error == ETIMEDOUT) stats.add(ClusterStat::kUpstreamCxConnectTimeout);
    char text[128];
    failure_text_ = connector_->local_failure();
    if (failure_text_.empty())
      failure_text_ = std::string("delayed connect error: ") + strerror_r(error, text, sizeof text);
    else
      stats.add(ClusterStat::kBindErrors);
    info_.upstream_transport_failure_reason = failure_text_;
    release_upstream();
    if (attempts_ < service_->config->max_connect_attempts) return connect();
    stats.add(ClusterStat::kUpstreamCxConnectAttemptsExceeded);
    info_.flags.set(ResponseFlag::kUpstreamConnectionFailure);
    return over(false);
  }
  connected_ = true;
  stats.add(ClusterStat::kUpstreamCxActive);
  host_->active_connections.fetch_add(1, std::memory_order_relaxed);
  cluster_->report(host_, {upstream::HostResult::Kind::kConnectSucceeded});
  upstream_ = std::make_unique<Upstream>(*this, net::make_tcp_stream(std::move(socket)));
  upstream_local_text_ = net::to_string(upstream_->local_address());
  info_.upstream_local_address = upstream_local_text_;
  upstream_->begin();
  if (!in_.empty()) on_bytes();
  if (client_ended_)
    upstream_->finish_sending();
  else
    resume_reading();
}

void TcpSession::on_activity() {
  if (service_->config->idle_timeout.count() > 0) loop().wheel().arm(idle_, service_->config->idle_timeout);
}

void TcpSession::on_bytes() {
  count_bytes();
  if (!upstream_) return;
  on_activity();
  upstream_->send(in_);
}

void TcpSession::Upstream::send(ReadBuffer& from) {
  while (!from.empty()) out_.append(from.take(from.size()));
  mark_dirty();
}

void TcpSession::Upstream::on_bytes() {
  count_bytes();
  session_.on_activity();
  while (!in_.empty()) session_.out_.append(in_.take(in_.size()));
  session_.mark_dirty();
}

void TcpSession::Upstream::on_peer_ended() {
  ended_ = true;
  session_.on_upstream_ended();
}

void TcpSession::on_flushed() {
  count_bytes();
  if (upstream_ && !upstream_->ended() && out_.size() < service_->buffer_limit / 2) upstream_->read_on();
  end_if_both_ended();
}

void TcpSession::Upstream::on_flushed() {
  count_bytes();
  session_.on_upstream_flushed();
}

void TcpSession::on_upstream_flushed() {
  if (!client_ended_ && upstream_->out_.size() < service_->buffer_limit / 2) resume_reading();
  end_if_both_ended();
}

void TcpSession::on_peer_ended() {
  client_ended_ = true;
  if (!upstream_) return;
  upstream_->finish_sending();
  end_if_both_ended();
}

void TcpSession::on_upstream_ended() {
  end_output();
  end_if_both_ended();
}

void TcpSession::end_if_both_ended() {
  if (client_ended_ && upstream_ && upstream_->ended() && out_.empty() && upstream_->out_.empty()) over(false);
}

void TcpSession::on_closed(int error) { over(error != 0); }

void TcpSession::on_upstream_closed(int error) {
  info_.flags.set(ResponseFlag::kUpstreamConnectionTermination);
  over(error != 0);
}

void TcpSession::on_idle() {
  service_->tcp.add(TcpStat::kIdleTimeout);
  over(false);
}

void TcpSession::abort() { over(false); }

void TcpSession::release_upstream() {
  connector_.reset();
  if (!budget_) return;
  budget_->connections(Priority::kDefault).release();
  budget_.reset();
  if (connected_) {
    cluster_->stats().sub(ClusterStat::kUpstreamCxActive);
    cluster_->stats().add(ClusterStat::kUpstreamCxDestroy);
    host_->active_connections.fetch_sub(1, std::memory_order_relaxed);
  }
}

void TcpSession::over(bool reset) {
  if (over_) return;
  over_ = true;
  idle_.disarm();
  info_.end = loop().now();
  info_.bytes_received = bytes_received();
  info_.bytes_sent = bytes_sent();
  release_upstream();
  if (upstream_) {
    upstream_->count_bytes();
    upstream_->close(reset);
    loop().retire(std::move(upstream_));
  }
  close(reset);
  for (const auto& log : service_->config->access_logs) log->log(loop().thread(), info_);
  owner_.on_connection_over(*this);
}

TcpSession::Upstream::Upstream(TcpSession& session, std::unique_ptr<net::Stream> stream)
    : Connection(session.loop(), std::move(stream)), session_(session), out_(session.loop().slabs()) {}

}  // namespace weft::downstream
