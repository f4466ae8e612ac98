// An attempt comes to nothing: it failed, took too long, or its answer is one that the policy tries again. One more attempt if
// the policy and its budget grant it and the request can still be repeated; else the failure becomes the answer, in Envoy's words.
#include "proxy/downstream/environment.h"
#include "proxy/downstream/hedging.h"

#include <algorithm>

namespace weft::downstream {
namespace {

using observe::ClusterStat;
using observe::ResponseFlag;
using upstream::AttemptEnd;

constexpr std::string_view kTryAgain = "upstream connect error or disconnect/reset before headers. reset reason: ";
constexpr std::string_view kTriedAgain = "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: ";

// How Envoy names the end of an attempt: in the body of its answer, in response_code_details and by a flag.
struct EndText {
  std::string_view reason, details;
  ResponseFlag flag;
};
EndText text_of(AttemptEnd how) {
  switch (how) {
    case AttemptEnd::kConnectFailed:
      return {"remote connection failure", "upstream_reset_before_response_started{remote_connection_failure}",
              ResponseFlag::kUpstreamConnectionFailure};
    case AttemptEnd::kLocalConnectFailed:
      return {"local connection failure", "upstream_reset_before_response_started{local_connection_failure}",
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
    case AttemptEnd::kLocalConnectFailed:
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

observe::ResponseFlag Exchange::flag_of(AttemptEnd how) { return text_of(how).flag; }

upstream::RetryDecision Exchange::decide_on_failed(AttemptEnd how, bool request_sent) {
  return retry_->decide_on_failure(failure_of(how), request_sent, loop_.random());
}

void Exchange::on_attempt_failed(AttemptEnd how, std::string_view detail) {
  if (hedging_ && attempt_ == &first_ && phase_ == Phase::kForwarding) {
    if (is_outrun(first_, how)) return;
    settle_on(first_);
  }
  failure_text_ = detail;
  info_.upstream_transport_failure_reason =
      how == AttemptEnd::kConnectFailed || how == AttemptEnd::kLocalConnectFailed || how == AttemptEnd::kConnectTimeout
          ? std::string_view(failure_text_)
          : std::string_view();
  const EndText text = text_of(how);
  if (attempt_to_log_) {
    const observe::ResponseFlags flags = info_.flags;
    info_.flags.set(text.flag);
    log_attempt(format::AccessLogType::kUpstreamEnd);
    info_.flags = flags;
  }
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
  if (retry_ && !timed_out_ && (keep_body_ || (body_sent_ == 0 && !attempt_->request_sent()))) {
    const upstream::RetryDecision decision = decide_on_failed(how, attempt_->request_sent());
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
    attempt_->complete();
  else
    attempt_->cancel();
  schedule_retry(decision);
  return true;
}

void Exchange::schedule_retry(const upstream::RetryDecision& decision, bool after_timeout) {
  upstream_timeout_.disarm();
  try_idle_timeout_.disarm();
  log_attempt(format::AccessLogType::kUpstreamEnd);
  response_.clear();
  response_trailers_.clear();
  response_ended_ = false;
  has_response_trailers_ = false;
  begin_another_later(decision, after_timeout);
}

void Exchange::on_retry_due() {
  if (phase_ != Phase::kForwarding) return;
  if (hedging_ && std::any_of(hedging_->runs.begin(), hedging_->runs.end(), [](const auto& run) { return run.attempt->active(); }))
    return begin_beside();
  if (hedging_) hedging_->retry_due = false;
  start_attempt();
}

void Exchange::note_not_retried(const upstream::RetryDecision& decision) {
  observe::Cells& stats = cluster_->stats();
  if (decision.kind == upstream::RetryDecision::Kind::kLimitExceeded) {
    stats.add(ClusterStat::kUpstreamRqRetryLimitExceeded);
    count_kinds(observe::VirtualHostStat::kUpstreamRqRetryLimitExceeded);
    info_.flags.set(ResponseFlag::kUpstreamRetryLimitExceeded);
  } else if (decision.kind == upstream::RetryDecision::Kind::kOverflow) {
    stats.add(ClusterStat::kUpstreamRqRetryOverflow);
    count_kinds(observe::VirtualHostStat::kUpstreamRqRetryOverflow);
  }
}

// --- an attempt's timeouts ---

void Exchange::on_per_try_timeout() {
  if (phase_ != Phase::kForwarding) return;
  if (routing::hedges(*route_)) return hedge();
  if (attempt_->active()) give_up_try(ClusterStat::kUpstreamRqPerTryTimeout, "upstream_per_try_timeout");
}

// per_try_idle_timeout: an attempt that neither ends nor moves.
void Exchange::arm_try_idle() {
  if (timeouts_.per_try_idle.count() > 0) loop_.wheel().arm(try_idle_timeout_, timeouts_.per_try_idle);
}

void Exchange::on_per_try_idle() {
  if (!attempt_->active()) return;
  if (phase_ == Phase::kForwarding) return give_up_try(ClusterStat::kUpstreamRqPerTryIdleTimeout, "upstream_per_try_idle_timeout");
  if (!response_head_sent_) return;  // a response filter waits, not the upstream
  cluster_->stats().add(ClusterStat::kUpstreamRqPerTryIdleTimeout);
  upstream::HostState::count(attempt_->host_state()->timeouts);
  info_.flags.set(ResponseFlag::kUpstreamRequestTimeout);
  info_.response_code_details = "upstream_per_try_idle_timeout";
  abandon();
}

// The cluster's max_stream_duration.
void Exchange::on_upstream_too_long() {
  if (!attempt_->active()) return;
  cluster_->stats().add(ClusterStat::kUpstreamRqMaxDurationReached);
  info_.flags.set(ResponseFlag::kUpstreamMaxStreamDurationReached);
  if (response_head_sent_) {
    info_.response_code_details = "upstream_max_stream_duration_reached";
    return abandon();
  }
  fail(request_ended_ ? 504 : 408, "upstream max stream duration reached", "upstream_max_stream_duration_reached",
       ResponseFlag::kUpstreamMaxStreamDurationReached);
}

// Another try if the policy grants one, else the answer is ours.
void Exchange::give_up_try(unsigned counter, std::string_view details) {
  cluster_->stats().add(counter);
  upstream::HostState::count(attempt_->host_state()->timeouts);
  cluster_->report(attempt_->host_state(), {upstream::HostResult::Kind::kTimeout});
  attempt_->cancel();
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
