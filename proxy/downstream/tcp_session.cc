#include "proxy/downstream/tcp_session.h"

#include "common/observe/shapes.h"
#include "proxy/downstream/jitter.h"
#include "proxy/downstream/tcp_tunnel.h"
#include "proxy/format/address_text.h"
#include "proxy/routing/hash_policy.h"
#include "proxy/telemetry/access_log.h"

#include <algorithm>
#include <cstring>

namespace weft::downstream {
namespace {

using observe::ClusterStat;
using observe::ListenerStat;
using observe::ResponseFlag;
using observe::TcpStat;
using upstream::Priority;
using Serves = config::TcpProxy::Serves;

// How long a client that was answered may take to end its half.
constexpr std::chrono::milliseconds kLastWordsPatience{1000};

// By weight, as tcp_proxy's weighted_clusters.
const std::string& choose(const config::TcpProxy& config, uint64_t random) {
  uint64_t at = config.total_weight ? random % config.total_weight : 0;
  for (const auto& destination : config.destinations) {
    if (at < destination.weight) return destination.cluster;
    at -= destination.weight;
  }
  return config.destinations.back().cluster;
}

// Before the attempt after this one: at random up to base * (2^attempts - 1), and to the longest.
std::chrono::milliseconds backoff(const config::TcpProxy& config, uint32_t attempts, uint64_t random) {
  const auto base = static_cast<uint64_t>(config.backoff_base.count()), most = static_cast<uint64_t>(config.backoff_max.count());
  const uint64_t reach = std::min(base * ((uint64_t{1} << std::min(attempts, 20U)) - 1), most);
  return std::chrono::milliseconds(random % std::max<uint64_t>(reach, 1));
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
  info_.filter_chain_name = service_->chain_name;
  service_->tcp.add(TcpStat::kDownstreamCxTotal);
  service_->listener.add(ListenerStat::kDownstreamCxTotal);
  service_->listener.add(ListenerStat::kDownstreamCxActive);
}

void TcpSession::set_facts(std::shared_ptr<const net::ConnectionFacts> facts) {
  facts_ = std::move(facts);
  const auto text = [this](const net::Endpoint& endpoint) { return facts_->path.empty() ? net::to_string(endpoint) : facts_->path; };
  info_.downstream_local_address = local_text_ = text(facts_->local);
  info_.downstream_remote_address = peer_text_ = text(facts_->remote);
  info_.downstream_direct_local_address = direct_local_text_ = text(facts_->direct_local);
  info_.downstream_direct_remote_address = direct_peer_text_ = text(facts_->direct_remote);
  info_.requested_server_name = facts_->server_name;
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

// --- the beginning ---

void TcpSession::begin() {
  if (!config().before.empty() && !passes_gate()) return;
  on_activity();
  if (config().max_connection_duration.count() > 0)
    loop().wheel().arm(age_, with_jitter(config().max_connection_duration, config().duration_jitter, loop()));
  if (config().log_interval.count() > 0) loop().wheel().arm(log_timeout_, config().log_interval);
  serve();
  if (!over_) start();
}

// False: a network filter refuses it.
bool TcpSession::passes_gate() {
  gate_ = std::make_unique<NetworkGate>(loop(), config().before, info_.requested_server_name);
  const auto& refusal = gate_->refusal();
  if (!refusal) return true;
  info_.flags = refusal->flags;
  if (refusal->delay.count() > 0)
    gate_->close_later([this] { over(false); });
  else
    over(false);
  return false;
}

void TcpSession::serve() {
  if (config().serves == Serves::kCluster) return connect();
  if (config().serves == Serves::kEcho) return;
  if (!config().response.empty()) out_.append(config().response);
  close_gently(kLastWordsPatience);
}

void TcpSession::connect() {
  const std::string& name = gate_ && !gate_->cluster().empty() ? gate_->cluster() : choose(config(), loop().random());
  cluster_ = service_->environment.clusters.find(name);
  if (!cluster_) {
    service_->tcp.add(TcpStat::kDownstreamCxNoRoute);
    info_.flags.set(ResponseFlag::kNoClusterFound);
    return over(false);
  }
  info_.upstream_cluster = info_.upstream_cluster_raw = name;
  std::optional<uint64_t> hash;
  if (config().hash_source_ip) hash = routing::hash_of(format::ip_of(peer_text_));
  const upstream::Pick pick = cluster_->pick({.random = loop().random(), .hash = hash, .connection = facts_.get(), .request = &info_});
  if (!pick.host) {
    info_.flags.set(ResponseFlag::kNoHealthyUpstream);
    return over(false);
  }
  host_ = pick.host->state;
  if (!config().tunnel) {
    budget_ = cluster_->shared()->budget;
    if (!budget_->connections(Priority::kDefault).try_acquire()) {
      budget_.reset();
      cluster_->stats().add(ClusterStat::kUpstreamCxOverflow);
      return on_far_overflow();
    }
  }
  host_text_ = net::to_string(pick.host->address);
  info_.upstream_host = host_text_;
  info_.attempt_count = ++attempts_;
  if (config().tunnel) {
    tunnel_ = std::make_unique<TcpTunnel>(*this, loop());
    return tunnel_->start(cluster_, *pick.host);
  }
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
    std::string failure = connector_->local_failure();
    if (failure.empty())
      failure = std::string("delayed connect error: ") + strerror_r(error, text, sizeof text);
    else
      stats.add(ClusterStat::kBindErrors);
    return on_far_failed(std::move(failure));
  }
  connected_ = true;
  stats.add(ClusterStat::kUpstreamCxActive);
  host_->active_connections.fetch_add(1, std::memory_order_relaxed);
  cluster_->report(host_, {upstream::HostResult::Kind::kConnectSucceeded});
  upstream_ = std::make_unique<Upstream>(*this, net::make_tcp_stream(std::move(socket)));
  upstream_->begin();
  on_far_ready(*upstream_, net::to_string(upstream_->local_address()));
}

void TcpSession::on_far_ready(Far& far, std::string local_address) {
  far_ = &far;
  upstream_local_text_ = std::move(local_address);
  info_.upstream_local_address = upstream_local_text_;
  if (config().log_on_connected) log(format::AccessLogType::kTcpUpstreamConnected);
  if (!in_.empty()) on_bytes();
  if (over_) return;
  if (client_ended_)
    far_->finish_sending();
  else
    resume_reading();
}

void TcpSession::on_far_failed(std::string reason) {
  failure_text_ = std::move(reason);
  info_.upstream_transport_failure_reason = failure_text_;
  release_upstream();
  if (attempts_ < config().max_connect_attempts) {
    if (config().backoff_base.count() == 0) return connect();
    const auto delay = backoff(config(), attempts_, loop().random());
    return loop().wheel().arm(retry_, delay);
  }
  cluster_->stats().add(ClusterStat::kUpstreamCxConnectAttemptsExceeded);
  info_.flags.set(ResponseFlag::kUpstreamConnectionFailure);
  info_.flags.set(ResponseFlag::kUpstreamRetryLimitExceeded);
  over(false);
}

void TcpSession::on_far_overflow() {
  info_.flags.set(ResponseFlag::kUpstreamOverflow);
  over(false);
}

// --- bytes ---

void TcpSession::on_activity() {
  if (config().idle_timeout.count() > 0) loop().wheel().arm(idle_, config().idle_timeout);
}

bool TcpSession::wants_bytes() const {
  if (far_) return !far_->full();
  return config().serves == Serves::kEcho && takes_bytes();
}

void TcpSession::on_bytes() {
  count_bytes();
  if (!far_) return config().serves == Serves::kEcho ? echo() : void();
  on_activity();
  if (far_->full()) {
    if (!held_) service_->tcp.add(TcpStat::kDownstreamFlowControlPausedReadingTotal);
    held_ = true;
    return;
  }
  far_->send(in_);
}

void TcpSession::echo() {
  held_ = !takes_bytes();
  if (held_) return;
  while (!in_.empty()) out_.append(in_.take(in_.size()));
  mark_dirty();
}

void TcpSession::take(Slice slice) {
  out_.append(std::move(slice));
  mark_dirty();
}

void TcpSession::Upstream::send(ReadBuffer& from) {
  while (!from.empty()) out_.append(from.take(from.size()));
  mark_dirty();
}

void TcpSession::Upstream::on_bytes() {
  count_bytes();
  session_.on_activity();
  held_ = !session_.takes_bytes();
  if (held_) return;
  while (!in_.empty()) session_.out_.append(in_.take(in_.size()));
  session_.mark_dirty();
}

void TcpSession::Upstream::read_on() {
  if (!held_) return;
  held_ = false;
  resume_reading();
}

void TcpSession::Upstream::on_peer_ended() {
  ended_ = true;
  if (!in_.empty()) {  // held back: the client is to have all of it
    while (!in_.empty()) session_.out_.append(in_.take(in_.size()));
    session_.mark_dirty();
  }
  session_.on_far_ended();
}

void TcpSession::on_flushed() {
  count_bytes();
  if (out_.size() < service_->buffer_limit / 2) {
    if (far_) {
      far_->read_on();
    } else if (held_) {
      held_ = false;
      resume_reading();
    }
  }
  end_if_both_ended();
}

void TcpSession::Upstream::on_flushed() {
  count_bytes();
  session_.on_far_flushed();
}

void TcpSession::on_far_flushed() {
  if (held_ && !far_->full()) {
    held_ = false;
    service_->tcp.add(TcpStat::kDownstreamFlowControlResumedReadingTotal);
    resume_reading();
  }
  end_if_both_ended();
}

// --- ends ---

void TcpSession::on_peer_ended() {
  client_ended_ = true;
  if (config().serves == Serves::kEcho) {
    while (!in_.empty()) out_.append(in_.take(in_.size()));
    close_gently(kLastWordsPatience);
  }
  if (!far_) return;
  if (!in_.empty()) far_->send(in_);  // held back: the far side is to have all of it
  far_->finish_sending();
  end_if_both_ended();
}

void TcpSession::on_far_ended() {
  end_output();
  end_if_both_ended();
}

void TcpSession::end_if_both_ended() {
  if (client_ended_ && far_ && far_->ended() && out_.empty() && far_->empty()) over(false);
}

void TcpSession::on_closed(int error) { over(error != 0); }

void TcpSession::on_far_closed(bool reset) {
  info_.flags.set(reset ? ResponseFlag::kUpstreamRemoteReset : ResponseFlag::kUpstreamConnectionTermination);
  over(reset);
}

void TcpSession::on_idle() {
  service_->tcp.add(TcpStat::kIdleTimeout);
  over(false);
}

void TcpSession::on_too_old() {
  service_->tcp.add(TcpStat::kMaxDownstreamConnectionDuration);
  info_.flags.set(ResponseFlag::kDurationTimeout);
  over(false);
}

void TcpSession::on_log_interval() {
  log(format::AccessLogType::kTcpPeriodic);
  loop().wheel().arm(log_timeout_, config().log_interval);
}

void TcpSession::log(format::AccessLogType type) {
  info_.log_type = type;
  info_.bytes_received = bytes_received();
  info_.bytes_sent = bytes_sent();
  for (const auto& log : config().access_logs) log->log(loop().thread(), info_);
}

void TcpSession::abort() { over(false); }

void TcpSession::release_upstream() {
  connector_.reset();
  drop_tunnel();
  if (!budget_) return;
  budget_->connections(Priority::kDefault).release();
  budget_.reset();
  if (connected_) {
    cluster_->stats().sub(ClusterStat::kUpstreamCxActive);
    cluster_->stats().add(ClusterStat::kUpstreamCxDestroy);
    host_->active_connections.fetch_sub(1, std::memory_order_relaxed);
  }
}

void TcpSession::drop_tunnel() {
  if (!tunnel_) return;
  tunnel_->close();
  loop().retire(std::move(tunnel_));
}

void TcpSession::over(bool reset) {
  if (over_) return;
  over_ = true;
  idle_.disarm();
  age_.disarm();
  retry_.disarm();
  log_timeout_.disarm();
  info_.end = loop().now();
  far_ = nullptr;
  release_upstream();
  if (upstream_) {
    upstream_->count_bytes();
    upstream_->close(reset);
    loop().retire(std::move(upstream_));
  }
  close(reset);
  log(format::AccessLogType::kTcpConnectionEnd);
  owner_.on_connection_over(*this);
}

TcpSession::Upstream::Upstream(TcpSession& session, std::unique_ptr<net::Stream> stream)
    : Connection(session.loop(), std::move(stream)), session_(session), out_(session.loop().slabs()) {}

}  // namespace weft::downstream
