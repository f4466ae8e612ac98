#include "proxy/server/server.h"

#include "common/base/log.h"
#include "common/observe/shapes.h"
#include "proxy/server/admin_view.h"

#include "proxy/telemetry/log_file.h"

#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <limits>
#include <thread>

namespace weft::server {
namespace {

using log::Logger;
using observe::ServerStat;

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&set, signal);
  return set;
}

std::vector<std::unique_ptr<Worker>> make_workers(unsigned count) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (unsigned i = 0; i < count; ++i) workers.push_back(std::make_unique<Worker>(i));
  return workers;
}

}  // namespace

Status set_up_logging(const Flags& flags) {
  const auto level = log::level(flags.log_level);
  if (!level)
    return invalid("--log-level: unknown level \"" + flags.log_level + "\"; one of trace, debug, info, warning, error, critical, off");
  log::set_all(*level);
  if (!flags.log_path.empty())
    if (Status done = log::set_path(flags.log_path); !done) return done;
  if (!flags.log_format.empty())
    if (Status done = log::set_format(flags.log_format); !done) return done;
  if (!flags.component_log_level.empty()) return log::set_components(flags.component_log_level);
  return {};
}

Server::Server(const Flags& flags, const config::Bootstrap& bootstrap, observe::Registry& metrics, telemetry::LogWriter& logs)
    : flags_(flags),
      bootstrap_(bootstrap),
      metrics_(metrics),
      logs_(logs),
      workers_(make_workers(flags.concurrency)),
      clusters_(control_, metrics_, [this](ClusterUpdate update) { publish(std::move(update)); }),
      names_(
          control_, metrics_, [this](const auto& config, auto set) { clusters_.set_resolved(config, std::move(set)); },
          [this](const resolve::Options& options) { return resolve::make_resolver(control_, options); }),
      listeners_(workers_, metrics_, flags.drain_time),
      stats_(observe::server_scope(metrics_)),
      started_(std::chrono::steady_clock::now()) {
  observe::Cells& stats = stats_->cells(0);
  stats.set(ServerStat::kConcurrency, flags.concurrency);
  stats.set(ServerStat::kState, 2);  // PRE_INITIALIZING
  // As Envoy says it where there is no certificate: 0 would ring every alarm.
  stats.set(ServerStat::kDaysUntilFirstCertExpiring, std::numeric_limits<uint32_t>::max());
}

Server::~Server() = default;

int Server::run() {
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads inherit it: only sigwait below sees them
  std::signal(SIGPIPE, SIG_IGN);
  for (auto& worker : workers_) worker->start();
  control_.post([this] { begin(); });
  std::thread control([this] {
    pthread_setname_np(pthread_self(), "control");
    control_.run();
    // The main thread waits for a signal: tell it that there is nothing left to wait for.
    kill(getpid(), SIGUSR2);
  });
  for (bool stopping = false;;) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal == SIGUSR2) break;
    if (signal == SIGUSR1) {
      control_.post([this] { admin_ ? admin_->reopen_logs() : void(); });
      continue;
    }
    if (signal == SIGHUP) continue;  // as Envoy: a wrapper's business
    log::get(Logger::kMain).info("caught {}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    // The second one does not wait.
    control_.post([this, stopping] { stopping ? end() : begin_shutdown(); });
    stopping = true;
  }
  control.join();
  for (auto& worker : workers_) worker->stop();
  return exit_code_;
}

void Server::begin() {
  spdlog::logger& logger = log::get(Logger::kMain);
  logger.info("weft-proxy starting: {} worker(s), pid {}", workers_.size(), getpid());
  runtime_ = std::make_unique<xds::RuntimeSources>(control_, bootstrap_, metrics_);
  if (!start_admin() || !start_dns()) {
    exit_code_ = 1;
    return end();
  }
  // Static clusters first: discovery itself goes through one of them.
  config::Update clusters = bootstrap_.statics;
  clusters.listeners.clear();
  clusters_.apply(clusters);
  state_ = State::kInitializing;
  stats_->cells(0).set(ServerStat::kState, 3);
  discovery_ = std::make_unique<xds::Discovery>(control_, control_clusters_, bootstrap_, metrics_, logs_, static_cast<xds::Target&>(*this),
                                                runtime_.get());
  discovery_->start([this] { go_live(); });
}

// The first configuration is complete: ports open.
void Server::go_live() {
  if (state_ != State::kInitializing) return;
  const auto failed = listeners_.apply(discovery_->static_listeners(), {});
  for (const auto& [name, why] : failed) log::get(Logger::kMain).critical("{}", why);
  if (!failed.empty()) {
    exit_code_ = 1;
    state_ = State::kDraining;
    control_.post([this] { end(); });  // not at once: discovery has called this
    return;
  }
  state_ = State::kLive;
  observe::Cells& stats = stats_->cells(0);
  stats.set(ServerStat::kState, 0);
  stats.set(ServerStat::kLive, 1);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started_);
  stats.record(ServerStat::kInitializationTimeMs, static_cast<uint64_t>(took.count()));
  log::get(Logger::kMain).info("all dependencies initialized. starting workers");
}

std::vector<std::pair<std::string, std::string>> Server::apply(const config::Update& update) {
  if (update.name_table && dns_) dns_->set_table(update.name_table);
  // Make before break: clusters and endpoints, routes, listeners; what is gone goes last.
  config::Update made = update;
  made.removed_clusters.clear();
  clusters_.apply(made);
  for (const auto& cluster : made.clusters) names_.keep_only(cluster);
  for (auto& worker : workers_) {
    worker->post([&w = *worker, routes = update.routes, scopes = update.scope_tables] {
      for (const auto& [name, table] : routes) w.set_routes(name, table);
      for (const auto& [path, table] : scopes) w.set_scopes(path, *table);
    });
  }
  auto failed = listeners_.apply(update.listeners, update.removed_listeners);
  for (const auto& [name, why] : failed) log::get(Logger::kConfig).warn("{}", why);
  if (!update.removed_clusters.empty()) {
    config::Update gone;
    gone.removed_clusters = update.removed_clusters;
    for (const std::string& name : gone.removed_clusters) names_.forget(name);
    clusters_.apply(gone);
  }
  return failed;
}

void Server::publish(ClusterUpdate update) {
  control_clusters_.apply(update);
  auto shared = std::make_shared<const ClusterUpdate>(std::move(update));
  for (auto& worker : workers_) worker->post([&w = *worker, shared] { w.apply_clusters(*shared); });
}

// As Envoy: at once, or (gracefully) connections first and the ports when --drain-time-s is over, or the ports never (skip_exit).
void Server::drain_listeners(bool graceful, bool skip_exit, bool inbound_only) {
  if (!graceful && !skip_exit) return listeners_.drain({inbound_only, true});
  if (draining_gracefully_) return;
  draining_gracefully_ = true;
  graceful_inbound_only_ = inbound_only;
  listeners_.drain({inbound_only, false});
  if (!skip_exit) control_.wheel().arm(graceful_drain_, flags_.drain_time);
}

void Server::begin_shutdown() {
  if (state_ == State::kDraining) return;
  state_ = State::kDraining;
  stats_->cells(0).set(ServerStat::kState, 1);
  stats_->cells(0).set(ServerStat::kLive, 0);
  log::get(Logger::kMain).info("shutting down: draining for at most {} s", flags_.shutdown_grace.count());
  if (discovery_) discovery_->stop();
  listeners_.drain_all();
  drain_until_ = control_.now() + flags_.shutdown_grace;
  await_drained();
}

// Asks every worker how many connections it has left, until none has or the time is over.
void Server::await_drained() {
  if (control_.now() >= drain_until_) return end();
  auto left = std::make_shared<std::atomic<size_t>>(0);
  auto answers = std::make_shared<std::atomic<size_t>>(workers_.size());
  for (auto& worker : workers_) {
    worker->post([this, &w = *worker, left, answers] {
      *left += w.connections();
      if (--*answers > 0) return;
      const bool done = *left == 0;
      control_.post([this, done] {
        if (state_ != State::kDraining) return;
        if (done)
          end();
        else
          control_.wheel().arm(drain_check_, std::chrono::milliseconds(20));
      });
    });
  }
}

void Server::end() {
  state_ = State::kDraining;
  drain_check_.disarm();
  graceful_drain_.disarm();
  admin_.reset();
  discovery_.reset();
  dns_.reset();
  runtime_.reset();
  control_clusters_.clear();
  names_.stop();
  clusters_.stop();
  control_.post([this] { control_.stop(); });
}

bool Server::start_admin() {
  if (!bootstrap_.admin) return true;
  admin_ = std::make_unique<AdminView>(*this);
  if (Status done = admin_->start(); !done) {
    log::get(Logger::kMain).critical("admin: {}", done.error().detail);
    return false;
  }
  return true;
}

bool Server::start_dns() {
  if (!bootstrap_.dns) return true;
  auto started = dns_proxy::DnsProxy::start(*bootstrap_.dns, metrics_);
  if (!started) {
    log::get(Logger::kMain).critical("{}", started.error().detail);
    return false;
  }
  dns_ = std::move(*started);
  return true;
}

}  // namespace weft::server
