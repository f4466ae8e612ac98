#include "proxy/upstream/attempt.h"

#include "proxy/upstream/client_connection.h"

namespace weft::upstream {
namespace {

using observe::ClusterStat;

AttemptEnd end_of(http::ResetReason reason) {
  switch (reason) {
    case http::ResetReason::kRemote: return AttemptEnd::kRemoteReset;
    case http::ResetReason::kRemoteRefused:
    case http::ResetReason::kLocalRefused: return AttemptEnd::kRefusedStream;
    case http::ResetReason::kConnectionClosed:
    case http::ResetReason::kLocal: return AttemptEnd::kConnectionClosed;
    case http::ResetReason::kProtocolError: return AttemptEnd::kProtocolError;
    case http::ResetReason::kOverflow: return AttemptEnd::kLocalOverflow;
  }
  return AttemptEnd::kConnectionClosed;
}

}  // namespace

void Attempt::start(std::shared_ptr<Cluster> cluster, const Host& host, http::Protocol protocol, Priority priority) {
  host_state_ = host.state;
  canary_ = host.canary;
  protocol_ = protocol;
  priority_ = priority;
  local_address_.clear();
  connection_id_ = 0;
  request_sent_ = false;
  cluster_ = std::move(cluster);
  // Already while it waits for a connection: the next pick is to see it.
  host_state_->active_requests.fetch_add(1, std::memory_order_relaxed);
  pool_ = &cluster_->pool(host, protocol, priority);
  pool_->request(*this);
}

bool Attempt::admit() {
  observe::Cells& stats = cluster_->stats();
  const std::shared_ptr<Budget>& budget = cluster_->shared()->budget;
  if (!budget->requests(priority_).try_acquire()) {
    stats.add(ClusterStat::kUpstreamRqActiveOverflow);
    return false;
  }
  budget_ = budget;
  stats.add(ClusterStat::kUpstreamRqTotal);
  stats.add(ClusterStat::kUpstreamRqActive);
  HostState::count(host_state_->requests);
  return true;
}

void Attempt::cancel() {
  if (!cluster_) return;
  if (pool_) {
    pool_->cancel(*this);
    cluster_->stats().add(ClusterStat::kUpstreamRqCancelled);
  } else if (stream_) {
    cluster_->stats().add(ClusterStat::kUpstreamRqTxReset);
    http::Stream* stream = stream_;
    stream_ = nullptr;
    stream->reset(http::ResetReason::kLocal);
  }
  finish(false);
}

void Attempt::finish(bool success) {
  if (!cluster_) return;
  pool_ = nullptr;
  stream_ = nullptr;
  host_state_->active_requests.fetch_sub(1, std::memory_order_relaxed);
  HostState::count(success ? host_state_->successes : host_state_->errors);
  if (budget_) {
    cluster_->stats().sub(ClusterStat::kUpstreamRqActive);
    budget_->requests(priority_).release();
    budget_.reset();
  }
  // The cluster may be on the stack below us: its deleter retires it.
  cluster_.reset();
}

void Attempt::on_stream(http::Stream& stream, ClientConnection& connection) {
  pool_ = nullptr;
  stream_ = &stream;
  local_address_ = connection.local_text();
  connection_id_ = connection.id();
  protocol_ = connection.protocol();
  events_.on_attempt_ready();
}

void Attempt::on_pool_failure(PoolFailure failure, std::string_view detail) {
  pool_ = nullptr;
  finish(false);
  switch (failure) {
    case PoolFailure::kConnectFailed: return events_.on_attempt_failed(AttemptEnd::kConnectFailed, detail);
    case PoolFailure::kLocalConnectFailed: return events_.on_attempt_failed(AttemptEnd::kLocalConnectFailed, detail);
    case PoolFailure::kConnectTimeout: return events_.on_attempt_failed(AttemptEnd::kConnectTimeout, detail);
    case PoolFailure::kOverflow: return events_.on_attempt_failed(AttemptEnd::kOverflow, detail);
  }
}

// The answer's end frees the attempt before the owner hears of it: it may start the next one in that very call. An HTTP/1
// stream whose request has not ended yet lives on in the codec until it is reset; the owner decides that by cancel().
void Attempt::on_head(bool end) {
  const int status = events_.response_head().status();
  cluster_->report(host_state_, HostResult::of_status(status));
  succeeded_ = status < 500;
  answer_ended_ = end;
  events_.on_attempt_head(end);
}

void Attempt::on_body(Slice slice, bool end) {
  answer_ended_ = end;
  events_.on_attempt_body(std::move(slice), end);
}

void Attempt::on_trailers() {
  answer_ended_ = true;
  events_.on_attempt_trailers();
}

void Attempt::complete() { finish(succeeded_); }

void Attempt::on_reset(http::ResetReason reason, std::string_view details) {
  stream_ = nullptr;
  observe::Cells& stats = cluster_->stats();
  if (reason != http::ResetReason::kLocal) stats.add(ClusterStat::kUpstreamRqRxReset);
  cluster_->report(host_state_, {HostResult::Kind::kReset});
  finish(false);
  events_.on_attempt_failed(end_of(reason), details);
}

}  // namespace weft::upstream
