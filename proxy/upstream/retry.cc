#include "proxy/upstream/retry.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace weft::upstream {
namespace {

using http::HeaderId;
using namespace routing;  // the kRetryOn bits

constexpr uint32_t kAnyGrpc =
    kRetryOnGrpcCancelled | kRetryOnGrpcDeadlineExceeded | kRetryOnGrpcResourceExhausted | kRetryOnGrpcUnavailable | kRetryOnGrpcInternal;

bool parse_number(std::string_view text, uint32_t& number) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

template <class Visit>
void for_each_word(std::string_view words, Visit visit) {
  while (!words.empty()) {
    size_t comma = std::min(words.find(','), words.size());
    std::string_view word = words.substr(0, comma);
    words.remove_prefix(std::min(comma + 1, words.size()));
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (!word.empty()) visit(word);
  }
}

uint32_t bit_of_grpc_status(std::string_view status) {
  uint32_t code = 0;
  if (!parse_number(status, code)) return 0;
  switch (code) {
    case 1: return kRetryOnGrpcCancelled;
    case 4: return kRetryOnGrpcDeadlineExceeded;
    case 8: return kRetryOnGrpcResourceExhausted;
    case 13: return kRetryOnGrpcInternal;
    case 14: return kRetryOnGrpcUnavailable;
    default: return 0;
  }
}

}  // namespace

RetryState::RetryState(const RetryPolicy* policy, http::Head& request, Budget& budget, Priority priority)
    : policy_(policy), budget_(budget), priority_(priority), tried_priorities_(policy ? policy->previous_priorities_frequency : 0) {
  if (policy) {
    retry_on_ = policy->retry_on;
    limit_ = policy->num_retries;
  }
  const http::Header* retry_on = request.find(HeaderId::kXEnvoyRetryOn);
  const http::Header* grpc_on = request.find(HeaderId::kXEnvoyRetryGrpcOn);
  if (retry_on) retry_on_ |= parse_retry_on(retry_on->value()).bits;
  if (grpc_on) retry_on_ |= parse_retry_grpc_on(grpc_on->value()).bits;
  // A policy may be meant for some requests only.
  if (policy && !policy->retriable_request_headers.empty() &&
      std::none_of(policy->retriable_request_headers.begin(), policy->retriable_request_headers.end(),
                   [&](const HeaderMatcher& matcher) { return matcher.matches(request); }))
    retry_on_ = 0;
  if (const http::Header* most = request.find(HeaderId::kXEnvoyMaxRetries); most && retry_on_ != 0) parse_number(most->value(), limit_);
  if (const http::Header* codes = request.find(HeaderId::kXEnvoyRetriableStatusCodes)) {
    for_each_word(codes->value(), [&](std::string_view word) {
      uint32_t code = 0;
      if (parse_number(word, code)) status_codes_.push_back(code);
    });
  }
  if (const http::Header* names = request.find(HeaderId::kXEnvoyRetriableHeaderNames))
    for_each_word(names->value(), [&](std::string_view word) { header_names_.emplace_back(word); });
  for (HeaderId id : {HeaderId::kXEnvoyRetryOn, HeaderId::kXEnvoyRetryGrpcOn, HeaderId::kXEnvoyMaxRetries,
                      HeaderId::kXEnvoyRetriableStatusCodes, HeaderId::kXEnvoyRetriableHeaderNames})
    if (request.has(id)) request.remove(id);
}

bool RetryState::wants(const http::Head& answer) const {
  const auto status = static_cast<uint32_t>(answer.status());
  if (answer.has(HeaderId::kXEnvoyOverloaded)) return false;
  if (answer.has(HeaderId::kXEnvoyRateLimited)) return (retry_on_ & kRetryOnEnvoyRateLimited) != 0;
  if ((retry_on_ & kRetryOn5xx) && status >= 500 && status < 600) return true;
  if ((retry_on_ & kRetryOnGatewayError) && status >= 502 && status <= 504) return true;
  if ((retry_on_ & kRetryOnRetriable4xx) && status == 409) return true;
  if (retry_on_ & kRetryOnRetriableStatusCodes) {
    auto holds = [status](const std::vector<uint32_t>& codes) { return std::find(codes.begin(), codes.end(), status) != codes.end(); };
    if ((policy_ && holds(policy_->retriable_status_codes)) || holds(status_codes_)) return true;
  }
  if (retry_on_ & kRetryOnRetriableHeaders) {
    if (policy_)
      for (const HeaderMatcher& matcher : policy_->retriable_headers)
        if (matcher.matches(answer)) return true;
    for (const std::string& name : header_names_)
      if (HeaderMatcher::present(name).matches(answer)) return true;
  }
  // An answer of trailers alone carries its status in the head.
  return (retry_on_ & kAnyGrpc) && (retry_on_ & bit_of_grpc_status(answer.value(HeaderId::kGrpcStatus)));
}

bool RetryState::wants(AttemptFailure failure, bool request_sent) const {
  if (failure == AttemptFailure::kOverflow) return false;
  if (retry_on_ & kRetryOnReset) return true;
  // To the client each of them would be a 503 or 504.
  if (retry_on_ & (kRetryOn5xx | kRetryOnGatewayError)) return true;
  if ((retry_on_ & kRetryOnResetBeforeRequest) && !request_sent) return true;
  if ((retry_on_ & kRetryOnRefusedStream) && failure == AttemptFailure::kRefusedStream) return true;
  return (retry_on_ & kRetryOnConnectFailure) && failure == AttemptFailure::kConnectFailed;
}

void RetryState::avoid_hosts(PickContext& context, std::span<const HostState* const> tried) const {
  if (!policy_ || (!policy_->avoid_previous_hosts && !policy_->avoid_canaries && policy_->avoid_labels.empty())) return;
  if (policy_->avoid_previous_hosts) context.tried = tried;
  context.avoid_canaries = policy_->avoid_canaries;
  if (!policy_->avoid_labels.empty()) context.avoid_labels = &policy_->avoid_labels;
  context.max_host_attempts = policy_->host_selection_retry_max_attempts;
}

RetryDecision RetryState::decide_on_head(const http::Head& answer, uint64_t random) {
  RetryDecision decision = grant(would_retry(answer), random);
  if (!decision.retry() || !policy_ || policy_->reset_headers.empty()) return decision;
  if (const auto asked = asked_delay(answer)) {
    // Not before that, and not all at once.
    decision.delay = *asked + std::chrono::milliseconds(random % (static_cast<uint64_t>(asked->count()) / 2 + 1));
    decision.rate_limited = true;
  }
  return decision;
}

// rate_limited_retry_back_off: what the answer says, if it is a time that we are ready to wait.
std::optional<std::chrono::milliseconds> RetryState::asked_delay(const http::Head& answer) const {
  for (const ResetHeader& reset : policy_->reset_headers) {
    uint32_t seconds = 0;
    if (!parse_number(answer.value(reset.name), seconds)) continue;
    int64_t wait = seconds;
    if (reset.is_timestamp) wait -= std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    const std::chrono::milliseconds delay(wait * 1000);
    if (wait > 0 && delay <= policy_->max_reset_interval) return delay;
  }
  return {};
}

RetryDecision RetryState::decide_on_failure(AttemptFailure failure, bool request_sent, uint64_t random) {
  return grant(retry_on_ != 0 && wants(failure, request_sent), random);
}

RetryDecision RetryState::grant(bool wanted, uint64_t random) {
  release();
  if (!wanted) return {};
  if (retries_ >= limit_) return {RetryDecision::Kind::kLimitExceeded, {}};
  ++retries_;
  if (!budget_.try_acquire_retry(priority_)) return {RetryDecision::Kind::kOverflow, {}};
  holds_budget_ = true;
  // Full jitter: anything below base * 2^n, which is at most max.
  const int64_t base = policy_ ? policy_->base_interval.count() : 25;
  const int64_t longest = policy_ && policy_->max_interval.count() != 0 ? policy_->max_interval.count() : base * 10;
  int64_t interval = base;
  for (uint32_t i = 1; i < retries_ && interval < longest; ++i) interval *= 2;
  interval = std::min(interval, longest);
  return {RetryDecision::Kind::kRetry, std::chrono::milliseconds(interval > 0 ? random % static_cast<uint64_t>(interval) : 0)};
}

void RetryState::release() {
  if (std::exchange(holds_budget_, false)) budget_.release_retry(priority_);
}

}  // namespace weft::upstream
