// What is accepted becomes active once what it refers to is there: a cluster waits for its endpoints, routes for the clusters that
// they name, a listener for its routes. Each wait has a deadline; what it takes the place of serves until then.
#include "proxy/xds/discovery_impl.h"
#include "proxy/xds/runtime_sources.h"

#include "proxy/config/scopes.h"

#include "common/base/log.h"
#include "common/observe/shapes.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace weft::xds {
namespace {

using config::Update;
using std::chrono::milliseconds;

// The longest of its connection managers'; 0: for ever.
milliseconds rds_patience(const config::Listener& listener) {
  milliseconds longest(0);
  bool for_ever = false;
  const auto at_most = [&](milliseconds one) {
    for_ever = for_ever || one.count() <= 0;
    longest = std::max(longest, one);
  };
  config::for_each_manager(listener, [&](const config::HttpConnectionManager& manager) {
    if (!manager.rds_name.empty() || manager.scoped) at_most(manager.rds_fetch_timeout);
    if (manager.scoped) at_most(manager.scoped->fetch_timeout);
  });
  return for_ever ? milliseconds(0) : longest;
}

}  // namespace

// What is accepted becomes active once what it refers to is there.
void Discovery::Impl::warm(const Update& built) {
  Update ready;
  for (const auto& cluster : built.clusters) {
    const std::string& eds = cluster->eds_name();
    if (cluster->naming && waits_for_names(cluster)) continue;
    const bool waits = cluster->discovery == upstream::ClusterConfig::Discovery::kEds && !values_.endpoints.contains(eds);
    if (!waits) {
      warming_clusters_.erase(cluster->name);
      wait_no_more("cluster " + cluster->name);
      ready.clusters.push_back(cluster);
      continue;
    }
    if (!cluster->eds_over_ads) add_path(ResourceType::kEndpoints, cluster->eds_path, {}, false);
    warming_clusters_[cluster->name] = cluster;
    wait_for("cluster " + cluster->name, cluster->eds_fetch_timeout, [this, name = cluster->name] {
      log::get(log::Logger::kUpstream).warn("cluster {}: no endpoints in time, going on without", name);
      if (auto found = warming_clusters_.find(name); found != warming_clusters_.end())
        stats_.timed_out(ResourceType::kEndpoints, found->second->eds_name());
      activate_cluster(name);
    });
  }
  for (const std::string& name : built.removed_clusters) {
    warming_clusters_.erase(name);
    wait_no_more("cluster " + name);
    if (ads_) ads_->forget(ResourceType::kCluster, name);
    ready.removed_clusters.push_back(name);
  }
  for (const auto& [eds, set] : built.endpoints) {
    ready.endpoints.emplace_back(eds, set);
    static_waits_.erase("endpoints " + eds);
    wait_no_more("endpoints " + eds);
    for (auto at = warming_clusters_.begin(); at != warming_clusters_.end();) {
      if (at->second->discovery != upstream::ClusterConfig::Discovery::kEds || at->second->eds_name() != eds) {
        ++at;
        continue;
      }
      wait_no_more("cluster " + at->first);
      ready.clusters.push_back(at->second);
      at = warming_clusters_.erase(at);
    }
  }
  ready.removed_endpoints = built.removed_endpoints;
  for (const auto& [name, table] : built.routes) warming_routes_[name] = table;
  for (const std::string& name : built.removed_routes) warming_routes_.erase(name);
  release_routes(ready);
  ready.removed_routes = built.removed_routes;
  ready.name_table = built.name_table;
  for (const std::string& name : built.removed_scopes)
    if (ads_) ads_->forget(ResourceType::kScope, name);
  release_scopes(ready);
  release_listeners(ready);
  for (const auto& [name, extension] : built.extensions) {
    static_waits_.erase("extension " + name);
    wait_no_more("extension " + name);
  }
  for (const auto& listener : built.listeners) {
    const bool is_static = values_.static_listeners.contains(listener->name);
    const bool routes = lacks_routes(*listener), extension = lacks_extension(*listener);
    if (is_static || (!routes && !extension)) {
      warming_listeners_.erase(listener->name);
      wait_no_more("listener " + listener->name);
      // Before the ports open, the bootstrap's own are asked for (static_listeners).
      if (!is_static || first_complete_) ready.listeners.push_back(listener);
      continue;
    }
    warming_listeners_[listener->name] = listener;
    milliseconds patience(0);
    bool without_end = false;
    auto at_most = [&](milliseconds one) {
      without_end = without_end || one.count() <= 0;
      patience = std::max(patience, one);
    };
    if (routes) at_most(rds_patience(*listener));
    for (const config::ExtensionRef& ref : listener->extensions)
      if (ref.awaited && !values_.extensions.contains(ref.name)) at_most(ref.fetch_timeout);
    wait_for("listener " + listener->name, without_end ? milliseconds(0) : patience, [this, name = listener->name] {
      log::get(log::Logger::kConfig)
          .warn("listener {}: its routes or its filters' configuration did not come in time, going on without", name);
      if (auto found = warming_listeners_.find(name); found != warming_listeners_.end()) {
        for (const std::string_view rds : config::rds_names(*found->second))
          if (lacks_route(rds)) stats_.timed_out(ResourceType::kRoute, std::string(rds));
        for (const config::ScopedRoutes* scoped : config::scoped_routes(*found->second))
          if (!scoped->scopes && !scopes_answered_.contains(scoped->path)) stats_.timed_out(ResourceType::kScope, scoped->path);
        for (const config::ExtensionRef& ref : found->second->extensions)
          if (!values_.extensions.contains(ref.name)) stats_.timed_out(ResourceType::kExtension, ref.name);
      }
      activate_listener(name);
    });
  }
  for (const std::string& name : built.removed_listeners) {
    warming_listeners_.erase(name);
    wait_no_more("listener " + name);
    if (ads_) ads_->forget(ResourceType::kListener, name);
    ready.removed_listeners.push_back(name);
  }
  for (const auto& [name, layer] : built.runtime_layers) {
    if (runtime_) runtime_->set_resource(name, layer.get());
    wait_no_more("runtime " + name);
    static_waits_.erase("runtime " + name);
  }
  if (runtime_)
    for (const std::string& name : built.removed_runtime_layers) runtime_->set_resource(name, nullptr);
  subscribe_endpoints();
  subscribe_scopes();
  subscribe_routes();
  subscribe_extensions();
  deliver(std::move(ready));
  mark_warming();
}

// Its first answer makes a cluster of names ready; that it gets none is an answer, too, so that no deadline is needed.
bool Discovery::Impl::waits_for_names(const std::shared_ptr<const upstream::ClusterConfig>& cluster) {
  const bool ready = target_.begin_names(cluster, [this, cluster, alive = std::weak_ptr<char>(alive_)] {
    if (alive.expired() || stopped_) return;
    if (auto found = warming_clusters_.find(cluster->name); found != warming_clusters_.end() && found->second == cluster)
      activate_cluster(cluster->name);
  });
  if (ready) return false;
  wait_no_more("cluster " + cluster->name);
  warming_clusters_[cluster->name] = cluster;
  return true;
}

// Those of the bootstrap serve at once; the ports open when their names are known.
void Discovery::Impl::note_names(const std::shared_ptr<const upstream::ClusterConfig>& cluster) {
  if (!cluster->naming) return;
  const std::string what = "names of " + cluster->name;
  const bool ready = target_.begin_names(cluster, [this, what, alive = std::weak_ptr<char>(alive_)] {
    if (!alive.expired() && !stopped_) give_up_static(what);
  });
  if (!ready) static_waits_.insert(what);
}

// Routes wait for the clusters that they name and that still warm: a route to a cluster that is not there yet would fail
// requests that the routes before it served.
void Discovery::Impl::release_routes(Update& ready) {
  for (auto at = warming_routes_.begin(); at != warming_routes_.end();) {
    const std::vector<std::string> clusters = at->second->clusters();
    if (std::any_of(clusters.begin(), clusters.end(), [&](const std::string& name) { return warming_clusters_.contains(name); })) {
      ++at;
      continue;
    }
    const std::string name = at->first;
    ready.routes.emplace_back(name, at->second);
    at = warming_routes_.erase(at);
    static_waits_.erase("routes " + name);
    wait_no_more("routes " + name);
  }
}

// Scopes become active one by one: until the routes of one are there, its key means what it meant before. So a key that moves from
// scope to scope, or a scope that changes its routes, leaves no request without.
void Discovery::Impl::release_scopes(Update& ready) {
  for (const std::string& path : scopes_answered_) {
    std::shared_ptr<const config::ScopeTable>& present = scope_tables_[path];
    config::ScopeTable next;
    size_t all = 0, by_rds = 0;
    for (const auto& [name, scope] : values_.scopes) {
      if (scope->path != path) continue;
      ++all;
      if (!scope->rds_name.empty()) ++by_rds;
      if (scope->routes || (values_.routes.contains(scope->rds_name) && !warming_routes_.contains(scope->rds_name))) {
        next.emplace(scope->key, scope);
      } else if (present) {
        if (const auto before = present->find(scope->key); before != present->end()) next.emplace(*before);
      }
    }
    stats_.count_scopes(path, all, by_rds);
    if (present && *present == next) continue;
    present = std::make_shared<const config::ScopeTable>(std::move(next));
    ready.scope_tables.emplace_back(path, present);
  }
}

// Those that have what they waited for.
void Discovery::Impl::release_listeners(Update& ready) {
  for (auto at = warming_listeners_.begin(); at != warming_listeners_.end();) {
    if (lacks_routes(*at->second) || lacks_extension(*at->second)) {
      ++at;
      continue;
    }
    wait_no_more("listener " + at->first);
    ready.listeners.push_back(at->second);
    at = warming_listeners_.erase(at);
  }
}

// All scopes of that place are known now: what waited for them waits for their routes.
void Discovery::Impl::note_scopes_answer(const std::string& path) {
  scopes_answered_.insert(path);
  static_waits_.erase("scopes " + path);
  wait_no_more("scopes " + path);
  if (first_complete_) return;
  for (const auto& listener : bootstrap_.statics.listeners) {
    for (const config::ScopedRoutes* scoped : config::scoped_routes(*listener)) {
      if (scoped->scopes || scoped->path != path) continue;
      for (const auto& [name, scope] : values_.scopes)
        if (scope->path == path && !scope->rds_name.empty() && !values_.routes.contains(scope->rds_name))
          wait_for_routes(scope->rds_name, rds_patience(*listener));
    }
  }
}

void Discovery::Impl::activate_cluster(const std::string& name) {
  auto found = warming_clusters_.find(name);
  if (found == warming_clusters_.end()) return;
  Update ready;
  ready.clusters.push_back(found->second);
  warming_clusters_.erase(found);
  release_routes(ready);
  release_scopes(ready);
  release_listeners(ready);
  deliver(std::move(ready));
  mark_warming();
  complete_if_first();
}

void Discovery::Impl::activate_listener(const std::string& name) {
  auto found = warming_listeners_.find(name);
  if (found == warming_listeners_.end()) return;
  Update ready;
  ready.listeners.push_back(found->second);
  warming_listeners_.erase(found);
  deliver(std::move(ready));
  mark_warming();
  complete_if_first();
}

void Discovery::Impl::mark_warming() {
  cluster_manager_->cells(0).set(observe::ClusterManagerStat::kWarmingClusters, static_cast<int64_t>(warming_clusters_.size()));
  listener_manager_->cells(0).set(observe::ListenerManagerStat::kTotalListenersWarming, static_cast<int64_t>(warming_listeners_.size()));
  for (auto& [key, state] : states_) {
    state.warming = (key.first == ResourceType::kCluster && warming_clusters_.contains(key.second)) ||
                    (key.first == ResourceType::kListener && warming_listeners_.contains(key.second));
  }
}

// --- what is ready goes to the target ---

// Ports open when the first configuration is complete: until then, finished listeners wait here.
void Discovery::Impl::deliver(Update ready) {
  if (!first_complete_) {
    for (const auto& listener : ready.listeners) {
      std::erase_if(held_.listeners, [&](const auto& old) { return old->name == listener->name; });
      held_.listeners.push_back(listener);
    }
    for (const std::string& name : ready.removed_listeners) {
      std::erase_if(held_.listeners, [&](const auto& old) { return old->name == name; });
      held_.removed_listeners.push_back(name);
    }
    ready.listeners.clear();
    ready.removed_listeners.clear();
  }
  if (!ready.empty()) target_.apply(ready);
}

void Discovery::Impl::complete_if_first() {
  if (first_complete_ || stopped_) return;
  if (clusters_first_.wanted && (!clusters_first_.answered || !warming_clusters_.empty())) return;
  if (listeners_first_.wanted && (!listeners_first_.answered || !warming_listeners_.empty())) return;
  if (!static_waits_.empty()) return;
  first_complete_ = true;
  if (on_first_complete_) on_first_complete_();
  if (!held_.empty()) target_.apply(held_);
  held_ = {};
}

// --- waits ---

void Discovery::Impl::note_eds(const upstream::ClusterConfig& cluster) {
  if (cluster.discovery != upstream::ClusterConfig::Discovery::kEds) return;
  if (!cluster.eds_over_ads) add_path(ResourceType::kEndpoints, cluster.eds_path, {}, false);
  if (!values_.endpoints.contains(cluster.eds_name())) {
    static_waits_.insert("endpoints " + cluster.eds_name());
    wait_for("endpoints " + cluster.eds_name(), cluster.eds_fetch_timeout, [this, name = cluster.eds_name()] {
      stats_.timed_out(ResourceType::kEndpoints, name);
      give_up_static("endpoints " + name);
    });
  }
}

void Discovery::Impl::note_rds(const config::Listener& listener) {
  for (const std::string_view name : config::rds_names(listener)) wait_for_routes(std::string(name), rds_patience(listener));
  for (const config::ScopedRoutes* scoped : config::scoped_routes(listener)) {
    if (scoped->scopes) continue;
    static_waits_.insert("scopes " + scoped->path);
    wait_for("scopes " + scoped->path, scoped->fetch_timeout, [this, path = scoped->path] {
      stats_.timed_out(ResourceType::kScope, path);
      give_up_static("scopes " + path);
    });
  }
}

void Discovery::Impl::wait_for_routes(const std::string& name, milliseconds patience) {
  static_waits_.insert("routes " + name);
  wait_for("routes " + name, patience, [this, name] {
    stats_.timed_out(ResourceType::kRoute, name);
    give_up_static("routes " + name);
  });
}

void Discovery::Impl::note_extensions(const std::shared_ptr<const config::Listener>& listener) {
  if (listener->extensions.empty()) return;
  values_.static_listeners.emplace(listener->name, listener);
  for (const config::ExtensionRef& ref : listener->extensions) {
    if (ref.awaited) static_waits_.insert("extension " + ref.name);
    wait_for("extension " + ref.name, ref.fetch_timeout, [this, name = ref.name] {
      stats_.timed_out(ResourceType::kExtension, name);
      give_up_static("extension " + name);
    });
  }
}

bool Discovery::Impl::lacks_route(std::string_view rds) const {
  return !rds.empty() && (values_.routes.find(rds) == values_.routes.end() || warming_routes_.contains(std::string(rds)));
}

bool Discovery::Impl::lacks_routes(const config::Listener& listener) const {
  for (const std::string_view rds : config::rds_names(listener))
    if (lacks_route(rds)) return true;
  for (const config::ScopedRoutes* scoped : config::scoped_routes(listener)) {
    if (scoped->scopes) continue;
    if (!scopes_answered_.contains(scoped->path)) return true;
    for (const auto& [name, scope] : values_.scopes)
      if (scope->path == scoped->path && lacks_route(scope->rds_name)) return true;
  }
  return false;
}

bool Discovery::Impl::lacks_extension(const config::Listener& listener) const {
  const auto& refs = listener.extensions;
  return std::any_of(refs.begin(), refs.end(),
                     [this](const config::ExtensionRef& ref) { return ref.awaited && !values_.extensions.contains(ref.name); });
}

void Discovery::Impl::give_up_static(const std::string& what) {
  static_waits_.erase(what);
  if (ads_ && bootstrap_.ads && what == "names of " + bootstrap_.ads->cluster) ads_->start();
  complete_if_first();
}

void Discovery::Impl::wait_for(const std::string& what, milliseconds patience, std::function<void()> passed) {
  if (patience.count() <= 0) return;
  auto deadline = std::make_unique<Deadline>();
  deadline->passed = std::move(passed);
  loop_.wheel().arm(*deadline, patience);
  deadlines_[what] = std::move(deadline);
}

// From inside a deadline's own call, it may only be let go of later.
void Discovery::Impl::wait_no_more(const std::string& what) {
  auto found = deadlines_.find(what);
  if (found == deadlines_.end()) return;
  found->second->disarm();
  auto* dead = found->second.release();
  deadlines_.erase(found);
  loop_.post([dead] { delete dead; });
}

}  // namespace weft::xds
