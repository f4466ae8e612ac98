// config.listener.v3.Listener -> config::Listener: its filter chains, each with a connection manager or a TCP proxy.
#pragma once
#include "proxy/config/build_context.h"
#include "proxy/config/protocol_options.h"
#include "proxy/config/values.h"

#include <memory>

namespace envoy::config::listener::v3 {
class Filter;
class FilterChain;
class Listener;
}  // namespace envoy::config::listener::v3
namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class HttpConnectionManager;
}

namespace weft::config {

// Each: null after a complaint. `hash` is that of the resource's bytes.
std::shared_ptr<const Listener> build_listener(const envoy::config::listener::v3::Listener& from, uint64_t hash,
                                               const BuildContext& context, const Where& where);
std::shared_ptr<const HttpConnectionManager> build_connection_manager(
    const envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager& from, uint32_t buffer_limit,
    const BuildContext& context, const Where& where, filters::NetworkFilters before = {});
// The last filter of a chain where it is no connection manager: a TcpProxy, or what else serves bytes as they are. `where`: its
// typed_config.
std::shared_ptr<const TcpProxy> build_raw_terminal(const envoy::config::listener::v3::Filter& from, const BuildContext& context,
                                                   const Where& where, filters::NetworkFilters before = {});
// `where`: the chain.
filters::NetworkFilters network_filters_before_last(const envoy::config::listener::v3::FilterChain& from, const BuildContext& context,
                                                    const Where& where);

}  // namespace weft::config
