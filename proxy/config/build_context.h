// What builders need besides the resource: the static runtime, where stats go, who we are. Without registry and log writer (when
// only validating) the same is built, and nothing is opened or counted.
#pragma once
#include "proxy/filters/runtime.h"
#include "proxy/upstream/cluster_config.h"

#include <boost/asio/ip/address.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace weft::observe {
class Registry;
}
namespace weft::telemetry {
class LogWriter;
}

namespace envoy::config::core::v3 {
class Locality;
}

namespace weft::config {

struct BuildContext {
  const filters::Runtime& runtime;
  observe::Registry* registry = nullptr;
  telemetry::LogWriter* log_writer = nullptr;
  std::string local_cluster, local_node;  // node.cluster, node.id
  boost::asio::ip::address node_address;  // ForwardedOptions::node_address
  upstream::LocalityName locality = {};   // node.locality
  // For route configurations that ask for it (validate_clusters); unset: not checked.
  std::function<bool(std::string_view)> knows_cluster = {};
  // Names that the bootstrap took and xDS may not replace; unset: none.
  std::function<bool(std::string_view)> static_cluster = {};
  std::function<bool(std::string_view)> static_listener = {};
};

upstream::LocalityName locality_name(const envoy::config::core::v3::Locality& from);

}  // namespace weft::config
