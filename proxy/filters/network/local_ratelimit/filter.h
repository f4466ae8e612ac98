// envoy.filters.network.local_ratelimit: a token for each new connection of a chain, over all workers; without one it is closed.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/filters/http/local_ratelimit/token_bucket.h"
#include "proxy/filters/network/network_filter.h"
#include "proxy/runtime/value.h"

#include <memory>

namespace weft::filters {

struct ConnectionRateOptions {
  std::shared_ptr<TokenBucket> bucket;
  runtime::Flag enabled;
  std::shared_ptr<observe::Scope> stats;  // observe::ConnectionRateStat; null: not counted
};

class ConnectionRate final : public NetworkFilter {
 public:
  explicit ConnectionRate(ConnectionRateOptions options) : options_(std::move(options)) {}
  std::optional<Refusal> on_arrival(Arrival& arrival) const override;

 private:
  const ConnectionRateOptions options_;
};

}  // namespace weft::filters
