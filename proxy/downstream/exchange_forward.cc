// What the route says is done: an answer of our own, or an attempt on a host of the cluster, and the request's bytes on their way
// to it. How an attempt may end before an answer is exchange_retry.cc.
#include "proxy/downstream/hedging.h"

#include "common/observe/shapes.h"
#include "proxy/downstream/http_connection.h"
#include "proxy/downstream/websocket.h"
#include "proxy/format/formatter.h"
#include "proxy/routing/rewrite.h"

#include <algorithm>

namespace weft::downstream {
namespace {

using http::HeaderId;
using observe::ClusterStat;
using observe::HttpStat;
using observe::ResponseFlag;

}  // namespace

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
    if (!direct->format) return answer(direct->status, direct->body, "direct_response");
    filters::LocalReply formatted{direct->status, "", "direct_response", std::nullopt, {{"content-type", direct->content_type}}};
    info_.local_reply_body = direct->body;
    direct->format->append(formatted.body, info_);
    return reply(std::move(formatted));
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
  if (phase_ != Phase::kForwarding) return;
  if (whole_body_ && !request_.has(HeaderId::kContentLength)) {
    request_.remove(HeaderId::kTransferEncoding);
    request_.add(HeaderId::kContentLength, std::to_string(body_bytes_));
  }
  start_mirrors();
  start_attempt();
}

void Exchange::redirect(const routing::Redirect& redirect) {
  service_->http.add(HttpStat::kRqRedirect);
  filters::LocalReply moved;
  moved.status = redirect.status;
  moved.details = "direct_response";
  moved.headers.emplace_back("location", routing::redirect_location(*route_, request_, info_));
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
  if (!router.strict_check_headers.empty() && !check_strictly()) return false;
  timeouts_ = routing::resolve_timeouts(
      *route_, request_, {!router.suppress_envoy_headers, router.respect_expected_rq_timeout, service_->config->max_stream_duration});
  retry_budget_ = cluster_->shared()->budget;
  retry_.emplace(routing::retry_policy(*route_), request_, *retry_budget_, forward.priority);
  keep_body_ = retry_->enabled() || forward.internal_redirect;
  find_kinds();
  routing::finish_request(request_, *route_, weighted_, info_, !router.suppress_envoy_headers);
  // Filters and configuration may have taken from the head what it asked for.
  if (tunnel_ == Tunnel::kAsked && asked_tunnel().empty()) return refuse_tunnel();
  request_.ask_for_tunnel(tunnel_ == Tunnel::kAsked);
  if (forward.upgrades && tunnel_ == Tunnel::kNo) to_tcp_ = routing::takes_post(*forward.upgrades, request_.method());
  hash_request(forward);
  if (timeouts_.over) {
    on_stream_too_long();
    return false;
  }
  if (timeouts_.max_stream_from_route) {
    if (timeouts_.max_stream.count() > 0)
      loop_.wheel().arm(stream_timeout_, timeouts_.max_stream);
    else
      stream_timeout_.disarm();
  }
  if (request_ended_ || tunnel_ == Tunnel::kAsked) arm_route_timeout();
  return true;
}

// strict_check_headers: words for the router that make no sense are refused instead of passed over.
bool Exchange::check_strictly() {
  for (const HeaderId id : plan_->router().strict_check_headers) {
    const http::Header* header = request_.find(id);
    if (!header) continue;
    const std::string_view value = header->value();
    bool valid = true;
    if (id == HeaderId::kXEnvoyRetryOn)
      valid = routing::parse_retry_on(value).all_known;
    else if (id == HeaderId::kXEnvoyRetryGrpcOn)
      valid = routing::parse_retry_grpc_on(value).all_known;
    else
      valid = !value.empty() && value.size() < 20 && std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (valid) continue;
    const std::string name(header->name());
    details_text_ = "request_headers_failed_strict_check{" + name + "}";
    fail(400, "invalid header '" + name + "' with value '" + std::string(value) + "'", details_text_,
         ResponseFlag::kInvalidEnvoyRequestHeaders);
    return false;
  }
  return true;
}

// Of the request as it leaves; every attempt goes by it. A cluster that does not hash asks for no cookie.
void Exchange::hash_request(const routing::Forward& forward) {
  hash_ = {};
  const upstream::HashingOptions* hashing = cluster_->config().hashing.get();
  if (!hashing) return;
  const routing::HashPolicy* policy = hashing->policy ? hashing->policy.get() : forward.hash_policy.get();
  if (policy) hash_ = policy->hash(request_, info_);
}

// --- the attempt ---

void Exchange::start_attempt(upstream::Attempt* beside) {
  const routing::Forward& forward = *route_->forward();
  ++info_.attempt_count;
  endpoints_ = cluster_->endpoints();
  upstream::PickContext context{loop_.random(), {}, 1, hash_.value};
  if (retry_ && info_.attempt_count > 1) retry_->avoid_hosts(context, tried_);
  if (retry_) context.priorities = retry_->tried_priorities();
  context.connection = connection_->facts().get();
  context.request = &info_;
  const upstream::Pick pick = cluster_->pick(context);
  if (!pick.host && beside && others_run(*beside)) return;
  if (!pick.host) return fail(503, "no healthy upstream", "no_healthy_upstream", ResponseFlag::kNoHealthyUpstream);
  if (pick.made) endpoints_ = pick.made;
  if (retry_ && retry_->enabled()) tried_.push_back(pick.host->state.get());
  if (context.priorities) context.priorities->note(pick.priority);
  if (!plan_->router().suppress_envoy_headers && route_->virtual_host && route_->virtual_host->include_request_attempt_count) {
    request_.set(HeaderId::kXEnvoyAttemptCount, std::to_string(info_.attempt_count));
  }
  routing::rewrite_host_automatically(request_, *route_, pick.host->hostname);
  info_.upstream_host = pick.host->state->address;  // endpoints_ keeps both
  info_.upstream_host_name = pick.host->hostname;
  info_.upstream_connect_begin = loop_.now();
  if (!beside) {
    attempt_ = &first_;
    body_sent_ = 0;
    request_sent_ = false;
    attempt_sent_bytes_ = attempt_received_bytes_ = 0;
  }
  attempt_to_log_ = !plan_->router().upstream_logs.empty();
  if (attempt_to_log_ && plan_->router().upstream_log_interval.count() > 0)
    loop_.wheel().arm(attempt_log_timeout_, plan_->router().upstream_log_interval);
  if (cluster_config_->attempt_filters || plan_->router().attempt_filters) run_attempt_filters();
  if (service_->config->match_upstream_scheme) request_.set_scheme("http");  // no TLS to any host yet
  const http::Protocol protocol = to_tcp_ ? http::Protocol::kTcp : cluster_->protocol_for(connection_->protocol());
  if (timeouts_.per_try.count() > 0 && request_ended_) loop_.wheel().arm(try_timeout_, timeouts_.per_try);
  if (hedging_)
    hedging_->runs.push_back(
        {beside ? beside : attempt_, endpoints_, info_.upstream_host, info_.upstream_host_name, info_.upstream_connect_begin});
  (beside ? beside : attempt_)->start(cluster_, *pick.host, protocol, forward.priority);
}

// As in Envoy they change the request that further attempts begin with.
void Exchange::run_attempt_filters() {
  const upstream::AttemptChain* const own = cluster_config_->attempt_filters.get();
  const filters::ChainPlan& plan = (own ? static_cast<const filters::AttemptPlan*>(own) : plan_->router().attempt_filters.get())->plan;
  if (!attempt_filters_ || &attempt_filters_->plan() != &plan) {
    attempt_filters_ = std::make_unique<AttemptFilters>(plan, [this](std::string_view name, bool otherwise) {
      const routing::FilterOverride* told = routing::filter_override(*route_, weighted_, name);
      return told ? !told->disabled : otherwise;
    });
  }
  attempt_filters_->on_request_head(*this, request_filtered_end_ && body_.empty() && !has_request_trailers_);
}

void Exchange::on_attempt_ready() {
  arm_try_idle();
  if (cluster_config_->max_stream_duration.count() > 0) loop_.wheel().arm(upstream_timeout_, cluster_config_->max_stream_duration);
  info_.upstream_ready = info_.upstream_request_begin = loop_.now();
  info_.upstream_connection_id = attempt_->connection_id();
  info_.upstream_protocol = to_string(attempt_->protocol());
  info_.upstream_local_address = attempt_->local_address();
  if (attempt_to_log_ && plan_->router().log_upstream_streams) log_attempt(format::AccessLogType::kUpstreamPoolReady);
  const bool end = request_filtered_end_ && body_.empty() && !has_request_trailers_ && tunnel_ == Tunnel::kNo;
  request_sent_ = end;
  attempt_->mark_sent();
  // A WebSocket over HTTP/2 has no key (RFC 8441 5); an HTTP/1 server wants one.
  if (tunnel_ == Tunnel::kAsked && attempt_->protocol() == http::Protocol::kHttp11 && request_.value(HeaderId::kUpgrade) == "websocket" &&
      connection_->protocol() == http::Protocol::kHttp2 && !request_.find("sec-websocket-key"))
    request_.set("sec-websocket-key", websocket_key(loop_));
  count_kinds(observe::VirtualHostStat::kUpstreamRqTotal);
  attempt_->stream()->send_head(request_, end);
  if (!end) send_request_body();
}

void Exchange::send_request_body() {
  http::Stream* to = attempt_->stream();
  if (!to || request_sent_) return;
  if (tunnel_ == Tunnel::kAsked) {  // what comes before the answer waits for it
    if (body_bytes_ > service_->buffer_limit && stream_ && !request_ended_) stream_->pause();
    return;
  }
  while (body_sent_ < body_.size()) {
    Slice& slice = body_[body_sent_++];
    const bool end = request_filtered_end_ && body_sent_ == body_.size() && !has_request_trailers_;
    if (end) request_sent_ = true;
    attempt_sent_bytes_ += slice.size;
    to->send_body(keep_body_ ? slice : std::move(slice), end);
    to = attempt_->stream();
    if (!to) return;  // reset while sending
  }
  if (!keep_body_) {
    body_.clear();
    body_bytes_ = 0;
    body_sent_ = 0;
  }
  if (request_filtered_end_ && !request_sent_) {
    request_sent_ = true;
    if (has_request_trailers_ && attempt_filters_) attempt_filters_->on_request_trailers(*this, request_trailers_);
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

// --- the route's timeout ---

void Exchange::arm_route_timeout() {
  if (tunnel_ == Tunnel::kOpen) return;
  if (timeouts_.global.count() > 0 && !route_timeout_.armed()) loop_.wheel().arm(route_timeout_, timeouts_.global);
}

void Exchange::on_route_timeout() {
  timed_out_ = true;
  if (cluster_) {
    cluster_->stats().add(ClusterStat::kUpstreamRqTimeout);
    count_kinds(observe::VirtualHostStat::kUpstreamRqTimeout);
    if (attempt_->active()) {
      upstream::HostState::count(attempt_->host_state()->timeouts);
      cluster_->report(attempt_->host_state(), {upstream::HostResult::Kind::kTimeout});
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

void Exchange::note_upstream_code(int status) {
  observe::Cells& stats = cluster_->stats();
  stats.add(ClusterStat::kUpstreamRqCompleted);
  if (grpc_ && plan_->router().suppress_grpc_failure_stats) return;
  stats.add(observe::class_index(ClusterStat::kUpstreamRq1xx, status));
  stats.count_code(ClusterStat::kUpstreamRqCodes, status);
  count_side_code(side_stats(), status);
  if (of_canary_) count_side_code(observe::kCanaryStats, status);
  count_kinds_code(status);
}

// Envoy goes by the header, which filters may have changed.
unsigned Exchange::side_stats() const {
  return request_.has(HeaderId::kXEnvoyInternal) && request_.value(HeaderId::kXEnvoyInternal) == "true" ? observe::kInternalStats
                                                                                                        : observe::kExternalStats;
}

// `first`: of the eight stats that are kept for a side.
void Exchange::count_side_code(unsigned first, int status) {
  observe::Cells& stats = cluster_->stats();
  stats.count_code(first, status);
  stats.add(observe::class_index(first + observe::kSide1xx, status));
  stats.add(first + observe::kSideCompleted);
}

}  // namespace weft::downstream
