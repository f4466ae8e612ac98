#include "controlplane/model/changes.h"

#include <algorithm>

namespace weft::model {
namespace {

// Calls `differs(key, before or null, after or null)` for each resource that is not the same in both.
template <class F>
void compare(std::span<const ResourcePtr> before, std::span<const ResourcePtr> after, F differs) {
  size_t i = 0, j = 0;
  while (i < before.size() || j < after.size()) {
    if (j == after.size() || (i < before.size() && before[i]->key < after[j]->key)) {
      differs(before[i]->key, before[i].get(), nullptr);
      ++i;
    } else if (i == before.size() || after[j]->key < before[i]->key) {
      differs(after[j]->key, nullptr, after[j].get());
      ++j;
    } else {
      const bool same = before[i] == after[j] || (before[i]->json == after[j]->json && before[i]->created == after[j]->created);
      if (!same) differs(after[j]->key, before[i].get(), after[j].get());
      ++i, ++j;
    }
  }
}

bool same_service(const ServiceInfo& a, const ServiceInfo& b) {
  return a.name == b.name && a.kubernetes == b.kubernetes && a.addresses == b.addresses && a.headless == b.headless && a.ports == b.ports &&
         a.mesh_external == b.mesh_external && a.resolution == b.resolution && a.export_to == b.export_to && a.created == b.created &&
         a.selector == b.selector;
}

// What a proxy beside the workload serves depends on these.
bool same_workload(const Resource& a, const Resource& b) {
  if (a.labels != b.labels) return false;
  const Pod *p = a.as<Pod>(), *q = b.as<Pod>();
  if (p && q) {
    if (p->ip != q->ip || p->ports.size() != q->ports.size()) return false;
    for (size_t i = 0; i < p->ports.size(); ++i)
      if (p->ports[i].name != q->ports[i].name || p->ports[i].number != q->ports[i].number) return false;
    return true;
  }
  const WorkloadEntry *v = a.as<WorkloadEntry>(), *w = b.as<WorkloadEntry>();
  return v && w && v->address == w->address && v->labels == w->labels && v->ports == w->ports;
}

}  // namespace

Changes difference(const View& before, const View& after) {
  Changes changes;
  changes.from = before.revision();
  changes.to = after.revision();
  compare(before.resources(), after.resources(), [&](const Key& key, const Resource* old, const Resource* now) {
    changes.keys.push_back(key);
    if (key.kind == "VirtualService" || key.kind == "HTTPRoute" || key.kind == "GRPCRoute" || key.kind == "TCPRoute" ||
        key.kind == "TLSRoute" || key.kind == "ReferenceGrant")
      changes.virtual_services.insert(key);
    if (key.kind == "Gateway" || key.kind == kKubeGateway || key.kind == "GatewayClass") changes.gateways.insert(key);
    // A Gateway may let in the routes of namespaces by their labels.
    if (key.kind == "Namespace" && !(old && now && old->labels == now->labels)) changes.gateways.insert(key);
    if (key.kind == "Sidecar") changes.sidecars.insert(key);
    if (key.kind == "RateLimit") changes.rate_limits.insert(key);
    for (const Resource* r : {old, now})
      if (const DestinationRule* rule = r ? r->as<DestinationRule>() : nullptr) {
        changes.rule_hosts.insert(rule->host);
        changes.hash_rules = changes.hash_rules || hashes(*rule);
      }
    const bool workload = key.kind == "Pod" || key.kind == "WorkloadEntry";
    if (workload && !(old && now && same_workload(*old, *now))) changes.workloads.insert(key);
  });

  // What services are seen by default, and where calls to others go.
  const bool mesh = std::any_of(changes.keys.begin(), changes.keys.end(), [](const Key& key) { return key.kind == "MeshConfig"; });
  if (mesh)
    for (const ServiceInfo* service : after.services()) changes.services.insert(service->hostname);
  if (mesh) changes.sidecars.insert({"MeshConfig", std::string(kRootNamespace), {}});

  using Identity = std::pair<std::string_view, std::string_view>;
  std::map<Identity, const ServiceInfo*> old;
  for (const ServiceInfo* service : before.services()) old[{service->hostname, service->ns}] = service;
  for (const ServiceInfo* service : after.services()) {
    auto found = old.find({service->hostname, service->ns});
    if (found == old.end()) {
      changes.services.insert(service->hostname);
      continue;
    }
    const ServiceInfo* was = found->second;
    old.erase(found);
    if (was == service) continue;  // shared between the views, endpoints and all
    if (!same_service(*was, *service)) {
      changes.services.insert(service->hostname);
      continue;
    }
    for (const ServicePort& port : service->ports)
      if (before.endpoints(*was, port.number) != after.endpoints(*service, port.number)) {
        // The endpoints of DNS stand in the cluster itself.
        (is_dns(service->resolution) ? changes.services : changes.endpoints).insert(service->hostname);
        changes.headless = changes.headless || service->headless;
        break;
      }
  }
  for (const auto& [identity, service] : old) changes.services.insert(service->hostname);
  return changes;
}

}  // namespace weft::model
