// What changes about a host while requests run: load, ejection, counts. Keyed by (cluster, address), shared by all threads,
// atomics only; a new endpoint set takes it over from the old one, so that an update forgets nothing.
#pragma once
#include "common/net/stream.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace weft::upstream {

struct HostState {
  std::string address;  // "1.2.3.4:80", rendered once: each request's log line and stats want it

  std::atomic<uint32_t> active_requests{0};
  std::atomic<uint32_t> active_connections{0};

  // Outlier detection: counted by workers, ejected and taken back by the control thread.
  std::atomic<bool> ejected{false};
  std::atomic<uint32_t> consecutive_5xx{0};
  std::atomic<uint32_t> consecutive_gateway_failure{0};
  std::atomic<uint32_t> consecutive_local_origin_failure{0};

  // For /clusters; they only grow.
  std::atomic<uint64_t> connections{0};
  std::atomic<uint64_t> connect_failures{0};
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> successes{0};
  std::atomic<uint64_t> errors{0};
  std::atomic<uint64_t> timeouts{0};

  static void count(std::atomic<uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }
};

// Whose state an endpoint set shares. Used while configuration is built; never on a request's path.
class HostStates {
 public:
  std::shared_ptr<HostState> get(const std::string& cluster, const net::Endpoint& address);
  // Forgets what nobody holds any more. get() does so by itself now and then.
  void sweep();
  size_t size() const;

 private:
  void sweep_locked();
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<HostState>> states_;
  size_t sweep_at_ = 1024;
};

}  // namespace weft::upstream
