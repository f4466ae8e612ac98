// What is counted about each subscription, under Envoy's names: cluster_manager.cds., listener_manager.lds., cluster.<name>. for a
// cluster's endpoints, http.<stat_prefix>.rds.<name>. for a listener's routes. One resource may serve several subscribers (two
// clusters of one EDS name): each has its own numbers. Lives on the control thread.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/config/snapshot_builder.h"

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace weft::xds {

class SubscriptionStats {
 public:
  using ResourceType = config::ResourceType;
  // (resource, subscriber): an EDS name and the cluster's stat name, a route configuration and the stat prefix; the file that
  // scopes come from (empty: ADS) and the stat prefix with the name of the scoped routes behind a line's end.
  using Subscribers = std::set<std::pair<std::string, std::string>>;

  explicit SubscriptionStats(observe::Registry& metrics) : metrics_(metrics) {}

  // Clusters or listeners as a whole.
  void begin_all(ResourceType type);
  // Endpoints or routes: exactly these from now on. Each new one counts as an attempt.
  void set(ResourceType type, const Subscribers& subscribers);

  // The name of a whole type is "".
  void accepted(ResourceType type, std::string_view name, const std::string& version, std::chrono::milliseconds took, bool changed);
  void rejected(ResourceType type, std::string_view name);
  void timed_out(ResourceType type, std::string_view name);
  // How many scopes have come from that place, and how many of them have their routes by RDS.
  void count_scopes(std::string_view path, size_t all, size_t by_rds);
  // The source could not be had: its stream broke, its file cannot be read.
  void failed(ResourceType type);

 private:
  struct Subscription {
    std::shared_ptr<observe::Scope> scope, reload;
    std::shared_ptr<observe::Scope> extension = nullptr;  // of ECDS
  };
  using ByName = std::map<std::string, std::map<std::string, Subscription>, std::less<>>;
  Subscription make(ResourceType type, const std::string& name, const std::string& subscriber);
  ByName& of(ResourceType type) { return subscriptions_[static_cast<size_t>(type)]; }
  template <class F>
  void each(ResourceType type, std::string_view name, F visit);

  observe::Registry& metrics_;
  std::array<ByName, config::kResourceTypes> subscriptions_;
};

}  // namespace weft::xds
