// One more filter in a connection manager's chain.
#pragma once
#include "controlplane/translate/messages.h"

#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

namespace weft::translate {

inline void add_filter(envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager& out, std::string_view name,
                       const google::protobuf::Message& config) {
  auto* filter = out.add_http_filters();
  filter->set_name(std::string(name));
  pack(*filter->mutable_typed_config(), config);
}

}  // namespace weft::translate
