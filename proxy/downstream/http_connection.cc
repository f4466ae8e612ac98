#include "proxy/downstream/http_connection.h"

#include "common/observe/shapes.h"
#include "proxy/downstream/exchange.h"
#include "proxy/downstream/jitter.h"

#include <atomic>

namespace weft::downstream {
namespace {

using observe::HttpStat;
using observe::ListenerStat;
using Codec = config::HttpConnectionManager::Codec;

std::atomic<uint64_t> next_id{1};

}  // namespace

ExchangePool::ExchangePool(net::Loop& loop) : loop_(loop) {
  loop.at_event_end([this] { wake(); });
}
ExchangePool::~ExchangePool() = default;

Exchange* ExchangePool::take() {
  if (spare_.empty()) return new Exchange(loop_);
  Exchange* exchange = spare_.back().release();
  spare_.pop_back();
  return exchange;
}

void ExchangePool::give(Exchange* exchange) { resting_.emplace_back(exchange); }

void ExchangePool::wake() {
  constexpr size_t kSpare = 64;
  while (!resting_.empty()) {
    std::unique_ptr<Exchange> exchange = std::move(resting_.back());
    resting_.pop_back();
    exchange->rest();
    if (spare_.size() < kSpare) spare_.push_back(std::move(exchange));
  }
}

HttpConnection::HttpConnection(ConnectionOwner& owner, std::shared_ptr<HttpService> service, std::unique_ptr<net::Stream> stream)
    : Connection(service->environment.loop, std::move(stream)),
      owner_(owner),
      service_(std::move(service)),
      opened_with_(service_),
      nothing_(loop().slabs()),
      peer_text_(net::to_string(peer_address())),
      local_text_(net::to_string(local_address())),
      opened_(std::chrono::steady_clock::now()),
      id_(next_id.fetch_add(1, std::memory_order_relaxed)) {
  service_->http.add(HttpStat::kDownstreamCxTotal);
  service_->http.add(HttpStat::kDownstreamCxActive);
  service_->listener.add(ListenerStat::kDownstreamCxTotal);
  service_->listener.add(ListenerStat::kDownstreamCxActive);
}

HttpConnection::~HttpConnection() {
  observe::Cells& http = opened_with_->http;
  http.sub(HttpStat::kDownstreamCxActive);
  http.add(HttpStat::kDownstreamCxDestroy);
  count_bytes();
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - opened_);
  http.record(HttpStat::kDownstreamCxLengthMs, static_cast<uint64_t>(age.count()));
  opened_with_->listener.record(ListenerStat::kDownstreamCxLengthMs, static_cast<uint64_t>(age.count()));
  opened_with_->listener.sub(ListenerStat::kDownstreamCxActive);
  opened_with_->listener.add(ListenerStat::kDownstreamCxDestroy);
  if (codec_) http.sub(http2_ ? HttpStat::kDownstreamCxHttp2Active : HttpStat::kDownstreamCxHttp1Active);
}

void HttpConnection::set_facts(std::shared_ptr<const net::ConnectionFacts> facts) {
  facts_ = std::move(facts);
  if (!facts_->path.empty()) {
    peer_text_ = local_text_ = facts_->path;
    return;
  }
  if (facts_->remote == facts_->direct_remote && facts_->local == facts_->direct_local) return;
  direct_texts_ = std::make_unique<DirectTexts>(DirectTexts{std::move(peer_text_), std::move(local_text_)});
  peer_text_ = net::to_string(facts_->remote);
  local_text_ = net::to_string(facts_->local);
}

void HttpConnection::count_bytes() {
  bytes_.note(opened_with_->http, HttpStat::kDownstreamCxRxBytesTotal, bytes_received(), HttpStat::kDownstreamCxTxBytesTotal, bytes_sent());
}

void HttpConnection::begin() {
  const config::HttpConnectionManager& config = *service_->config;
  if (!config.before.empty() && !passes_gate()) return;
  if (config.codec != Codec::kAuto) choose_codec();
  if (config.idle_timeout.count() > 0) loop().wheel().arm(idle_, config.idle_timeout);
  if (config.max_connection_duration.count() > 0)
    loop().wheel().arm(age_, with_jitter(config.max_connection_duration, config.max_connection_duration_jitter, loop()));
  start();
}

// False: the network filters before the connection manager refuse it.
bool HttpConnection::passes_gate() {
  gate_ =
      std::make_unique<NetworkGate>(loop(), service_->config->before, facts_ ? std::string_view(facts_->server_name) : std::string_view());
  const auto& refusal = gate_->refusal();
  if (!refusal) return true;
  if (refusal->delay.count() > 0)
    gate_->close_later([this] { abort(); });
  else
    abort();
  return false;
}

// False: the first bytes cannot tell yet.
bool HttpConnection::choose_codec() {
  const config::HttpConnectionManager& config = *service_->config;
  http2_ = config.codec == Codec::kHttp2;
  if (config.codec == Codec::kAuto) {
    if (alpn() == "h2" || alpn() == "http/1.1") {
      http2_ = alpn() == "h2";
    } else {
      const std::optional<bool> told = http::is_http2_preface(in_.view());
      if (!told) return false;
      http2_ = *told;
    }
  }
  codec_ = http2_ ? http::make_http2_server(*this, config.http2, loop().slabs(), &opened_with_->http2)
                  : http::make_http1_server(*this, config.http1, loop().slabs());
  if (http2_ && config.http2.keepalive)
    keepalive_ = std::make_unique<http::Keepalive>(loop(), *config.http2.keepalive, *codec_, [this] { on_dead(); });
  observe::Cells& http = opened_with_->http;
  http.add(http2_ ? HttpStat::kDownstreamCxHttp2Total : HttpStat::kDownstreamCxHttp1Total);
  http.add(http2_ ? HttpStat::kDownstreamCxHttp2Active : HttpStat::kDownstreamCxHttp1Active);
  return true;
}

void HttpConnection::on_bytes() {
  count_bytes();
  if (!codec_ && !choose_codec()) return;
  if (keepalive_) keepalive_->on_bytes();
  const Status status = codec_->receive(in_);
  if (over_) return;
  if (!status && !protocol_error_) service_->http.add(HttpStat::kDownstreamCxProtocolError);
  if (!status && status.error().detail == http::kTooManyPrematureResets) service_->http.add(HttpStat::kDownstreamRqTooManyPrematureResets);
  close_if_done();
}

void HttpConnection::on_flushed() {
  count_bytes();
  if (!codec_) return;
  codec_->on_flushed();
  if (over_) return;
  if (http2_ || !codec_->output().empty()) watch_flush();
  close_if_done();
}

// Once all exchanges are over nothing else notices a client that takes no byte of its answers: stream_idle_timeout bounds how
// long they wait for it, unless stream_flush_timeout does (Envoy's flush timeout).
void HttpConnection::watch_flush() {
  const auto patience = service_->config->stream_flush_timeout.value_or(service_->config->stream_idle_timeout);
  if (stalled_.armed() || patience.count() == 0 || (codec_->output().empty() && codec_->lingering_streams() == 0)) return;
  sent_before_ = bytes_sent();
  loop().wheel().arm(stalled_, patience);
}

void HttpConnection::on_stalled() {
  if (over_) return;
  if (codec_->active_streams() == 0 && bytes_sent() == sent_before_ && !codec_->output().empty()) {
    service_->http.add(HttpStat::kDownstreamCxDestroyLocal);
    close(true);
    return over();
  }
  codec_->drop_stalled();
  watch_flush();
}

void HttpConnection::on_ping_answered() {
  if (keepalive_) keepalive_->on_answered();
}

void HttpConnection::on_dead() {
  opened_with_->http2.add(observe::Http2Stat::kKeepaliveTimeout);
  abort();
}

void HttpConnection::close_if_done() {
  if (!codec_ || !codec_->wants_close() || closing_gently()) return;
  if (codec_->wants_reset()) {  // nothing else tells the client that what it got is cut short
    close(true);
    return over();
  }
  // The client may still be sending: a plain close would reset the connection under our last words.
  close_gently(service_->config->delayed_close_timeout);
}

void HttpConnection::on_peer_ended() {
  if (codec_ && codec_->on_peer_ended()) return;  // an answer is under way, and the client still listens
  service_->http.add(HttpStat::kDownstreamCxDestroyRemote);
  if (codec_ && codec_->active_streams() > 0) {
    service_->http.add(HttpStat::kDownstreamCxDestroyActiveRq);
    service_->http.add(HttpStat::kDownstreamCxDestroyRemoteActiveRq);
  }
  close();
  over();
}

void HttpConnection::on_closed(int error) {
  if (error != 0) {
    service_->http.add(HttpStat::kDownstreamCxDestroyRemote);
    if (codec_ && codec_->active_streams() > 0) {
      service_->http.add(HttpStat::kDownstreamCxDestroyActiveRq);
      service_->http.add(HttpStat::kDownstreamCxDestroyRemoteActiveRq);
    }
  } else {
    service_->http.add(HttpStat::kDownstreamCxDestroyLocal);
  }
  over();
}

void HttpConnection::over() {
  if (over_) return;
  over_ = true;
  idle_.disarm();
  age_.disarm();
  slow_head_.disarm();
  farewell_.disarm();
  stalled_.disarm();
  if (keepalive_) keepalive_->stop();
  if (codec_) codec_->on_connection_lost();
  // What the codec no longer knows of: an exchange whose stream had ended for it.
  while (!exchanges_.empty()) exchanges_.back()->on_reset(http::ResetReason::kConnectionClosed, "downstream_remote_disconnect");
  owner_.on_connection_over(*this);
}

http::StreamReceiver& HttpConnection::on_new_stream(http::Stream& stream) {
  const config::HttpConnectionManager& config = *service_->config;
  idle_.disarm();
  if (keepalive_) keepalive_->on_stream();
  ++requests_;
  if (config.max_requests_per_connection != 0 && requests_ >= config.max_requests_per_connection && !draining_) {
    service_->http.add(HttpStat::kDownstreamCxMaxRequestsReached);
    drain();
  } else if ((service_->environment.draining || (service_->environment.health_check_failed && service_->drains_on_health_failure) ||
              drain_with_next_) &&
             !draining_) {
    drain();
  }
  if (config.request_headers_timeout.count() > 0) loop().wheel().arm(slow_head_, config.request_headers_timeout);
  Exchange* exchange = service_->environment.exchanges.take();
  exchange->index = exchanges_.size();
  exchanges_.push_back(exchange);
  exchange->begin(*this, stream);
  return *exchange;
}

void HttpConnection::on_request_head() { slow_head_.disarm(); }

void HttpConnection::on_exchange_over(Exchange& exchange) {
  const size_t index = exchange.index;
  exchanges_[index] = exchanges_.back();
  exchanges_[index]->index = index;
  exchanges_.pop_back();
  service_->environment.exchanges.give(&exchange);
}

void HttpConnection::on_stream_over() {
  if (over_) return;
  if (http2_) watch_flush();  // its answer may have no window to leave by
  if (codec_->active_streams() > 0) return;
  if (service_->config->idle_timeout.count() > 0) loop().wheel().arm(idle_, service_->config->idle_timeout);
  if (codec_->wants_close()) mark_dirty();
}

void HttpConnection::drain() {
  if (draining_) return;
  if (!codec_) {
    // It has just come, or was opened in advance: a moment to say what it wants.
    constexpr std::chrono::seconds kMoment{1};
    drain_with_next_ = true;
    loop().wheel().arm(idle_, kMoment);
    return;
  }
  draining_ = true;
  service_->http.add(HttpStat::kDownstreamCxDrainClose);
  codec_->drain();
  if (http2_) loop().wheel().arm(farewell_, with_jitter(service_->config->drain_timeout, service_->config->drain_timeout_jitter, loop()));
  mark_dirty();
  close_if_done();
}

// The client has not answered the first GOAWAY: the final one goes without.
void HttpConnection::on_drain_timeout() {
  codec_->drain();
  mark_dirty();
  close_if_done();
}

void HttpConnection::abort() {
  if (over_) return;
  aborted_ = true;
  service_->http.add(HttpStat::kDownstreamCxDestroyLocal);
  if (codec_ && codec_->active_streams() > 0) {
    service_->http.add(HttpStat::kDownstreamCxDestroyActiveRq);
    service_->http.add(HttpStat::kDownstreamCxDestroyLocalActiveRq);
  }
  close();
  over();
}

void HttpConnection::on_idle() {
  service_->http.add(HttpStat::kDownstreamCxIdleTimeout);
  if (!codec_) {
    close();
    return over();
  }
  drain();
}

void HttpConnection::on_old() {
  service_->http.add(HttpStat::kDownstreamCxMaxDurationReached);
  // A request may be on its way on a connection that lies idle, and one that is answered already can no longer be told.
  const bool untold = codec_ && !http2_ && (exchanges_.empty() || exchanges_.front()->response_begun());
  if (untold && service_->config->http1_safe_max_connection_duration)
    drain_with_next_ = true;
  else
    drain();
}

void HttpConnection::on_slow_head() {
  for (size_t i = exchanges_.size(); i > 0; --i)
    if (exchanges_[i - 1]->awaits_head()) return exchanges_[i - 1]->on_slow_head();
}

std::shared_ptr<const void>& HttpConnection::state_of(const std::shared_ptr<const void>& key) {
  if (!states_) states_ = std::make_unique<std::deque<State>>();
  for (State& state : *states_)
    if (state.key == key) return state.value;
  return states_->emplace_back(State{key, nullptr}).value;
}

}  // namespace weft::downstream
