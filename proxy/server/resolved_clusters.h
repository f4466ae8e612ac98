// Clusters whose hosts are names (STRICT_DNS, LOGICAL_DNS): asks for the names and asks again as their configuration says, and tells
// what they mean whenever that has changed. Who cannot be asked changes nothing: the last good answer holds. On the control thread.
#pragma once
#include "common/net/loop.h"
#include "common/observe/metrics.h"
#include "common/resolve/resolver.h"
#include "proxy/upstream/cluster_config.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weft::server {

class ResolvedClusters {
 public:
  using Config = std::shared_ptr<const upstream::ClusterConfig>;
  using Publish = std::function<void(const Config&, std::shared_ptr<const upstream::EndpointSet>)>;
  using MakeResolver = std::function<std::shared_ptr<resolve::Resolver>(const resolve::Options&)>;
  ResolvedClusters(net::Loop& control, observe::Registry& metrics, Publish publish, MakeResolver make);
  ~ResolvedClusters();

  // Begins to ask. True: nobody need wait. Else `ready` is called once, later: when the first of its names has an answer, or is known
  // to get none.
  bool begin(const Config& config, std::function<void()> ready);
  // This one is in force: what else ran under its name ends.
  void keep_only(const Config& config);
  void forget(const std::string& name);
  void stop();

 private:
  class Resolution;
  std::shared_ptr<resolve::Resolver> resolver(const resolve::Options& options);

  net::Loop& control_;
  observe::Registry& metrics_;
  const Publish publish_;
  const MakeResolver make_;
  std::vector<std::pair<resolve::Options, std::weak_ptr<resolve::Resolver>>> resolvers_;
  std::map<std::string, std::vector<std::unique_ptr<Resolution>>> running_;  // by cluster; several while one waits to take over
};

}  // namespace weft::server
