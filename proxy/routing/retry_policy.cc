#include "proxy/routing/retry_policy.h"

#include <algorithm>

namespace weft::routing {
namespace {

struct Word {
  std::string_view text;
  uint32_t bit;
};

constexpr Word kHttpWords[] = {{"5xx", kRetryOn5xx},
                               {"gateway-error", kRetryOnGatewayError},
                               {"connect-failure", kRetryOnConnectFailure},
                               {"retriable-4xx", kRetryOnRetriable4xx},
                               {"refused-stream", kRetryOnRefusedStream},
                               {"retriable-status-codes", kRetryOnRetriableStatusCodes},
                               {"reset", kRetryOnReset},
                               {"reset-before-request", kRetryOnResetBeforeRequest},
                               {"retriable-headers", kRetryOnRetriableHeaders},
                               {"envoy-ratelimited", kRetryOnEnvoyRateLimited},
                               {"http3-post-connect-failure", kRetryOnHttp3PostConnectFailure}};
constexpr Word kGrpcWords[] = {{"cancelled", kRetryOnGrpcCancelled},
                               {"deadline-exceeded", kRetryOnGrpcDeadlineExceeded},
                               {"resource-exhausted", kRetryOnGrpcResourceExhausted},
                               {"unavailable", kRetryOnGrpcUnavailable},
                               {"internal", kRetryOnGrpcInternal}};

template <size_t N>
uint32_t bit_of(std::string_view word, const Word (&words)[N]) {
  for (const Word& known : words)
    if (known.text == word) return known.bit;
  return 0;
}

template <class BitOf>
RetryOnParse parse(std::string_view words, BitOf bit) {
  RetryOnParse result;
  while (!words.empty()) {
    size_t comma = std::min(words.find(','), words.size());
    std::string_view word = words.substr(0, comma);
    words.remove_prefix(std::min(comma + 1, words.size()));
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (word.empty()) continue;
    uint32_t found = bit(word);
    result.bits |= found;
    result.all_known = result.all_known && found != 0;
  }
  return result;
}

}  // namespace

RetryOnParse parse_retry_on(std::string_view words) {
  return parse(words, [](std::string_view word) { return bit_of(word, kHttpWords); });
}

RetryOnParse parse_retry_grpc_on(std::string_view words) {
  return parse(words, [](std::string_view word) { return bit_of(word, kGrpcWords); });
}

RetryOnParse parse_retry_on_config(std::string_view words) {
  return parse(words, [](std::string_view word) { return bit_of(word, kHttpWords) | bit_of(word, kGrpcWords); });
}

}  // namespace weft::routing
