#include "controlplane/model/destination_rule.h"

namespace weft::model {
namespace {

void lay_over(const PolicyBlocks& upper, PolicyBlocks& lower) {
  if (upper.load_balancer || upper.consistent_hash) {
    lower.load_balancer = upper.load_balancer;
    lower.consistent_hash = upper.consistent_hash;
  }
  if (upper.connection_pool) lower.connection_pool = upper.connection_pool;
  if (upper.outlier_detection) lower.outlier_detection = upper.outlier_detection;
  if (upper.tls) lower.tls = upper.tls;
}

bool policy_hashes(const std::optional<TrafficPolicy>& policy) {
  if (!policy) return false;
  if (policy->consistent_hash) return true;
  for (const auto& [port, level] : policy->port_levels)
    if (level.consistent_hash) return true;
  return false;
}

}  // namespace

bool hashes(const DestinationRule& rule) {
  if (policy_hashes(rule.traffic_policy)) return true;
  for (const Subset& subset : rule.subsets)
    if (policy_hashes(subset.traffic_policy)) return true;
  return false;
}

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
