// The process: workers, the control thread (discovery, outlier detection, admin), start and end. `run()` returns when all is over.
#pragma once
#include "common/net/loop.h"
#include "common/observe/metrics.h"
#include "proxy/config/bootstrap.h"
#include "proxy/dns_proxy/dns_proxy.h"
#include "proxy/server/cluster_registry.h"
#include "proxy/server/flags.h"
#include "proxy/server/listener_set.h"
#include "proxy/server/resolved_clusters.h"
#include "proxy/server/worker.h"
#include "proxy/xds/discovery.h"
#include "proxy/xds/runtime_sources.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace weft::telemetry {
class LogWriter;
}

namespace weft::server {

// -l, --component-log-level, --log-format and --log-path.
Status set_up_logging(const Flags& flags);

class AdminView;

class Server final : private xds::Target {
 public:
  Server(const Flags& flags, const config::Bootstrap& bootstrap, observe::Registry& metrics, telemetry::LogWriter& logs);
  ~Server();
  // Serves until SIGTERM or SIGINT (or /quitquitquit), then drains for at most --shutdown-grace-s. The exit code.
  int run();

 private:
  friend class AdminView;
  enum class State { kPreInitializing, kInitializing, kLive, kDraining };

  // xds::Target
  Status reserve(const config::Listener& listener, const std::vector<std::string>& removed) override {
    return listeners_.reserve(listener, removed);
  }
  std::vector<std::pair<std::string, std::string>> apply(const config::Update& update) override;
  bool begin_names(const std::shared_ptr<const upstream::ClusterConfig>& cluster, std::function<void()> ready) override {
    return names_.begin(cluster, std::move(ready));
  }

  // The control thread's.
  void begin();
  bool start_admin();
  bool start_dns();
  void go_live();
  void begin_shutdown();
  void await_drained();
  void end();
  void publish(ClusterUpdate update);
  void drain_listeners(bool graceful, bool skip_exit, bool inbound_only);
  void on_graceful_drain_over() { listeners_.drain({graceful_inbound_only_, true}); }

  const Flags& flags_;
  const config::Bootstrap& bootstrap_;
  observe::Registry& metrics_;
  telemetry::LogWriter& logs_;
  net::Loop control_{0};
  LocalClusters control_clusters_{control_};
  std::vector<std::unique_ptr<Worker>> workers_;
  ClusterRegistry clusters_;
  ResolvedClusters names_;
  ListenerSet listeners_;
  std::unique_ptr<xds::RuntimeSources> runtime_;
  std::unique_ptr<xds::Discovery> discovery_;
  std::unique_ptr<AdminView> admin_;
  std::unique_ptr<dns_proxy::DnsProxy> dns_;
  std::shared_ptr<observe::Scope> stats_;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point drain_until_;
  std::atomic<size_t> undrained_{0};
  Timeout<Server, &Server::await_drained> drain_check_{*this};
  Timeout<Server, &Server::on_graceful_drain_over> graceful_drain_{*this};
  State state_ = State::kPreInitializing;
  bool draining_gracefully_ = false, graceful_inbound_only_ = false;
  bool health_check_failed_ = false;
  std::atomic<int> exit_code_{0};
};

}  // namespace weft::server
