// The answer, the upstream's or our own (reply), on its way to the client: through the response filters in reverse, then to the
// client's stream. A response filter that waits holds the body and pauses the upstream; a client that reads slowly pauses it too.
#include "proxy/downstream/exchange.h"

#include "proxy/downstream/http_connection.h"
#include "proxy/downstream/local_reply.h"
#include "proxy/downstream/proxy_status.h"
#include "proxy/downstream/websocket.h"
#include "proxy/routing/rewrite.h"

#include <algorithm>

namespace weft::downstream {
namespace {

using http::HeaderId;
using observe::ClusterStat;
using observe::ResponseFlag;
using Clock = std::chrono::steady_clock;

}  // namespace

void Exchange::on_attempt_informational() {
  if (response_.status() == 100 && !service_->config->proxy_100_continue) return;
  if (response_head_sent_ || !stream_ || stream_->protocol() == http::Protocol::kHttp10) return;
  http::remove_hop_by_hop(response_);
  stream_->send_head(response_, false);
}

void Exchange::on_attempt_head(bool end) {
  arm_idle();
  if (hedging_ && attempt_ == &first_ && !contends(first_, response_)) return;
  arm_try_idle();
  info_.upstream_response_begin = loop_.now();
  try_timeout_.disarm();
  response_ended_ = end;
  if (attempt_filters_) attempt_filters_->on_response_head(*this, end);
  if (redirect_on_head()) return;
  of_canary_ = attempt_->is_canary() || response_.value(HeaderId::kXEnvoyUpstreamCanary) == "true";
  note_upstream_code(response_.status());
  if (retry_on_head()) return;
  if (retry_) retry_->release();
  if (retry_ && retry_->retries() > 0 && response_.status() < 500) {
    cluster_->stats().add(ClusterStat::kUpstreamRqRetrySuccess);
    count_kinds(observe::VirtualHostStat::kUpstreamRqRetrySuccess);
  }
  keep_body_ = false;
  if (tunnel_ == Tunnel::kAsked && !open_tunnel()) return;
  if (tunnel_ == Tunnel::kOpen && response_.status() == 101)
    http::remove_hop_by_hop_but_upgrade(response_);
  else
    http::remove_hop_by_hop(response_);
  if (!plan_->router().suppress_envoy_headers) {
    if (request_ended_)
      response_.set(HeaderId::kXEnvoyUpstreamServiceTime, std::to_string(elapsed_ms(info_.request_end, info_.upstream_response_begin)));
    if (route_->virtual_host && route_->virtual_host->include_attempt_count_in_response) {
      response_.set(HeaderId::kXEnvoyAttemptCount, std::to_string(info_.attempt_count));
    }
  }
  for (const std::string& cookie : hash_.set_cookies) response_.add(HeaderId::kSetCookie, cookie);
  info_.response_code = response_.status();
  info_.response_code_details = "via_upstream";
  routing::finish_response(response_, *route_, weighted_, info_);
  begin_response(end);
  if (anew_) begin_anew();
}

// The upstream has answered. If it switched: no more timeouts but those of a stream that lies idle or lives too long.
// False: it was answered in its place.
bool Exchange::open_tunnel() {
  const bool plain = request_.method() == "CONNECT", granted = response_.status() / 100 == 2;
  const bool http2 = connection_->protocol() == http::Protocol::kHttp2;
  if (!plain && granted && http2) {  // a page, say: over HTTP/2 that would grant what HTTP/1 has not (RFC 8441 4)
    answer(502, "", "websocket_handshake_unsuccessful");
    return false;
  }
  if (plain ? !granted : response_.status() != 101) return true;
  tunnel_ = Tunnel::kOpen;
  route_timeout_.disarm();
  request_timeout_.disarm();
  // HTTP/2 does without what a client of HTTP/1 insists on.
  if (http2 || attempt_->protocol() != http::Protocol::kHttp2) return true;
  const std::string_view key = request_.value("sec-websocket-key");
  if (!key.empty() && !response_.find("sec-websocket-accept")) response_.set("sec-websocket-accept", websocket_accept(key));
  return true;
}

// The head of an answer, the upstream's or ours, starts through the filters.
void Exchange::begin_response(bool end) {
  phase_ = Phase::kAnswering;
  response_ended_ = end;
  if (filters_.empty() || replacing_) return send_response_head();
  run_response_filters(0);
}

void Exchange::run_response_filters(size_t from) {
  const std::vector<uint8_t>& order = plan_->response_head();
  for (size_t i = from; i < order.size(); ++i) {
    filters::HttpFilter* filter = filters_[order[i]];
    if (!filter) continue;
    next_response_filter_ = i + 1;
    const filters::Verdict verdict = filter->on_response_head(*this, response_ended_ && !has_response_trailers_);
    if (phase_ != Phase::kAnswering || verdict == filters::Verdict::kReplied) return;
    if (verdict == filters::Verdict::kWait) {
      response_waits_ = true;
      if (!whole_response_) {
        if (attempt_->stream()) attempt_->stream()->pause();
        return;
      }
      if (!finish_whole_response()) return;
    }
  }
  send_response_head();
}

// A filter waits for the whole answer. True: it is here, the filter has seen it, and the head may go on.
bool Exchange::finish_whole_response() {
  size_t bytes = 0;
  for (const Slice& slice : held_response_) bytes += slice.size;
  if (bytes > service_->buffer_limit && !local_) {
    service_->http.add(observe::HttpStat::kRsTooLarge);
    answer(500, "Internal Server Error", "response_payload_too_large");
    return false;
  }
  if (!response_ended_ || local_body_pending_) return false;
  whole_response_ = response_waits_ = false;
  filters::Body body;
  body.slices.swap(held_response_);
  filters_[plan_->response_head()[next_response_filter_ - 1]]->on_whole_response(*this, body);
  held_response_.swap(body.slices);
  return true;
}

void Exchange::append_response_body(std::string_view bytes) {
  while (appended_ && !bytes.empty()) {
    appended_->slices.push_back(copy_to_slice(loop_.slabs(), bytes));
    bytes.remove_prefix(appended_->slices.back().size);
  }
}

void Exchange::resume_response() {
  if (!response_waits_ || phase_ != Phase::kAnswering) return;
  response_waits_ = false;
  if (attempt_->stream()) attempt_->stream()->resume();
  release_whole_response();
}

void Exchange::send_response_head() {
  if (!stream_) return;
  const config::HttpConnectionManager& config = *service_->config;
  using ServerHeader = config::HttpConnectionManager::ServerHeader;
  if (config.server_header == ServerHeader::kOverwrite ||
      (config.server_header == ServerHeader::kAppendIfAbsent && !response_.has(HeaderId::kServer))) {
    response_.set(HeaderId::kServer, config.server_name);
  }
  if (!response_.has(HeaderId::kDate)) response_.add(HeaderId::kDate, http_date());
  if (config.always_set_request_id_in_response && request_.has(HeaderId::kXRequestId))
    response_.set(HeaderId::kXRequestId, request_.value(HeaderId::kXRequestId));
  if (!config.forwarded.via.empty()) response_.append(HeaderId::kVia, config.forwarded.via);
  if (config.proxy_status) tell_proxy_status(response_, *config.proxy_status, info_);
  info_.response_begin = loop_.now();
  response_head_sent_ = true;
  // A body that filters still hold back may follow an end that has come.
  const bool end = response_ended_ && !has_response_trailers_ && held_response_.empty() && !local_body_pending_;
  if (end) end_response();
  stream_->send_head(response_, end);
  if (end) return finish_if_over();
  if (tunnel_ != Tunnel::kOpen) return;
  if (config.log_tunnels) log(format::AccessLogType::kDownstreamTunnelSuccessfullyEstablished);
  send_request_body();
}

// --- its body and end ---

void Exchange::on_attempt_body(Slice slice, bool end) {
  attempt_received_bytes_ += slice.size;
  arm_idle();
  arm_try_idle();
  response_ended_ = end;
  if (end) {
    info_.upstream_response_end = loop_.now();
    if (tunnel_ == Tunnel::kOpen && !request_ended_ && attempt_->protocol() == http::Protocol::kHttp11) {  // as Envoy logs it
      info_.flags.set(ResponseFlag::kUpstreamConnectionTermination);
      info_.response_code_details = "upstream_reset_after_response_started{connection_termination}";
    }
  }
  if (response_waits_) {
    if (slice.size || end) held_response_.push_back(std::move(slice));
    if (whole_response_ && finish_whole_response()) release_whole_response();
    return;
  }
  take_response_body(std::move(slice), end);
}

// The head goes on, and what was held behind it.
void Exchange::release_whole_response() {
  run_response_filters(next_response_filter_);
  if (anew_) return begin_anew();
  if (phase_ == Phase::kAnswering && response_head_sent_) release_held_response();
}

void Exchange::release_held_response() {
  std::vector<Slice> held;
  held.swap(held_response_);
  for (size_t i = 0; i < held.size() && phase_ == Phase::kAnswering; ++i) {
    take_response_body(std::move(held[i]), response_ended_ && i + 1 == held.size() && !has_response_trailers_);
  }
  if (phase_ == Phase::kAnswering && has_response_trailers_) take_response_trailers();
}

const std::vector<uint8_t>& Exchange::body_filters() const {
  static const std::vector<uint8_t> none;
  if (replacing_) return none;
  return response_body_asked_ ? plan_->response_body_asked() : plan_->response_body();
}

void Exchange::take_response_body(Slice slice, bool end) {
  if (plan_ == nullptr || body_filters().empty()) return write_response_body(std::move(slice), end);
  filters::Body body;
  if (slice.size) body.slices.push_back(std::move(slice));
  pass_response(filters_.size(), std::move(body), end);
}

// Filter by filter from that place of the chain down: the body and, where the answer ends with them, the trailers. What one makes of its
// trailers the next one sees as body; one that keeps the end back keeps it from those behind it.
void Exchange::pass_response(size_t below, filters::Body body, bool end) {
  static const std::vector<uint8_t> none;
  const std::vector<uint8_t>& bodies = body_filters();
  const std::vector<uint8_t>& trailers = end && has_response_trailers_ ? plan_->response_trailers() : none;
  size_t b = 0, t = 0;  // both lists go from the last filter of the chain to the first
  while (b < bodies.size() && bodies[b] >= below) ++b;
  while (t < trailers.size() && trailers[t] >= below) ++t;
  appended_ = &body;
  while (b < bodies.size() || t < trailers.size()) {
    const uint8_t i = std::max(b < bodies.size() ? bodies[b] : uint8_t{0}, t < trailers.size() ? trailers[t] : uint8_t{0});
    if (b < bodies.size() && bodies[b] == i) {
      ++b;
      if (filters_[i]) filters_[i]->on_response_body(*this, body, end);
      if (phase_ != Phase::kAnswering) break;
      if (end && end_held_) {
        end = end_held_ = false;
        t = trailers.size();
        // The upstream has done its part.
        route_timeout_.disarm();
        try_idle_timeout_.disarm();
        if (attempt_->active() && request_sent_) attempt_->complete();
      }
    }
    if (t < trailers.size() && trailers[t] == i) {
      ++t;
      if (filters_[i]) filters_[i]->on_response_trailers(*this, response_trailers_);
    }
  }
  appended_ = nullptr;
  write_response(std::move(body), end);
}

void Exchange::write_response(filters::Body body, bool end) {
  if (phase_ != Phase::kAnswering) return;
  const bool with_trailers = end && has_response_trailers_ && (response_trailers_.count() > 0 || body.slices.empty());
  const bool last = end && !with_trailers;
  for (size_t i = 0; i < body.slices.size() && phase_ == Phase::kAnswering; ++i)
    write_response_body(std::move(body.slices[i]), last && i + 1 == body.slices.size());
  if (last && body.slices.empty()) return write_response_body({}, true);
  if (!with_trailers || !stream_ || phase_ != Phase::kAnswering) return;
  end_response();
  stream_->send_trailers(response_trailers_);
  finish_if_over();
}

void Exchange::send_response_body(filters::HttpFilter& filter, filters::Body body, bool end) {
  if (phase_ != Phase::kAnswering || !response_head_sent_) return;
  arm_idle();
  size_t place = 0;
  while (place < filters_.size() && filters_[place] != &filter) ++place;
  // Its own trailers have waited with the end.
  const std::vector<uint8_t>& trailers = plan_->response_trailers();
  if (end && has_response_trailers_ && std::find(trailers.begin(), trailers.end(), place) != trailers.end()) {
    appended_ = &body;
    filter.on_response_trailers(*this, response_trailers_);
    appended_ = nullptr;
  }
  pass_response(place, std::move(body), end);
}

void Exchange::abandon_response(std::string_view details) {
  if (phase_ != Phase::kAnswering) return;
  info_.response_code_details = details;
  abandon();
}

void Exchange::pause_response(bool pause) {
  response_paused_ = pause;
  if (!attempt_->stream()) return;
  if (pause)
    attempt_->stream()->pause();
  else if (!response_waits_ && stream_ && stream_->writable())
    attempt_->stream()->resume();
}

void Exchange::write_response_body(Slice slice, bool end) {
  if (!stream_) return;
  info_.bytes_sent += slice.size;
  if (end) end_response();
  if (slice.size || end) stream_->send_body(std::move(slice), end);
  if (end) return finish_if_over();
  if (stream_ && !stream_->writable() && attempt_->stream()) attempt_->stream()->pause();
}

void Exchange::on_drained() {
  if (attempt_->stream() && !response_waits_ && !response_paused_) attempt_->stream()->resume();
}

void Exchange::on_attempt_trailers() {
  arm_idle();
  response_ended_ = true;
  has_response_trailers_ = true;
  info_.upstream_response_end = loop_.now();
  info_.trailers = &response_trailers_;
  if (attempt_filters_) attempt_filters_->on_response_trailers(*this, response_trailers_);
  if (response_waits_ && whole_response_ && finish_whole_response()) return release_whole_response();
  if (!response_waits_) take_response_trailers();
}

void Exchange::take_response_trailers() {
  if (plan_)
    pass_response(filters_.size(), {}, true);
  else
    write_response({}, true);
}

// Our half is said: the attempt has given what it had.
void Exchange::end_response() {
  response_sent_ = true;
  info_.response_end = loop_.now();
  if (tunnel_ == Tunnel::kOpen && !request_ended_) return;
  route_timeout_.disarm();
  idle_timeout_.disarm();
  stream_timeout_.disarm();
  upstream_timeout_.disarm();
  try_idle_timeout_.disarm();
  if (!local_ && cluster_ && !upstream_counted_) {
    upstream_counted_ = true;
    const uint64_t time = elapsed_ms(info_.request_end == Clock::time_point{} ? info_.start : info_.request_end, info_.response_end);
    cluster_->stats().record(ClusterStat::kUpstreamRqTime, time);
    cluster_->stats().record(side_stats() + observe::kSideTime, time);
    if (of_canary_) cluster_->stats().record(observe::kCanaryStats + observe::kSideTime, time);
    record_kinds_time(time);
  }
}

// --- answers of our own ---

void Exchange::answer(int status, std::string_view body, std::string_view details) {
  reply({status, std::string(body), details, std::nullopt, {}});
}

void Exchange::fail(int status, std::string_view body, std::string_view details, ResponseFlag flag) {
  reply({status, std::string(body), details, flag, {}});
}

void Exchange::reply(filters::LocalReply reply) {
  if (phase_ == Phase::kOver || phase_ == Phase::kIdle || replying_ || response_head_sent_) return;
  // As Envoy: what takes the place of an answer that met the filters does not meet them.
  replacing_ = phase_ == Phase::kAnswering;
  if (reply.flag) info_.flags.set(*reply.flag);
  info_.response_code_details = reply.details;
  attempt_->cancel();
  give_up_others();
  log_attempt(format::AccessLogType::kUpstreamEnd);
  if (retry_timer_) retry_timer_->cancel();
  try_timeout_.disarm();
  try_idle_timeout_.disarm();
  upstream_timeout_.disarm();
  request_waits_ = response_waits_ = whole_response_ = false;
  body_limit_.reset();
  held_response_.clear();
  held_request_.clear();
  body_.clear();
  response_.clear();
  response_trailers_.clear();
  has_response_trailers_ = false;
  local_ = true;
  replying_ = true;
  if (stream_ && !request_ended_) stream_->resume();
  const config::LocalReplyConfig* rules = reply.as_it_stands ? nullptr : service_->config->local_reply.get();
  const bool early = rules || reply.mutations;
  if (early) {
    // As Envoy: what the route says of responses stands in the head that the rules see.
    response_.set_status(reply.status);
    for (const auto& [name, value] : reply.headers) response_.set(name, value);
    if (route_) routing::finish_response(response_, *route_, weighted_, info_);
    if (reply.mutations)
      for (const routing::HeaderToAdd& header : *reply.mutations) header.apply(response_, info_);
    if (rules) rewrite_local_reply(*rules, response_, reply, info_);
  }
  const std::string_view body = make_local_reply(response_, reply, {grpc_ && !reply.as_it_stands, head_request_});
  info_.response_code = response_.status();
  info_.local_reply_body = {};
  // The router's own answers say how often it tried.
  if (reply.flag && *reply.flag != ResponseFlag::kStreamIdleTimeout && info_.attempt_count > 0 && route_ && route_->virtual_host &&
      route_->virtual_host->include_attempt_count_in_response) {
    response_.set(HeaderId::kXEnvoyAttemptCount, std::to_string(info_.attempt_count));
  }
  // A cookie that the cluster's own policy made up is for every answer, one of the route's for the upstream's alone: as in Envoy.
  if (reply.flag && cluster_ && cluster_->config().hashing && cluster_->config().hashing->policy)
    for (const std::string& cookie : hash_.set_cookies) response_.add(HeaderId::kSetCookie, cookie);
  if (reply.flag == ResponseFlag::kUpstreamOverflow && plan_ && !plan_->router().suppress_envoy_headers)
    response_.set(HeaderId::kXEnvoyOverloaded, "true");
  if (route_ && !reply.as_it_stands && !early) routing::finish_response(response_, *route_, weighted_, info_);
  const bool end = body.empty() || head_request_;
  local_body_pending_ = !end;
  replying_ = false;
  const unsigned turn = ++replies_;
  begin_response(end);
  if (anew_) return begin_anew();
  if (turn != replies_) return;  // a filter has put another answer in its place
  if (!end && phase_ == Phase::kAnswering) {
    local_body_pending_ = false;
    response_ended_ = true;
    for (std::string_view rest = body; !rest.empty() && phase_ == Phase::kAnswering;) {
      Slice slice = copy_to_slice(loop_.slabs(), rest);
      rest.remove_prefix(slice.size);
      if (response_waits_)
        held_response_.push_back(std::move(slice));
      else
        take_response_body(std::move(slice), rest.empty());
    }
    if (response_waits_ && whole_response_ && finish_whole_response()) release_whole_response();
  }
}

}  // namespace weft::downstream
