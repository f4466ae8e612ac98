// What listener filters count: how connections begin. Envoy's names.
#pragma once
#include "common/observe/shapes.h"

namespace weft::observe {

// tls_inspector.: ClientHellos.
#define WEFT_TLS_INSPECTOR_STATS(X)                                  \
  X(kAlpnFound, "alpn_found", kCounter, false)                       \
  X(kAlpnNotFound, "alpn_not_found", kCounter, false)                \
  X(kClientHelloTooLarge, "client_hello_too_large", kCounter, false) \
  X(kSniFound, "sni_found", kCounter, false)                         \
  X(kSniNotFound, "sni_not_found", kCounter, false)                  \
  X(kTlsFound, "tls_found", kCounter, false)                         \
  X(kTlsNotFound, "tls_not_found", kCounter, false)                  \
  X(kBytesProcessed, "bytes_processed", kHistogram, false)
WEFT_STAT_ENUM(TlsInspectorStat, WEFT_TLS_INSPECTOR_STATS)
extern const Shape kTlsInspectorShape;  // "tls_inspector"

// http_inspector.: HTTP in plain text.
#define WEFT_HTTP_INSPECTOR_STATS(X)                  \
  X(kHttp10Found, "http10_found", kCounter, false)    \
  X(kHttp11Found, "http11_found", kCounter, false)    \
  X(kHttp2Found, "http2_found", kCounter, false)      \
  X(kHttpNotFound, "http_not_found", kCounter, false) \
  X(kReadError, "read_error", kCounter, false)
WEFT_STAT_ENUM(HttpInspectorStat, WEFT_HTTP_INSPECTOR_STATS)
extern const Shape kHttpInspectorShape;  // "http_inspector"

// proxy_proto.[<stat_prefix>.]: headers of the PROXY protocol.
#define WEFT_PROXY_PROTOCOL_STATS(X)                              \
  X(kNotFoundAllowed, "not_found_allowed", kCounter, false)       \
  X(kNotFoundDisallowed, "not_found_disallowed", kCounter, false) \
  X(kV1Disallowed, "versions.v1.disallowed", kCounter, false)     \
  X(kV1Error, "versions.v1.error", kCounter, false)               \
  X(kV1Found, "versions.v1.found", kCounter, false)               \
  X(kV2Disallowed, "versions.v2.disallowed", kCounter, false)     \
  X(kV2Error, "versions.v2.error", kCounter, false)               \
  X(kV2Found, "versions.v2.found", kCounter, false)
WEFT_STAT_ENUM(ProxyProtocolStat, WEFT_PROXY_PROTOCOL_STATS)
extern const Shape kProxyProtocolShape;  // "proxy_proto"

// Without a prefix: the name that dashboards older than the ones above know.
#define WEFT_PROXY_PROTOCOL_TOTAL_STATS(X) X(kErrors, "downstream_cx_proxy_proto_error", kCounter, false)
WEFT_STAT_ENUM(ProxyProtocolTotalStat, WEFT_PROXY_PROTOCOL_TOTAL_STATS)
extern const Shape kProxyProtocolTotalShape;  // ""

std::shared_ptr<Scope> tls_inspector_scope(Registry& registry);
std::shared_ptr<Scope> http_inspector_scope(Registry& registry);
std::shared_ptr<Scope> proxy_protocol_scope(Registry& registry, std::string_view own_prefix);
std::shared_ptr<Scope> proxy_protocol_total_scope(Registry& registry);

}  // namespace weft::observe
