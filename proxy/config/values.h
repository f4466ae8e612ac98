// What a listener resource becomes: immutable values without proto, shared by all workers. Clusters become
// upstream::ClusterConfig and upstream::EndpointSet, route configurations routing::RouteTable.
#pragma once
#include "common/http/codec.h"
#include "common/net/stream.h"
#include "proxy/config/local_reply.h"
#include "proxy/filters/filter.h"
#include "proxy/routing/forwarded.h"
#include "proxy/routing/route_table.h"
#include "proxy/routing/scopes.h"
#include "proxy/upstream/cluster_config.h"
#include "proxy/upstream/endpoint_set.h"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace weft::telemetry {
class AccessLog;
}

namespace weft::config {

using Milliseconds = std::chrono::milliseconds;

// A filter of a chain whose configuration comes under a name of its own (config_discovery). The chain is built with what is known
// of it by then, and built anew when it comes.
struct ExtensionRef {
  std::string name;
  std::string path, watched_directory;  // a file; empty: over ADS
  std::vector<std::string> types;       // full names of the messages that it may be; empty: any
  Milliseconds fetch_timeout{15'000};
  bool awaited = true;  // the listener warms until it is there
};

// config.route.v3.ScopedRouteConfiguration: the route configuration that requests of one key take.
struct Scope {
  std::string name;
  std::string key;                                    // as routing::ScopeKeyBuilder makes it of a request
  std::string rds_name;                               // the route configuration's, or
  std::shared_ptr<const routing::RouteTable> routes;  // itself
  std::string path;                                   // of the file that it came from; empty: over ADS
  uint64_t hash = 0;
};
// Of one connection manager, or of all that are fed from one place, by key.
using ScopeTable = std::map<std::string, std::shared_ptr<const Scope>>;

// HttpConnectionManager.ScopedRoutes.
struct ScopedRoutes {
  std::string name;
  routing::ScopeKeyBuilder key;
  std::shared_ptr<const ScopeTable> scopes;  // null: they come by SRDS
  std::vector<std::string> sources;          // the messages that `scopes` was made of, and when that was
  std::chrono::system_clock::time_point made = std::chrono::system_clock::now();
  // Of SRDS.
  std::string path, watched_directory;  // a file; empty: over ADS
  Milliseconds fetch_timeout{15'000};
};

// HttpConnectionManager.ProxyStatusConfig: the header proxy-status (RFC 9209) of what went wrong here.
struct ProxyStatus {
  std::string name;  // of this proxy
  bool details = true, flags = true;
  bool recommended_code = false;  // the status is the one that the RFC recommends
};

// envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager. A zero duration means: off.
struct HttpConnectionManager {
  enum class Codec : uint8_t { kAuto, kHttp1, kHttp2 };
  enum class ServerHeader : uint8_t { kOverwrite, kAppendIfAbsent, kPassThrough };
  enum class UnderscoreHeaders : uint8_t { kAllow, kRejectRequest, kDropHeader };  // headers whose names hold "_"

  std::string stat_prefix;
  Codec codec = Codec::kAuto;
  http::Http1Options http1;
  http::Http2Options http2;
  // The routes themselves, or the name under which RDS delivers them.
  std::shared_ptr<const routing::RouteTable> routes;
  std::string rds_name;
  std::shared_ptr<const ScopedRoutes> scoped;  // in place of these two
  std::string rds_path, rds_directory;         // a file that brings route configurations; empty: over ADS
  Milliseconds rds_fetch_timeout{15'000};      // initial_fetch_timeout of its config source; 0: wait for ever
  filters::ChainPlan chain;
  std::vector<std::pair<std::string, filters::ChainPlan>> upgrade_chains;  // upgrade_configs.filters, by type
  std::vector<ExtensionRef> extensions;
  std::vector<std::shared_ptr<telemetry::AccessLog>> access_logs;

  std::string server_name = "envoy";
  ServerHeader server_header = ServerHeader::kOverwrite;
  std::shared_ptr<const routing::Upgrades> upgrades;    // null: none
  routing::ForwardedOptions forwarded;                  // x-forwarded-*, x-request-id, via, sanitising, path normalisation
  std::vector<routing::HeaderStep> early_mutations;     // before anything looks at the request
  bool match_upstream_scheme = false;                   // scheme_header_transformation.match_upstream
  std::shared_ptr<const LocalReplyConfig> local_reply;  // null: as they are
  std::shared_ptr<const ProxyStatus> proxy_status;      // null: not told
  bool log_new_requests = false;                        // access_log_options.flush_access_log_on_new_request
  bool log_tunnels = false;                             // access_log_options.flush_log_on_tunnel_successfully_established
  Milliseconds log_interval{0};                         // access_log_options.access_log_flush_interval
  bool proxy_100_continue = false;
  bool always_set_request_id_in_response = false;

  Milliseconds idle_timeout{3'600'000};  // common_http_protocol_options
  Milliseconds max_connection_duration{0};
  double max_connection_duration_jitter = 0;        // percent: up to so much longer
  bool http1_safe_max_connection_duration = false;  // HTTP/1: the next answer says that the connection closes
  uint32_t max_requests_per_connection = 0;         // 0: no limit
  UnderscoreHeaders underscore_headers = UnderscoreHeaders::kAllow;
  Milliseconds max_stream_duration{0};
  Milliseconds stream_idle_timeout{300'000};
  std::optional<Milliseconds> stream_flush_timeout;  // nothing: as stream_idle_timeout
  Milliseconds request_timeout{0};
  Milliseconds request_headers_timeout{0};
  Milliseconds drain_timeout{5'000};
  double drain_timeout_jitter = 0;  // percent
  Milliseconds delayed_close_timeout{1'000};
};

// envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.
struct TcpProxy {
  struct Destination {
    std::string cluster;
    uint32_t weight = 1;
  };
  std::string stat_prefix;
  std::vector<Destination> destinations;  // one, or weighted_clusters
  uint32_t total_weight = 1;
  Milliseconds idle_timeout{3'600'000};
  uint32_t max_connect_attempts = 1;
  bool hash_source_ip = false;  // hash_policy, for clusters that hash
  std::vector<std::shared_ptr<telemetry::AccessLog>> access_logs;
};

struct FilterChain {
  std::string name;
  std::variant<std::shared_ptr<const HttpConnectionManager>, std::shared_ptr<const TcpProxy>> terminal;
};

// envoy.config.listener.v3.Listener. One filter chain, without match criteria, until captured traffic needs more.
struct Listener {
  std::string name;
  std::string stat_prefix;  // "127.0.0.1_80" unless the resource names one
  net::Endpoint address;    // port 0: the kernel's choice
  uint32_t buffer_limit = 1 << 20;
  uint32_t backlog = 4096;
  bool inbound = false;  // traffic_direction INBOUND
  FilterChain chain;
  uint64_t hash = 0;                                    // of the resource's bytes: an equal one changes nothing
  std::shared_ptr<const std::string> source = nullptr;  // those bytes, if it is to be built anew for an extension's sake
};

}  // namespace weft::config
