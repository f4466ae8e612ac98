#include "proxy/server/admin_view.h"

#include "common/base/log.h"
#include "common/http/head.h"
#include "common/observe/shapes.h"
#include "proxy/config/scopes.h"
#include "proxy/format/request_info.h"
#include "proxy/server/server.h"
#include "proxy/telemetry/access_log.h"
#include "proxy/telemetry/log_file.h"

#include "envoy/admin/v3/server_info.pb.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/core/v3/base.pb.h"

#include <google/protobuf/util/time_util.h>
#include <malloc.h>
#include <spdlog/spdlog.h>

#include <fstream>

#ifndef WEFT_VERSION
#define WEFT_VERSION "0.1.0"
#endif

namespace weft::server {
namespace {

using admin::ConfigEntry;
using observe::ServerStat;

// Envoy's stats_flush_interval.
constexpr std::chrono::seconds kInterval{5};

int health_of(upstream::Health health) {
  switch (health) {
    case upstream::Health::kUnknown:
    case upstream::Health::kHealthy: return 1;
    case upstream::Health::kUnhealthy: return 2;
    case upstream::Health::kDraining: return 3;
    case upstream::Health::kTimeout: return 4;
    case upstream::Health::kDegraded: return 5;
  }
  return 1;
}

admin::BreakerView breakers_of(const upstream::Thresholds& thresholds) {
  return {thresholds.max_connections, thresholds.max_pending_requests, thresholds.max_requests, thresholds.max_retries};
}

ConfigEntry::Kind kind_of(config::ResourceType type) {
  switch (type) {
    case config::ResourceType::kCluster: return ConfigEntry::Kind::kCluster;
    case config::ResourceType::kEndpoints: return ConfigEntry::Kind::kEndpoint;
    case config::ResourceType::kListener: return ConfigEntry::Kind::kListener;
    case config::ResourceType::kRoute: return ConfigEntry::Kind::kRoute;
    case config::ResourceType::kExtension: return ConfigEntry::Kind::kExtension;
    case config::ResourceType::kScope:
    case config::ResourceType::kNameTable:
    case config::ResourceType::kRuntime: break;
  }
  return ConfigEntry::Kind::kCluster;
}

ConfigEntry static_entry(ConfigEntry::Kind kind, config::ResourceType type, const std::string& name, std::string bytes,
                         admin::WallTime when) {
  ConfigEntry entry;
  entry.kind = kind;
  entry.from_bootstrap = true;
  entry.name = name;
  entry.type_url = std::string(config::type_url(type));
  entry.bytes = std::move(bytes);
  entry.last_updated = when;
  return entry;
}

admin::ScopedRoutesView scopes_of(const config::ScopedRoutes& scoped, const std::vector<xds::ResourceState>& states) {
  admin::ScopedRoutesView view;
  view.name = scoped.name;
  view.inlined = scoped.scopes != nullptr;
  view.scopes = scoped.sources;
  if (view.inlined) {
    view.last_updated = scoped.made;
    return view;
  }
  for (const xds::ResourceState& state : states) {
    if (state.type != config::ResourceType::kScope || state.path != scoped.path) continue;
    if (!state.error.empty() && state.last_error >= view.error_time) {
      view.error_details = state.error;
      view.error_version = state.error_version;
      view.error_time = state.last_error;
    }
    if (!state.bytes) continue;
    view.scopes.push_back(*state.bytes);
    if (state.last_updated < view.last_updated) continue;
    view.version = state.version;
    view.last_updated = state.last_updated;
  }
  return view;
}

}  // namespace

AdminView::AdminView(Server& server) : server_(server), started_(std::chrono::system_clock::now()) {}

AdminView::~AdminView() {
  if (pages_) pages_->stop();
}

Status AdminView::start() {
  const net::Endpoint& address = server_.bootstrap_.admin->address;
  admin::AdminOptions options;
  options.address = address.address().to_string();
  options.port = address.port();
  pages_ = std::make_unique<admin::AdminServer>(server_.control_.executor(), *this, server_.metrics_, options);
  if (Status listening = pages_->listen(); !listening) return listening;
  log::get(log::Logger::kMain).info("admin address: {}", pages_->address());
  if (server_.flags_.admin_address_path.empty()) return {};
  // Whole or not at all: whoever waits for the file must not read half of it.
  const std::string& path = server_.flags_.admin_address_path;
  const std::string draft = path + ".new";
  std::ofstream(draft) << pages_->address();
  if (std::rename(draft.c_str(), path.c_str()) != 0) return system_error("cannot write --admin-address-path " + path, errno);
  return {};
}

// The admin's access log.
void AdminView::note_request(const admin::ServedRequest& served) {
  const auto& logs = server_.bootstrap_.admin->access_logs;
  if (logs.empty()) return;
  http::Head head(server_.control_.slabs());
  head.set_method(served.method);
  head.set_path(served.target);
  for (const auto& [name, value] : served.headers) {
    std::string lower_case(name);
    for (char& c : lower_case) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (lower_case == "host")
      head.set_authority(value);
    else
      head.add(lower_case, value);
  }
  format::RequestInfo info;
  info.end = info.response_end = std::chrono::steady_clock::now();
  info.start = served.began;
  info.start_time =
      std::chrono::system_clock::now() - std::chrono::duration_cast<std::chrono::system_clock::duration>(info.end - served.began);
  info.protocol = served.protocol;
  info.bytes_received = served.body_received;
  info.bytes_sent = served.body_sent;
  info.response_code = served.status;
  info.response_code_details = "admin_filter_response";
  info.log_type = format::AccessLogType::kDownstreamEnd;
  info.downstream_local_address = info.downstream_direct_local_address = served.local;
  info.downstream_remote_address = info.downstream_direct_remote_address = served.client;
  info.request = &head;
  for (const auto& log : logs) log->log(server_.control_.thread(), info);
}

admin::ServerView AdminView::server() {
  admin::ServerView view;
  view.version = "weft/" WEFT_VERSION "/Clean/RELEASE/none";
  switch (server_.state_) {
    case Server::State::kPreInitializing: view.state = admin::ServerState::kPreInitializing; break;
    case Server::State::kInitializing: view.state = admin::ServerState::kInitializing; break;
    case Server::State::kLive: view.state = server_.health_check_failed_ ? admin::ServerState::kDraining : admin::ServerState::kLive; break;
    case Server::State::kDraining: view.state = admin::ServerState::kDraining; break;
  }
  view.uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - server_.started_);
  view.node_bytes = server_.bootstrap_.node->SerializeAsString();
  const Flags& flags = server_.flags_;
  envoy::admin::v3::CommandLineOptions options;
  options.set_concurrency(flags.concurrency);
  options.set_config_path(flags.sources.path);
  options.set_config_yaml(flags.sources.inline_yaml);
  options.set_admin_address_path(flags.admin_address_path);
  options.set_log_level(flags.log_level);
  options.set_component_log_level(flags.component_log_level);
  options.set_log_format(flags.log_format.empty() ? log::default_format() : flags.log_format);
  options.set_log_path(flags.log_path);
  options.set_service_cluster(flags.sources.service_cluster);
  options.set_service_node(flags.sources.service_node);
  options.set_service_zone(flags.sources.service_zone);
  options.mutable_drain_time()->set_seconds(flags.drain_time.count());
  options.set_allow_unknown_static_fields(flags.sources.allow_unknown_static_fields);
  options.set_reject_unknown_dynamic_fields(true);
  options.set_disable_hot_restart(true);
  view.options_bytes = options.SerializeAsString();
  return view;
}

std::vector<admin::ClusterView> AdminView::clusters() {
  std::vector<admin::ClusterView> all;
  for (const auto& [name, entry] : server_.clusters_.entries()) {
    const upstream::ClusterConfig& config = *entry.shared->config;
    admin::ClusterView view;
    view.name = name;
    view.observability_name = config.stat_name();
    if (config.discovery == upstream::ClusterConfig::Discovery::kEds) view.eds_service_name = config.eds_service_name;
    view.outlier_detection = config.outlier.has_value();
    view.default_priority = breakers_of(config.thresholds[0]);
    view.high_priority = breakers_of(config.thresholds[1]);
    view.added_via_api = true;
    for (const auto& cluster : server_.bootstrap_.statics.clusters)
      if (cluster->name == name) view.added_via_api = false;
    entry.endpoints->for_each([&](const upstream::Locality& locality, const upstream::Host& host) {
      const upstream::HostState& state = *host.state;
      admin::HostView shown;
      shown.address = net::to_string(host.address);
      shown.hostname = host.hostname;
      shown.cx_active = state.active_connections.load(std::memory_order_relaxed);
      shown.cx_connect_fail = state.connect_failures.load(std::memory_order_relaxed);
      shown.cx_total = state.connections.load(std::memory_order_relaxed);
      shown.rq_active = state.active_requests.load(std::memory_order_relaxed);
      shown.rq_error = state.errors.load(std::memory_order_relaxed);
      shown.rq_success = state.successes.load(std::memory_order_relaxed);
      shown.rq_timeout = state.timeouts.load(std::memory_order_relaxed);
      shown.rq_total = state.requests.load(std::memory_order_relaxed);
      shown.failed_outlier_check = host.ejected();
      shown.eds_health = health_of(host.health);
      shown.weight = host.weight;
      shown.priority = locality.priority;
      shown.region = locality.region;
      shown.zone = locality.zone;
      shown.sub_zone = locality.sub_zone;
      shown.canary = host.canary;
      view.hosts.push_back(std::move(shown));
    });
    all.push_back(std::move(view));
  }
  return all;
}

std::vector<admin::ListenerView> AdminView::listeners() {
  std::vector<admin::ListenerView> all;
  for (const auto& [name, entry] : server_.listeners_.entries()) {
    admin::ListenerView view{name, {}};
    for (size_t i = 0; i < entry.config->places.size(); ++i) {
      const net::ListeningPlace& place = entry.config->places[i];
      view.addresses.push_back(place.path.empty() ? net::to_string(entry.addresses[i]) : place.path);
    }
    all.push_back(std::move(view));
  }
  return all;
}

admin::ConfigView AdminView::config(bool with_endpoints) {
  admin::ConfigView view;
  view.bootstrap_bytes = server_.bootstrap_.bytes;
  view.bootstrap_time = started_;
  envoy::config::bootstrap::v3::Bootstrap bootstrap;
  if (bootstrap.ParseFromString(view.bootstrap_bytes)) {
    for (const auto& cluster : bootstrap.static_resources().clusters()) {
      view.entries.push_back(
          static_entry(ConfigEntry::Kind::kCluster, config::ResourceType::kCluster, cluster.name(), cluster.SerializeAsString(), started_));
    }
    for (const auto& listener : bootstrap.static_resources().listeners()) {
      view.entries.push_back(static_entry(ConfigEntry::Kind::kListener, config::ResourceType::kListener, listener.name(),
                                          listener.SerializeAsString(), started_));
    }
  }
  if (!server_.discovery_) return view;
  const std::vector<xds::ResourceState> states = server_.discovery_->resources();
  for (const auto& [name, entry] : server_.listeners_.entries())
    for (const config::ScopedRoutes* scoped : config::scoped_routes(*entry.config))
      view.scoped_routes.push_back(scopes_of(*scoped, states));
  for (const xds::ResourceState& state : states) {
    if (state.type == config::ResourceType::kEndpoints && !with_endpoints) continue;
    if (state.type == config::ResourceType::kRuntime) continue;    // /runtime shows them
    if (state.type == config::ResourceType::kScope) continue;      // beside the connection managers that use them
    if (state.type == config::ResourceType::kNameTable) continue;  // no kind of Envoy's page
    ConfigEntry entry;
    entry.kind = kind_of(state.type);
    entry.state = state.warming ? ConfigEntry::State::kWarming : ConfigEntry::State::kActive;
    entry.name = state.name;
    entry.type_url = std::string(config::type_url(state.type));
    if (state.bytes) entry.bytes = *state.bytes;
    entry.version = state.version;
    entry.last_updated = state.last_updated;
    entry.error_details = state.error;
    entry.error_version = state.error_version;
    entry.error_time = state.last_error;
    view.entries.push_back(std::move(entry));
  }
  return view;
}

std::vector<std::pair<std::string, std::vector<std::string>>> AdminView::unready() {
  std::vector<std::pair<std::string, std::vector<std::string>>> all;
  if (server_.discovery_)
    for (const std::string& what : server_.discovery_->unready()) all.emplace_back(what, std::vector<std::string>{});
  return all;
}

admin::RuntimeView AdminView::runtime() {
  admin::RuntimeView view;
  view.layers = server_.bootstrap_.runtime->layer_names();
  for (runtime::Runtime::Entry& entry : server_.bootstrap_.runtime->entries())
    view.entries.push_back({std::move(entry.key), std::move(entry.by_layer), std::move(entry.text)});
  return view;
}

std::string AdminView::modify_runtime(const std::vector<std::pair<std::string, std::string>>& texts) {
  const Status done = server_.runtime_->modify(texts);
  return done ? std::string() : done.error().detail;
}

void AdminView::refresh_stats() {
  server_.clusters_.refresh_gauges();
  // Nobody wakes up for the sake of intervals: one ends with the first look after its time.
  if (const auto now = std::chrono::steady_clock::now(); now - interval_began_ >= kInterval) {
    interval_began_ = now;
    server_.metrics_.turn_intervals();
  }
  observe::Cells& stats = server_.stats_->cells(0);
  stats.set(ServerStat::kUptime,
            std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - server_.started_).count());
  const struct mallinfo2 heap = mallinfo2();
  stats.set(ServerStat::kMemoryAllocated, static_cast<int64_t>(heap.uordblks + heap.hblkhd));
  stats.set(ServerStat::kMemoryHeapSize, static_cast<int64_t>(heap.arena + heap.hblkhd));
  std::ifstream statm("/proc/self/statm");
  int64_t pages = 0, resident = 0;
  if (statm >> pages >> resident) stats.set(ServerStat::kMemoryPhysicalSize, resident * 4096);
}

void AdminView::drain_listeners(bool graceful, bool skip_exit, bool inbound_only) {
  server_.drain_listeners(graceful, skip_exit, inbound_only);
}

void AdminView::fail_health_check(bool fail) {
  server_.health_check_failed_ = fail;
  for (auto& worker : server_.workers_) worker->post([&w = *worker, fail] { w.fail_health_check(fail); });
  server_.stats_->cells(0).set(ServerStat::kLive, fail ? 0 : 1);
}

void AdminView::reopen_logs() {
  server_.logs_.reopen();
  if (Status done = log::reopen(); !done) log::get(log::Logger::kAdmin).warn("{}", done.error().detail);
}

void AdminView::quit() { server_.begin_shutdown(); }

}  // namespace weft::server
