// The HTTP API of weft-control: what people, weftctl and monitoring ask of it. One table maps methods and paths to handlers; each handler
// turns a request into an answer by asking the rooms below. docs/api.md is the reference.
#pragma once
#include "common/observe/prometheus_registry.h"
#include "controlplane/api/http_server.h"
#include "controlplane/store/store.h"
#include "controlplane/xds/ack_status.h"

#include <atomic>

namespace weft::api {

// What stands at a source of resources now.
struct SourceStatus {
  std::string name, path;
  Diagnostics findings;
};

struct Services {
  store::Store& store;
  const xds::AckStatus& acks;
  observe::PrometheusRegistry& registry;
  std::string version;
  std::function<std::vector<SourceStatus>()> sources;  // may be empty
};

// Lives on the thread of the HTTP server, and nothing below it does. Everything it calls may be called from any thread.
class Api {
 public:
  explicit Api(Services services);
  // Only /v1/wait waits; the others answer at once.
  Task<Reply> answer(Request request);
  // From any thread: /ready says 503 from now on, and waits end.
  void close() { closing_ = true; }

 private:
  struct Route;
  static const Route kRoutes[];
  Reply route(const Request& request);
  Task<Reply> wait(Request request);

  Reply apply(const Request& request);
  Reply validate(const Request& request);
  Reply remove_many(const Request& request);
  Reply list(const Request& request);
  Reply get(const Request& request);
  Reply remove(const Request& request);
  Reply status(const Request& request);
  Reply history(const Request& request);
  Reply diff(const Request& request);
  Reply roll_back(const Request& request);
  Reply route_test(const Request& request);
  Reply analyze(const Request& request);
  Reply proxy_config(const Request& request);
  Reply syncz(const Request& request);
  Reply metrics(const Request& request);
  Reply ready(const Request& request);
  Reply version(const Request& request);
  Reply index(const Request& request);

  Services services_;
  std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  std::atomic<bool> closing_{false};
};

}  // namespace weft::api
