// upstream_bind_config and tcp_keepalive as values: how sockets to hosts are made.
#pragma once
#include "common/net/connect_options.h"
#include "proxy/filters/where.h"

#include <google/protobuf/repeated_field.h>

#include <optional>
#include <vector>

namespace envoy::config::core::v3 {
class BindConfig;
class SocketOption;
class TcpKeepalive;
}  // namespace envoy::config::core::v3

namespace weft::config {

using filters::Where;

// Of sockets to hosts; `where` is the message that holds `socket_options`.
std::vector<net::SocketOption> socket_options(const google::protobuf::RepeatedPtrField<envoy::config::core::v3::SocketOption>& from,
                                              const Where& where);
// Nothing after a complaint.
std::optional<net::BindOptions> bind_options(const envoy::config::core::v3::BindConfig& from, const Where& where);
net::TcpKeepalive tcp_keepalive(const envoy::config::core::v3::TcpKeepalive& from);

}  // namespace weft::config
