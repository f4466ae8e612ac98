// hedge_on_per_try_timeout: an attempt that takes too long is not given up, another one begins beside it, as long as the policy grants
// retries. The first good answer is the answer. One that the policy would try again, or a failure, counts only when nothing else
// runs; until then it is let go, and tried again unless another attempt has been begun in its place already.
#include "proxy/downstream/hedging.h"
#include "proxy/downstream/http_connection.h"
#include "proxy/downstream/mirror.h"
#include "proxy/telemetry/access_log.h"

#include <algorithm>

namespace weft::downstream {

using observe::ClusterStat;

// The newest attempt takes too long.
void Exchange::hedge() {
  upstream::Attempt& late = hedging_ ? *hedging_->runs.back().attempt : *attempt_;
  if (!late.active()) return;
  upstream::HostState::count(late.host_state()->timeouts);
  cluster_->report(late.host_state(), {upstream::HostResult::Kind::kTimeout});
  if (!retry_ || !keep_body_ || !request_filtered_end_ || tunnel_ != Tunnel::kNo) return;
  const upstream::RetryDecision decision = retry_->decide_on_hedge(loop_.random());
  if (!decision.retry()) return note_not_retried(decision);
  if (!hedging_) {
    hedging_ = std::make_unique<Hedging>();
    hedging_->runs.push_back({attempt_, endpoints_, info_.upstream_host, info_.upstream_host_name, info_.upstream_connect_begin});
  }
  hedging_->runs.back().succeeded_by = hedging_->runs.back().late = true;
  begin_another_later(decision, true);
}

void Exchange::begin_another_later(const upstream::RetryDecision& decision, bool after_timeout) {
  if (hedging_) hedging_->retry_due = true;
  if (route_->virtual_host && route_->virtual_host->include_is_timeout_retry_header) {
    request_.set("x-envoy-is-timeout-retry", after_timeout ? "true" : "false");
  }
  cluster_->stats().add(ClusterStat::kUpstreamRqRetry);
  count_kinds(observe::VirtualHostStat::kUpstreamRqRetry);
  cluster_->stats().add(decision.rate_limited ? ClusterStat::kUpstreamRqRetryBackoffRatelimited
                                              : ClusterStat::kUpstreamRqRetryBackoffExponential);
  if (!retry_timer_) retry_timer_ = std::make_unique<net::Alarm>(loop_, [this] { on_retry_due(); });
  retry_timer_->set(decision.delay);
}

void Exchange::begin_beside() {
  hedging_->retry_due = false;
  hedging_->rivals.push_back(std::make_unique<Rival>(*this, loop_.slabs()));
  start_attempt(&hedging_->rivals.back()->attempt);
}

void Exchange::on_rival_ready(Rival& rival) {
  arm_try_idle();
  if (cluster_config_->max_stream_duration.count() > 0 && !upstream_timeout_.armed())
    loop_.wheel().arm(upstream_timeout_, cluster_config_->max_stream_duration);
  info_.upstream_ready = info_.upstream_request_begin = info_.upstream_request_end = loop_.now();
  rival.attempt.mark_sent();
  count_kinds(observe::VirtualHostStat::kUpstreamRqTotal);
  const bool plain = body_.empty() && !has_request_trailers_;
  rival.attempt.stream()->send_head(request_, plain);
  for (size_t i = 0; i < body_.size(); ++i) {
    if (!rival.attempt.stream()) return;  // reset while sending
    attempt_sent_bytes_ += body_[i].size;
    rival.attempt.stream()->send_body(body_[i], i + 1 == body_.size() && !has_request_trailers_);
  }
  if (has_request_trailers_ && rival.attempt.stream()) rival.attempt.stream()->send_trailers(request_trailers_);
}

void Exchange::on_rival_head(Rival& rival, bool end) {
  if (phase_ != Phase::kForwarding) return rival.attempt.cancel();
  if (!contends(rival.attempt, rival.head)) return;
  response_.clear();
  response_.set_status(rival.head.status());
  copy_head(rival.head, response_);
  request_sent_ = true;
  on_attempt_head(end);
}

void Exchange::on_rival_failed(Rival& rival, upstream::AttemptEnd how, std::string_view detail) {
  if (!rival.answers()) {
    if (phase_ != Phase::kForwarding) return;
    if (is_outrun(rival.attempt, how)) return;
    settle_on(rival.attempt);
  }
  on_attempt_failed(how, detail);
}

bool Exchange::others_run(const upstream::Attempt& attempt) const {
  return hedging_->retry_due || std::any_of(hedging_->runs.begin(), hedging_->runs.end(),
                                            [&](const Hedging::Run& run) { return run.attempt != &attempt && run.attempt->active(); });
}

// Whether this answer is the answer; if not, the attempt is over. The others are, if it is.
bool Exchange::contends(upstream::Attempt& attempt, http::Head& answer) {
  if (!timed_out_ && others_run(attempt) && retry_->would_retry(answer)) {
    Hedging::Run& run = hedging_->of(attempt);
    if (run.succeeded_by) {
      log_loser(attempt, answer.status());
      answer.clear();
      attempt.cancel();
      return false;
    }
    const upstream::RetryDecision decision = retry_->decide_on_head(answer, loop_.random());
    if (decision.retry()) {
      run.succeeded_by = true;
      note_upstream_code(answer.status());
      log_loser(attempt, answer.status());
      answer.clear();
      attempt.cancel();
      begin_another_later(decision, false);
      return false;
    }
  }
  settle_on(attempt);
  return true;
}

// Whether a failed attempt may be forgotten because of those that still run.
bool Exchange::is_outrun(upstream::Attempt& attempt, upstream::AttemptEnd how) {
  if (timed_out_ || !others_run(attempt)) return false;
  Hedging::Run& run = hedging_->of(attempt);
  log_loser(attempt, 0, flag_of(how));
  if (run.succeeded_by) return true;
  const upstream::RetryDecision decision = decide_on_failed(how, attempt.request_sent());
  run.succeeded_by = true;
  if (decision.retry()) begin_another_later(decision, false);
  return true;
}

// From now on there is one attempt, and the log speaks of it.
void Exchange::settle_on(upstream::Attempt& attempt) {
  attempt_ = &attempt;
  hedging_->retry_due = false;
  if (retry_timer_) retry_timer_->cancel();
  give_up_others();
  const Hedging::Run& run = hedging_->of(attempt);
  endpoints_ = run.endpoints;
  info_.upstream_host = run.host;
  info_.upstream_host_name = run.host_name;
  info_.upstream_connect_begin = run.connect_begin;
  info_.upstream_connection_id = attempt.connection_id();
  info_.upstream_protocol = to_string(attempt.protocol());
  info_.upstream_local_address = attempt.local_address();
}

void Exchange::give_up_others() {
  if (!hedging_) return;
  for (const Hedging::Run& run : hedging_->runs) {
    if (run.attempt == attempt_) continue;
    if (run.attempt->active()) log_loser(*run.attempt, 0);
    run.attempt->cancel();
  }
}

// upstream_log's line of an attempt whose answer, if it gave one, is not the answer.
void Exchange::log_loser(const upstream::Attempt& attempt, int status, observe::ResponseFlags flags) {
  if (!plan_ || plan_->router().upstream_logs.empty()) return;
  const Hedging::Run& run = hedging_->of(attempt);
  format::RequestInfo info = info_;
  info.log_type = format::AccessLogType::kUpstreamEnd;
  info.upstream_host = run.host;
  info.upstream_host_name = run.host_name;
  info.upstream_connect_begin = run.connect_begin;
  info.upstream_connection_id = attempt.connection_id();
  info.upstream_local_address = attempt.local_address();
  info.attempt_count = 0;
  info.bytes_sent = info.bytes_received = 0;
  info.response_code = status;
  info.response_code_details = {};
  info.flags = flags;
  if (run.late && flags.empty() && status == 0) info.flags.set(observe::ResponseFlag::kUpstreamRequestTimeout);
  info.end = loop_.now();
  for (const auto& log : plan_->router().upstream_logs) log->log(loop_.thread(), info);
}

}  // namespace weft::downstream
