// What is subscribed to follows from what is accepted: the endpoints that clusters name, the routes that listeners name.
#include "proxy/xds/discovery_impl.h"

namespace weft::xds {

void Discovery::Impl::subscribe_endpoints() {
  std::set<std::string> names;
  SubscriptionStats::Subscribers subscribers;
  auto collect = [&](const upstream::ClusterConfig& cluster) {
    if (cluster.discovery != upstream::ClusterConfig::Discovery::kEds) return;
    subscribers.emplace(cluster.eds_name(), cluster.stat_name());
    if (cluster.eds_over_ads) names.insert(cluster.eds_name());
  };
  for (const auto& cluster : bootstrap_.statics.clusters) collect(*cluster);
  for (const auto& [name, cluster] : values_.clusters) collect(*cluster);
  stats_.set(ResourceType::kEndpoints, subscribers);
  drop_unnamed(values_.endpoints, names, ResourceType::kEndpoints);
  if (ads_) ads_->subscribe(ResourceType::kEndpoints, std::move(names));
}

void Discovery::Impl::subscribe_routes() {
  std::set<std::string> names;
  SubscriptionStats::Subscribers subscribers;
  auto collect = [&](const config::Listener& listener) {
    const std::string name(config::rds_name(listener));
    if (name.empty()) return;
    names.insert(name);
    subscribers.emplace(name, std::get<std::shared_ptr<const config::HttpConnectionManager>>(listener.chain.terminal)->stat_prefix);
  };
  for (const auto& listener : bootstrap_.statics.listeners) collect(*listener);
  for (const auto& [name, listener] : values_.listeners) collect(*listener);
  stats_.set(ResourceType::kRoute, subscribers);
  drop_unnamed(values_.routes, names, ResourceType::kRoute);
  if (ads_) ads_->subscribe(ResourceType::kRoute, std::move(names));
}

// A resource dies when nothing names it any more: named again, it is asked for and awaited anew.
template <class Held>
void Discovery::Impl::drop_unnamed(Held& held, const std::set<std::string>& names, ResourceType type) {
  std::erase_if(held, [&](const auto& entry) {
    if (names.contains(entry.first) || (type == ResourceType::kEndpoints && from_path(entry.first))) return false;
    states_.erase({type, entry.first});
    if (type == ResourceType::kRoute) warming_routes_.erase(entry.first);
    (type == ResourceType::kEndpoints ? values_.endpoint_hashes : values_.route_hashes).erase(entry.first);
    if (ads_) ads_->forget(type, entry.first);
    return true;
  });
  std::erase_if(states_, [&](const auto& entry) {
    const auto& [of, name] = entry.first;
    return of == type && !entry.second.bytes && !names.contains(name) && !(type == ResourceType::kEndpoints && from_path(name));
  });
}

bool Discovery::Impl::from_path(const std::string& eds_name) const {
  auto uses = [&](const upstream::ClusterConfig& cluster) { return !cluster.eds_over_ads && cluster.eds_name() == eds_name; };
  for (const auto& cluster : bootstrap_.statics.clusters)
    if (uses(*cluster)) return true;
  for (const auto& [name, cluster] : values_.clusters)
    if (uses(*cluster)) return true;
  return false;
}

}  // namespace weft::xds
