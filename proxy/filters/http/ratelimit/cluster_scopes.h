// Counters in the scopes of the clusters that requests are for, found by name under a lock: only requests that the service was asked
// about need them, and the question cost more.
#pragma once
#include "common/observe/shapes.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace weft::filters {

class ClusterScopes {
 public:
  ClusterScopes(observe::Registry& registry, std::string own_prefix) : registry_(registry), own_prefix_(std::move(own_prefix)) {}
  std::shared_ptr<observe::Scope> of(std::string_view cluster) {
    const std::lock_guard lock(mutex_);
    auto found = known_.find(cluster);
    if (found == known_.end())
      found = known_.emplace(std::string(cluster), observe::ratelimit_scope(registry_, cluster, own_prefix_)).first;
    return found->second;
  }

 private:
  observe::Registry& registry_;
  const std::string own_prefix_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<observe::Scope>, std::less<>> known_;
};

}  // namespace weft::filters
