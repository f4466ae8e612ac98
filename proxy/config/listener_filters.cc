#include "proxy/config/listener_filters.h"

#include "common/observe/listener_filter_shapes.h"
#include "envoy/config/listener/v3/listener_components.pb.h"
#include "envoy/extensions/filters/listener/http_inspector/v3/http_inspector.pb.h"
#include "envoy/extensions/filters/listener/original_dst/v3/original_dst.pb.h"
#include "envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.pb.h"
#include "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb.h"

#include <google/protobuf/wrappers.pb.h>

#include <algorithm>

namespace weft::config {
namespace {

using filters::Where;
using PredicateProto = envoy::config::listener::v3::ListenerFilterChainMatchPredicate;
namespace listener = envoy::extensions::filters::listener;
namespace core = envoy::config::core::v3;

// The default namespace of Envoy's filter of that name.
constexpr std::string_view kProxyProtocolNamespace = "envoy.filters.listener.proxy_protocol";

PortPredicate predicate(const PredicateProto& from) {
  PortPredicate to;
  const auto all = [&to](PortPredicate::Kind kind, const PredicateProto::MatchSet& set) {
    to.kind = kind;
    for (const PredicateProto& one : set.rules()) to.inner.push_back(predicate(one));
  };
  switch (from.rule_case()) {
    case PredicateProto::kOrMatch: all(PortPredicate::Kind::kOr, from.or_match()); break;
    case PredicateProto::kAndMatch: all(PortPredicate::Kind::kAnd, from.and_match()); break;
    case PredicateProto::kNotMatch:
      to.kind = PortPredicate::Kind::kNot;
      to.inner.push_back(predicate(from.not_match()));
      break;
    case PredicateProto::kDestinationPortRange:
      to.kind = PortPredicate::Kind::kRange;
      to.from = from.destination_port_range().start();
      to.to = from.destination_port_range().end();
      break;
    default: break;
  }
  return to;
}

TlsInspector tls_inspector(const listener::tls_inspector::v3::TlsInspector& from, const BuildContext& context) {
  TlsInspector to;
  to.fingerprints = {from.enable_ja3_fingerprinting().value(), from.enable_ja4_fingerprinting().value()};
  if (from.has_max_client_hello_size()) to.max_hello = std::min<size_t>(to.max_hello, from.max_client_hello_size().value());
  to.close_on_error = from.close_connection_on_client_hello_parsing_errors();
  if (context.registry) to.stats = observe::tls_inspector_scope(*context.registry);
  return to;
}

ProxyProtocol proxy_protocol(const listener::proxy_protocol::v3::ProxyProtocol& from, const BuildContext& context) {
  using Pair = listener::proxy_protocol::v3::ProxyProtocol::KeyValuePair;
  ProxyProtocol to;
  to.optional = from.allow_requests_without_proxy_protocol();
  for (const int version : from.disallowed_versions()) to.allows[version == core::ProxyProtocolConfig::V1 ? 0 : 1] = false;
  for (const auto& rule : from.rules()) {
    ProxyProtocol::Rule one;
    one.type = static_cast<uint8_t>(rule.tlv_type());
    one.name_space = rule.on_tlv_present().metadata_namespace();
    if (one.name_space.empty()) one.name_space = kProxyProtocolNamespace;
    one.key = rule.on_tlv_present().key();
    if (rule.on_tlv_present().value_string_encoding() == Pair::BASE64) one.text = ProxyProtocol::Rule::Text::kBase64;
    if (rule.on_tlv_present().value_string_encoding() == Pair::SANITIZED_UTF8) one.text = ProxyProtocol::Rule::Text::kSanitized;
    to.rules.push_back(std::move(one));
  }
  if (context.registry) {
    to.stats = observe::proxy_protocol_scope(*context.registry, from.stat_prefix());
    to.total = observe::proxy_protocol_total_scope(*context.registry);
  }
  return to;
}

}  // namespace

bool PortPredicate::matches(uint16_t port) const {
  const auto holds = [port](const PortPredicate& one) { return one.matches(port); };
  switch (kind) {
    case Kind::kAny: return true;
    case Kind::kOr: return std::any_of(inner.begin(), inner.end(), holds);
    case Kind::kAnd: return std::all_of(inner.begin(), inner.end(), holds);
    case Kind::kNot: return !holds(inner.front());
    case Kind::kRange: return from <= port && port < to;
  }
  return false;
}

ListenerFilter build_listener_filter(const envoy::config::listener::v3::ListenerFilter& from, const BuildContext& context,
                                     const Where& where) {
  ListenerFilter to;
  const google::protobuf::Any& any = from.typed_config();
  listener::tls_inspector::v3::TlsInspector tls;
  listener::http_inspector::v3::HttpInspector http;
  listener::proxy_protocol::v3::ProxyProtocol proxy;
  if (any.UnpackTo(&tls)) {
    to.of = tls_inspector(tls, context);
  } else if (any.UnpackTo(&http)) {
    to.of = HttpInspector{context.registry ? observe::http_inspector_scope(*context.registry) : nullptr};
  } else if (any.UnpackTo(&proxy)) {
    to.of = proxy_protocol(proxy, context);
  } else if (!any.Is<listener::original_dst::v3::OriginalDst>()) {
    Where(where, "typed_config").fail("is required");
  }
  if (from.has_filter_disabled()) to.disabled = std::make_shared<const PortPredicate>(predicate(from.filter_disabled()));
  return to;
}

}  // namespace weft::config
