// config.cluster.v3.Cluster as an immutable value without proto.
#pragma once
#include "common/http/codec.h"
#include "common/net/connect_options.h"
#include "common/resolve/options.h"
#include "proxy/routing/hash_policy.h"
#include "proxy/runtime/value.h"
#include "proxy/upstream/attempt_chain.h"
#include "proxy/upstream/budget.h"
#include "proxy/upstream/endpoint_set.h"
#include "proxy/upstream/outlier.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft::upstream {

struct LocalityName {
  std::string region, zone, sub_zone;
};

// RING_HASH and MAGLEV: where keys land is settled by these and by the hosts, to the last bit as in Envoy.
struct HashingOptions {
  enum class Function : uint8_t { kXxHash, kMurmurHash2 };
  static constexpr uint64_t kMostPoints = 8 << 20;

  Function function = Function::kXxHash;  // of the ring's points
  uint64_t minimum_ring_size = 1024;
  uint64_t maximum_ring_size = kMostPoints;
  uint64_t table_size = 65537;  // maglev; a prime number
  bool by_hostname = false;     // use_hostname_for_hashing
  bool by_locality = false;     // locality_weighted_lb_config
  LocalityName home;            // node.locality: Envoy's lists begin with it, and the order settles how fractions are rounded
  uint32_t balance_factor = 0;  // hash_balance_factor: no host gets more than this percentage of the average; 0: no bound
  std::shared_ptr<const routing::HashPolicy> policy;  // in place of the route's
};

// ORIGINAL_DST: where else than at the connection's own destination a request's host may be named.
struct OriginalDestination {
  std::string header;                        // lower case; empty: none
  std::string metadata_space;                // dynamic metadata; empty: none
  std::vector<std::string> metadata_path;    // below it
  std::optional<uint16_t> port;              // in place of that of the destination
  std::chrono::milliseconds cleanup{5'000};  // hosts that nobody has asked for since are forgotten
};

// STRICT_DNS and LOGICAL_DNS: hosts are what names mean.
struct Naming {
  using Milliseconds = std::chrono::milliseconds;
  struct Target {
    std::string name;  // to be resolved
    uint16_t port = 0;
    size_t locality = 0;  // in `frame`
    Host host;            // all but its addresses
  };
  bool logical = false;  // all addresses of the one name are one host
  resolve::Family family = resolve::Family::kAuto;
  Milliseconds refresh{5'000}, jitter{0};
  std::optional<Milliseconds> failure_base, failure_max;  // back-off; unset: `refresh`
  bool respect_ttl = false;
  bool wait = true;  // the cluster is not ready before its first answer
  resolve::Options resolver;
  std::vector<Target> targets;
  EndpointSet frame;  // localities without hosts
};

struct ClusterConfig {
  using Milliseconds = std::chrono::milliseconds;
  enum class Discovery : uint8_t { kStatic, kEds, kNames, kOriginalDestination };
  enum class Policy : uint8_t { kRoundRobin, kLeastRequest, kRandom, kRingHash, kMaglev, kOriginalDestination };
  enum class Protocol : uint8_t { kHttp1, kHttp2, kAsDownstream, kAuto };  // kAuto: what ALPN says, HTTP/1.1 if nothing

  std::string name;
  std::string alt_stat_name;  // empty: the name
  Discovery discovery = Discovery::kStatic;
  std::string eds_service_name;  // empty: the name
  bool eds_over_ads = true;      // else from a watched file:
  std::string eds_path;
  Milliseconds eds_fetch_timeout{15'000};  // initial_fetch_timeout of eds_config; 0: wait for ever

  Policy policy = Policy::kRoundRobin;
  uint32_t choice_count = 2;                      // least request
  runtime::Real active_request_bias{1};           // least request with unequal weights
  std::shared_ptr<const HashingOptions> hashing;  // ring hash and maglev; null: another policy
  double panic_threshold = 50;                    // common_lb_config.healthy_panic_threshold, percent

  Milliseconds connect_timeout{5'000};
  uint32_t buffer_limit = 1 << 20;
  std::array<Thresholds, 2> thresholds;  // by Priority
  std::optional<OutlierOptions> outlier;

  Protocol protocol = Protocol::kHttp1;
  http::Http1Options http1;
  http::Http2Options http2;
  uint32_t max_requests_per_connection = 0;  // 0: no limit
  Milliseconds idle_timeout{3'600'000};      // 0: none
  Milliseconds max_connection_duration{0};   // 0: none
  Milliseconds max_stream_duration{0};       // of a request on a host; 0: no limit
  net::ConnectOptions connect;
  AddressOrder address_order;
  std::shared_ptr<const AttemptChain> attempt_filters;  // http_filters; null: none

  std::shared_ptr<const EndpointSet> endpoints;         // kStatic
  std::shared_ptr<const Naming> naming;                 // kNames
  std::shared_ptr<const OriginalDestination> original;  // kOriginalDestination
  std::string metadata_json;                            // opaque; for /config_dump and access logs
  uint64_t hash = 0;                                    // of the resource's bytes: an equal one changes nothing

  const std::string& stat_name() const { return alt_stat_name.empty() ? name : alt_stat_name; }
  const std::string& eds_name() const { return eds_service_name.empty() ? name : eds_service_name; }
};

}  // namespace weft::upstream
