// DestinationRule as validation left it. The customer's trafficPolicy.circuitBreaker has become outlier_detection already.
#pragma once
#include "controlplane/model/values.h"

namespace weft::model {

enum class LoadBalancer : unsigned char { kLeastRequest, kRoundRobin, kRandom };

// Requests that are alike in something go to one endpoint. Stands in place of a LoadBalancer.
struct ConsistentHash {
  enum class By : unsigned char { kHeader, kCookie, kSourceIp, kQueryParam };
  By by = By::kHeader;
  std::string name;                                                    // of the header, cookie or parameter
  std::string cookie_path;                                             // kCookie
  std::optional<Duration> cookie_ttl;                                  // kCookie: made where there is none; 0: for the session
  std::vector<std::pair<std::string, std::string>> cookie_attributes;  // of one that is made
  bool maglev = false;
  uint64_t ring_size = 1024;           // at least; not maglev
  std::optional<uint64_t> table_size;  // maglev
};

struct Http2KeepAlive {
  std::optional<Duration> interval, timeout;
};
struct ConnectionPool {
  std::optional<uint32_t> max_connections;
  std::optional<Duration> connect_timeout;
  std::optional<uint32_t> http1_max_pending_requests, http2_max_requests, max_retries, max_requests_per_connection;
  std::optional<Duration> idle_timeout;
  bool h2_upgrade = false, use_client_protocol = false;
  std::optional<uint32_t> max_concurrent_streams;
  std::optional<Http2KeepAlive> http2_keep_alive;
};

struct OutlierDetection {
  std::optional<uint32_t> consecutive_5xx_errors, consecutive_gateway_errors, consecutive_local_origin_failures;
  bool split_external_local_origin_errors = false;
  std::optional<Duration> interval, base_ejection_time;
  std::optional<uint32_t> max_ejection_percent, min_health_percent;
};

enum class TlsMode : unsigned char { kDisable };

// The blocks that can stand at rule, subset and port level. An absent block is not the same as an empty one.
struct PolicyBlocks {
  std::optional<LoadBalancer> load_balancer;
  std::optional<ConsistentHash> consistent_hash;  // of the same block: one of the two
  std::optional<ConnectionPool> connection_pool;
  std::optional<OutlierDetection> outlier_detection;
  std::optional<TlsMode> tls;
};

struct TrafficPolicy : PolicyBlocks {
  std::map<uint32_t, PolicyBlocks> port_levels;  // replaces, never merges: what a port entry leaves out falls to the defaults
};

struct Subset {
  std::string name;
  Labels labels;
  std::optional<TrafficPolicy> traffic_policy;
};

struct DestinationRule {
  std::string host;  // fully qualified or a wildcard
  std::string written_host;
  std::vector<std::string> export_to;
  std::optional<TrafficPolicy> traffic_policy;
  std::vector<Subset> subsets;
};

// Whether any level hashes.
bool hashes(const DestinationRule& rule);
// What stands for (rule policy, subset policy, port): the subset's blocks over the rule's, then the port entry instead of both.
PolicyBlocks effective_policy(const TrafficPolicy* rule, const TrafficPolicy* subset, uint32_t port);

}  // namespace weft::model
