#include "proxy/filters/network/local_ratelimit/filter.h"

#include "common/observe/shapes.h"

namespace weft::filters {

std::optional<Refusal> ConnectionRate::on_arrival(Arrival& arrival) const {
  if (!options_.enabled.on() || options_.bucket->take(arrival.now)) return {};
  if (options_.stats) options_.stats->cells(arrival.thread).add(observe::ConnectionRateStat::kRateLimited);
  return Refusal{std::chrono::milliseconds(0), observe::ResponseFlag::kUpstreamRetryLimitExceeded};  // the flag that Envoy sets
}

}  // namespace weft::filters
