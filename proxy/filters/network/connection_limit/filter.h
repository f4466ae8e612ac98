// envoy.filters.network.connection_limit: no more than so many connections of a chain at once, over all workers. One too many is
// closed, at once or after a delay (during which it counts), so that a client that tries again and again is slowed down.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/filters/network/network_filter.h"
#include "proxy/runtime/value.h"

#include <atomic>
#include <cstdint>
#include <memory>

namespace weft::filters {

struct ConnectionLimitOptions {
  uint64_t max_connections = 1;
  std::chrono::milliseconds delay{0};
  runtime::Flag enabled;
  std::shared_ptr<observe::Scope> stats;  // observe::ConnectionLimitStat; null: not counted
};

class ConnectionLimit final : public NetworkFilter {
 public:
  explicit ConnectionLimit(ConnectionLimitOptions options) : options_(std::move(options)) {}
  std::optional<Refusal> on_arrival(Arrival& arrival) const override;
  void on_over(unsigned thread) const override;

 private:
  const ConnectionLimitOptions options_;
  mutable std::atomic<uint64_t> connections_{0};
};

}  // namespace weft::filters
