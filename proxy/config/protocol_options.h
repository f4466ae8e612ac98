// Durations, addresses and HTTP protocol options: what listeners and clusters read alike.
#pragma once
#include "common/http/codec.h"
#include "common/net/stream.h"
#include "proxy/filters/where.h"
#include "proxy/routing/forwarded.h"

#include <chrono>
#include <optional>

namespace google::protobuf {
class Duration;
class UInt32Value;
}  // namespace google::protobuf
namespace envoy::config::core::v3 {
class Address;
class CidrRange;
class ConfigSource;
class Http1ProtocolOptions;
class Http2ProtocolOptions;
}  // namespace envoy::config::core::v3

namespace weft::config {

using filters::Where;

// Rounded up, so that a time above zero never becomes "none"; bounded by ten years.
std::chrono::milliseconds milliseconds(const google::protobuf::Duration& from);

// An IP address and port; nothing after a complaint.
std::optional<net::Endpoint> endpoint(const envoy::config::core::v3::Address& from, const Where& where);

// A CidrRange; nothing after a complaint.
std::optional<routing::AddressRange> address_range(const envoy::config::core::v3::CidrRange& from, const Where& where);

void read_http1(const envoy::config::core::v3::Http1ProtocolOptions& from, http::Http1Options& to, const Where& where);
void read_http2(const envoy::config::core::v3::Http2ProtocolOptions& from, http::Http2Options& to, const Where& where);
void set_buffer_limit(uint32_t bytes, http::Http1Options& http1, http::Http2Options& http2);

struct ConfigSource;
std::optional<ConfigSource> config_source(const envoy::config::core::v3::ConfigSource& from, const Where& where);

}  // namespace weft::config
