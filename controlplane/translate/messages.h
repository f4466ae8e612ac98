// The few protobuf phrases that every translator repeats.
#pragma once
#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>

#include <chrono>
#include <string>
#include <string_view>

namespace weft::translate {

inline void set_duration(google::protobuf::Duration& out, std::chrono::milliseconds value) {
  out.set_seconds(value.count() / 1000);
  out.set_nanos(static_cast<int32_t>(value.count() % 1000) * 1'000'000);
}

// `address`: an IP or a host name; "unix://PATH" needs no port, and "@" in front of its path makes it abstract.
inline void set_address(envoy::config::core::v3::Address& out, const std::string& address, uint32_t port) {
  if (address.starts_with("unix://")) return out.mutable_pipe()->set_path(address.substr(7));
  out.mutable_socket_address()->set_address(address);
  out.mutable_socket_address()->set_port_value(port);
}

// From the stream that carries everything else, for as long as it takes.
inline void set_ads(envoy::config::core::v3::ConfigSource& out) {
  out.mutable_ads();
  out.mutable_initial_fetch_timeout();
  out.set_resource_api_version(envoy::config::core::v3::V3);
}

// Equal messages give equal bytes, in every process.
std::string serialise(const google::protobuf::Message& message);

inline void pack(google::protobuf::Any& out, const google::protobuf::Message& message) {
  out.set_type_url("type.googleapis.com/" + message.GetDescriptor()->full_name());
  out.set_value(serialise(message));
}

}  // namespace weft::translate
