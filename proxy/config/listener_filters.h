// What a listener asks of a connection before it knows which filter chain serves it (listener_filters), as values.
#pragma once
#include "common/net/first_bytes/client_hello.h"
#include "proxy/config/build_context.h"
#include "proxy/filters/where.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace envoy::config::listener::v3 {
class ListenerFilter;
class ListenerFilterChainMatchPredicate;
}  // namespace envoy::config::listener::v3
namespace weft::observe {
class Scope;
}

namespace weft::config {

// ListenerFilterChainMatchPredicate: of which destination ports.
struct PortPredicate {
  enum class Kind : uint8_t { kAny, kOr, kAnd, kNot, kRange };
  Kind kind = Kind::kAny;
  std::vector<PortPredicate> inner;
  int32_t from = 0, to = 0;  // kRange: from <= port < to
  bool matches(uint16_t port) const;
};

struct OriginalDst {};

struct TlsInspector {
  net::Fingerprints fingerprints;
  size_t max_hello = net::kMaxClientHello;
  bool close_on_error = false;
  std::shared_ptr<observe::Scope> stats;  // observe::TlsInspectorStat; null: not counted
};

struct HttpInspector {
  std::shared_ptr<observe::Scope> stats;  // observe::HttpInspectorStat
};

struct ProxyProtocol {
  // A TLV that goes into the connection's dynamic metadata.
  struct Rule {
    enum class Text : uint8_t { kRaw, kSanitized, kBase64 };
    uint8_t type = 0;
    std::string name_space, key;
    Text text = Text::kRaw;
  };
  bool optional = false;          // allow_requests_without_proxy_protocol
  bool allows[2] = {true, true};  // versions 1 and 2
  std::vector<Rule> rules;
  std::shared_ptr<observe::Scope> stats, total;  // observe::ProxyProtocolStat, ProxyProtocolTotalStat
};

struct ListenerFilter {
  std::variant<OriginalDst, TlsInspector, HttpInspector, ProxyProtocol> of;
  std::shared_ptr<const PortPredicate> disabled = nullptr;  // where it is skipped; null: nowhere
};

ListenerFilter build_listener_filter(const envoy::config::listener::v3::ListenerFilter& from, const BuildContext& context,
                                     const filters::Where& where);

}  // namespace weft::config
