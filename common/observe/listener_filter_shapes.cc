#include "common/observe/listener_filter_shapes.h"

#include <algorithm>

namespace weft::observe {
namespace {

#define WEFT_LISTENER_FILTER_ROW(id, name, kind, lazy) Metric{name, Kind::kind, lazy},
constexpr Metric kTlsInspectorStatTable[] = {WEFT_TLS_INSPECTOR_STATS(WEFT_LISTENER_FILTER_ROW)};
constexpr Metric kHttpInspectorStatTable[] = {WEFT_HTTP_INSPECTOR_STATS(WEFT_LISTENER_FILTER_ROW)};
constexpr Metric kProxyProtocolStatTable[] = {WEFT_PROXY_PROTOCOL_STATS(WEFT_LISTENER_FILTER_ROW)};
constexpr Metric kProxyProtocolTotalStatTable[] = {WEFT_PROXY_PROTOCOL_TOTAL_STATS(WEFT_LISTENER_FILTER_ROW)};

}  // namespace

const Shape kTlsInspectorShape = make_shape("tls_inspector", kTlsInspectorStatTable);
const Shape kHttpInspectorShape = make_shape("http_inspector", kHttpInspectorStatTable);
const Shape kProxyProtocolShape = make_shape("proxy_proto", kProxyProtocolStatTable);
const Shape kProxyProtocolTotalShape = make_shape("", kProxyProtocolTotalStatTable);

std::shared_ptr<Scope> tls_inspector_scope(Registry& registry) { return registry.scope(kTlsInspectorShape, "tls_inspector."); }
std::shared_ptr<Scope> http_inspector_scope(Registry& registry) { return registry.scope(kHttpInspectorShape, "http_inspector."); }
std::shared_ptr<Scope> proxy_protocol_scope(Registry& registry, std::string_view own_prefix) {
  std::string clean(own_prefix);
  std::replace(clean.begin(), clean.end(), ':', '_');
  if (clean.empty()) return registry.scope(kProxyProtocolShape, "proxy_proto.");
  return registry.scope(kProxyProtocolShape, "proxy_proto." + clean + ".", {{"envoy_proxy_protocol_prefix", clean}});
}
std::shared_ptr<Scope> proxy_protocol_total_scope(Registry& registry) { return registry.scope(kProxyProtocolTotalShape, ""); }

}  // namespace weft::observe
