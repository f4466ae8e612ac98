// The resources of every proxy at one revision, translated once for each distinct argument and shared by the proxies that have it.
#pragma once
#include "controlplane/model/changes.h"
#include "controlplane/translate/translate.h"
#include "controlplane/xds/snapshot.h"

#include <map>

namespace weft::push {

class Snapshots {
 public:
  explicit Snapshots(std::shared_ptr<xds::NameTable> names) : maker_(std::move(names)) {}

  // From now on `view`. Only what `changes` touches is made anew, when a proxy next needs it. For nothing but endpoints, gives back
  // the endpoint resources that changed: no proxy has anything else to look at.
  std::optional<std::vector<xds::NameId>> set_view(std::shared_ptr<const model::View> view, const model::Changes* changes,
                                                   std::chrono::steady_clock::time_point since);
  const std::shared_ptr<const model::View>& view() const { return view_; }

  // What belongs to one proxy and is kept for it between pushes.
  struct Held {
    std::shared_ptr<const model::Node> node;
    uint64_t listeners_epoch = 0;  // of what is below; older ones are made anew
    translate::Scope scope;
    translate::Client client;
    std::vector<xds::ResourcePtr> inbound;
    xds::ResourceMapPtr listeners;
    std::vector<translate::Conflict> conflicts;
  };
  xds::SnapshotPtr snapshot_of(Held& proxy);

  size_t translations() const { return translations_; }  // for tests: how often a translator ran

 private:
  struct ByScope {
    uint64_t endpoints_epoch = 0, proxyless_epoch = 0;
    xds::ResourceMapPtr endpoints;
    xds::ResourceMapPtr proxyless_clusters, proxyless_listeners;  // for gRPC's own clients
  };
  struct Made {
    uint64_t epoch = 0;
    xds::ResourceMapPtr map;
  };
  struct Outbound : Made {  // what captured sidecars call
    std::vector<translate::Conflict> conflicts;
  };
  struct ListenerSet {
    xds::ResourceMapPtr outbound;  // held, so that its address means it; null where nothing is shared
    std::weak_ptr<const xds::ResourceMap> all;
  };
  template <class Message, class Name>
  xds::ResourceMapPtr make(xds::ResourceType type, const std::vector<Message>& messages, Name name, const xds::ResourceMapPtr& previous);
  xds::ResourceMapPtr same_or(std::vector<xds::ResourcePtr> resources, const xds::ResourceMapPtr& previous) const;
  const xds::ResourceMapPtr& clusters_of(const translate::Scope& scope);
  ByScope& endpoints_of(const translate::Scope& scope);
  ByScope& proxyless_of(const translate::Scope& scope);
  const xds::ResourceMapPtr& routes_of(const translate::Client& client);
  const Outbound& outbound_of(const translate::Client& client);
  xds::ResourceMapPtr listener_set(std::vector<xds::ResourcePtr> own, const Held& proxy);
  const xds::ResourceMapPtr& names_of(const model::Node& node);
  void refresh_own(Held& proxy);
  void refresh_proxyless(Held& proxy);

  xds::ResourceMaker maker_;
  std::shared_ptr<const model::View> view_;
  std::chrono::steady_clock::time_point since_{};
  // Counted up when what they depend on changes.
  uint64_t clusters_epoch_ = 1, endpoints_epoch_ = 1, routes_epoch_ = 1, outbound_epoch_ = 1, listeners_epoch_ = 1, names_epoch_ = 1;
  std::map<translate::Scope, ByScope> scopes_;
  std::map<translate::Scope, Made> clusters_;
  std::map<translate::Client, Outbound> outbound_;
  std::map<translate::Client, Made> routes_;
  std::map<translate::NamesFor, Made> names_;
  const xds::ResourceMapPtr no_names_ = std::make_shared<const xds::ResourceMap>();
  // Equal sets of one proxy's own listeners, and of a scope's clusters with some inbound ones, are one map.
  std::map<std::pair<const xds::ResourceMap*, std::vector<const xds::Resource*>>, ListenerSet> listener_sets_;
  std::map<std::pair<const xds::ResourceMap*, std::vector<const xds::Resource*>>, xds::ResourceMapPtr> cluster_sets_;
  std::map<std::pair<xds::NameId, uint64_t>, std::weak_ptr<const xds::Resource>> own_resources_;
  std::map<std::array<const xds::ResourceMap*, xds::kTypeCount>, xds::SnapshotPtr> snapshots_;  // of this revision
  size_t translations_ = 0;
};

}  // namespace weft::push
