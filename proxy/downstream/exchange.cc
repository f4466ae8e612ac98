#include "proxy/downstream/exchange.h"

#include "common/observe/shapes.h"
#include "proxy/downstream/http_connection.h"
#include "proxy/downstream/local_reply.h"
#include "proxy/format/request_id.h"
#include "proxy/routing/rewrite.h"
#include "proxy/telemetry/access_log.h"

#include <algorithm>

namespace weft::downstream {
namespace {

using http::HeaderId;
using observe::ClusterStat;
using observe::HttpStat;
using observe::ListenerHttpStat;
using observe::ResponseFlag;
using std::chrono::milliseconds;
using upstream::AttemptEnd;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kTryAgain = "upstream connect error or disconnect/reset before headers. reset reason: ";
constexpr std::string_view kTriedAgain = "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: ";

uint64_t elapsed_ms(Clock::time_point from, Clock::time_point to) {
  return static_cast<uint64_t>(std::max<int64_t>(0, std::chrono::duration_cast<milliseconds>(to - from).count()));
}

// How Envoy names the end of an attempt: in the body of its answer, in response_code_details and by a flag.
struct EndText {
  std::string_view reason, details;
  ResponseFlag flag;
};
EndText text_of(AttemptEnd how, bool request_begun) {
  switch (how) {
    case AttemptEnd::kConnectFailed:
      return {"remote connection failure", "upstream_reset_before_response_started{remote_connection_failure}",
              ResponseFlag::kUpstreamConnectionFailure};
    case AttemptEnd::kConnectTimeout:
      return {"connection timeout", "upstream_reset_before_response_started{connection_timeout}", ResponseFlag::kUpstreamConnectionFailure};
    case AttemptEnd::kOverflow: return {"overflow", "upstream_reset_before_response_started{overflow}", ResponseFlag::kUpstreamOverflow};
    case AttemptEnd::kRemoteReset:
      return {"remote reset", "upstream_reset_before_response_started{remote_reset}", ResponseFlag::kUpstreamRemoteReset};
    case AttemptEnd::kRefusedStream:
      return {"remote refused stream reset", "upstream_reset_before_response_started{remote_refused_stream_reset}",
              ResponseFlag::kUpstreamRemoteReset};
    case AttemptEnd::kConnectionClosed:
      return {"connection termination", "upstream_reset_before_response_started{connection_termination}",
              ResponseFlag::kUpstreamConnectionTermination};
    case AttemptEnd::kProtocolError:
      return {"protocol error", "upstream_reset_before_response_started{protocol_error}", ResponseFlag::kUpstreamProtocolError};
    case AttemptEnd::kLocalOverflow:
      return {"overflow", "upstream_reset_before_response_started{overflow}", ResponseFlag::kUpstreamOverflow};
  }
  return {"local reset", "upstream_reset_before_response_started{local_reset}", ResponseFlag::kLocalReset};
}

upstream::AttemptFailure failure_of(AttemptEnd how) {
  switch (how) {
    case AttemptEnd::kConnectFailed:
    case AttemptEnd::kConnectTimeout: return upstream::AttemptFailure::kConnectFailed;
    case AttemptEnd::kOverflow:
    case AttemptEnd::kLocalOverflow: return upstream::AttemptFailure::kOverflow;
    case AttemptEnd::kRefusedStream: return upstream::AttemptFailure::kRefusedStream;
    case AttemptEnd::kProtocolError: return upstream::AttemptFailure::kProtocolError;
    case AttemptEnd::kRemoteReset:
    case AttemptEnd::kConnectionClosed: break;
  }
  return upstream::AttemptFailure::kRemoteReset;
}

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
  info_.downstream_local_address = info_.downstream_direct_local_address = connection.local_text();
  info_.downstream_remote_address = info_.downstream_direct_remote_address = connection.peer_text();
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

// --- the request's way ---

void Exchange::on_head(bool end) {
  connection_->on_request_head();
  request_ended_ = end;
  if (end) end_request();
  arm_idle();
  head_request_ = request_.method() == "HEAD";
  grpc_ = routing::is_grpc(request_);
  phase_ = Phase::kFiltering;
  if (!admit()) return;
  match_route();
  if (upgrade_refused_) return refuse_upgrade();
  make_filters();
  run_request_filters(0);
}

// What holds for every request before filters and routes look at it.
bool Exchange::admit() {
  const config::HttpConnectionManager& config = *service_->config;
  if (!check_underscores()) return false;
  // Switching protocols is not offered; h2c is nothing to switch to for a proxy that takes HTTP/2 as it is.
  const std::string_view wanted = request_.value(HeaderId::kUpgrade);
  upgrade_refused_ = !wanted.empty() && wanted != "h2c";
  http::remove_hop_by_hop(request_);
  const net::Endpoint& peer = connection_->peer_address();
  routing::Client client{peer.address(), peer.port(), connection_->local_address().port(), false};
  // One table for the whole request: filters and the log keep views into it.
  table_ = service_->routes->table;
  const routing::Forwarded forwarded = routing::mutate_request(request_, config.forwarded, client, internal_only_headers());
  info_.request_id = request_.value(HeaderId::kXRequestId);
  if (forwarded.client != peer.address()) {
    client_text_ = net::to_string({forwarded.client, forwarded.client_port});
    info_.downstream_remote_address = client_text_;
  }
  if (forwarded.path == routing::PathVerdict::kReject) {
    service_->http.add(HttpStat::kDownstreamRqFailedPathNormalization);
    request_.remove(HeaderId::kXRequestId);
    info_.request_id = {};
    connection_->drain();
    answer(400, "", "path_normalization_failed");
    return false;
  }
  if (forwarded.path == routing::PathVerdict::kRedirect) {
    service_->http.add(HttpStat::kDownstreamRqRedirectedWithNormalizedPath);
    filters::LocalReply moved{307, "", "path_normalization_failed", std::nullopt, {{"location", std::string(request_.path())}}};
    reply(std::move(moved));
    return false;
  }
  if (request_.path().empty() && request_.method() != "CONNECT") {
    answer(404, "", "missing_path_rejected");
    return false;
  }
  if (request_.has(HeaderId::kExpect) && !config.proxy_100_continue && request_.value(HeaderId::kExpect) == "100-continue") {
    request_.remove(HeaderId::kExpect);
    if (!request_ended_) {
      http::Head go_on(loop_.slabs());
      go_on.set_status(100);
      stream_->send_head(go_on, false);
    }
  }
  return true;
}

void Exchange::refuse_upgrade() {
  service_->http.add(HttpStat::kDownstreamRqWsOnNonWsRoute);
  connection_->drain();
  answer(403, "", "upgrade_failed");
}

std::span<const std::string> Exchange::internal_only_headers() const {
  if (!table_) return {};
  return table_->options().internal_only_headers;
}

// common_http_protocol_options.headers_with_underscores_action.
bool Exchange::check_underscores() {
  using Action = config::HttpConnectionManager::UnderscoreHeaders;
  const Action action = service_->config->underscore_headers;
  if (action == Action::kAllow) return true;
  bool found = false;
  request_.remove_if([&](const http::Header& header) {
    const bool has = header.name().find('_') != std::string_view::npos;
    found = found || has;
    return has && action == Action::kDropHeader;
  });
  if (!found || action == Action::kDropHeader) return true;
  connection_->on_protocol_error();
  connection_->drain();
  answer(400, "Bad Request", "http1.unexpected_underscore");
  return false;
}

void Exchange::match_route() {
  info_.route_name = {};
  route_ = table_ ? table_->match(request_, loop_.random()) : nullptr;
  weighted_ = nullptr;
  if (!route_) return;
  info_.route_name = route_->name;
  if (const routing::Forward* forward = route_->forward(); forward && forward->weighted) {
    weighted_ = routing::pick_weighted(*forward, request_, loop_.random());
  }
  const routing::Forward* forward = route_->forward();
  if (forward && forward->idle_timeout) arm_idle();
  if (forward) find_cluster();
}

void Exchange::find_cluster() {
  const std::string_view name = routing::cluster_name(*route_->forward(), weighted_, request_);
  if (cluster_ && cluster_->config().name == name) return;
  cluster_ = name.empty() ? nullptr : service_->environment.clusters.find(name);
  cluster_config_ = cluster_ ? cluster_->shared()->config : nullptr;
  info_.upstream_cluster_raw = cluster_ ? std::string_view(cluster_config_->name) : std::string_view();
  info_.upstream_cluster = cluster_ ? std::string_view(cluster_config_->stat_name()) : std::string_view();
}

void Exchange::make_filters() {
  plan_ = &service_->config->chain;
  if (arena_size_ < plan_->arena_size()) {
    arena_size_ = plan_->arena_size();
    arena_ = std::make_unique<std::byte[]>(arena_size_);
  }
  filters_.clear();
  for (const filters::ChainPlan::Entry& entry : plan_->entries()) {
    const routing::FilterOverride* told = route_ ? routing::filter_override(*route_, weighted_, entry.factory->name()) : nullptr;
    // A filter that the route disables keeps its place, so that the plan's indices hold.
    filters_.push_back(told && told->disabled ? nullptr : entry.factory->create(arena_.get() + entry.offset));
  }
}

void Exchange::destroy_filters() {
  for (filters::HttpFilter* filter : filters_)
    if (filter) filter->~HttpFilter();
  filters_.clear();
  plan_ = nullptr;
}

const routing::FilterConfig* Exchange::route_config(std::string_view filter_name) const {
  if (!route_) return nullptr;
  const routing::FilterOverride* told = routing::filter_override(*route_, weighted_, filter_name);
  return told ? told->config.get() : nullptr;
}

void Exchange::run_request_filters(size_t from) {
  const std::vector<uint8_t>& order = plan_->request_head();
  for (size_t i = from; i < order.size(); ++i) {
    filters::HttpFilter* filter = filters_[order[i]];
    if (!filter) continue;
    next_request_filter_ = i + 1;
    const filters::Verdict verdict = filter->on_request_head(*this, request_ended_ && held_request_.empty() && !has_request_trailers_);
    if (verdict == filters::Verdict::kReplied || phase_ != Phase::kFiltering) return;
    if (route_cleared_) {
      route_cleared_ = false;
      match_route();
    }
    if (verdict == filters::Verdict::kWait) {
      request_waits_ = true;
      return;
    }
  }
  go_upstream();
}

void Exchange::resume_request() {
  if (!request_waits_ || phase_ != Phase::kFiltering) return;
  request_waits_ = false;
  if (stream_ && !request_ended_) stream_->resume();
  if (route_cleared_) {
    route_cleared_ = false;
    match_route();
  }
  run_request_filters(next_request_filter_);
}

// The filters have let the request through: what the route says is done.
void Exchange::go_upstream() {
  service_->http.add(HttpStat::kRqTotal);
  if (!route_) {
    service_->http.add(HttpStat::kNoRoute);
    return fail(404, "", "route_not_found", ResponseFlag::kNoRouteFound);
  }
  if (const routing::Redirect* redirect_to = route_->redirect()) return redirect(*redirect_to);
  if (const routing::DirectResponse* direct = route_->direct_response()) {
    service_->http.add(HttpStat::kRqDirectResponse);
    return answer(direct->status, direct->body, "direct_response");
  }
  if (!forward_to_cluster(*route_->forward())) return;
  phase_ = Phase::kForwarding;
  // What came while filters waited passes the body filters now.
  std::vector<Slice> held;
  held.swap(held_request_);
  held_bytes_ = 0;
  const bool ended = request_ended_ && !has_request_trailers_;
  for (size_t i = 0; i < held.size() && phase_ == Phase::kForwarding; ++i)
    take_request_body(std::move(held[i]), ended && i + 1 == held.size());
  if (phase_ != Phase::kForwarding) return;
  if (held.empty() && ended) request_filtered_end_ = true;
  if (has_request_trailers_) on_trailers();
  if (phase_ == Phase::kForwarding) start_attempt();
}

void Exchange::redirect(const routing::Redirect& redirect) {
  service_->http.add(HttpStat::kRqRedirect);
  filters::LocalReply moved;
  moved.status = redirect.status;
  moved.details = "direct_response";
  moved.headers.emplace_back("location", routing::redirect_location(*route_, request_));
  reply(std::move(moved));
}

// Finds the cluster and gets the head ready to leave. False: an answer was given instead.
bool Exchange::forward_to_cluster(const routing::Forward& forward) {
  find_cluster();  // filters may have changed the header that names it
  if (!cluster_) {
    service_->http.add(HttpStat::kNoCluster);
    fail(forward.cluster_not_found_status, "", "cluster_not_found", ResponseFlag::kNoClusterFound);
    return false;
  }
  const filters::RouterOptions& router = plan_->router();
  timeouts_ = routing::resolve_timeouts(*route_, request_, {!router.suppress_envoy_headers, router.respect_expected_rq_timeout});
  retry_budget_ = cluster_->shared()->budget;
  retry_.emplace(routing::retry_policy(*route_), request_, *retry_budget_, forward.priority);
  keep_body_ = retry_->enabled();
  routing::finish_request(request_, *route_, weighted_, info_, !router.suppress_envoy_headers);
  if (timeouts_.max_stream_from_route) {
    if (timeouts_.max_stream.count() > 0)
      loop_.wheel().arm(stream_timeout_, timeouts_.max_stream);
    else
      stream_timeout_.disarm();
  }
  if (request_ended_) arm_route_timeout();
  return true;
}

void Exchange::arm_route_timeout() {
  if (timeouts_.global.count() > 0 && !route_timeout_.armed()) loop_.wheel().arm(route_timeout_, timeouts_.global);
}

void Exchange::start_attempt() {
  const routing::Forward& forward = *route_->forward();
  ++info_.attempt_count;
  endpoints_ = cluster_->endpoints();
  upstream::PickContext context{loop_.random(), {}, 1};
  if (retry_ && retry_->avoid_previous_hosts()) {
    context.tried = tried_;
    context.max_host_attempts = retry_->host_attempts();
  }
  const upstream::Pick pick = cluster_->pick(context);
  if (!pick.host) return fail(503, "no healthy upstream", "no_healthy_upstream", ResponseFlag::kNoHealthyUpstream);
  if (retry_ && retry_->enabled()) tried_.push_back(pick.host->state.get());
  if (!plan_->router().suppress_envoy_headers && route_->virtual_host && route_->virtual_host->include_request_attempt_count) {
    request_.set(HeaderId::kXEnvoyAttemptCount, std::to_string(info_.attempt_count));
  }
  routing::rewrite_host_automatically(request_, *route_, pick.host->hostname);
  info_.upstream_host = pick.host->state->address;  // endpoints_ keeps both
  info_.upstream_host_name = pick.host->hostname;
  info_.upstream_connect_begin = loop_.now();
  body_sent_ = 0;
  request_sent_ = false;
  const http::Protocol protocol = cluster_->protocol_for(connection_->protocol());
  if (timeouts_.per_try.count() > 0 && request_ended_) loop_.wheel().arm(try_timeout_, timeouts_.per_try);
  attempt_.start(cluster_, *pick.host, protocol, forward.priority);
}

void Exchange::on_attempt_ready() {
  arm_try_idle();
  info_.upstream_ready = info_.upstream_request_begin = loop_.now();
  info_.upstream_connection_id = attempt_.connection_id();
  info_.upstream_protocol = to_string(attempt_.protocol());
  info_.upstream_local_address = attempt_.local_address();
  const bool end = request_filtered_end_ && body_.empty() && !has_request_trailers_;
  request_sent_ = end;
  attempt_.mark_sent();
  attempt_.stream()->send_head(request_, end);
  if (!end) send_request_body();
}

// Bytes of the client on their way: held while a filter waits, changed by the body filters, then sent on or kept.
void Exchange::on_body(Slice slice, bool end) {
  arm_idle();
  info_.bytes_received += slice.size;
  if (end) {
    request_ended_ = true;
    end_request();
  }
  if (phase_ == Phase::kFiltering) {
    held_bytes_ += slice.size;
    if (slice.size || end) held_request_.push_back(std::move(slice));
    if (held_bytes_ > service_->buffer_limit && stream_ && !request_ended_) stream_->pause();
    return;
  }
  if (phase_ == Phase::kForwarding || (phase_ == Phase::kAnswering && attempt_.active())) {
    if (end) arm_route_timeout();
    take_request_body(std::move(slice), end);
    send_request_body();
  }
  finish_if_over();
}

void Exchange::on_trailers() {
  arm_idle();
  has_request_trailers_ = true;
  if (!request_ended_) {
    request_ended_ = true;
    end_request();
  }
  if (phase_ == Phase::kFiltering) return;
  if (phase_ == Phase::kForwarding || (phase_ == Phase::kAnswering && attempt_.active())) {
    arm_route_timeout();
    if (!plan_->request_body().empty()) take_request_body({}, true);
    for (uint8_t i : plan_->request_trailers())
      if (filters_[i]) filters_[i]->on_request_trailers(*this, request_trailers_);
    request_filtered_end_ = true;
    send_request_body();
  }
  finish_if_over();
}

void Exchange::end_request() {
  info_.request_end = loop_.now();
  request_timeout_.disarm();
}

void Exchange::take_request_body(Slice slice, bool end) {
  auto keep = [this](Slice piece) {
    if (!piece.size) return;
    body_bytes_ += piece.size;
    body_.push_back(std::move(piece));
  };
  if (plan_->request_body().empty()) {
    keep(std::move(slice));
  } else {
    filters::Body body;
    if (slice.size) body.slices.push_back(std::move(slice));
    for (uint8_t i : plan_->request_body())
      if (filters_[i]) filters_[i]->on_request_body(*this, body, end);
    for (Slice& piece : body.slices) keep(std::move(piece));
  }
  if (end) request_filtered_end_ = true;
  // A body that is too long to be kept is sent once only.
  const uint64_t limit = route_->request_body_buffer_limit.value_or(
      route_->virtual_host ? route_->virtual_host->request_body_buffer_limit.value_or(service_->buffer_limit) : service_->buffer_limit);
  if (keep_body_ && body_bytes_ > limit) keep_body_ = false;
  if (!attempt_.stream() && body_bytes_ > limit && stream_ && !request_ended_) stream_->pause();
}

void Exchange::send_request_body() {
  http::Stream* to = attempt_.stream();
  if (!to || request_sent_) return;
  while (body_sent_ < body_.size()) {
    Slice& slice = body_[body_sent_++];
    const bool end = request_filtered_end_ && body_sent_ == body_.size() && !has_request_trailers_;
    if (end) request_sent_ = true;
    to->send_body(keep_body_ ? slice : std::move(slice), end);
    to = attempt_.stream();
    if (!to) return;  // reset while sending
  }
  if (!keep_body_) {
    body_.clear();
    body_bytes_ = 0;
    body_sent_ = 0;
  }
  if (request_filtered_end_ && !request_sent_) {
    request_sent_ = true;
    if (has_request_trailers_)
      to->send_trailers(request_trailers_);
    else
      to->send_body({}, true);
  }
  if (request_sent_) {
    info_.upstream_request_end = loop_.now();
    if (timeouts_.per_try.count() > 0 && !try_timeout_.armed() && phase_ == Phase::kForwarding)
      loop_.wheel().arm(try_timeout_, timeouts_.per_try);
  } else if (stream_ && !request_ended_) {
    to->writable() ? stream_->resume() : stream_->pause();
  }
}

void Exchange::on_attempt_drained() {
  if (stream_ && !request_ended_) stream_->resume();
}

// --- the answer's way ---

void Exchange::on_attempt_informational() {
  if (response_.status() == 100 && !service_->config->proxy_100_continue) return;
  if (response_head_sent_ || !stream_ || stream_->protocol() == http::Protocol::kHttp10) return;
  http::remove_hop_by_hop(response_);
  stream_->send_head(response_, false);
}

void Exchange::note_upstream_code(int status) {
  observe::Cells& stats = cluster_->stats();
  stats.add(ClusterStat::kUpstreamRqCompleted);
  stats.add(observe::class_index(ClusterStat::kUpstreamRq1xx, status));
  stats.count_code(ClusterStat::kUpstreamRqCodes, status);
}

void Exchange::on_attempt_head(bool end) {
  arm_idle();
  arm_try_idle();
  info_.upstream_response_begin = loop_.now();
  try_timeout_.disarm();
  response_ended_ = end;
  note_upstream_code(response_.status());
  if (retry_on_head()) return;
  if (retry_) retry_->release();
  if (retry_ && retry_->retries() > 0 && response_.status() < 500) cluster_->stats().add(ClusterStat::kUpstreamRqRetrySuccess);
  keep_body_ = false;
  http::remove_hop_by_hop(response_);
  if (!plan_->router().suppress_envoy_headers) {
    if (request_ended_)
      response_.set(HeaderId::kXEnvoyUpstreamServiceTime, std::to_string(elapsed_ms(info_.request_end, info_.upstream_response_begin)));
    if (route_->virtual_host && route_->virtual_host->include_attempt_count_in_response) {
      response_.set(HeaderId::kXEnvoyAttemptCount, std::to_string(info_.attempt_count));
    }
  }
  info_.response_code = response_.status();
  info_.response_code_details = "via_upstream";
  routing::finish_response(response_, *route_, weighted_, info_);
  begin_response(end);
}

bool Exchange::retry_on_head() {
  if (!retry_ || timed_out_) return false;
  const upstream::RetryDecision decision = retry_->decide_on_head(response_, loop_.random());
  if (!decision.retry()) {
    note_not_retried(decision);
    return false;
  }
  if (!keep_body_ && (body_sent_ || !request_filtered_end_ || body_bytes_ || info_.bytes_received)) return false;  // the body is gone
  // An answer that is complete and whose request is sent leaves its connection fit for others.
  if (response_ended_ && request_sent_)
    attempt_.complete();
  else
    attempt_.cancel();
  schedule_retry(decision);
  return true;
}

void Exchange::note_not_retried(const upstream::RetryDecision& decision) {
  observe::Cells& stats = cluster_->stats();
  if (decision.kind == upstream::RetryDecision::Kind::kLimitExceeded) {
    stats.add(ClusterStat::kUpstreamRqRetryLimitExceeded);
    info_.flags.set(ResponseFlag::kUpstreamRetryLimitExceeded);
  } else if (decision.kind == upstream::RetryDecision::Kind::kOverflow) {
    stats.add(ClusterStat::kUpstreamRqRetryOverflow);
  }
}

void Exchange::schedule_retry(const upstream::RetryDecision& decision, bool after_timeout) {
  try_idle_timeout_.disarm();
  if (route_->virtual_host && route_->virtual_host->include_is_timeout_retry_header) {
    request_.set("x-envoy-is-timeout-retry", after_timeout ? "true" : "false");
  }
  cluster_->stats().add(ClusterStat::kUpstreamRqRetry);
  cluster_->stats().add(ClusterStat::kUpstreamRqRetryBackoffExponential);
  response_.clear();
  response_trailers_.clear();
  response_ended_ = false;
  has_response_trailers_ = false;
  if (!retry_timer_) retry_timer_ = std::make_unique<net::Alarm>(loop_, [this] { on_retry_due(); });
  retry_timer_->set(decision.delay);
}

void Exchange::on_retry_due() {
  if (phase_ == Phase::kForwarding) start_attempt();
}

// The head of an answer, the upstream's or ours, starts through the filters.
void Exchange::begin_response(bool end) {
  phase_ = Phase::kAnswering;
  response_ended_ = end;
  if (filters_.empty()) return send_response_head();
  run_response_filters(0);
}

void Exchange::run_response_filters(size_t from) {
  const std::vector<uint8_t>& order = plan_->response_head();
  for (size_t i = from; i < order.size(); ++i) {
    filters::HttpFilter* filter = filters_[order[i]];
    if (!filter) continue;
    next_response_filter_ = i + 1;
    const filters::Verdict verdict = filter->on_response_head(*this, response_ended_ && !has_response_trailers_);
    if (phase_ != Phase::kAnswering) return;
    if (verdict == filters::Verdict::kWait) {
      response_waits_ = true;
      if (attempt_.stream()) attempt_.stream()->pause();
      return;
    }
  }
  send_response_head();
}

void Exchange::resume_response() {
  if (!response_waits_ || phase_ != Phase::kAnswering) return;
  response_waits_ = false;
  if (attempt_.stream()) attempt_.stream()->resume();
  run_response_filters(next_response_filter_);
  if (phase_ != Phase::kAnswering || !response_head_sent_) return;
  std::vector<Slice> held;
  held.swap(held_response_);
  for (size_t i = 0; i < held.size() && phase_ == Phase::kAnswering; ++i) {
    take_response_body(std::move(held[i]), response_ended_ && i + 1 == held.size() && !has_response_trailers_);
  }
  if (phase_ == Phase::kAnswering && has_response_trailers_) take_response_trailers();
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
  info_.response_begin = loop_.now();
  response_head_sent_ = true;
  // A body that filters still hold back may follow an end that has come.
  const bool end = response_ended_ && !has_response_trailers_ && held_response_.empty() && !local_body_pending_;
  if (end) end_response();
  stream_->send_head(response_, end);
  if (end) finish_if_over();
}

void Exchange::on_attempt_body(Slice slice, bool end) {
  arm_idle();
  arm_try_idle();
  response_ended_ = end;
  if (end) info_.upstream_response_end = loop_.now();
  if (response_waits_) {
    held_response_.push_back(std::move(slice));
    return;
  }
  take_response_body(std::move(slice), end);
}

void Exchange::take_response_body(Slice slice, bool end) {
  if (plan_ == nullptr || plan_->response_body().empty()) return send_response_body(std::move(slice), end);
  filters::Body body;
  if (slice.size) body.slices.push_back(std::move(slice));
  for (uint8_t i : plan_->response_body())
    if (filters_[i]) filters_[i]->on_response_body(*this, body, end);
  for (size_t i = 0; i < body.slices.size() && phase_ == Phase::kAnswering; ++i) {
    send_response_body(std::move(body.slices[i]), end && i + 1 == body.slices.size() && !has_response_trailers_);
  }
  if (end && body.slices.empty() && !has_response_trailers_) send_response_body({}, true);
}

void Exchange::send_response_body(Slice slice, bool end) {
  if (!stream_) return;
  info_.bytes_sent += slice.size;
  if (end) end_response();
  if (slice.size || end) stream_->send_body(std::move(slice), end);
  if (end) return finish_if_over();
  if (stream_ && !stream_->writable() && attempt_.stream()) attempt_.stream()->pause();
}

void Exchange::on_drained() {
  if (attempt_.stream() && !response_waits_) attempt_.stream()->resume();
}

void Exchange::on_attempt_trailers() {
  arm_idle();
  response_ended_ = true;
  has_response_trailers_ = true;
  info_.upstream_response_end = loop_.now();
  info_.trailers = &response_trailers_;
  if (!response_waits_) take_response_trailers();
}

void Exchange::take_response_trailers() {
  if (plan_ && !plan_->response_body().empty()) take_response_body({}, true);
  if (plan_) {
    for (uint8_t i : plan_->response_trailers())
      if (filters_[i]) filters_[i]->on_response_trailers(*this, response_trailers_);
  }
  if (!stream_) return;
  end_response();
  stream_->send_trailers(response_trailers_);
  finish_if_over();
}

// Our half is said: the attempt has given what it had.
void Exchange::end_response() {
  response_sent_ = true;
  info_.response_end = loop_.now();
  route_timeout_.disarm();
  idle_timeout_.disarm();
  stream_timeout_.disarm();
  try_idle_timeout_.disarm();
  if (!local_ && cluster_ && !upstream_counted_) {
    upstream_counted_ = true;
    cluster_->stats().record(ClusterStat::kUpstreamRqTime,
                             elapsed_ms(info_.request_end == Clock::time_point{} ? info_.start : info_.request_end, info_.response_end));
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
  if (reply.flag) info_.flags.set(*reply.flag);
  info_.response_code_details = reply.details;
  attempt_.cancel();
  if (retry_timer_) retry_timer_->cancel();
  try_timeout_.disarm();
  try_idle_timeout_.disarm();
  request_waits_ = response_waits_ = false;
  held_response_.clear();
  held_request_.clear();
  body_.clear();
  response_.clear();
  response_trailers_.clear();
  has_response_trailers_ = false;
  local_ = true;
  replying_ = true;
  if (stream_ && !request_ended_) stream_->resume();
  const std::string_view body = make_local_reply(response_, reply, {grpc_, head_request_});
  info_.response_code = response_.status();
  info_.local_reply_body = {};
  // The router's own answers say how often it tried.
  if (reply.flag && *reply.flag != ResponseFlag::kStreamIdleTimeout && info_.attempt_count > 0 && route_ && route_->virtual_host &&
      route_->virtual_host->include_attempt_count_in_response) {
    response_.set(HeaderId::kXEnvoyAttemptCount, std::to_string(info_.attempt_count));
  }
  if (reply.flag == ResponseFlag::kUpstreamOverflow && plan_ && !plan_->router().suppress_envoy_headers)
    response_.set(HeaderId::kXEnvoyOverloaded, "true");
  if (route_) routing::finish_response(response_, *route_, weighted_, info_);
  const bool end = body.empty() || head_request_;
  local_body_pending_ = !end;
  begin_response(end);
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
  }
  replying_ = false;
}

void Exchange::on_attempt_failed(AttemptEnd how, std::string_view detail) {
  failure_text_ = detail;
  info_.upstream_transport_failure_reason =
      how == AttemptEnd::kConnectFailed || how == AttemptEnd::kConnectTimeout ? std::string_view(failure_text_) : std::string_view();
  const EndText text = text_of(how, attempt_.request_sent());
  try_timeout_.disarm();
  try_idle_timeout_.disarm();
  if (phase_ == Phase::kAnswering) {
    // Some of the answer is out: only a cut can say that the rest is missing.
    info_.flags.set(text.flag);
    if (response_head_sent_) {
      details_text_ = "upstream_reset_after_response_started{" + std::string(text.reason) + "}";
      std::replace(details_text_.begin(), details_text_.end(), ' ', '_');
      info_.response_code_details = details_text_;
    }
    return response_head_sent_ ? abandon() : fail(502, std::string(kTryAgain) + std::string(text.reason), text.details, text.flag);
  }
  if (phase_ != Phase::kForwarding) return;
  if (retry_ && !timed_out_ && (keep_body_ || (body_sent_ == 0 && !attempt_.request_sent()))) {
    const upstream::RetryDecision decision = retry_->decide_on_failure(failure_of(how), attempt_.request_sent(), loop_.random());
    if (decision.retry()) return schedule_retry(decision);
    note_not_retried(decision);
  }
  const int status = how == AttemptEnd::kProtocolError ? 502 : 503;
  note_upstream_code(status);
  // "...{remote_connection_failure|delayed_connect_error:_Connection_refused}": the reason without spaces, as Envoy logs it.
  details_text_ = text.details;
  if (!info_.upstream_transport_failure_reason.empty()) {
    details_text_.pop_back();
    details_text_ += "|" + failure_text_ + "}";
    std::replace(details_text_.begin(), details_text_.end(), ' ', '_');
  }
  fail(status, std::string(info_.attempt_count > 1 ? kTriedAgain : kTryAgain) + std::string(text.reason), details_text_, text.flag);
}

void Exchange::abandon() {
  attempt_.cancel();
  service_->http.add(HttpStat::kDownstreamRqTxReset);
  http::Stream* stream = stream_;
  stream_ = nullptr;
  if (stream) stream->reset(http::ResetReason::kLocal);
  finish();
}

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
      if (!response_head_sent_) info_.response_code_details = "downstream_remote_disconnect";
    } else {
      info_.flags.set(reason == http::ResetReason::kProtocolError ? ResponseFlag::kDownstreamProtocolError
                                                                  : ResponseFlag::kDownstreamRemoteReset);
      if (!response_head_sent_) info_.response_code_details = details;
    }
  }
  attempt_.cancel();
  finish();
}

// --- the end ---

void Exchange::finish_if_over() {
  if (phase_ == Phase::kOver || phase_ == Phase::kIdle || !response_sent_) return;
  // An upstream that has answered in full need not hear the rest of the request.
  if (attempt_.active()) {
    if (request_sent_)
      attempt_.complete();
    else
      attempt_.cancel();
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
  attempt_.cancel();
  if (plan_) {
    for (uint8_t i : plan_->done())
      if (filters_[i]) filters_[i]->on_done(*this);
  }
  record();
  disarm_all();
  stream_ = nullptr;
  connection_->on_exchange_over(*this);
}

void Exchange::record() {
  observe::Cells& http = service_->http;
  http.sub(HttpStat::kDownstreamRqActive);
  if (info_.response_code != 0) {
    http.add(HttpStat::kDownstreamRqCompleted);
    http.add(observe::class_index(HttpStat::kDownstreamRq1xx, info_.response_code));
    service_->listener_http.add(ListenerHttpStat::kDownstreamRqCompleted);
    service_->listener_http.add(observe::class_index(ListenerHttpStat::kDownstreamRq1xx, info_.response_code));
  }
  http.record(HttpStat::kDownstreamRqTime, elapsed_ms(info_.start, info_.end));
  for (const auto& log : service_->config->access_logs) log->log(loop_.thread(), info_);
}

void Exchange::disarm_all() {
  for (TimeoutNode* node : {static_cast<TimeoutNode*>(&idle_timeout_), static_cast<TimeoutNode*>(&request_timeout_),
                            static_cast<TimeoutNode*>(&stream_timeout_), static_cast<TimeoutNode*>(&route_timeout_),
                            static_cast<TimeoutNode*>(&try_timeout_), static_cast<TimeoutNode*>(&try_idle_timeout_)}) {
    node->disarm();
  }
  if (retry_timer_) retry_timer_->cancel();
}

// Gives everything back that would keep something else alive.
void Exchange::rest() {
  destroy_filters();
  retry_.reset();
  retry_budget_.reset();
  cluster_.reset();
  cluster_config_.reset();
  endpoints_.reset();
  table_.reset();
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
  body_bytes_ = body_sent_ = held_bytes_ = 0;
  timeouts_ = {};
  phase_ = Phase::kIdle;
  keep_body_ = request_ended_ = request_filtered_end_ = has_request_trailers_ = has_response_trailers_ = request_sent_ = false;
  request_waits_ = response_waits_ = response_ended_ = response_head_sent_ = response_sent_ = local_ = false;
  head_request_ = grpc_ = route_cleared_ = replying_ = timed_out_ = upstream_counted_ = local_body_pending_ = false;
}

// --- timeouts ---

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
  if (response_head_sent_) return abandon();
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
  info_.flags.set(ResponseFlag::kDurationTimeout);
  if (response_head_sent_) return abandon();
  if (phase_ == Phase::kHead) phase_ = Phase::kFiltering;
  fail(408, "downstream duration timeout", "max_duration_timeout", ResponseFlag::kDurationTimeout);
}

void Exchange::on_route_timeout() {
  timed_out_ = true;
  if (cluster_) {
    cluster_->stats().add(ClusterStat::kUpstreamRqTimeout);
    if (attempt_.active()) {
      upstream::HostState::count(attempt_.host_state()->timeouts);
      cluster_->report(attempt_.host_state(), {upstream::HostResult::Kind::kTimeout});
    }
  }
  info_.flags.set(ResponseFlag::kUpstreamRequestTimeout);
  if (response_head_sent_) {
    info_.response_code_details = "response_timeout";
    return abandon();
  }
  if (cluster_) note_upstream_code(504);
  fail(504, "upstream request timeout", "response_timeout", ResponseFlag::kUpstreamRequestTimeout);
}

void Exchange::on_per_try_timeout() {
  if (phase_ == Phase::kForwarding && attempt_.active()) give_up_try(ClusterStat::kUpstreamRqPerTryTimeout, "upstream_per_try_timeout");
}

// per_try_idle_timeout: an attempt that neither ends nor moves.
void Exchange::arm_try_idle() {
  if (timeouts_.per_try_idle.count() > 0) loop_.wheel().arm(try_idle_timeout_, timeouts_.per_try_idle);
}

void Exchange::on_per_try_idle() {
  if (!attempt_.active()) return;
  if (phase_ == Phase::kForwarding) return give_up_try(ClusterStat::kUpstreamRqPerTryIdleTimeout, "upstream_per_try_idle_timeout");
  if (!response_head_sent_) return;  // a response filter waits, not the upstream
  cluster_->stats().add(ClusterStat::kUpstreamRqPerTryIdleTimeout);
  upstream::HostState::count(attempt_.host_state()->timeouts);
  info_.flags.set(ResponseFlag::kUpstreamRequestTimeout);
  info_.response_code_details = "upstream_per_try_idle_timeout";
  abandon();
}

// Another try if the policy grants one, else the answer is ours.
void Exchange::give_up_try(unsigned counter, std::string_view details) {
  cluster_->stats().add(counter);
  upstream::HostState::count(attempt_.host_state()->timeouts);
  cluster_->report(attempt_.host_state(), {upstream::HostResult::Kind::kTimeout});
  attempt_.cancel();
  try_timeout_.disarm();
  try_idle_timeout_.disarm();
  if (retry_ && keep_body_) {
    const upstream::RetryDecision decision = retry_->decide_on_failure(upstream::AttemptFailure::kPerTryTimeout, true, loop_.random());
    if (decision.retry()) return schedule_retry(decision, true);
    note_not_retried(decision);
  }
  note_upstream_code(504);
  fail(504, "upstream request timeout", details, ResponseFlag::kUpstreamRequestTimeout);
}

}  // namespace weft::downstream
