#include "proxy/xds/discovery.h"

#include "common/base/log.h"
#include "common/net/interfaces.h"
#include "common/observe/shapes.h"
#include "proxy/config/proto_loader.h"
#include "proxy/config/values.h"
#include "proxy/xds/ads_client.h"
#include "proxy/xds/path_source.h"
#include "proxy/xds/subscription_stats.h"

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <spdlog/spdlog.h>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <thread>

namespace weft::xds {
namespace {

using config::Update;
using std::chrono::milliseconds;

// How long a resource may be waited for.
struct Deadline final : TimeoutNode {
  std::function<void()> passed;
  void on_timeout() override { passed(); }
};

// All four types have their name as field 1.
std::string name_of(const config::RawResource& resource) {
  if (!resource.name.empty()) return resource.name;
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(resource.bytes.data()),
                                            static_cast<int>(resource.bytes.size()));
  std::string name;
  while (const uint32_t tag = in.ReadTag()) {
    if (tag == (1 << 3 | 2)) {
      google::protobuf::internal::WireFormatLite::ReadString(&in, &name);
    } else if (!google::protobuf::internal::WireFormatLite::SkipField(&in, tag)) {
      break;
    }
  }
  return name;
}

config::BuildContext context_of(const config::Bootstrap& bootstrap, observe::Registry& metrics, telemetry::LogWriter& logs) {
  config::BuildContext context{bootstrap.runtime, &metrics, &logs, bootstrap.node->cluster(), bootstrap.node->id(), net::machine_address()};
  context.static_cluster = [&bootstrap](std::string_view name) {
    return std::any_of(bootstrap.statics.clusters.begin(), bootstrap.statics.clusters.end(),
                       [&](const auto& cluster) { return cluster->name == name; });
  };
  context.static_listener = [&bootstrap](std::string_view name) {
    return std::any_of(bootstrap.statics.listeners.begin(), bootstrap.statics.listeners.end(),
                       [&](const auto& listener) { return listener->name == name; });
  };
  return context;
}

}  // namespace

class Discovery::Impl final : public AdsEvents {
 public:
  Impl(net::Loop& control, upstream::ClusterTable& clusters, const config::Bootstrap& bootstrap, observe::Registry& metrics,
       telemetry::LogWriter& logs, Target& target)
      : loop_(control),
        clusters_(clusters),
        bootstrap_(bootstrap),
        metrics_(metrics),
        target_(target),
        context_(context_of(bootstrap, metrics, logs)),
        stats_(metrics),
        cluster_manager_(observe::cluster_manager_scope(metrics)),
        listener_manager_(observe::listener_manager_scope(metrics)) {
    // Asked while building, when nobody changes values_.
    context_.knows_cluster = [this](std::string_view name) { return values_.clusters.contains(name) || context_.static_cluster(name); };
  }

  ~Impl() {
    stop();
    builder_work_.reset();
    if (builder_thread_.joinable()) builder_thread_.join();
  }

  void start(std::function<void()> on_first_complete) {
    on_first_complete_ = std::move(on_first_complete);
    builder_thread_ = std::thread([this] { builder_.run(); });
    if (bootstrap_.ads)
      ads_ = std::make_unique<AdsClient>(loop_, clusters_, *bootstrap_.ads, bootstrap_.node, metrics_, static_cast<AdsEvents&>(*this));
    begin_source(ResourceType::kCluster, bootstrap_.cds, clusters_first_);
    begin_source(ResourceType::kListener, bootstrap_.lds, listeners_first_);
    for (const auto& cluster : bootstrap_.statics.clusters) note_eds(*cluster);
    for (const auto& listener : bootstrap_.statics.listeners) note_rds(*listener);
    subscribe_endpoints();
    subscribe_routes();
    if (ads_) ads_->start();
    loop_.post([this, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired()) complete_if_first();
    });
  }

  void stop() {
    stopped_ = true;
    ads_.reset();
    paths_.clear();
    deadlines_.clear();
  }

  std::vector<ResourceState> resources() const {
    std::vector<ResourceState> all;
    for (const auto& [key, state] : states_) all.push_back(state);
    return all;
  }

  std::vector<std::string> unready() const {
    std::vector<std::string> all;
    for (const auto& [name, cluster] : warming_clusters_) all.push_back("cluster " + name + " waits for its endpoints");
    for (const auto& [name, listener] : warming_listeners_) all.push_back("listener " + name + " waits for its routes");
    return all;
  }

 private:
  // The first answer about all clusters, or all listeners.
  struct First {
    bool wanted = false, answered = false;
  };

  // --- sources ---

  void begin_source(ResourceType type, const config::ConfigSource& source, First& first) {
    if (source.kind == config::ConfigSource::Kind::kNone) return;
    first.wanted = true;
    stats_.begin_all(type);
    if (source.kind == config::ConfigSource::Kind::kAds) {
      if (ads_) ads_->subscribe_all(type);
    } else {
      add_path(type, source.path, source.watched_directory, true);
    }
    if (source.initial_fetch_timeout.count() > 0) {
      wait_for("first " + std::string(config::type_url(type)), source.initial_fetch_timeout, [this, type, &first] {
        if (first.answered) return;
        log::get(log::Logger::kConfig).warn("no answer about {} yet: going on without", config::type_url(type));
        stats_.timed_out(type, "");
        first.answered = true;
        complete_if_first();
      });
    }
  }

  void add_path(ResourceType type, const std::string& path, const std::string& directory, bool complete) {
    if (paths_.contains(path)) return;
    paths_[path] = std::make_unique<PathSource>(
        loop_, path, directory, [this, type, path, complete](std::string text) { on_file(type, path, text, complete); },
        [this, type](std::string reason) {
          log::get(log::Logger::kConfig).warn("{}", reason);
          on_file_failed(type);
        });
  }

  void on_file(ResourceType type, const std::string& path, const std::string& text, bool complete) {
    envoy::service::discovery::v3::DiscoveryResponse parsed;
    Diagnostics problems;
    bool good = true;
    if (path.ends_with(".pb")) {
      good = parsed.ParseFromString(text);
    } else {
      std::vector<yaml::Document> documents;
      Diagnostic problem;
      if (!yaml::parse(text, path, documents, problem)) {
        problems.push_back(problem);
        good = false;
      } else if (!documents.empty()) {
        good = config::load(documents[0], parsed, problems);
      }
    }
    if (!good) {
      log::get(log::Logger::kConfig).warn("{} is refused, what was there stays:\n{}", path, render(problems));
      return on_file_failed(type);
    }
    Response response;
    response.changes.type = type;
    for (const auto& any : parsed.resources()) response.changes.resources.push_back({any.type_url(), any.value(), ""});
    response.version = parsed.version_info();
    response.complete = complete;
    enqueue(std::move(response), path);
  }

  // A file that is not there or cannot be read is as much of an answer as there will be: nobody waits for it.
  void on_file_failed(ResourceType type) {
    stats_.failed(type);
    if (type == ResourceType::kCluster) clusters_first_.answered = true;
    if (type == ResourceType::kListener) listeners_first_.answered = true;
    complete_if_first();
  }

  void on_ads_response(Response response) override { enqueue(std::move(response), {}); }

  void on_ads_disconnected(const std::string&) override {
    if (bootstrap_.cds.kind == config::ConfigSource::Kind::kAds) stats_.failed(ResourceType::kCluster);
    if (bootstrap_.lds.kind == config::ConfigSource::Kind::kAds) stats_.failed(ResourceType::kListener);
    stats_.failed(ResourceType::kEndpoints);
    stats_.failed(ResourceType::kRoute);
  }

  // --- building, one response after another, on a thread of its own: streams and timers go on meanwhile ---

  struct Arrived {
    Response response;
    std::string path;  // empty: over ADS
  };

  void enqueue(Response response, std::string path) {
    if (stopped_) return;
    queue_.push_back({std::move(response), std::move(path)});
    build_next();
  }

  void build_next() {
    if (building_ || queue_.empty() || stopped_) return;
    building_ = true;
    const auto began = std::chrono::steady_clock::now();
    auto arrived = std::make_shared<Arrived>(std::move(queue_.front()));
    queue_.pop_front();
    if (arrived->response.complete) add_absent(arrived->response.changes);
    // values_ is not touched by this thread until the build is back.
    asio::post(builder_, [this, arrived, began, alive = std::weak_ptr<char>(alive_)] {
      auto built = std::make_shared<config::Built>(config::build(values_, arrived->response.changes, context_));
      loop_.post([this, arrived, began, built, alive] {
        if (alive.expired()) return;
        building_ = false;
        if (!stopped_) take(*arrived, *built, began);
        build_next();
      });
    });
  }

  // State of the world: what is not in it any more is gone.
  void add_absent(config::Changes& changes) const {
    std::set<std::string> present;
    for (const config::RawResource& resource : changes.resources) present.insert(name_of(resource));
    auto absent = [&](const auto& held) {
      for (const auto& [name, value] : held)
        if (!present.contains(name)) changes.removed.push_back(name);
    };
    if (changes.type == ResourceType::kCluster) absent(values_.clusters);
    if (changes.type == ResourceType::kListener) absent(values_.listeners);
  }

  void take(const Arrived& arrived, config::Built& built, std::chrono::steady_clock::time_point began) {
    const Response& response = arrived.response;
    const ResourceType type = response.changes.type;
    // A listener whose port cannot be had is as wrong as one that cannot be read.
    if (type == ResourceType::kListener) {
      std::erase_if(built.update.listeners, [&](const auto& listener) {
        Status possible = target_.reserve(*listener, built.update.removed_listeners);
        if (possible) return false;
        reject(built, listener->name, possible.error().detail);
        return true;
      });
    }
    std::set<std::string> rejected;
    for (const config::Rejected& one : built.rejected) rejected.insert(one.name);
    note_states(arrived, built, rejected);
    config::apply(built, values_);

    const std::string detail = built.nack_detail();
    if (!detail.empty()) log::get(log::Logger::kConfig).warn("{} rejected: {}", config::type_url(type), detail);
    const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began);
    if (type == ResourceType::kCluster || type == ResourceType::kListener) {
      if (detail.empty())
        stats_.accepted(type, "", response.version, took, !built.update.empty());
      else
        stats_.rejected(type, "");
    } else {
      for (const config::RawResource& resource : response.changes.resources) {
        const std::string name = name_of(resource);
        if (rejected.contains(name))
          stats_.rejected(type, name);
        else
          stats_.accepted(type, name, response.version, took,
                          std::find(built.accepted.begin(), built.accepted.end(), name) != built.accepted.end());
      }
    }
    if (arrived.path.empty() && ads_) detail.empty() ? ads_->ack(response) : ads_->nack(response, detail, rejected);

    warm(built.update);
    if (type == ResourceType::kCluster) clusters_first_.answered = true;
    if (type == ResourceType::kListener) listeners_first_.answered = true;
    complete_if_first();
  }

  static void reject(config::Built& built, const std::string& name, const std::string& why) {
    config::Rejected one;
    one.name = name;
    one.detail = name + ": " + why;
    built.rejected.push_back(std::move(one));
    std::erase(built.accepted, name);
  }

  void note_states(const Arrived& arrived, const config::Built& built, const std::set<std::string>& rejected) {
    const config::Changes& changes = arrived.response.changes;
    const auto now = std::chrono::system_clock::now();
    auto version_of = [&](const std::string& name) {
      auto found = arrived.response.versions.find(name);
      return found == arrived.response.versions.end() ? arrived.response.version : found->second;
    };
    for (const config::RawResource& resource : changes.resources) {
      const std::string name = name_of(resource);
      ResourceState& state = states_[{changes.type, name}];
      state.type = changes.type;
      state.name = name;
      if (rejected.contains(name)) {
        state.error_version = version_of(name);
        state.last_error = now;
        for (const config::Rejected& one : built.rejected)
          if (one.name == name) state.error = one.detail;
        continue;
      }
      if (!state.bytes || *state.bytes != resource.bytes) state.last_updated = now;
      state.bytes = std::make_shared<const std::string>(resource.bytes);
      state.version = version_of(name);
      state.error.clear();
    }
    for (const std::string& name : changes.removed) states_.erase({changes.type, name});
    if (!arrived.response.complete) return;
    // What was refused and is not offered any more.
    std::set<std::string> offered;
    for (const config::RawResource& resource : changes.resources) offered.insert(name_of(resource));
    std::erase_if(states_, [&](const auto& entry) {
      return entry.first.first == changes.type && !entry.second.bytes && !offered.contains(entry.first.second);
    });
  }

  // --- warming ---

  void note_eds(const upstream::ClusterConfig& cluster) {
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
  void note_rds(const config::Listener& listener) {
    const std::string name(config::rds_name(listener));
    if (name.empty()) return;
    static_waits_.insert("routes " + name);
    wait_for("routes " + name, rds_patience(listener), [this, name] {
      stats_.timed_out(ResourceType::kRoute, name);
      give_up_static("routes " + name);
    });
  }
  void give_up_static(const std::string& what) {
    static_waits_.erase(what);
    complete_if_first();
  }

  static milliseconds rds_patience(const config::Listener& listener) {
    return std::get<std::shared_ptr<const config::HttpConnectionManager>>(listener.chain.terminal)->rds_fetch_timeout;
  }

  void wait_for(const std::string& what, milliseconds patience, std::function<void()> passed) {
    if (patience.count() <= 0) return;
    auto deadline = std::make_unique<Deadline>();
    deadline->passed = std::move(passed);
    loop_.wheel().arm(*deadline, patience);
    deadlines_[what] = std::move(deadline);
  }
  // From inside a deadline's own call, it may only be let go of later.
  void wait_no_more(const std::string& what) {
    auto found = deadlines_.find(what);
    if (found == deadlines_.end()) return;
    found->second->disarm();
    auto* dead = found->second.release();
    deadlines_.erase(found);
    loop_.post([dead] { delete dead; });
  }

  // What is accepted becomes active once what it refers to is there.
  void warm(const Update& built) {
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
  void release_routes(Update& ready) {
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

  void activate_cluster(const std::string& name) {
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

  void activate_listener(const std::string& name) {
    auto found = warming_listeners_.find(name);
    if (found == warming_listeners_.end()) return;
    Update ready;
    ready.listeners.push_back(found->second);
    warming_listeners_.erase(found);
    deliver(std::move(ready));
    mark_warming();
    complete_if_first();
  }

  void mark_warming() {
    cluster_manager_->cells(0).set(observe::ClusterManagerStat::kWarmingClusters, static_cast<int64_t>(warming_clusters_.size()));
    listener_manager_->cells(0).set(observe::ListenerManagerStat::kTotalListenersWarming, static_cast<int64_t>(warming_listeners_.size()));
    for (auto& [key, state] : states_) {
      state.warming = (key.first == ResourceType::kCluster && warming_clusters_.contains(key.second)) ||
                      (key.first == ResourceType::kListener && warming_listeners_.contains(key.second));
    }
  }

  // Ports open when the first configuration is complete: until then, finished listeners wait here.
  void deliver(Update ready) {
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

  void complete_if_first() {
    if (first_complete_ || stopped_) return;
    if (clusters_first_.wanted && (!clusters_first_.answered || !warming_clusters_.empty())) return;
    if (listeners_first_.wanted && (!listeners_first_.answered || !warming_listeners_.empty())) return;
    if (!static_waits_.empty()) return;
    first_complete_ = true;
    if (on_first_complete_) on_first_complete_();
    if (!held_.empty()) target_.apply(held_);
    held_ = {};
  }

  // --- what is subscribed to follows from what is accepted ---

  void subscribe_endpoints() {
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

  void subscribe_routes() {
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
  void drop_unnamed(Held& held, const std::set<std::string>& names, ResourceType type) {
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
  bool from_path(const std::string& eds_name) const {
    auto uses = [&](const upstream::ClusterConfig& cluster) { return !cluster.eds_over_ads && cluster.eds_name() == eds_name; };
    for (const auto& cluster : bootstrap_.statics.clusters)
      if (uses(*cluster)) return true;
    for (const auto& [name, cluster] : values_.clusters)
      if (uses(*cluster)) return true;
    return false;
  }

  net::Loop& loop_;
  upstream::ClusterTable& clusters_;
  const config::Bootstrap& bootstrap_;
  observe::Registry& metrics_;
  Target& target_;
  config::BuildContext context_;
  SubscriptionStats stats_;
  std::shared_ptr<observe::Scope> cluster_manager_, listener_manager_;
  std::function<void()> on_first_complete_;
  std::unique_ptr<AdsClient> ads_;
  std::map<std::string, std::unique_ptr<PathSource>> paths_;

  asio::io_context builder_{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> builder_work_{builder_.get_executor()};
  std::thread builder_thread_;
  std::deque<Arrived> queue_;
  bool building_ = false;

  config::Values values_;
  std::map<std::pair<ResourceType, std::string>, ResourceState> states_;
  std::map<std::string, std::shared_ptr<const upstream::ClusterConfig>> warming_clusters_;
  std::map<std::string, std::shared_ptr<const config::Listener>> warming_listeners_;
  std::map<std::string, std::shared_ptr<const routing::RouteTable>> warming_routes_;
  std::map<std::string, std::unique_ptr<Deadline>> deadlines_;
  std::set<std::string> static_waits_;
  First clusters_first_, listeners_first_;
  Update held_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  bool first_complete_ = false, stopped_ = false;
};

Discovery::Discovery(net::Loop& control, upstream::ClusterTable& clusters, const config::Bootstrap& bootstrap, observe::Registry& metrics,
                     telemetry::LogWriter& logs, Target& target)
    : impl_(std::make_unique<Impl>(control, clusters, bootstrap, metrics, logs, target)) {}
Discovery::~Discovery() = default;
void Discovery::start(std::function<void()> on_first_complete) { impl_->start(std::move(on_first_complete)); }
void Discovery::stop() { impl_->stop(); }
std::vector<ResourceState> Discovery::resources() const { return impl_->resources(); }
std::vector<std::string> Discovery::unready() const { return impl_->unready(); }

}  // namespace weft::xds
