// What builders need besides the resource: the runtime, where stats go, who we are. Without registry and log writer (when
// only validating) the same is built, and nothing is opened or counted.
#pragma once
#include "proxy/filters/runtime.h"
#include "proxy/upstream/cluster_config.h"

#include <boost/asio/ip/address.hpp>

#include <functional>
#include <memory>
#include <optional>
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

// A filter's configuration as ECDS brought it: the message's full name and its bytes.
struct Extension {
  std::string type, bytes;
  uint64_t hash = 0;
};

struct BuildContext {
  const filters::Runtime& runtime;
  observe::Registry* registry = nullptr;
  telemetry::LogWriter* log_writer = nullptr;
  std::string local_cluster, local_node;  // node.cluster, node.id
  boost::asio::ip::address node_address;  // ForwardedOptions::node_address
  upstream::LocalityName locality = {};   // node.locality
  // For route configurations that ask for it (validate_clusters); unset: not checked.
  std::function<bool(std::string_view)> knows_cluster = {};
  // What ECDS has brought under that name; null, or unset: nothing.
  std::function<std::shared_ptr<const Extension>(std::string_view)> extension = {};
  // What clusters do that say nothing of their own: typed_dns_resolver_config and cluster_manager.upstream_bind_config.
  resolve::Options resolver = {};
  std::optional<net::BindOptions> bind = {};
  // Names that the bootstrap took and xDS may not replace; unset: none.
  std::function<bool(std::string_view)> static_cluster = {};
  std::function<bool(std::string_view)> static_listener = {};
};

upstream::LocalityName locality_name(const envoy::config::core::v3::Locality& from);

}  // namespace weft::config
