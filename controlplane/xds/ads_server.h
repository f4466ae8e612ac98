// Aggregated discovery over gRPC, state of the world and delta on one service, with gRPC health and reflection.
//
// gRPC's own threads do nothing but decode a request and post it; everything else happens on the thread of `executor`, the push
// thread, where each stream's Session lives. A stream has at most one write under way; what changes meanwhile is merged into the next
// one, so a slow proxy costs one response of memory and holds nobody up. A finished write wakes the push thread only when there is more
// to say to that proxy: most changes are one response.
#pragma once
#include "common/base/task.h"
#include "common/observe/prometheus_registry.h"
#include "controlplane/xds/ack_status.h"

namespace weft::xds {

struct AdsServerOptions {
  std::string address = "127.0.0.1:0";
  std::string version = "0.1.0";  // label of the gauge pilot_xds
  size_t max_streams = 20'000;
  int max_request_bytes = 4 << 20;
  std::chrono::milliseconds removal_delay{300};    // after the last route was accepted: time to let listeners warm
  std::chrono::milliseconds route_delay{5'000};    // changed routes wait no longer for answers about clusters
  std::chrono::milliseconds send_timeout{60'000};  // a proxy that takes nothing for so long is let go
  SessionOptions session;
};

// Told of proxies that come and go, on the push thread.
class ProxyObserver {
 public:
  virtual ~ProxyObserver() = default;
  virtual void on_connect(StreamId stream, std::shared_ptr<const model::Node> node) = 0;
  virtual void on_disconnect(StreamId stream) = 0;
};

class AdsServer {
 public:
  // Listens at once. `observer` and `registry` outlive the server.
  static Result<std::unique_ptr<AdsServer>> start(AdsServerOptions options, Executor executor, std::shared_ptr<NameTable> names,
                                                  ProxyObserver& observer, observe::PrometheusRegistry& registry);
  // Ends all streams and waits for gRPC's threads. On the executor's thread, or after its loop has ended.
  ~AdsServer();
  AdsServer(const AdsServer&) = delete;
  AdsServer& operator=(const AdsServer&) = delete;

  int port() const;
  // On the push thread: what the proxy should run now. `changed` null: anything may differ from what was given before.
  void update(StreamId stream, SnapshotPtr snapshot, const Session::ChangedNames* changed = nullptr);
  // From any thread.
  const AckStatus& status() const;

 private:
  class Core;
  explicit AdsServer(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;  // shared with the streams that gRPC still holds
};

}  // namespace weft::xds
