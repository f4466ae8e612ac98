// What a listener resource becomes: immutable values without proto, shared by all workers. Clusters become
// upstream::ClusterConfig and upstream::EndpointSet, route configurations routing::RouteTable.
#pragma once
#include "common/http/codec.h"
#include "common/net/listener_socket.h"
#include "common/net/stream.h"
#include "proxy/config/filter_chain_index.h"
#include "proxy/config/listener_filters.h"
#include "proxy/config/local_reply.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/network/network_filter.h"
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

namespace weft::format {
class Formatter;
}
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
  filters::NetworkFilters before;  // network filters that stand before this one
};

// TcpProxy.TunnelingConfig: the client's bytes go to the host inside of a CONNECT (or a POST).
struct TcpTunnel {
  std::shared_ptr<const format::Formatter> hostname;  // what is asked for: "host:port"
  std::optional<std::string> post_path;               // set: POST, to this path
  std::vector<routing::HeaderToAdd> headers;
};

// envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, or another filter that serves a connection's bytes as they are. A zero
// duration means: off.
struct TcpProxy {
  enum class Serves : uint8_t { kCluster, kEcho, kDirectResponse };
  struct Destination {
    std::string cluster;
    uint32_t weight = 1;
  };
  Serves serves = Serves::kCluster;
  std::string response;                   // of kDirectResponse; all that follows is tcp_proxy's
  std::string stat_prefix;                // empty: no stats of its own
  std::vector<Destination> destinations;  // one, or weighted_clusters
  uint32_t total_weight = 1;
  Milliseconds idle_timeout{3'600'000};
  Milliseconds max_connection_duration{0};
  double duration_jitter = 0;  // percent that is added at random
  uint32_t max_connect_attempts = 1;
  Milliseconds backoff_base{0}, backoff_max{0};  // between attempts
  bool hash_source_ip = false;                   // hash_policy, for clusters that hash
  std::shared_ptr<const TcpTunnel> tunnel;       // null: straight to the host
  bool log_on_connected = false;                 // access_log_options.flush_access_log_on_connected
  Milliseconds log_interval{0};                  // access_log_options.access_log_flush_interval
  std::vector<std::shared_ptr<telemetry::AccessLog>> access_logs;
  filters::NetworkFilters before;  // those that stand before this one
};

struct FilterChain {
  std::string name;
  std::string key;  // which connections it is for: in the listener's next configuration, the chain of the same key takes them over
  std::variant<std::shared_ptr<const HttpConnectionManager>, std::shared_ptr<const TcpProxy>> terminal;
};

// envoy.config.listener.v3.Listener.
struct Listener {
  std::string name;
  std::string stat_prefix;                  // "127.0.0.1_80" unless the resource names one
  std::vector<net::ListeningPlace> places;  // its address, and the additional ones; port 0: the kernel's choice
  bool bound = true;                        // bind_to_port; else it gets what others hand it
  bool hands_over = false;                  // use_original_dst: redirected connections go to the listener of their destination
  uint32_t buffer_limit = 1 << 20;
  uint32_t backlog = 4096;
  uint32_t accepts_per_event = 64;       // max_connections_to_accept_per_socket_event
  bool exact_balance = false;            // connection_balance_config: each new connection goes to the worker that has the fewest
  bool inbound = false;                  // traffic_direction INBOUND
  bool drains_on_health_failure = true;  // drain_type DEFAULT: POST /healthcheck/fail ends its connections too

  std::vector<ListenerFilter> filters;
  Milliseconds filters_timeout{15'000};  // 0: none
  bool continues_on_timeout = false;

  std::vector<FilterChain> chains;  // never empty
  std::optional<size_t> default_chain;
  FilterChainIndex index;  // of those with a match
  bool takes_any = false;  // one chain, for whatever comes: nobody looks at a connection first
  std::vector<std::shared_ptr<telemetry::AccessLog>> access_logs;
  std::vector<ExtensionRef> extensions;                 // of all its connection managers
  uint64_t hash = 0;                                    // of the resource's bytes: an equal one changes nothing
  std::shared_ptr<const std::string> source = nullptr;  // those bytes, if it is to be built anew for an extension's sake

  const net::Endpoint& address() const { return places.front().endpoint; }
  // The number of the chain that serves such a connection; nothing if none does.
  std::optional<size_t> chain_for(const net::ConnectionFacts& facts) const {
    if (takes_any) return 0;
    if (const auto found = index.find(facts)) return *found;
    return default_chain;
  }
};

// Calls `call` with each connection manager of the listener.
template <class Call>
void for_each_manager(const Listener& listener, Call call) {
  for (const FilterChain& chain : listener.chains)
    if (const auto* manager = std::get_if<std::shared_ptr<const HttpConnectionManager>>(&chain.terminal); manager && *manager)
      call(**manager);
}

}  // namespace weft::config
