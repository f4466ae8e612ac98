#include "proxy/routing/route.h"

#include "proxy/routing/route_table.h"
#include "proxy/routing/timeouts.h"

#include <charconv>

namespace weft::routing {
namespace {

const FilterOverride* find(const std::shared_ptr<const FilterOverrides>& overrides, std::string_view filter) {
  if (overrides)
    for (const FilterOverride& one : *overrides)
      if (one.filter == filter) return &one;
  return nullptr;
}

}  // namespace

bool Route::matches(const http::Head& head, uint64_t random) const {
  std::string_view target = head.path();
  std::string_view plain = path_of(target);
  if (virtual_host && virtual_host->table && virtual_host->table->options().ignore_path_parameters_in_path_matching)
    plain = plain.substr(0, plain.find(';'));
  if (path.kind == PathMatcher::Kind::kConnect ? head.method() != "CONNECT" : target.empty() || !path.matches(plain)) return false;
  if (grpc_only && !is_grpc(head)) return false;
  if (!headers.empty() && !all_match(headers, head)) return false;
  if (!query.empty()) {
    std::string_view parameters = query_of(target);
    for (const QueryMatcher& matcher : query)
      if (!matcher.matches(parameters)) return false;
  }
  return fraction.always() || fraction.matches(random);
}

const Upgrade* find_upgrade(const Upgrades* upgrades, std::string_view type) {
  if (!upgrades) return nullptr;
  for (const Upgrade& upgrade : *upgrades)
    if (equals_ignoring_case(upgrade.type, type)) return &upgrade;
  return nullptr;
}

uint64_t weighted_point(const Forward& forward, const http::Head& request, const format::RequestInfo& info, uint64_t random) {
  if (!forward.weighted || !forward.weighted->by_hash || !forward.hash_policy) return random;
  return forward.hash_policy->hash(request, info, HashPolicy::Cookies::kAsTheyCome).value.value_or(random);
}

const WeightedCluster* pick_weighted(const Forward& forward, const http::Head& request, uint64_t random) {
  if (!forward.weighted || forward.weighted->clusters.empty()) return nullptr;
  const WeightedClusters& weighted = *forward.weighted;
  if (!weighted.random_header.empty()) {
    std::string_view text = request.value(weighted.random_header);
    uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (!text.empty() && error == std::errc() && end == text.data() + text.size()) random = value;
  }
  uint64_t point = random % weighted.total_weight;
  for (const WeightedCluster& cluster : weighted.clusters) {
    if (point < cluster.weight) return &cluster;
    point -= cluster.weight;
  }
  return &weighted.clusters.back();
}

std::string_view cluster_name(const Forward& forward, const WeightedCluster* weighted, const http::Head& request) {
  const std::string& fixed = weighted ? weighted->cluster : forward.cluster;
  if (!fixed.empty()) return fixed;
  const std::string& header = weighted ? weighted->cluster_header : forward.cluster_header;
  return header.empty() ? std::string_view() : header == ":authority" ? request.authority() : request.value(header);
}

const RetryPolicy* retry_policy(const Route& route) {
  const Forward* forward = route.forward();
  if (forward && forward->retry) return forward->retry.get();
  return route.virtual_host ? route.virtual_host->retry.get() : nullptr;
}

const FilterOverride* filter_override(const Route& route, const WeightedCluster* weighted, std::string_view filter) {
  if (weighted)
    if (const FilterOverride* found = find(weighted->filters, filter)) return found;
  if (const FilterOverride* found = find(route.filters, filter)) return found;
  if (!route.virtual_host) return nullptr;
  if (const FilterOverride* found = find(route.virtual_host->filters, filter)) return found;
  return route.virtual_host->table ? find(route.virtual_host->table->options().filters, filter) : nullptr;
}

FilterConfigs filter_configs(const Route& route, const WeightedCluster* weighted, std::string_view filter) {
  FilterConfigs out;
  auto take = [&](const std::shared_ptr<const FilterOverrides>& level) {
    const FilterOverride* found = find(level, filter);
    if (found && found->config) out.levels[out.size++] = found->config.get();
  };
  if (weighted) take(weighted->filters);
  take(route.filters);
  if (!route.virtual_host) return out;
  take(route.virtual_host->filters);
  if (route.virtual_host->table) take(route.virtual_host->table->options().filters);
  return out;
}

}  // namespace weft::routing
