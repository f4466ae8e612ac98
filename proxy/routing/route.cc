#include "proxy/routing/route.h"

#include "proxy/routing/forwarded.h"
#include "proxy/routing/route_table.h"
#include "proxy/routing/timeouts.h"

#include <algorithm>
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

bool InternalRedirect::follows(int status) const { return std::find(codes.begin(), codes.end(), status) != codes.end(); }

bool FilterStateMatcher::matches(const format::FilterState* state) const {
  const format::FilterStateObject* object = state ? state->find(key) : nullptr;
  return object && value.matches(object->text);
}

bool RareConditions::match(const http::Head& head, const Circumstances& circumstances) const {
  return std::all_of(metadata.begin(), metadata.end(), [&](const MetadataMatcher& one) { return one.matches(circumstances.metadata); }) &&
         std::all_of(filter_state.begin(), filter_state.end(),
                     [&](const FilterStateMatcher& one) { return one.matches(circumstances.filter_state); }) &&
         std::all_of(cookies.begin(), cookies.end(), [&](const CookieMatcher& one) { return one.matches(head); }) &&
         circumstances.certificate_presented == certificate_presented.value_or(circumstances.certificate_presented) &&
         circumstances.certificate_validated == certificate_validated.value_or(circumstances.certificate_validated);
}

bool Route::matches(const http::Head& head, std::string_view plain, uint64_t random, const Circumstances& circumstances) const {
  if (path.kind == PathMatcher::Kind::kConnect ? head.method() != "CONNECT" : head.path().empty() || !path.matches(plain)) return false;
  if (grpc_only && !is_grpc(head)) return false;
  if (!headers.empty() && !all_match(headers, head)) return false;
  if (!query.empty()) {
    std::string_view parameters = query_of(head.path());
    for (const QueryMatcher& matcher : query)
      if (!matcher.matches(parameters)) return false;
  }
  if (rare && !rare->match(head, circumstances)) return false;
  return fraction.always() || fraction.matches(random);
}

const Upgrade* find_upgrade(const Upgrades* upgrades, std::string_view type) {
  if (!upgrades) return nullptr;
  for (const Upgrade& upgrade : *upgrades)
    if (equals_ignoring_case(upgrade.type, type)) return &upgrade;
  return nullptr;
}

bool takes_post(const Upgrades& upgrades, std::string_view method) {
  const Upgrade* const connect = method == "POST" ? find_upgrade(&upgrades, "CONNECT") : nullptr;
  return connect && connect->takes_post;
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

const MirrorPolicies* mirror_policies(const Route& route) {
  const Forward* forward = route.forward();
  if (forward && forward->mirrors) return forward->mirrors.get();
  const VirtualHost* host = route.virtual_host;
  if (!host) return nullptr;
  if (host->mirrors) return host->mirrors.get();
  return host->table ? host->table->options().mirrors.get() : nullptr;
}

std::string shadow_host(std::string_view authority) {
  const std::string_view bare = host_without_port(authority);
  return std::string(bare) + "-shadow" + std::string(authority.substr(bare.size()));
}

const VirtualCluster* virtual_cluster(const Route& route, const http::Head& request) {
  if (!route.virtual_host || !route.virtual_host->virtual_clusters) return nullptr;
  for (const VirtualCluster& cluster : route.virtual_host->virtual_clusters->clusters)
    if (all_match(cluster.headers, request)) return &cluster;
  return nullptr;
}

const RetryPolicy* retry_policy(const Route& route) {
  const Forward* forward = route.forward();
  if (forward && forward->retry) return forward->retry.get();
  return route.virtual_host ? route.virtual_host->retry.get() : nullptr;
}

bool hedges(const Route& route) {
  const Forward* forward = route.forward();
  if (forward && forward->hedge_on_per_try_timeout) return *forward->hedge_on_per_try_timeout;
  return route.virtual_host && route.virtual_host->hedge_on_per_try_timeout;
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
