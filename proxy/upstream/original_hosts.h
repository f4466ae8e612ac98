// The hosts of an ORIGINAL_DST cluster: made when a request first wants to go there, forgotten when nobody has for a while. Shared
// by the workers, each of which remembers what it has met and comes here for the rest.
#pragma once
#include "proxy/upstream/endpoint_set.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>

namespace weft::upstream {

class OriginalHosts {
 public:
  // One host, in an endpoint set of its own.
  struct Made {
    std::shared_ptr<const EndpointSet> set;
    std::atomic<bool> used{true};   // since the last sweep
    std::atomic<bool> gone{false};  // forgotten: another one would be made

    const Host& host() const { return set->localities.front().hosts.front(); }
    // Often: nothing is written that is so already.
    void use() {
      if (!used.load(std::memory_order_relaxed)) used.store(true, std::memory_order_relaxed);
    }
  };

  // `on_made`: called by the thread that has made one, unless what it was told last time has not been looked at yet (with all()).
  OriginalHosts(std::string cluster, std::function<void()> on_made) : cluster_(std::move(cluster)), on_made_(std::move(on_made)) {}

  // Any thread.
  std::shared_ptr<Made> get(const net::Endpoint& address);
  bool holds(const HostState& host) const;

  // Control thread. All of them, as one endpoint set.
  EndpointSet all();
  // Forgets those that were not used since the last time and that nobody is connected to; true if there were some.
  bool sweep();

 private:
  const std::string cluster_;
  const std::function<void()> on_made_;
  mutable std::mutex mutex_;
  std::map<net::Endpoint, std::shared_ptr<Made>> made_;
  std::unordered_set<const HostState*> states_;  // theirs
  bool told_ = false;
};

}  // namespace weft::upstream
