// Whether a failed attempt is tried again, and when. One RetryState per request, pure: the caller runs the timer and gives the
// budget's place back. Never asked once a byte of the answer has gone downstream.
//
//   RetryState retry(policy, request, ...);             // takes x-envoy-retry-on and its kin out of the head
//   decision = retry.decide_on_head(answer) or decide_on_reset(...)
//   kRetry: wait decision.delay, then attempt again; retry.release() is called by the next decide or by the destructor
#pragma once
#include "common/http/head.h"
#include "proxy/routing/retry_policy.h"
#include "proxy/upstream/balancing/load_balancer.h"
#include "proxy/upstream/balancing/tried_priorities.h"
#include "proxy/upstream/budget.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weft::upstream {

struct RetryDecision {
  enum class Kind : uint8_t {
    kNo,             // the outcome is none that the policy retries
    kRetry,          // after `delay`
    kLimitExceeded,  // it would, but num_retries are spent: upstream_rq_retry_limit_exceeded, flag URX
    kOverflow,       // it would, but the budget is spent: upstream_rq_retry_overflow, flag UO
  };
  Kind kind = Kind::kNo;
  std::chrono::milliseconds delay{0};
  bool rate_limited = false;  // `delay` is what the answer asked for
  bool retry() const { return kind == Kind::kRetry; }
};

// Why an attempt ended without an answer.
enum class AttemptFailure : uint8_t {
  kConnectFailed,  // connect refused, failed or timed out
  kPerTryTimeout,
  kRemoteReset,    // RST_STREAM, or the connection closed before the answer began
  kRefusedStream,  // REFUSED_STREAM, or GOAWAY below the stream: not processed
  kOverflow,       // a circuit breaker of ours: never retried
  kProtocolError,
};

class RetryState {
 public:
  // `policy` may be null: then only request headers ask for retries. Removes those headers; they were dropped at the door if
  // the client is not trusted. `request` is only read here; `policy` and `budget` outlive the state.
  RetryState(const routing::RetryPolicy* policy, http::Head& request, Budget& budget, Priority priority);
  ~RetryState() { release(); }
  RetryState(const RetryState&) = delete;
  RetryState& operator=(const RetryState&) = delete;

  // Whether anything may ever be retried: if not, the request body need not be kept.
  bool enabled() const { return retry_on_ != 0 && limit_ != 0; }
  uint32_t limit() const { return limit_; }

  // `random` makes the jitter.
  RetryDecision decide_on_head(const http::Head& answer, uint64_t random);
  // `request_sent`: bytes of the request may have reached the host (for reset-before-request).
  RetryDecision decide_on_failure(AttemptFailure failure, bool request_sent, uint64_t random);
  // An attempt that takes too long goes on; another one begins beside it while there are retries left.
  RetryDecision decide_on_hedge(uint64_t random) { return grant(retry_on_ != 0, random); }
  // Whether the policy would try again after this, were there retries left.
  bool would_retry(const http::Head& answer) const { return retry_on_ != 0 && wants(answer); }

  uint32_t retries() const { return retries_; }  // granted so far
  // What the policy wants of the host of one more attempt.
  void avoid_hosts(PickContext& context, std::span<const HostState* const> tried) const;
  // Null: the policy does not ask for other priorities.
  TriedPriorities* tried_priorities() { return tried_priorities_.active() ? &tried_priorities_ : nullptr; }
  void release();

 private:
  bool wants(const http::Head& answer) const;
  bool wants(AttemptFailure failure, bool request_sent) const;
  RetryDecision grant(bool wanted, uint64_t random);
  std::optional<std::chrono::milliseconds> asked_delay(const http::Head& answer) const;

  const routing::RetryPolicy* policy_;
  Budget& budget_;
  Priority priority_;
  uint32_t retry_on_ = 0;
  uint32_t limit_ = 1;
  uint32_t retries_ = 0;
  bool holds_budget_ = false;
  TriedPriorities tried_priorities_;
  std::vector<uint32_t> status_codes_;     // of the request's header
  std::vector<std::string> header_names_;  // of the request's header
};

}  // namespace weft::upstream
