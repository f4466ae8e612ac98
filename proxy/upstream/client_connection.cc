#include "proxy/upstream/client_connection.h"

#include "proxy/upstream/cluster.h"
#include "proxy/upstream/pool.h"

#include <atomic>

namespace weft::upstream {
namespace {

using observe::ClusterStat;

std::atomic<uint64_t> next_id{1};
// How long a tunnel's last bytes may take to leave once both its ends are over.
constexpr std::chrono::seconds kTunnelPatience{5};

std::unique_ptr<http::ClientCodec> make_codec(http::CodecEvents& events, HostPool& pool, http::Protocol protocol, observe::Scope* scope) {
  const ClusterConfig& config = pool.cluster().config();
  SlabPool& slabs = pool.cluster().loop().slabs();
  if (protocol == http::Protocol::kHttp2)
    return http::make_http2_client(events, config.http2, slabs, scope ? &scope->cells(pool.cluster().loop().thread()) : nullptr);
  if (protocol == http::Protocol::kTcp) return http::make_tcp_client(events, config.http1.buffer, slabs);
  return http::make_http1_client(events, config.http1, slabs);
}

}  // namespace

ClientConnection::ClientConnection(HostPool& pool, std::unique_ptr<net::Stream> stream, http::Protocol protocol)
    : Connection(pool.cluster().loop(), std::move(stream)),
      pool_(pool),
      http2_stats_(pool.cluster().shared()->http2_stats),
      codec_(make_codec(*this, pool, protocol, http2_stats_.get())),
      opened_(std::chrono::steady_clock::now()),
      local_text_(net::to_string(local_address())),
      id_(next_id.fetch_add(1, std::memory_order_relaxed)) {
  observe::Cells& stats = pool.cluster().stats();
  stats.add(ClusterStat::kUpstreamCxTotal);
  stats.add(ClusterStat::kUpstreamCxActive);
  if (protocol != http::Protocol::kTcp)
    stats.add(protocol == http::Protocol::kHttp2 ? ClusterStat::kUpstreamCxHttp2Total : ClusterStat::kUpstreamCxHttp1Total);
  HostState& host = pool.state();
  HostState::count(host.connections);
  host.active_connections.fetch_add(1, std::memory_order_relaxed);
}

ClientConnection::~ClientConnection() {
  if (!gone_) account();
}

// Its last marks. Once it is gone the pool, or the whole cluster, may die before it does.
void ClientConnection::account() {
  observe::Cells& stats = pool_.cluster().stats();
  stats.sub(ClusterStat::kUpstreamCxActive);
  stats.add(ClusterStat::kUpstreamCxDestroy);
  count_bytes();
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - opened_);
  stats.record(ClusterStat::kUpstreamCxLengthMs, static_cast<uint64_t>(age.count()));
  pool_.state().active_connections.fetch_sub(1, std::memory_order_relaxed);
}

void ClientConnection::count_bytes() {
  bytes_.note(pool_.cluster().stats(), ClusterStat::kUpstreamCxRxBytesTotal, bytes_received(), ClusterStat::kUpstreamCxTxBytesTotal,
              bytes_sent());
}

void ClientConnection::begin() {
  const ClusterConfig& config = pool_.cluster().config();
  if (config.max_connection_duration.count() > 0) loop().wheel().arm(age_, config.max_connection_duration);
  const auto& keepalive = config.http2.keepalive;
  if (keepalive && protocol() == http::Protocol::kHttp2)
    keepalive_ = std::make_unique<http::Keepalive>(loop(), *keepalive, *codec_, [this] { on_dead(); });
  start();
  mark_dirty();  // HTTP/2's preface
}

http::Stream& ClientConnection::open(http::StreamReceiver& receiver) {
  idle_.disarm();
  ++requests_;
  if (keepalive_) keepalive_->on_stream();
  const uint32_t most = pool_.cluster().config().max_requests_per_connection;
  http::Stream& stream = codec_->open(receiver);
  if (most != 0 && requests_ >= most && !retiring_) {
    pool_.cluster().stats().add(ClusterStat::kUpstreamCxMaxRequests);
    retiring_ = true;
  }
  return stream;
}

void ClientConnection::retire_when_idle() {
  retiring_ = true;
  if (idle()) gone(false);
}

void ClientConnection::on_bytes() {
  count_bytes();
  if (keepalive_) keepalive_->on_bytes();
  const Status status = codec_->receive(in_);
  if (gone_) return;
  if (!status || codec_->wants_close()) {
    if (!status) pool_.cluster().stats().add(ClusterStat::kUpstreamCxProtocolError);
    flush();  // HTTP/2's GOAWAY
    if (!gone_) gone(false);
  }
}

void ClientConnection::on_flushed() {
  if (!gone_) count_bytes();
  codec_->on_flushed();
  if (!gone_ && protocol() == http::Protocol::kHttp2 && codec_->wants_close()) gone(false);
}

void ClientConnection::on_peer_ended() {
  const bool lives = codec_->on_peer_ended();
  if (!gone_ && !closing_gently() && !(lives && codec_->is_tunnel())) gone(true);
}

void ClientConnection::on_closed(int) { gone(true); }

// Never called: only servers get new streams.
http::StreamReceiver& ClientConnection::on_new_stream(http::Stream&) { std::abort(); }

void ClientConnection::on_stream_over() {
  if (gone_) return;
  if (idle()) {
    // What a tunnel's client said last leaves first.
    if (codec_->is_tunnel() && !codec_->wants_reset() && !codec_->output().empty()) return close_gently(kTunnelPatience);
    if (retiring_ || codec_->wants_close()) return gone(false);
    const auto patience = pool_.cluster().config().idle_timeout;
    if (patience.count() > 0) loop().wheel().arm(idle_, patience);
  }
  pool_.on_stream_over(*this);
}

void ClientConnection::on_going_away() {
  retiring_ = true;
  if (gone_) return;
  pool_.on_no_more_streams(*this);
  // Told from inside the codec: an idle connection ends a moment later.
  if (idle()) resume_reading();
}

void ClientConnection::on_ping_answered() {
  if (keepalive_) keepalive_->on_answered();
}

void ClientConnection::on_dead() {
  if (http2_stats_) http2_stats_->cells(loop().thread()).add(observe::Http2Stat::kKeepaliveTimeout);
  gone(false);
}

void ClientConnection::on_idle() {
  pool_.cluster().stats().add(ClusterStat::kUpstreamCxIdleTimeout);
  gone(false);
}

void ClientConnection::on_old() {
  pool_.cluster().stats().add(ClusterStat::kUpstreamCxMaxDurationReached);
  pool_.on_no_more_streams(*this);
  retire_when_idle();
}

void ClientConnection::gone(bool by_peer) {
  if (gone_) return;
  gone_ = true;
  idle_.disarm();
  age_.disarm();
  if (keepalive_) keepalive_->stop();
  observe::Cells& stats = pool_.cluster().stats();
  stats.add(by_peer ? ClusterStat::kUpstreamCxDestroyRemote : ClusterStat::kUpstreamCxDestroyLocal);
  if (!idle()) {
    stats.add(ClusterStat::kUpstreamCxDestroyWithActiveRq);
    stats.add(by_peer ? ClusterStat::kUpstreamCxDestroyRemoteWithActiveRq : ClusterStat::kUpstreamCxDestroyLocalWithActiveRq);
  }
  close(codec_->wants_reset());
  // Those who hear of its end may ask for another one at once.
  retiring_ = true;
  pool_.on_no_more_streams(*this);
  codec_->on_connection_lost();
  account();
  pool_.on_connection_gone(*this);
}

}  // namespace weft::upstream
