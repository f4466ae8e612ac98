// Outlier detection: hosts that fail again and again leave the balancing for a while. Workers report results (atomics in
// HostState) and learn when a streak has reached its threshold; that news they post to the control thread, which alone
// decides, ejects and takes back. No clock inside: the time is passed in.
//
//   worker:   if (auto why = detector.report(*host.state, result)) post_to_control(state, *why)
//   control:  if (detector.trigger(state, why, now, random)) tell every worker to refresh its balancer
//             every options().interval: if (detector.sweep(now)) the same
#pragma once
#include "proxy/upstream/endpoint_set.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace weft::upstream {

// config.cluster.v3.OutlierDetection, the part that counts streaks.
struct OutlierOptions {
  using Milliseconds = std::chrono::milliseconds;
  uint32_t consecutive_5xx = 5;
  uint32_t consecutive_gateway_failure = 5;
  uint32_t consecutive_local_origin_failure = 5;
  uint32_t enforcing_consecutive_5xx = 100;
  uint32_t enforcing_consecutive_gateway_failure = 0;
  uint32_t enforcing_consecutive_local_origin_failure = 100;
  bool split_external_local_origin_errors = false;
  Milliseconds interval{10'000};
  Milliseconds base_ejection_time{30'000};
  Milliseconds max_ejection_time{300'000};
  Milliseconds max_ejection_time_jitter{0};
  uint32_t max_ejection_percent = 10;
  bool always_eject_one_host = false;
  bool operator==(const OutlierOptions&) const = default;
};

enum class EjectionKind : uint8_t { kConsecutive5xx, kConsecutiveGatewayFailure, kConsecutiveLocalOriginFailure };
std::string_view to_string(EjectionKind kind);  // "CONSECUTIVE_5XX"

// How a request or a connection went, for its host.
struct HostResult {
  enum class Kind : uint8_t {
    kStatus,            // an answer with `status`
    kConnectSucceeded,  // local origin success
    kConnectFailed,     // local origin failures
    kTimeout,
    kReset,  // the host reset the stream or closed the connection before answering
  };
  Kind kind = Kind::kStatus;
  int status = 0;
  static HostResult of_status(int status) { return {Kind::kStatus, status}; }
};

// Numbers for cluster.<name>.outlier_detection.*; written by the control thread, read by any.
struct OutlierCounters {
  struct PerKind {
    std::atomic<uint64_t> detected{0}, enforced{0};
  };
  std::atomic<uint64_t> ejections_active{0};  // gauge
  std::atomic<uint64_t> ejections_enforced_total{0};
  std::atomic<uint64_t> ejections_overflow{0};
  PerKind kinds[3];  // by EjectionKind: ejections_{detected,enforced}_consecutive_5xx, ...
};

class OutlierDetector {
 public:
  using Clock = std::chrono::steady_clock;
  explicit OutlierDetector(const OutlierOptions& options) : options_(options) {}
  const OutlierOptions& options() const { return options_; }

  // Any thread.
  std::optional<EjectionKind> report(HostState& host, HostResult result) const;

  // --- the control thread ---
  // The hosts that exist now; ejected ones that are gone are forgotten.
  void set_hosts(const EndpointSet& hosts);
  // Whether the host was ejected. `random` decides enforcement percentages and jitter.
  bool trigger(const std::shared_ptr<HostState>& host, EjectionKind why, Clock::time_point now, uint64_t random);
  // Takes back those whose time is over. Whether any was.
  bool sweep(Clock::time_point now);
  // Takes all back, when detection is switched off or replaced.
  void release_all();
  const OutlierCounters& counters() const { return counters_; }

 private:
  struct Record {
    uint32_t ejections = 0;  // how often lately: multiplies the time
    Clock::time_point ejected_at;
    std::chrono::milliseconds jitter{0};
    std::weak_ptr<HostState> state;
  };
  bool consider(const std::shared_ptr<HostState>& host, EjectionKind why, Clock::time_point now, uint64_t random);
  uint32_t enforcing(EjectionKind kind) const;
  bool ejection_allowed() const;
  void take_back(HostState& host);

  const OutlierOptions options_;
  OutlierCounters counters_;
  std::unordered_map<const HostState*, Record> records_;
  std::unordered_set<const HostState*> hosts_;
};

}  // namespace weft::upstream
