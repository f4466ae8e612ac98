#include "controlplane/push/snapshots.h"

#include "controlplane/translate/messages.h"
#include "controlplane/translate/outbound_plan.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "istio/networking/nds/v1/nds.pb.h"

#include <algorithm>
#include <functional>
#include <iterator>

namespace weft::push {

using xds::ResourceMap;
using xds::ResourceMapPtr;
using xds::ResourcePtr;
using xds::ResourceType;

namespace {

constexpr size_t kMaxSets = 10'000;  // of clusters with inbound ones; more are made anew
// A headless service's name stands for its endpoints.
bool names_move(const model::View& view, const model::Changes& changes) {
  const auto services = view.services();
  return std::any_of(services.begin(), services.end(),
                     [&](const model::ServiceInfo* service) { return service->headless && changes.endpoints.contains(service->hostname); });
}

constexpr uint64_t kUnusedEpochs = 16;  // routes of clients that nobody asked for through so many changes are forgotten

}  // namespace

// The previous map when nothing in it changed, so that "the same" is one pointer.
ResourceMapPtr Snapshots::same_or(std::vector<ResourcePtr> resources, const ResourceMapPtr& previous) const {
  auto made = std::make_shared<const ResourceMap>(std::move(resources));
  if (previous && std::ranges::equal(made->all(), previous->all())) return previous;
  return made;
}

template <class Message, class Name>
ResourceMapPtr Snapshots::make(ResourceType type, const std::vector<Message>& messages, Name name, const ResourceMapPtr& previous) {
  ++translations_;
  std::vector<ResourcePtr> resources;
  resources.reserve(messages.size());
  for (const Message& message : messages) {
    resources.push_back(maker_.make(type, name(message), translate::serialise(message), previous.get()));
  }
  return same_or(std::move(resources), previous);
}

std::optional<std::vector<xds::NameId>> Snapshots::set_view(std::shared_ptr<const model::View> view, const model::Changes* changes,
                                                            std::chrono::steady_clock::time_point since) {
  view_ = std::move(view);
  since_ = since;
  snapshots_.clear();
  std::erase_if(listener_sets_, [](const auto& set) { return set.second.all.expired(); });
  std::erase_if(own_resources_, [](const auto& own) { return own.second.expired(); });
  if (cluster_sets_.size() > kMaxSets) cluster_sets_.clear();
  std::erase_if(routes_, [&](const auto& held) { return held.second.epoch + kUnusedEpochs < routes_epoch_; });
  std::erase_if(outbound_, [&](const auto& held) { return held.second.epoch + kUnusedEpochs < outbound_epoch_; });
  std::erase_if(clusters_, [&](const auto& held) { return held.second.epoch + kUnusedEpochs < clusters_epoch_; });
  const bool any = changes == nullptr;
  const bool services = any || !changes->services.empty(), rules = any || !changes->rule_hosts.empty();
  const bool virtual_services = any || !changes->virtual_services.empty(), gateways = any || !changes->gateways.empty();
  const bool workloads = any || !changes->workloads.empty(), sidecars = any || !changes->sidecars.empty();
  // A Sidecar lets in what the rules that it knows lead to.
  const bool scoped = std::any_of(scopes_.begin(), scopes_.end(), [](const auto& held) { return !held.first.sidecar.empty(); });
  const bool visible = services || rules || sidecars || (virtual_services && scoped);
  if (visible) ++clusters_epoch_, cluster_sets_.clear();
  if (visible) ++endpoints_epoch_;
  if (services || virtual_services || gateways || sidecars || (rules && (any || changes->hash_rules))) ++routes_epoch_;
  const bool limits = any || !changes->rate_limits.empty();
  const bool pods = any || changes->headless;  // captured sidecars listen for the address of each pod of a headless service
  if (services || virtual_services || sidecars || pods) ++outbound_epoch_;
  if (visible || virtual_services || gateways || workloads || limits || pods) ++listeners_epoch_;
  const bool names_moved = any || services || (!names_.empty() && !changes->endpoints.empty() && names_move(*view_, *changes));
  if (names_moved) ++names_epoch_;
  std::erase_if(names_, [&](const auto& held) { return held.second.epoch + kUnusedEpochs < names_epoch_; });
  if (visible || changes->endpoints.empty()) return std::nullopt;

  std::vector<xds::NameId> names;
  for (auto& [scope, held] : scopes_) {
    if (held.endpoints == nullptr || held.endpoints_epoch != endpoints_epoch_) continue;
    std::vector<ResourcePtr> changed;
    for (const std::string& host : changes->endpoints) {
      for (const auto& assignment : translate::load_assignments_of(*view_, scope, host)) {
        auto made = maker_.make(ResourceType::kEndpoint, assignment.cluster_name(), translate::serialise(assignment), held.endpoints.get());
        const ResourcePtr* old = held.endpoints->find(made->id);
        if (old != nullptr && *old == made) continue;
        names.push_back(made->id);
        changed.push_back(std::move(made));
      }
    }
    ++translations_;
    if (!changed.empty()) held.endpoints = held.endpoints->with(changed);
  }
  if (virtual_services || gateways || workloads || limits || pods || names_moved) return std::nullopt;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

const ResourceMapPtr& Snapshots::clusters_of(const translate::Scope& scope) {
  Made& held = clusters_[scope];
  if (held.epoch != clusters_epoch_) {
    held.map = make(
        ResourceType::kCluster, translate::outbound_clusters(*view_, scope), [](const auto& m) { return m.name(); }, held.map);
    held.epoch = clusters_epoch_;
  }
  return held.map;
}

Snapshots::ByScope& Snapshots::endpoints_of(const translate::Scope& scope) {
  ByScope& held = scopes_[scope];
  if (held.endpoints_epoch != endpoints_epoch_) {
    held.endpoints = make(
        ResourceType::kEndpoint, translate::load_assignments(*view_, scope), [](const auto& m) { return m.cluster_name(); },
        held.endpoints);
    held.endpoints_epoch = endpoints_epoch_;
  }
  return held;
}

Snapshots::ByScope& Snapshots::proxyless_of(const translate::Scope& scope) {
  ByScope& held = scopes_[scope];
  if (held.proxyless_epoch != clusters_epoch_) {
    const auto name = [](const auto& message) { return message.name(); };
    held.proxyless_clusters = make(ResourceType::kCluster, translate::proxyless_clusters(*view_, scope), name, held.proxyless_clusters);
    held.proxyless_listeners = make(ResourceType::kListener, translate::proxyless_listeners(*view_, scope), name, held.proxyless_listeners);
    held.proxyless_epoch = clusters_epoch_;
  }
  return held;
}

const ResourceMapPtr& Snapshots::routes_of(const translate::Client& client) {
  Made& held = routes_[client];
  if (held.epoch != routes_epoch_) {
    held.map = make(
        ResourceType::kRoute, translate::route_configurations(*view_, client), [](const auto& m) { return m.name(); }, held.map);
    held.epoch = routes_epoch_;
  }
  return held.map;
}

const Snapshots::Outbound& Snapshots::outbound_of(const translate::Client& client) {
  Outbound& held = outbound_[client];
  if (held.epoch != outbound_epoch_) {
    held.map = make(
        ResourceType::kListener, translate::outbound_listeners(*view_, client), [](const auto& m) { return m.name(); }, held.map);
    held.conflicts = translate::outbound_plan(*view_, translate::scope_of(client)).conflicts;
    held.epoch = outbound_epoch_;
  }
  return held;
}

// A proxy's own listeners, and for a captured sidecar those that it shares, less the ones for calls to itself.
ResourceMapPtr Snapshots::listener_set(std::vector<ResourcePtr> own, const Held& proxy) {
  ListenerSet set;
  std::vector<const xds::Resource*> key;
  for (const ResourcePtr& listener : own) key.push_back(listener.get());
  if (proxy.client.captured) {
    set.outbound = outbound_of(proxy.client).map;
    const auto for_self = [&](const ResourcePtr& listener) { return translate::is_for_self(listener->name, *proxy.node); };
    const bool less = std::ranges::any_of(set.outbound->all(), for_self);
    std::ranges::copy_if(set.outbound->all(), std::back_inserter(own), std::not_fn(for_self));
    if (less) return same_or(std::move(own), proxy.listeners);
  }
  ListenerSet& kept = listener_sets_[{set.outbound.get(), std::move(key)}];
  if (ResourceMapPtr same = kept.all.lock()) return same;
  ResourceMapPtr made = std::make_shared<const ResourceMap>(std::move(own));
  set.all = made;
  kept = std::move(set);
  return made;
}

const ResourceMapPtr& Snapshots::names_of(const model::Node& node) {
  const std::optional<translate::NamesFor> whom = translate::names_for(node);
  if (!whom) return no_names_;
  Made& held = names_[*whom];
  if (held.epoch != names_epoch_) {
    const std::vector<translate::NameTable> one{translate::name_table(*view_, *whom)};
    held.map = make(
        ResourceType::kNameTable, one, [](const auto&) { return std::string(); }, held.map);
    held.epoch = names_epoch_;
  }
  return held.map;
}

// Its namespace's listeners, and those of the ports that it serves itself.
void Snapshots::refresh_proxyless(Held& proxy) {
  if (proxy.listeners_epoch == listeners_epoch_) return;
  proxy.listeners_epoch = listeners_epoch_;
  proxy.scope = translate::scope_of(*view_, *proxy.node);
  proxy.client = translate::client_of(*view_, *proxy.node, {});
  std::vector<ResourcePtr> own;
  for (const auto& listener : translate::proxyless_server_listeners(*view_, *proxy.node))
    own.push_back(maker_.make(ResourceType::kListener, listener.name(), translate::serialise(listener), proxy.listeners.get()));
  const ResourceMapPtr& shared = proxyless_of(proxy.scope).proxyless_listeners;
  proxy.listeners = own.empty() ? shared : shared->with(own);
}

// Listeners and inbound clusters: a proxy's own, though replicas of one workload behind one address scheme have equal ones.
void Snapshots::refresh_own(Held& proxy) {
  if (proxy.listeners_epoch == listeners_epoch_) return;
  proxy.listeners_epoch = listeners_epoch_;
  proxy.scope = translate::scope_of(*view_, *proxy.node);
  translate::ListenerPlan plan = translate::listener_plan(*view_, *proxy.node);
  proxy.client = translate::client_of(*view_, *proxy.node, plan);

  auto own = [&](ResourceType type, const std::string& name, const std::string& bytes) {
    ResourcePtr made = maker_.make(type, name, bytes);
    auto& kept = own_resources_[{made->id, made->version}];
    if (ResourcePtr same = kept.lock()) return same;
    kept = made;
    return made;
  };
  proxy.inbound.clear();
  for (const auto& cluster : translate::inbound_clusters(*view_, *proxy.node, plan)) {
    proxy.inbound.push_back(own(ResourceType::kCluster, cluster.name(), translate::serialise(cluster)));
  }
  std::vector<ResourcePtr> listeners;
  for (const auto& listener : translate::listeners(plan))
    listeners.push_back(own(ResourceType::kListener, listener.name(), translate::serialise(listener)));
  ++translations_;
  proxy.listeners = listener_set(std::move(listeners), proxy);
  proxy.conflicts = std::move(plan.conflicts);
  if (proxy.client.captured) {
    const auto& shared = outbound_of(proxy.client).conflicts;
    proxy.conflicts.insert(proxy.conflicts.end(), shared.begin(), shared.end());
  }
}

xds::SnapshotPtr Snapshots::snapshot_of(Held& proxy) {
  const bool proxyless = proxy.node->proxyless;
  if (proxyless)
    refresh_proxyless(proxy);
  else
    refresh_own(proxy);
  const ResourceMapPtr& outbound = proxyless ? proxyless_of(proxy.scope).proxyless_clusters : clusters_of(proxy.scope);
  std::pair<const ResourceMap*, std::vector<const xds::Resource*>> key{outbound.get(), {}};
  for (const ResourcePtr& own : proxy.inbound) key.second.push_back(own.get());
  ResourceMapPtr& clusters = cluster_sets_[key];
  if (!clusters) clusters = proxy.inbound.empty() ? outbound : outbound->with(proxy.inbound);

  std::array<ResourceMapPtr, xds::kTypeCount> maps;
  maps[index_of(ResourceType::kCluster)] = clusters;
  maps[index_of(ResourceType::kEndpoint)] = endpoints_of(proxy.scope).endpoints;
  maps[index_of(ResourceType::kListener)] = proxy.listeners;
  maps[index_of(ResourceType::kRoute)] = routes_of(proxy.client);
  maps[index_of(ResourceType::kNameTable)] = names_of(*proxy.node);
  xds::SnapshotPtr& shared = snapshots_[{maps[0].get(), maps[1].get(), maps[2].get(), maps[3].get(), maps[4].get()}];
  if (!shared) {
    auto made = std::make_shared<xds::Snapshot>();
    made->revision = view_->revision();
    made->since = since_;
    made->maps = std::move(maps);
    shared = std::move(made);
  }
  return shared;
}

}  // namespace weft::push
