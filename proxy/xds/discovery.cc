// Discovery's life, and where its resources come from: the aggregated stream, or watched files.
#include "proxy/xds/discovery.h"

#include "common/base/log.h"
#include "common/net/interfaces.h"
#include "common/observe/shapes.h"
#include "proxy/config/proto_loader.h"
#include "proxy/xds/discovery_impl.h"
#include "proxy/xds/runtime_sources.h"

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace weft::xds {
namespace {

config::BuildContext context_of(const config::Bootstrap& bootstrap, observe::Registry& metrics, telemetry::LogWriter& logs) {
  config::BuildContext context{*bootstrap.runtime,    &metrics, &logs, bootstrap.node->cluster(), bootstrap.node->id(),
                               net::machine_address()};
  context.locality = config::locality_name(bootstrap.node->locality());
  context.resolver = bootstrap.resolver;
  context.bind = bootstrap.bind;
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

Discovery::Impl::Impl(net::Loop& control, upstream::ClusterTable& clusters, const config::Bootstrap& bootstrap, observe::Registry& metrics,
                      telemetry::LogWriter& logs, Target& target, RuntimeSources* runtime)
    : loop_(control),
      clusters_(clusters),
      bootstrap_(bootstrap),
      metrics_(metrics),
      target_(target),
      runtime_(runtime),
      context_(context_of(bootstrap, metrics, logs)),
      stats_(metrics),
      cluster_manager_(observe::cluster_manager_scope(metrics)),
      listener_manager_(observe::listener_manager_scope(metrics)) {
  // Asked while building, when nobody changes values_.
  context_.knows_cluster = [this](std::string_view name) { return values_.clusters.contains(name) || context_.static_cluster(name); };
}

Discovery::Impl::~Impl() {
  stop();
  builder_work_.reset();
  if (builder_thread_.joinable()) builder_thread_.join();
}

void Discovery::Impl::start(std::function<void()> on_first_complete) {
  on_first_complete_ = std::move(on_first_complete);
  builder_thread_ = std::thread([this] { builder_.run(); });
  if (bootstrap_.ads)
    ads_ = std::make_unique<AdsClient>(loop_, clusters_, *bootstrap_.ads, bootstrap_.node, metrics_, static_cast<AdsEvents&>(*this));
  begin_runtime();
  begin_source(ResourceType::kCluster, bootstrap_.cds, clusters_first_);
  begin_source(ResourceType::kListener, bootstrap_.lds, listeners_first_);
  for (const auto& cluster : bootstrap_.statics.clusters) note_eds(*cluster);
  for (const auto& cluster : bootstrap_.statics.clusters) note_names(cluster);
  for (const auto& listener : bootstrap_.statics.listeners) note_rds(*listener);
  for (const auto& listener : bootstrap_.statics.listeners) note_extensions(listener);
  subscribe_endpoints();
  subscribe_scopes();
  subscribe_routes();
  subscribe_extensions();
  if (ads_ && bootstrap_.dns) {
    stats_.begin_all(ResourceType::kNameTable);
    ads_->subscribe_all(ResourceType::kNameTable);
  }
  // The server itself may be a name.
  if (ads_ && !static_waits_.contains("names of " + bootstrap_.ads->cluster)) ads_->start();
  loop_.post([this, alive = std::weak_ptr<char>(alive_)] {
    if (!alive.expired()) complete_if_first();
  });
}

void Discovery::Impl::stop() {
  stopped_ = true;
  ads_.reset();
  paths_.clear();
  deadlines_.clear();
}

std::vector<ResourceState> Discovery::Impl::resources() const {
  std::vector<ResourceState> all;
  for (const auto& [key, state] : states_) all.push_back(state);
  return all;
}

std::vector<std::shared_ptr<const config::Listener>> Discovery::Impl::static_listeners() const {
  std::vector<std::shared_ptr<const config::Listener>> all;
  for (const auto& listener : bootstrap_.statics.listeners) {
    auto at = values_.static_listeners.find(listener->name);
    all.push_back(at == values_.static_listeners.end() ? listener : at->second);
  }
  return all;
}

std::vector<std::string> Discovery::Impl::unready() const {
  std::vector<std::string> all;
  for (const auto& [name, cluster] : warming_clusters_)
    all.push_back("cluster " + name + (cluster->naming ? " waits for its names" : " waits for its endpoints"));
  for (const auto& [name, listener] : warming_listeners_)
    all.push_back("listener " + name + " waits for its routes or its filters' configuration");
  return all;
}

// --- sources ---

void Discovery::Impl::begin_source(ResourceType type, const config::ConfigSource& source, First& first) {
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

void Discovery::Impl::add_path(ResourceType type, const std::string& path, const std::string& directory, bool complete) {
  if (paths_.contains(path)) return;
  paths_[path] = std::make_unique<PathSource>(
      loop_, path, directory, [this, type, path, complete](std::string text) { on_file(type, path, text, complete); },
      [this, type, path](std::string reason) {
        log::get(log::Logger::kConfig).warn("{}", reason);
        on_file_failed(type, path);
      });
}

void Discovery::Impl::on_file(ResourceType type, const std::string& path, const std::string& text, bool complete) {
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
    return on_file_failed(type, path);
  }
  Response response;
  response.changes.type = type;
  response.changes.path = path;
  for (const auto& any : parsed.resources()) response.changes.resources.push_back({any.type_url(), any.value(), ""});
  response.version = parsed.version_info();
  response.complete = complete;
  enqueue(std::move(response), path);
}

// A file that is not there or cannot be read is as much of an answer as there will be: nobody waits for it.
void Discovery::Impl::on_file_failed(ResourceType type, const std::string& path) {
  stats_.failed(type);
  if (type == ResourceType::kCluster) clusters_first_.answered = true;
  if (type == ResourceType::kListener) listeners_first_.answered = true;
  if (type == ResourceType::kScope) {
    note_scopes_answer(path);
    warm({});
  }
  if (type == ResourceType::kRuntime) std::erase_if(static_waits_, [](const std::string& what) { return what.starts_with("runtime "); });
  complete_if_first();
}

void Discovery::Impl::on_ads_response(Response response) { enqueue(std::move(response), {}); }

void Discovery::Impl::on_ads_disconnected(const std::string&) {
  if (bootstrap_.cds.kind == config::ConfigSource::Kind::kAds) stats_.failed(ResourceType::kCluster);
  if (bootstrap_.lds.kind == config::ConfigSource::Kind::kAds) stats_.failed(ResourceType::kListener);
  stats_.failed(ResourceType::kEndpoints);
  stats_.failed(ResourceType::kScope);
  stats_.failed(ResourceType::kRoute);
  stats_.failed(ResourceType::kRuntime);
  stats_.failed(ResourceType::kExtension);
  stats_.failed(ResourceType::kNameTable);
}

// --- what others see ---

Discovery::Discovery(net::Loop& control, upstream::ClusterTable& clusters, const config::Bootstrap& bootstrap, observe::Registry& metrics,
                     telemetry::LogWriter& logs, Target& target, RuntimeSources* runtime)
    : impl_(std::make_unique<Impl>(control, clusters, bootstrap, metrics, logs, target, runtime)) {}
Discovery::~Discovery() = default;
void Discovery::start(std::function<void()> on_first_complete) { impl_->start(std::move(on_first_complete)); }
std::vector<std::shared_ptr<const config::Listener>> Discovery::static_listeners() const { return impl_->static_listeners(); }
void Discovery::stop() { impl_->stop(); }
std::vector<ResourceState> Discovery::resources() const { return impl_->resources(); }
std::vector<std::string> Discovery::unready() const { return impl_->unready(); }

}  // namespace weft::xds
