#include "controlplane/validation/http_policies.h"

#include <re2/re2.h>

#include <algorithm>

namespace weft::validation::virtual_service {
namespace {

constexpr Field kRetriesFields[] = {{"attempts", Type::kInteger, Use::kWorks, "0 turns retries off"},
                                    {"perTryTimeout", Type::kDuration},
                                    {"retryOn", Type::kString},
                                    {"backoff", Type::kDuration},
                                    {"retryIgnorePreviousHosts", Type::kBool},
                                    {"retryRemoteLocalities", Type::kBool, Use::kWorks,
                                     "with a warning: sent to proxies, but endpoints have one priority yet, so retries go to any of them"}};
constexpr Field kPercentFields[] = {{"value", Type::kNumber}};
constexpr Field kDelayFields[] = {{"fixedDelay", Type::kDuration},
                                  {"percentage", Type::kObject, Use::kWorks, "0 when absent", &kPercentTable},
                                  {"percent", Type::kInteger, Use::kOld, "write percentage: {value: ...}"},
                                  {"exponentialDelay", Type::kDuration, Use::kRefused, "as in Istio; use fixedDelay"}};
constexpr Table kDelay{kDelayFields};
constexpr Field kAbortFields[] = {{"httpStatus", Type::kInteger},
                                  {"grpcStatus", Type::kChoice, Use::kWorks, "in place of httpStatus", nullptr,
                                   "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
                                   "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE "
                                   "DATA_LOSS UNAUTHENTICATED"},
                                  {"percentage", Type::kObject, Use::kWorks, "0 when absent", &kPercentTable},
                                  {"http2Error", Type::kString, Use::kRefused, "as in Istio; use httpStatus or grpcStatus"}};
constexpr Table kAbort{kAbortFields};
constexpr Field kFaultFields[] = {{"delay", Type::kObject, Use::kWorks, "", &kDelay}, {"abort", Type::kObject, Use::kWorks, "", &kAbort}};
constexpr Field kCorsFields[] = {
    {"allowOrigins", Type::kMatches},
    {"allowOrigin", Type::kStrings, Use::kOld, "write allowOrigins: [{exact: ...}]"},
    {"allowMethods", Type::kStrings},
    {"allowHeaders", Type::kStrings},
    {"exposeHeaders", Type::kStrings},
    {"maxAge", Type::kDuration, Use::kWorks, "whole seconds"},
    {"allowCredentials", Type::kBool},
    {"unmatchedPreflights", Type::kChoice, Use::kWorks, "FORWARD when absent", nullptr, "UNSPECIFIED FORWARD IGNORE"}};
constexpr Field kRegexRewriteFields[] = {{"match", Type::kString, Use::kWorks, "RE2; replaced wherever it matches the path"},
                                         {"rewrite", Type::kString, Use::kWorks, "\\1 to \\9 stand for the groups of match"}};
constexpr Table kRegexRewrite{kRegexRewriteFields};
constexpr Field kRewriteFields[] = {
    {"uri", Type::kString}, {"authority", Type::kString}, {"uriRegexRewrite", Type::kObject, Use::kWorks, "", &kRegexRewrite}};

// The conditions that weft-proxy acts upon; the last five look at the grpc-status of a response.
constexpr std::string_view kRetryOn[] = {"5xx",
                                         "gateway-error",
                                         "reset",
                                         "reset-before-request",
                                         "connect-failure",
                                         "refused-stream",
                                         "retriable-4xx",
                                         "envoy-ratelimited",
                                         "retriable-status-codes",
                                         "retriable-headers",
                                         "http3-post-connect-failure",
                                         "cancelled",
                                         "deadline-exceeded",
                                         "internal",
                                         "resource-exhausted",
                                         "unavailable"};
// In the order of their numbers.
constexpr std::string_view kGrpcStatus[] = {"OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
                                            "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
                                            "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
                                            "DATA_LOSS", "UNAUTHENTICATED"};
constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"};

void check_retry_on(const Reader& at, std::string_view text) {
  std::vector<std::string_view> known(std::begin(kRetryOn), std::end(kRetryOn));
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view word = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (std::find(known.begin(), known.end(), word) != known.end()) continue;
    const std::string shown(word.substr(0, 60));
    if (!word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos) {
      if (word.size() != 3 || word < "100" || word > "599") at.error(codes::kChoice, "found the status " + shown + ", expected 100 to 599");
    } else {
      const std::string_view meant = did_you_mean(word, known);
      at.error(
          codes::kChoice,
          "found \"" + shown + "\", expected a status or a condition such as 5xx, gateway-error, reset, connect-failure, refused-stream",
          meant.empty() ? "" : "did you mean " + std::string(meant) + "?");
    }
  }
}

double percentage(const Reader& from) {
  const Reader value = from["percentage"]["value"];
  if (from["percentage"]) return value.number(0, 100).value_or(0);
  if (from["percent"]) return from["percent"].integer(0, 100).value_or(0);
  from.warn(codes::kNoEffect, "found no percentage, so nothing is injected", "add percentage: {value: 100}");
  return 0;
}

std::vector<std::string> header_names(const Reader& list) {
  std::vector<std::string> names;
  for (const Reader& item : list.items()) {
    if (item.text() != "*" && !is_header_name(item.text()))
      item.error(codes::kName, "found \"" + item.text() + "\", expected the name of a header");
    names.push_back(item.text());
  }
  return names;
}

}  // namespace

constexpr Table kRetriesTable{kRetriesFields};
constexpr Table kPercentTable{kPercentFields};
constexpr Table kFaultTable{kFaultFields};
constexpr Table kCorsTable{kCorsFields};
constexpr Table kRewriteTable{kRewriteFields};

model::Retries read_retries(const Reader& from) {
  model::Retries retries;
  if (Reader attempts = from["attempts"]) {
    retries.attempts = attempts.integer(0, INT32_MAX).value_or(0);
    if (retries.attempts == 0 && (from["perTryTimeout"] || from["retryOn"] || from["backoff"] || from["retryRemoteLocalities"].flag()))
      attempts.error(codes::kConflict, "found attempts: 0, which turns retries off, beside a retry policy",
                     "set attempts above 0, or remove the other fields");
  } else {
    from.missing("attempts", "how often to try again (0 turns retries off)");
  }
  retries.per_try_timeout = from["perTryTimeout"].duration();
  retries.backoff = from["backoff"].duration();
  retries.retry_on = from["retryOn"].text();
  if (from["retryOn"]) check_retry_on(from["retryOn"], retries.retry_on);
  if (Reader ignore = from["retryIgnorePreviousHosts"]) retries.ignore_previous_hosts = ignore.flag();
  retries.remote_localities = from["retryRemoteLocalities"].flag();
  if (retries.remote_localities)
    from["retryRemoteLocalities"].warn(
        codes::kNotServed,
        "found retryRemoteLocalities, which has no effect while all endpoints have one priority: a retry goes "
        "to any of them",
        "leave it, for when localities have priorities");
  return retries;
}

model::Fault read_fault(const Reader& from) {
  model::Fault fault;
  if (Reader delay = from["delay"]) {
    fault.delay.emplace();
    if (!delay["fixedDelay"]) delay.missing("fixedDelay", "a duration");
    fault.delay->fixed = delay["fixedDelay"].duration().value_or(model::Duration(0));
    fault.delay->percentage = percentage(delay);
  }
  if (Reader abort = from["abort"]) {
    fault.abort.emplace();
    const Reader http = abort["httpStatus"], grpc = abort["grpcStatus"];
    if (http && grpc) abort.error(codes::kConflict, "found httpStatus and grpcStatus, expected one of them");
    if (!http && !grpc) abort.missing("httpStatus", "a status from 200 to 599, or a grpcStatus");
    fault.abort->http_status = http.integer(200, 599).value_or(0);
    if (grpc) {
      const auto* found = std::find(std::begin(kGrpcStatus), std::end(kGrpcStatus), grpc.text());
      if (found != std::end(kGrpcStatus)) fault.abort->grpc_status = static_cast<uint32_t>(found - std::begin(kGrpcStatus));
    }
    fault.abort->percentage = percentage(abort);
  }
  if (!fault.delay && !fault.abort) from.error(codes::kMissing, "found an empty fault, expected delay or abort");
  return fault;
}

model::CorsPolicy read_cors(const Reader& from) {
  model::CorsPolicy cors;
  if (from["allowOrigins"] && from["allowOrigin"])
    from.error(codes::kConflict, "found allowOrigins and allowOrigin, expected one of them", "remove allowOrigin");
  for (const Reader& item : from["allowOrigins"].items()) {
    if (auto match = item.match(false)) {
      if (match->value.empty()) item.error(codes::kValue, "found an empty origin, expected one such as https://shop.example");
      cors.allow_origins.push_back(std::move(*match));
    }
  }
  for (const Reader& item : from["allowOrigin"].items()) cors.allow_origins.push_back({model::StringMatch::Kind::kExact, item.text()});
  for (const Reader& item : from["allowMethods"].items()) {
    if (std::find(std::begin(kMethods), std::end(kMethods), item.text()) == std::end(kMethods))
      item.error(codes::kChoice, "found \"" + item.text() + "\", expected a method such as GET, in upper case, or *");
    cors.allow_methods.push_back(item.text());
  }
  cors.allow_headers = header_names(from["allowHeaders"]);
  cors.expose_headers = header_names(from["exposeHeaders"]);
  cors.max_age = from["maxAge"].duration();
  if (cors.max_age && cors.max_age->count() % 1000 != 0)
    from["maxAge"].error(codes::kValue, "found " + from["maxAge"].text() + ", expected whole seconds");
  if (Reader credentials = from["allowCredentials"]) cors.allow_credentials = credentials.flag();
  cors.ignore_unmatched_preflights = from["unmatchedPreflights"].text() == "IGNORE";
  if (cors.allow_origins.empty())
    from.warn(codes::kNoEffect, "found no allowOrigins, so no origin may read the answers", "add allowOrigins: [{exact: ...}]");
  return cors;
}

model::Rewrite read_rewrite(const Reader& from) {
  model::Rewrite rewrite;
  if (!from["uri"].text().empty()) rewrite.uri = from["uri"].text();
  if (!from["authority"].text().empty()) rewrite.authority = from["authority"].text();
  if (Reader regex = from["uriRegexRewrite"]) {
    if (rewrite.uri) from.error(codes::kConflict, "found uri and uriRegexRewrite, expected one of them");
    if (regex["match"].text().empty()) regex.missing("match", "a regular expression");
    if (!regex["rewrite"]) regex.missing("rewrite", "what to put in place of the match");
    rewrite.uri_regex = model::RegexRewrite{regex["match"].text(), regex["rewrite"].text()};
    const RE2 pattern(rewrite.uri_regex->match, RE2::Quiet);
    std::string problem;
    if (!pattern.ok()) {
      regex["match"].error(codes::kRegex, "found a regular expression that RE2 does not take: " + pattern.error());
    } else if (!pattern.CheckRewriteString(rewrite.uri_regex->rewrite, &problem)) {
      regex["rewrite"].error(codes::kRegex, "found a replacement that does not fit: " + problem,
                             "\\0 is the whole match, \\1 its first group");
    }
  }
  if (!rewrite.uri && !rewrite.authority && !rewrite.uri_regex)
    from.error(codes::kMissing, "found an empty rewrite, expected uri, uriRegexRewrite or authority");
  return rewrite;
}

}  // namespace weft::validation::virtual_service
