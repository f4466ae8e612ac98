// The bootstrap file: what the process starts with. Reads Envoy's v3 bootstrap (YAML or JSON), lists every problem at once, and
// gives plain values. The message itself is kept as bytes for /config_dump.
#pragma once
#include "common/base/diagnostic.h"
#include "common/net/connect_options.h"
#include "common/net/stream.h"
#include "common/resolve/options.h"
#include "proxy/config/update.h"
#include "proxy/dns_proxy/dns_proxy.h"
#include "proxy/runtime/runtime.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace envoy::config::core::v3 {
class Node;
}
namespace weft::observe {
class Registry;
}
namespace weft::telemetry {
class AccessLog;
class LogWriter;
}  // namespace weft::telemetry

namespace weft::config {

using runtime::Runtime;

// What the command line says about the bootstrap.
struct BootstrapSources {
  std::string path;                                         // -c
  std::string inline_yaml;                                  // --config-yaml, merged over the file: single fields win, lists are appended
  std::string service_node, service_cluster, service_zone;  // override node.id, node.cluster, node.locality.zone
  bool allow_unknown_static_fields = false;
};

// What static resources need of the process. Without (only validating) nothing is opened or counted.
struct BootstrapServices {
  observe::Registry* registry = nullptr;
  telemetry::LogWriter* log_writer = nullptr;
  boost::asio::ip::address node_address;  // see routing::ForwardedOptions
};

// Where a kind of resource comes from.
struct ConfigSource {
  enum class Kind : uint8_t { kNone, kAds, kPath };
  Kind kind = Kind::kNone;
  std::string path;                                         // kPath: a file with a DiscoveryResponse (YAML, JSON; .pb: binary)
  std::string watched_directory;                            // kPath: react to moves in this folder instead of to the file itself
  std::chrono::milliseconds initial_fetch_timeout{15'000};  // 0: wait for ever
};

// A layer of the runtime that is not written into the bootstrap.
struct RuntimeSource {
  enum class Kind : uint8_t { kStatic, kDisk, kAdmin, kRtds };
  Kind kind = Kind::kStatic;
  size_t layer = 0;          // of Bootstrap::runtime
  std::string link, folder;  // kDisk: when the link is moved, the folder is read again
  std::string name;          // kRtds: of the resource
  ConfigSource source;       // kRtds
};

// dynamic_resources.ads_config.
struct AdsConfig {
  bool delta = false;
  std::string cluster;                                        // of the bootstrap's static clusters
  std::string authority;                                      // :authority; the cluster's name unless set
  std::vector<std::pair<std::string, std::string>> metadata;  // sent on the stream
  bool node_on_first_message_only = false;
  std::chrono::milliseconds backoff_base{500};
  std::chrono::milliseconds backoff_max{30'000};
};

struct Admin {
  net::Endpoint address;
  std::vector<std::shared_ptr<telemetry::AccessLog>> access_logs;
};

struct Bootstrap {
  std::shared_ptr<const envoy::config::core::v3::Node> node;  // with what the command line overrides; user agent filled in
  std::string bytes;  // envoy.config.bootstrap.v3.Bootstrap, serialised, as loaded (node overrides included)
  Update statics;     // static clusters, their endpoints and listeners
  ConfigSource lds, cds;
  std::optional<AdsConfig> ads;
  std::optional<Admin> admin;
  std::optional<dns_proxy::Options> dns;                           // node.metadata.DNS_CAPTURE
  std::shared_ptr<Runtime> runtime = std::make_shared<Runtime>();  // changes while the process runs
  std::vector<RuntimeSource> runtime_sources;
  resolve::Options resolver;             // how names are resolved where a cluster does not say
  std::optional<net::BindOptions> bind;  // cluster_manager.upstream_bind_config
  Diagnostics warnings;
};

// Loads and builds everything; opens nothing. On failure `problems` holds every error and the result is null.
std::unique_ptr<const Bootstrap> load_bootstrap(const BootstrapSources& sources, Diagnostics& problems,
                                                const BootstrapServices& services = {});

}  // namespace weft::config
