#include "controlplane/translate/inspectors.h"

#include "controlplane/translate/messages.h"

#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/listener/http_inspector/v3/http_inspector.pb.h"
#include "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb.h"

#include <algorithm>

namespace weft::translate {
namespace {

namespace listener = envoy::config::listener::v3;
namespace filters = envoy::extensions::filters::listener;

constexpr uint32_t kFirstRead = 512;  // most first flights end there

bool asks_for_tls(const listener::FilterChainMatch& match) { return match.transport_protocol() == kTls || match.server_names_size() > 0; }
bool asks_for_http(const listener::FilterChainMatch& match) {
  return std::any_of(match.application_protocols().begin(), match.application_protocols().end(),
                     [](const std::string& name) { return std::find(kPlainHttp.begin(), kPlainHttp.end(), name) != kPlainHttp.end(); });
}

void set_ports(listener::ListenerFilterChainMatchPredicate& out, const std::vector<uint32_t>& ports) {
  auto set = [](listener::ListenerFilterChainMatchPredicate& rule, uint32_t port) {
    rule.mutable_destination_port_range()->set_start(static_cast<int32_t>(port));
    rule.mutable_destination_port_range()->set_end(static_cast<int32_t>(port) + 1);
  };
  if (ports.size() == 1) return set(out, ports.front());
  for (uint32_t port : ports) set(*out.mutable_or_match()->add_rules(), port);
}

template <class Asks>
void add(Listener& out, std::string_view name, const google::protobuf::Message& config, Asks asks) {
  std::map<uint32_t, bool> wanted;  // by destination port; 0: all that no chain names
  for (const auto& chain : out.filter_chains()) {
    bool& port = wanted[chain.filter_chain_match().destination_port().value()];
    port = port || asks(chain.filter_chain_match());
  }
  if (std::none_of(wanted.begin(), wanted.end(), [](const auto& one) { return one.second; })) return;
  const bool by_default = wanted[0];
  std::vector<uint32_t> others;
  for (const auto& [port, want] : wanted)
    if (want != by_default) others.push_back(port);
  auto* filter = out.add_listener_filters();
  filter->set_name(std::string(name));
  pack(*filter->mutable_typed_config(), config);
  if (others.empty()) return;
  auto* off = filter->mutable_filter_disabled();
  set_ports(by_default ? *off : *off->mutable_not_match(), others);
}

}  // namespace

void add_inspectors(Listener& out) {
  filters::tls_inspector::v3::TlsInspector tls;
  tls.mutable_initial_read_buffer_size()->set_value(kFirstRead);
  add(out, "envoy.filters.listener.tls_inspector", tls, asks_for_tls);
  // After the other: what is TLS it leaves alone.
  add(out, "envoy.filters.listener.http_inspector", filters::http_inspector::v3::HttpInspector(), asks_for_http);
}

void wait_for_inspectors(Listener& out) {
  out.mutable_listener_filters_timeout();  // 0s: as long as it takes
  out.set_continue_on_listener_filters_timeout(true);
}

}  // namespace weft::translate
