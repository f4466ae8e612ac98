// Dynamic configuration: subscribes to what the bootstrap names (ADS, or watched files), builds what arrives, lets it warm
// (a cluster until its endpoints are there, a listener until its routes are), and hands finished updates to the server. Keeps the
// last good state for as long as nobody says otherwise. Lives on the control thread.
#pragma once
#include "common/net/loop.h"
#include "common/observe/metrics.h"
#include "proxy/config/bootstrap.h"
#include "proxy/config/snapshot_builder.h"
#include "proxy/upstream/cluster.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weft::xds {

class RuntimeSources;

// Who takes what has become active: the server.
class Target {
 public:
  // Control thread. Whether the listener's address can be had (its sockets are bound, not opened); `removed` are those that go in
  // the same update. The error names the address.
  virtual Status reserve(const config::Listener& listener, const std::vector<std::string>& removed) = 0;
  // Control thread. Make before break; returns the listeners that could not be opened, by name, with the reason.
  virtual std::vector<std::pair<std::string, std::string>> apply(const config::Update& update) = 0;
  // Control thread. Begins to resolve the names of a cluster that has some. True: nobody need wait for them; else `ready` is called
  // once, later.
  virtual bool begin_names(const std::shared_ptr<const upstream::ClusterConfig>&, std::function<void()> ready) { return true; }

 protected:
  ~Target() = default;
};

// One dynamic resource as /config_dump shows it.
struct ResourceState {
  config::ResourceType type;
  std::string name;
  std::string version;
  std::string path;                          // of the file that it came from; empty: over ADS
  std::shared_ptr<const std::string> bytes;  // the body of its Any; null if none was ever accepted
  std::chrono::system_clock::time_point last_updated;
  bool warming = false;  // accepted, waits for what it refers to
  // The last one that was refused, if it was the newest to come.
  std::string error, error_version;
  std::chrono::system_clock::time_point last_error;
};

class Discovery {
 public:
  Discovery(net::Loop& control, upstream::ClusterTable& clusters, const config::Bootstrap& bootstrap, observe::Registry& metrics,
            telemetry::LogWriter& logs, Target& target, RuntimeSources* runtime = nullptr);
  ~Discovery();
  // `on_first_complete` is called once: clusters and listeners have had their first answer and are warm, or have waited for
  // initial_fetch_timeout. At once (but not from inside start) when nothing is dynamic.
  void start(std::function<void()> on_first_complete);
  // The bootstrap's listeners, with what ECDS has brought for them.
  std::vector<std::shared_ptr<const config::Listener>> static_listeners() const;
  // Ends streams and watches; nothing is applied any more.
  void stop();

  std::vector<ResourceState> resources() const;
  // What is awaited and by whom, for /init_dump.
  std::vector<std::string> unready() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft::xds
