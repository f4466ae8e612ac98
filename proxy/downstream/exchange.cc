// The exchange's life: how it begins, what the client's stream may do to it besides sending a request (faults, resets, patience
// running out), and its one end. Every way out leads through finish(), which counts and logs; rest() gives back what it held.
#include "proxy/downstream/hedging.h"

#include "common/observe/shapes.h"
#include "proxy/downstream/http_connection.h"
#include "proxy/telemetry/access_log.h"

#include <algorithm>

namespace weft::downstream {
namespace {

using observe::HttpStat;
using observe::ListenerHttpStat;
using observe::ResponseFlag;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

}  // namespace

Exchange::Exchange(net::Loop& loop)
    : loop_(loop), request_(loop.slabs()), request_trailers_(loop.slabs()), response_(loop.slabs()), response_trailers_(loop.slabs()) {}

Exchange::~Exchange() { destroy_filters(); }

void Exchange::begin(HttpConnection& connection, http::Stream& stream) {
  connection_ = &connection;
  stream_ = &stream;
  service_ = connection.service_ref();
  phase_ = Phase::kHead;
  info_ = {};
  info_.start_time = std::chrono::system_clock::now();
  info_.start = loop_.now();
  info_.connection_begin = connection.opened();
  info_.connection_id = connection.id();
  info_.protocol = to_string(stream.protocol());
  info_.downstream_local_address = connection.local_text();
  info_.downstream_direct_local_address = connection.direct_local_text();
  info_.downstream_remote_address = connection.peer_text();
  info_.downstream_direct_remote_address = connection.direct_peer_text();
  if (connection.facts()) info_.requested_server_name = connection.facts()->server_name;
  info_.filter_chain_name = service_->chain_name;
  info_.request = &request_;
  info_.response = &response_;
  info_.log_type = format::AccessLogType::kDownstreamEnd;
  observe::Cells& http = service_->http;
  http.add(HttpStat::kDownstreamRqTotal);
  http.add(HttpStat::kDownstreamRqActive);
  http.add(stream.protocol() == http::Protocol::kHttp2 ? HttpStat::kDownstreamRqHttp2Total : HttpStat::kDownstreamRqHttp1Total);
  const config::HttpConnectionManager& config = *service_->config;
  if (config.request_timeout.count() > 0) loop_.wheel().arm(request_timeout_, config.request_timeout);
  if (config.max_stream_duration.count() > 0) loop_.wheel().arm(stream_timeout_, config.max_stream_duration);
  arm_idle();
}

// --- the client's stream fails ---

void Exchange::on_invalid(int status, std::string_view details) {
  connection_->on_request_head();
  connection_->on_protocol_error();
  service_->http.add(HttpStat::kDownstreamCxProtocolError);
  request_ended_ = true;
  if (response_head_sent_) return abandon();
  if (phase_ == Phase::kHead) phase_ = Phase::kFiltering;
  // As Envoy: what cannot be read is told in words.
  const bool unreadable = details != "missing_host_header" && details != "path_normalization_failed";
  if (unreadable) info_.flags.set(ResponseFlag::kDownstreamProtocolError);
  answer(status, unreadable ? http::reason_phrase(status) : std::string_view(), details);
}

void Exchange::on_reset(http::ResetReason reason, std::string_view details) {
  stream_ = nullptr;
  service_->http.add(HttpStat::kDownstreamRqRxReset);
  if (!response_sent_ || !request_ended_) {
    if (reason == http::ResetReason::kConnectionClosed) {
      info_.flags.set(ResponseFlag::kDownstreamConnectionTermination);
      if (!response_head_sent_ || tunnel_ == Tunnel::kOpen)
        info_.response_code_details = connection_->aborted() ? "downstream_local_disconnect" : "downstream_remote_disconnect";
    } else {
      info_.flags.set(reason == http::ResetReason::kProtocolError ? ResponseFlag::kDownstreamProtocolError
                                                                  : ResponseFlag::kDownstreamRemoteReset);
      if (!response_head_sent_) info_.response_code_details = details;
    }
  }
  attempt_->cancel();
  finish();
}

void Exchange::abandon() {
  attempt_->cancel();
  service_->http.add(HttpStat::kDownstreamRqTxReset);
  http::Stream* stream = stream_;
  stream_ = nullptr;
  if (stream) stream->reset(http::ResetReason::kLocal);
  finish();
}

// --- the client's patience, and ours with it ---

void Exchange::arm_idle() {
  milliseconds patience = service_->config->stream_idle_timeout;
  if (route_ && route_->forward() && route_->forward()->idle_timeout) patience = *route_->forward()->idle_timeout;
  if (patience.count() > 0)
    loop_.wheel().arm(idle_timeout_, patience);
  else
    idle_timeout_.disarm();
}

void Exchange::on_stream_idle() {
  service_->http.add(HttpStat::kDownstreamRqIdleTimeout);
  info_.flags.set(ResponseFlag::kStreamIdleTimeout);
  if (response_head_sent_) {
    info_.response_code_details = "stream_idle_timeout";
    return abandon();
  }
  if (phase_ == Phase::kHead) phase_ = Phase::kFiltering;
  // Envoy: a client that is slow to send gets 408, one that waits for us 504.
  fail(request_ended_ ? 504 : 408, "stream timeout", "stream_idle_timeout", ResponseFlag::kStreamIdleTimeout);
}

void Exchange::on_request_too_long() {
  service_->http.add(HttpStat::kDownstreamRqTimeout);
  if (response_head_sent_) return abandon();
  if (phase_ == Phase::kHead) phase_ = Phase::kFiltering;
  connection_->on_protocol_error();
  answer(408, "request timeout", "request_overall_timeout");
}

void Exchange::on_slow_head() {
  service_->http.add(HttpStat::kDownstreamRqHeaderTimeout);
  phase_ = Phase::kFiltering;
  connection_->on_protocol_error();
  answer(408, "request header timeout", "request_header_timeout");
}

void Exchange::on_stream_too_long() {
  service_->http.add(HttpStat::kDownstreamRqMaxDurationReached);
  if (response_head_sent_) {
    info_.response_code_details = "max_duration_timeout";
    return abandon();
  }
  if (phase_ == Phase::kHead) phase_ = Phase::kFiltering;
  constexpr int kDeadlineExceeded = 4;
  reply({request_ended_ ? 504 : 408, "downstream duration timeout", "max_duration_timeout", std::nullopt, {}, kDeadlineExceeded});
}

// --- the end ---

void Exchange::finish_if_over() {
  if (phase_ == Phase::kOver || phase_ == Phase::kIdle || !response_sent_) return;
  if (tunnel_ == Tunnel::kOpen && !request_ended_) return;  // its sides end one by one
  // An upstream that has answered in full need not hear the rest of the request.
  if (attempt_->active()) {
    if (request_sent_)
      attempt_->complete();
    else
      attempt_->cancel();
  }
  if (!request_ended_) {
    service_->http.add(HttpStat::kDownstreamRqResponseBeforeRqComplete);
    // HTTP/2 says that it will not read the rest; HTTP/1's answer has said `connection: close`.
    if (stream_) stream_->reset(http::ResetReason::kLocal);
  }
  stream_ = nullptr;
  finish();
}

void Exchange::finish() {
  if (phase_ == Phase::kOver) return;
  phase_ = Phase::kOver;
  info_.end = loop_.now();
  attempt_->cancel();
  give_up_others();
  log_attempt(format::AccessLogType::kUpstreamEnd);
  if (!mirrors_.empty()) release_mirrors();
  if (plan_) {
    for (uint8_t i : plan_->done())
      if (filters_[i]) filters_[i]->on_done(*this);
  }
  record();
  disarm_all();
  stream_ = nullptr;
  connection_->on_exchange_over(*this);
}

void Exchange::record(bool answered) {
  observe::Cells& http = service_->http;
  http.sub(HttpStat::kDownstreamRqActive);
  if (tunnel_ >= Tunnel::kAsked) http.sub(HttpStat::kDownstreamCxUpgradesActive);
  if (answered && info_.response_code != 0 && !info_.health_check) {
    http.add(HttpStat::kDownstreamRqCompleted);
    http.add(observe::class_index(HttpStat::kDownstreamRq1xx, info_.response_code));
    service_->listener_http.add(ListenerHttpStat::kDownstreamRqCompleted);
    service_->listener_http.add(observe::class_index(ListenerHttpStat::kDownstreamRq1xx, info_.response_code));
  }
  http.record(HttpStat::kDownstreamRqTime, elapsed_ms(info_.start, info_.end));
  for (const auto& log : service_->config->access_logs) log->log(loop_.thread(), info_);
}

// A line before the request is over.
void Exchange::log(format::AccessLogType type) {
  info_.log_type = type;
  for (const auto& log : service_->config->access_logs) log->log(loop_.thread(), info_);
  info_.log_type = format::AccessLogType::kDownstreamEnd;
}

void Exchange::log_again() {
  loop_.wheel().arm(log_timeout_, service_->config->log_interval);
  log(format::AccessLogType::kDownstreamPeriodic);
}

// The router's own log, upstream_log: what one attempt saw.
void Exchange::log_attempt(format::AccessLogType type) {
  if (!attempt_to_log_) return;
  format::RequestInfo attempt = info_;
  attempt.log_type = type;
  attempt.attempt_count = 0;
  attempt.bytes_sent = attempt_sent_bytes_;
  attempt.bytes_received = attempt_received_bytes_;
  attempt.response_code = local_ ? 0 : response_.status();
  attempt.response_code_details = {};
  if (hedging_ && hedging_->of(*attempt_).late) attempt.flags.set(ResponseFlag::kUpstreamRequestTimeout);
  if (type == format::AccessLogType::kUpstreamEnd) {
    attempt.end = loop_.now();
    attempt_to_log_ = false;
    attempt_log_timeout_.disarm();
  }
  for (const auto& log : plan_->router().upstream_logs) log->log(loop_.thread(), attempt);
}

void Exchange::log_attempt_again() {
  loop_.wheel().arm(attempt_log_timeout_, plan_->router().upstream_log_interval);
  log_attempt(format::AccessLogType::kUpstreamPeriodic);
}

uint64_t Exchange::elapsed_ms(Clock::time_point from, Clock::time_point to) {
  return static_cast<uint64_t>(std::max<int64_t>(0, std::chrono::duration_cast<milliseconds>(to - from).count()));
}

void Exchange::disarm_all() {
  for (TimeoutNode* node :
       {static_cast<TimeoutNode*>(&idle_timeout_), static_cast<TimeoutNode*>(&request_timeout_),
        static_cast<TimeoutNode*>(&stream_timeout_), static_cast<TimeoutNode*>(&route_timeout_), static_cast<TimeoutNode*>(&try_timeout_),
        static_cast<TimeoutNode*>(&try_idle_timeout_), static_cast<TimeoutNode*>(&upstream_timeout_),
        static_cast<TimeoutNode*>(&log_timeout_), static_cast<TimeoutNode*>(&attempt_log_timeout_)}) {
    node->disarm();
  }
  if (retry_timer_) retry_timer_->cancel();
}

// Gives everything back that would keep something else alive.
void Exchange::rest() {
  destroy_filters();
  retry_.reset();
  retry_budget_.reset();
  hedging_.reset();
  attempt_ = &first_;
  cluster_.reset();
  cluster_config_.reset();
  endpoints_.reset();
  table_.reset();
  former_tables_.clear();
  service_.reset();
  route_ = nullptr;
  weighted_ = nullptr;
  stream_ = nullptr;
  connection_ = nullptr;
  request_.clear();
  request_trailers_.clear();
  response_.clear();
  response_trailers_.clear();
  body_.clear();
  held_request_.clear();
  held_response_.clear();
  tried_.clear();
  hash_ = {};
  kinds_ = {};
  redirects_.reset();
  info_.metadata.reset();
  info_.filter_state.reset();
  body_bytes_ = body_sent_ = held_bytes_ = 0;
  timeouts_ = {};
  phase_ = Phase::kIdle;
  keep_body_ = request_ended_ = request_filtered_end_ = has_request_trailers_ = has_response_trailers_ = request_sent_ = false;
  request_waits_ = response_waits_ = response_ended_ = response_head_sent_ = response_sent_ = local_ = false;
  body_limit_.reset();
  tunnel_ = Tunnel::kNo;
  to_tcp_ = whole_response_ = false;
  attempt_to_log_ = false;
  head_request_ = grpc_ = whole_body_ = route_cleared_ = replying_ = timed_out_ = upstream_counted_ = local_body_pending_ = false;
  response_body_asked_ = end_held_ = response_paused_ = false;
  anew_ = replacing_ = of_canary_ = false;
  replies_ = 0;
}

}  // namespace weft::downstream
