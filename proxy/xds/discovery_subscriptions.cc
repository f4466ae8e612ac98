// What is subscribed to follows from what is accepted: the endpoints that clusters name, the routes that listeners name.
#include "proxy/xds/discovery_impl.h"

#include "proxy/config/scopes.h"

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
  std::set<std::string> names, kept = routes_of_files_;
  SubscriptionStats::Subscribers subscribers;
  auto collect_one = [&](const config::HttpConnectionManager& manager) {
    auto want = [&](const std::string& name) {
      subscribers.emplace(name, manager.stat_prefix);
      kept.insert(name);
      if (manager.rds_path.empty())
        names.insert(name);
      else
        add_path(ResourceType::kRoute, manager.rds_path, manager.rds_directory, false);
    };
    if (!manager.rds_name.empty()) want(manager.rds_name);
    const config::ScopedRoutes* scoped = manager.scoped.get();
    if (!scoped || scoped->scopes) return;
    for (const auto& [name, scope] : values_.scopes)
      if (scope->path == scoped->path && !scope->rds_name.empty()) want(scope->rds_name);
  };
  auto collect = [&](const config::Listener& listener) { config::for_each_manager(listener, collect_one); };
  for (const auto& listener : bootstrap_.statics.listeners) collect(*listener);
  for (const auto& [name, listener] : values_.listeners) collect(*listener);
  stats_.set(ResourceType::kRoute, subscribers);
  drop_unnamed(values_.routes, kept, ResourceType::kRoute);
  if (ads_) ads_->subscribe(ResourceType::kRoute, std::move(names));
}

// Over ADS everything that there is, once a listener wants any.
void Discovery::Impl::subscribe_scopes() {
  SubscriptionStats::Subscribers subscribers;
  auto collect_one = [&](const config::HttpConnectionManager& manager) {
    const config::ScopedRoutes* scoped = manager.scoped.get();
    if (!scoped || scoped->scopes) return;
    subscribers.emplace(scoped->path, manager.stat_prefix + "\n" + scoped->name);
    if (!scoped->path.empty())
      add_path(ResourceType::kScope, scoped->path, scoped->watched_directory, true);
    else if (ads_)
      ads_->subscribe_all(ResourceType::kScope);
  };
  auto collect = [&](const config::Listener& listener) { config::for_each_manager(listener, collect_one); };
  for (const auto& listener : bootstrap_.statics.listeners) collect(*listener);
  for (const auto& [name, listener] : values_.listeners) collect(*listener);
  stats_.set(ResourceType::kScope, subscribers);
}

void Discovery::Impl::subscribe_extensions() {
  std::set<std::string> names, of_files;
  SubscriptionStats::Subscribers subscribers;
  auto collect = [&](const config::Listener& listener) {
    for (const config::ExtensionRef& ref : listener.extensions) {
      subscribers.emplace(ref.name, "");
      if (!ref.path.empty()) add_path(ResourceType::kExtension, ref.path, ref.watched_directory, false);
      (ref.path.empty() ? names : of_files).insert(ref.name);
    }
  };
  for (const auto& [name, listener] : values_.static_listeners) collect(*listener);
  for (const auto& [name, listener] : values_.listeners) collect(*listener);
  stats_.set(ResourceType::kExtension, subscribers);
  std::erase_if(values_.extensions, [&](const auto& entry) {
    if (names.contains(entry.first) || of_files.contains(entry.first)) return false;
    states_.erase({ResourceType::kExtension, entry.first});
    if (ads_) ads_->forget(ResourceType::kExtension, entry.first);
    return true;
  });
  if (ads_) ads_->subscribe(ResourceType::kExtension, std::move(names));
}

// The layers that the bootstrap wants from RTDS, for as long as the process runs.
void Discovery::Impl::begin_runtime() {
  std::set<std::string> names;
  SubscriptionStats::Subscribers subscribers;
  for (const config::RuntimeSource& source : bootstrap_.runtime_sources) {
    if (source.kind != config::RuntimeSource::Kind::kRtds) continue;
    subscribers.emplace(source.name, "");
    if (source.source.kind == config::ConfigSource::Kind::kAds)
      names.insert(source.name);
    else
      add_path(ResourceType::kRuntime, source.source.path, source.source.watched_directory, false);
    static_waits_.insert("runtime " + source.name);
    wait_for("runtime " + source.name, source.source.initial_fetch_timeout, [this, name = source.name] {
      stats_.timed_out(ResourceType::kRuntime, name);
      give_up_static("runtime " + name);
    });
  }
  stats_.set(ResourceType::kRuntime, subscribers);
  if (ads_ && !names.empty()) ads_->subscribe(ResourceType::kRuntime, std::move(names));
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
