#include "proxy/downstream/proxy_status.h"

#include <string>

namespace weft::downstream {
namespace {

using observe::ResponseFlag;

struct Meaning {
  ResponseFlag flag;
  std::string_view error;  // of the RFC's registry
  int recommended;         // the status; 0: none
};
// The first that is set counts: Envoy's order.
constexpr Meaning kMeanings[] = {
    {ResponseFlag::kFailedLocalHealthCheck, "destination_unavailable", 503},
    {ResponseFlag::kNoHealthyUpstream, "destination_unavailable", 503},
    {ResponseFlag::kUpstreamRequestTimeout, "http_response_timeout", 504},
    {ResponseFlag::kDurationTimeout, "connection_timeout", 504},
    {ResponseFlag::kLocalReset, "connection_timeout", 504},
    {ResponseFlag::kUpstreamRemoteReset, "connection_terminated", 502},
    {ResponseFlag::kUpstreamConnectionFailure, "connection_refused", 502},
    {ResponseFlag::kUnauthorizedExternalService, "connection_refused", 502},
    {ResponseFlag::kUpstreamConnectionTermination, "connection_terminated", 502},
    {ResponseFlag::kOverloadManagerTerminated, "connection_limit_reached", 503},
    {ResponseFlag::kDropOverload, "connection_limit_reached", 503},
    {ResponseFlag::kFaultInjected, "http_request_error", 0},
    {ResponseFlag::kDownstreamConnectionTermination, "connection_terminated", 502},
    {ResponseFlag::kDownstreamRemoteReset, "connection_terminated", 502},
    {ResponseFlag::kUpstreamOverflow, "connection_limit_reached", 503},
    {ResponseFlag::kNoRouteFound, "destination_not_found", 500},
    {ResponseFlag::kRateLimited, "connection_limit_reached", 503},
    {ResponseFlag::kRateLimitServiceError, "connection_limit_reached", 503},
    {ResponseFlag::kUpstreamRetryLimitExceeded, "destination_unavailable", 503},
    {ResponseFlag::kStreamIdleTimeout, "http_response_timeout", 504},
    {ResponseFlag::kInvalidEnvoyRequestHeaders, "http_request_error", 0},
    {ResponseFlag::kDownstreamProtocolError, "http_request_error", 0},
    {ResponseFlag::kUpstreamMaxStreamDurationReached, "http_response_timeout", 504},
    {ResponseFlag::kNoFilterConfigFound, "proxy_configuration_error", 500},
    {ResponseFlag::kUpstreamProtocolError, "http_protocol_error", 502},
    {ResponseFlag::kNoClusterFound, "destination_unavailable", 503},
    {ResponseFlag::kDnsResolutionFailed, "dns_error", 502},
};

}  // namespace

void tell_proxy_status(http::Head& head, const config::ProxyStatus& config, format::RequestInfo& info) {
  if (info.flags.empty()) return;
  const Meaning* found = nullptr;
  for (const Meaning& meaning : kMeanings)
    if (!found && info.flags.has(meaning.flag)) found = &meaning;
  if (!found) return;
  std::string scratch;
  std::string text(head.joined("proxy-status", scratch));
  if (!text.empty()) text += ", ";
  text.append(config.name).append("; error=").append(found->error);
  if (config.details && !info.response_code_details.empty()) {
    std::string details(info.response_code_details);
    if (config.flags) {
      details += "; ";
      info.flags.append_short(details);
    }
    text += "; details=\"";
    for (const char c : details) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  head.set("proxy-status", text);
  if (!config.recommended_code || found->recommended == 0) return;
  head.set_status(found->recommended);
  info.response_code = found->recommended;
}

}  // namespace weft::downstream
