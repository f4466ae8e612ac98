#include "proxy/filters/network/connection_limit/filter.h"

#include "common/observe/shapes.h"

namespace weft::filters {

using observe::ConnectionLimitStat;

std::optional<Refusal> ConnectionLimit::on_arrival(Arrival& arrival) const {
  if (!options_.enabled.on()) return {};
  arrival.to_tell_of_end.push_back(this);
  if (options_.stats) options_.stats->cells(arrival.thread).add(ConnectionLimitStat::kActiveConnections);
  if (connections_.fetch_add(1, std::memory_order_relaxed) < options_.max_connections) return {};
  if (options_.stats) options_.stats->cells(arrival.thread).add(ConnectionLimitStat::kLimitedConnections);
  return Refusal{options_.delay, {}};
}

void ConnectionLimit::on_over(unsigned thread) const {
  connections_.fetch_sub(1, std::memory_order_relaxed);
  if (options_.stats) options_.stats->cells(thread).sub(ConnectionLimitStat::kActiveConnections);
}

}  // namespace weft::filters
