// What the admin pages show and do, asked of whoever joins the rooms: the server implements it. All calls come on the
// control thread, which owns the listener of the admin pages.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::admin {

using WallTime = std::chrono::system_clock::time_point;

struct HostView {
  std::string address;  // "1.2.3.4:80"
  std::string hostname;
  uint64_t cx_active = 0, cx_connect_fail = 0, cx_total = 0;
  uint64_t rq_active = 0, rq_error = 0, rq_pending_active = 0, rq_success = 0, rq_timeout = 0, rq_total = 0;
  bool failed_active_hc = false, failed_outlier_check = false, excluded_via_immediate_hc_fail = false, active_hc_timeout = false;
  // EDS health: HEALTHY, UNHEALTHY, DRAINING, TIMEOUT, DEGRADED as in core.v3.HealthStatus (1..5; 0 counts as HEALTHY).
  int eds_health = 1;
  uint32_t weight = 1, priority = 0;
  std::string region, zone, sub_zone;
  bool canary = false;
  double success_rate = -1, local_origin_success_rate = -1;
};

struct BreakerView {
  uint32_t max_connections = 1024, max_pending_requests = 1024, max_requests = 1024, max_retries = 3;
};

struct ClusterView {
  std::string name, observability_name, eds_service_name;
  bool added_via_api = false;
  bool outlier_detection = false;
  BreakerView default_priority, high_priority;
  std::vector<HostView> hosts;
};

struct ListenerView {
  std::string name;
  std::vector<std::string> addresses;  // as bound: the real port where 0 was asked
};

// One resource as it was accepted (or refused).
struct ConfigEntry {
  enum class Kind : unsigned char { kCluster, kListener, kRoute, kEndpoint, kSecret, kExtension };
  enum class State : unsigned char { kActive, kWarming, kDraining };
  Kind kind = Kind::kCluster;
  State state = State::kActive;
  bool from_bootstrap = false;  // static
  std::string name;
  std::string type_url;  // with type.googleapis.com/
  std::string bytes;     // the message, serialised; empty when nothing was ever accepted
  std::string version;
  WallTime last_updated;
  // The last refusal after it, if any.
  std::string error_details, error_version, error_bytes;
  WallTime error_time;
};

// The scoped routes of one connection manager.
struct ScopedRoutesView {
  std::string name;
  bool inlined = false;             // written into the connection manager; else they came by SRDS
  std::vector<std::string> scopes;  // envoy.config.route.v3.ScopedRouteConfiguration, serialised
  std::string version;
  WallTime last_updated;
  // The last refusal after it, if any.
  std::string error_details, error_version;
  WallTime error_time;
};

struct ConfigView {
  std::string bootstrap_bytes;  // envoy.config.bootstrap.v3.Bootstrap
  WallTime bootstrap_time;
  std::string cds_version, lds_version;
  std::vector<ConfigEntry> entries;
  std::vector<ScopedRoutesView> scoped_routes;
};

// What /runtime shows.
struct RuntimeView {
  struct Entry {
    std::string key;
    std::vector<std::string> by_layer;  // empty where a layer has none
    std::string text;                   // what holds
  };
  std::vector<std::string> layers;
  std::vector<Entry> entries;
};

enum class ServerState : unsigned char { kLive, kDraining, kPreInitializing, kInitializing };

struct ServerView {
  std::string version;  // "<revision>/<version>/<status>/<build>/<ssl>"
  ServerState state = ServerState::kLive;
  std::chrono::seconds uptime{0};
  std::string node_bytes;     // envoy.config.core.v3.Node
  std::string options_bytes;  // envoy.admin.v3.CommandLineOptions
};

// An admin request that was answered, for the admin's access log.
struct ServedRequest {
  std::string_view method, target, protocol;  // "GET", "/stats?usedonly", "HTTP/1.1"
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::string client, local;  // addresses
  int status = 0;
  uint64_t body_received = 0, body_sent = 0;
  std::chrono::steady_clock::time_point began;
};

class AdminSource {
 public:
  virtual void note_request(const ServedRequest&) {}
  virtual ServerView server() = 0;
  virtual std::vector<ClusterView> clusters() = 0;
  virtual std::vector<ListenerView> listeners() = 0;
  virtual ConfigView config(bool with_endpoints) = 0;
  // What is not ready yet, by owner: ("listener web", {"RDS routes"}).
  virtual std::vector<std::pair<std::string, std::vector<std::string>>> unready() = 0;
  virtual RuntimeView runtime() = 0;
  // Sets the gauges that are cheaper to ask for than to keep (uptime, memory, remaining_*); before each /stats.
  virtual void refresh_stats() = 0;

  virtual void drain_listeners(bool graceful, bool skip_exit, bool inbound_only) = 0;
  virtual void fail_health_check(bool fail) = 0;
  virtual void reopen_logs() = 0;
  // Keys and their texts; an empty one takes the key out. Why not, if it cannot be done.
  virtual std::string modify_runtime(const std::vector<std::pair<std::string, std::string>>& texts) = 0;
  virtual void quit() = 0;  // called after the answer has left

 protected:
  ~AdminSource() = default;
};

}  // namespace weft::admin
