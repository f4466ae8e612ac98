// What is accepted becomes active once what it refers to is there: a cluster waits for its endpoints, routes for the clusters that
// they name, a listener for its routes. Each wait has a deadline; what it takes the place of serves until then.
#include "proxy/xds/discovery_impl.h"

#include "common/base/log.h"
#include "common/observe/shapes.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace weft::xds {
namespace {

using config::Update;
using std::chrono::milliseconds;

milliseconds rds_patience(const config::Listener& listener) {
  return std::get<std::shared_ptr<const config::HttpConnectionManager>>(listener.chain.terminal)->rds_fetch_timeout;
}

}  // namespace

// What is accepted becomes active once what it refers to is there.
void Discovery::Impl::warm(const Update& built) {
  Update ready;
  for (const auto& cluster : built.clusters) {
    const std::string& eds = cluster->eds_name();
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
      if (at->second->eds_name() != eds) {
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
  for (const auto& listener : built.listeners) {
    const std::string rds(config::rds_name(*listener));
    if (rds.empty() || (values_.routes.contains(rds) && !warming_routes_.contains(rds))) {
      warming_listeners_.erase(listener->name);
      wait_no_more("listener " + listener->name);
      ready.listeners.push_back(listener);
      continue;
    }
    warming_listeners_[listener->name] = listener;
    wait_for("listener " + listener->name, rds_patience(*listener), [this, name = listener->name] {
      log::get(log::Logger::kConfig).warn("listener {}: no routes in time, going on without", name);
      if (auto found = warming_listeners_.find(name); found != warming_listeners_.end())
        stats_.timed_out(ResourceType::kRoute, config::rds_name(*found->second));
      activate_listener(name);
    });
  }
  for (const std::string& name : built.removed_listeners) {
    warming_listeners_.erase(name);
    wait_no_more("listener " + name);
    if (ads_) ads_->forget(ResourceType::kListener, name);
    ready.removed_listeners.push_back(name);
  }
  subscribe_endpoints();
  subscribe_routes();
  deliver(std::move(ready));
  mark_warming();
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
    for (auto listener = warming_listeners_.begin(); listener != warming_listeners_.end();) {
      if (config::rds_name(*listener->second) != name) {
        ++listener;
        continue;
      }
      wait_no_more("listener " + listener->first);
      ready.listeners.push_back(listener->second);
      listener = warming_listeners_.erase(listener);
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
  const std::string name(config::rds_name(listener));
  if (name.empty()) return;
  static_waits_.insert("routes " + name);
  wait_for("routes " + name, rds_patience(listener), [this, name] {
    stats_.timed_out(ResourceType::kRoute, name);
    give_up_static("routes " + name);
  });
}

void Discovery::Impl::give_up_static(const std::string& what) {
  static_waits_.erase(what);
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
