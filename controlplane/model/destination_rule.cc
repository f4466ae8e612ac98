#include "controlplane/model/destination_rule.h"

namespace weft::model {
namespace {

void lay_over(const PolicyBlocks& upper, PolicyBlocks& lower) {
  if (upper.load_balancer) lower.load_balancer = upper.load_balancer;
  if (upper.connection_pool) lower.connection_pool = upper.connection_pool;
  if (upper.outlier_detection) lower.outlier_detection = upper.outlier_detection;
  if (upper.tls) lower.tls = upper.tls;
}

}  // namespace

PolicyBlocks effective_policy(const TrafficPolicy* rule, const TrafficPolicy* subset, uint32_t port) {
  PolicyBlocks result;
  for (const TrafficPolicy* level : {rule, subset}) {
    if (!level) continue;
    lay_over(*level, result);
    if (auto entry = level->port_levels.find(port); entry != level->port_levels.end()) result = entry->second;
  }
  return result;
}

}  // namespace weft::model
