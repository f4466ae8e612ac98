// From "the store has a new revision" to "every affected proxy has been given its resources". Owns translation; lives on the push
// thread, which is the ADS server's executor.
//
// Nothing is pushed before the first view: a control plane that restarts must not show proxies an empty world, so it calls on_view only
// when its store and sources are loaded. Proxies that connect earlier wait.
#pragma once
#include "common/observe/prometheus_registry.h"
#include "controlplane/push/debouncer.h"
#include "controlplane/push/push_queue.h"
#include "controlplane/push/snapshots.h"
#include "controlplane/xds/ads_server.h"

namespace weft::push {

struct PushOptions {
  std::chrono::milliseconds quiet{100}, max{10'000};  // istiod's own; quiet 0 pushes at once
  std::chrono::milliseconds endpoint_quiet{5};        // for changes of nothing but endpoints
  size_t batch = 64;                                  // proxies in one turn of the loop
};

class Pusher : public xds::ProxyObserver {
 public:
  Pusher(PushOptions options, Executor executor, std::shared_ptr<xds::NameTable> names, observe::PrometheusRegistry& registry);
  ~Pusher() override;
  // Before the executor runs. The server outlives nothing here: call detach() before it goes.
  void attach(xds::AdsServer& server);
  void detach();

  // From any thread, in the order of revisions. `changes` null: anything may differ (the first view after a start).
  void on_view(std::shared_ptr<const model::View> view, std::shared_ptr<const model::Changes> changes);

  // On the push thread: what the translators gave way on for a connected proxy; null if it is not connected.
  const std::vector<translate::Conflict>* conflicts(std::string_view node_id) const;

  void on_connect(xds::StreamId stream, std::shared_ptr<const model::Node> node) override;
  void on_disconnect(xds::StreamId stream) override;

 private:
  void take(std::shared_ptr<const model::View> view, std::shared_ptr<const model::Changes> changes);
  void start_push(std::chrono::steady_clock::time_point first);
  void drain();
  void push(xds::StreamId stream, const PendingPush& pending);
  void count_conflicts();

  const PushOptions options_;
  Executor executor_;
  observe::PrometheusRegistry& registry_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // posts may outlive this
  xds::AdsServer* server_ = nullptr;
  Debouncer debouncer_;
  PushQueue queue_;
  Snapshots snapshots_;
  std::unordered_map<xds::StreamId, Snapshots::Held> proxies_;
  bool draining_ = false, count_due_ = false;

  // What waits for the debouncer.
  std::shared_ptr<const model::View> next_view_;
  bool next_is_whole_ = false;
  model::Changes next_changes_;
};

}  // namespace weft::push
