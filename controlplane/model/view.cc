#include "controlplane/model/view.h"

#include "controlplane/model/attachment.h"
#include "controlplane/model/automatic_addresses.h"
#include "controlplane/model/delegates.h"
#include "controlplane/model/services.h"

#include <algorithm>
#include <deque>
#include <unordered_set>

namespace weft::model {
namespace {

using Rules = std::vector<const Resource*>;  // of one namespace, oldest first

// The rules of one namespace for one host that are exported alike.
struct RuleGroup {
  std::vector<std::string> export_to;
  MergedRule rule;
};

void merge(const Resource& resource, const DestinationRule& rule, MergedRule& into) {
  if (into.sources.empty()) {
    into.host = rule.host;
    into.ns = resource.key.ns;
    into.name = resource.key.name;
  }
  into.sources.push_back(resource.key);
  if (!into.traffic_policy && rule.traffic_policy) {
    into.traffic_policy = rule.traffic_policy;
    into.name = resource.key.name;
  }
  for (const Subset& subset : rule.subsets)
    if (!into.subset(subset.name)) into.subsets.push_back(subset);
}

// Hosts of one namespace, exact and wildcard. Longer wildcards first.
struct RuleIndex {
  std::unordered_map<std::string, std::vector<RuleGroup>> by_host;
  std::vector<std::string> wildcards;

  template <class Visible>
  const MergedRule* find(std::string_view hostname, Visible visible) const {
    auto pick = [&](const std::string& host) -> const MergedRule* {
      auto groups = by_host.find(host);
      if (groups == by_host.end()) return nullptr;
      for (const RuleGroup& group : groups->second)
        if (visible(group)) return &group.rule;
      return nullptr;
    };
    if (const MergedRule* exact = pick(std::string(hostname))) return exact;
    for (const std::string& wildcard : wildcards)
      if (wildcard != hostname && host_matches(wildcard, hostname))
        if (const MergedRule* rule = pick(wildcard)) return rule;
    return nullptr;
  }
};

}  // namespace

struct View::Index {
  uint64_t revision = 0;
  std::vector<ResourcePtr> resources;
  std::unordered_map<Key, const Resource*, KeyHash> by_key;
  std::unique_ptr<Workloads> workloads;

  std::vector<HeldServicePtr> services;
  std::vector<const ServiceInfo*> service_list;
  std::unordered_map<const ServiceInfo*, const HeldService*> held;
  std::unordered_map<std::string, HeldServicePtr> by_identity;
  std::unordered_map<std::string, std::vector<const ServiceInfo*>> by_hostname;
  std::unordered_map<const ServiceInfo*, AutomaticAddresses> automatic_addresses;
  struct At {
    const HeldService* service;
    size_t port, endpoint;
  };
  std::unordered_map<std::string, std::vector<At>> by_address;
  std::unordered_map<std::string, std::vector<const ServiceInfo*>> selecting;  // Kubernetes services by namespace

  std::unordered_map<std::string, std::vector<Typed<VirtualService>>> virtual_services;  // by gateway, oldest first
  std::unordered_map<std::string, RuleIndex> local_rules, exported_rules;                // by namespace
  std::deque<VirtualService> merged;                                                     // roots with the routes of their delegates
  std::vector<Typed<Gateway>> gateways;
  std::shared_ptr<const Attached> attached;
  std::vector<ResourcePtr> attached_inputs;
  std::unordered_map<std::string, std::unordered_set<std::string>> consumer_hosts;  // by client namespace
  std::unordered_set<const VirtualService*> producers;
  std::vector<Typed<RateLimit>> rate_limits;

  MeshConfig mesh;
  static const std::vector<std::string>& said(const std::vector<std::string>& own, const std::vector<std::string>& otherwise) {
    return own.empty() ? otherwise : own;
  }
  bool sees(const ServiceInfo& service, std::string_view ns) const {
    return exported(said(service.export_to, mesh.service_export_to), service.ns, ns);
  }
  bool sees(const VirtualService& rule, std::string_view own_ns, std::string_view ns) const {
    return exported(said(rule.export_to, mesh.virtual_service_export_to), own_ns, ns);
  }

  // The Sidecars of a namespace, oldest first, and for those with ingress what stands for the service that no port of theirs has.
  struct OwnSidecar {
    const Resource* resource = nullptr;
    const Sidecar* spec = nullptr;
    std::unique_ptr<ServiceInfo> service;
  };
  std::unordered_map<std::string, std::vector<OwnSidecar>> sidecars;

  void index_sidecars(const std::vector<const Resource*>& resources_by_age) {
    for (const Resource* resource : resources_by_age) {
      OwnSidecar& own = sidecars[resource->key.ns].emplace_back();
      own.resource = resource;
      own.spec = resource->as<Sidecar>();
      if (own.spec->ingress.empty()) continue;
      own.service = std::make_unique<ServiceInfo>();
      own.service->hostname = resource->key.name + "." + resource->key.ns;
      own.service->ns = resource->key.ns;
      own.service->name = resource->key.name;
      own.service->created = resource->created;
      own.service->sources = {resource->key};
      for (const IngressListener& listener : own.spec->ingress)
        own.service->ports.push_back({listener.port.number, listener.port.name, listener.port.protocol, {listener.port.number, {}}});
    }
  }

  const OwnSidecar* sidecar_of(std::string_view ns, const Labels& labels) const {
    auto own = sidecars.find(std::string(ns));
    if (own != sidecars.end()) {
      for (const OwnSidecar& one : own->second)
        if (one.spec->workload_selector && selects(*one.spec->workload_selector, labels)) return &one;
      for (const OwnSidecar& one : own->second)
        if (!one.spec->workload_selector) return &one;
    }
    if (ns == kRootNamespace) return nullptr;
    auto root = sidecars.find(std::string(kRootNamespace));
    if (root == sidecars.end()) return nullptr;
    for (const OwnSidecar& one : root->second)
      if (!one.spec->workload_selector) return &one;
    return nullptr;
  }

  const OwnSidecar* sidecar_named(std::string_view name) const {
    const size_t slash = name.find('/');
    if (slash == std::string_view::npos) return nullptr;
    auto own = sidecars.find(std::string(name.substr(0, slash)));
    if (own == sidecars.end()) return nullptr;
    for (const OwnSidecar& one : own->second)
      if (one.resource->key.name == name.substr(slash + 1)) return &one;
    return nullptr;
  }

  // Of the services of one hostname that `takes` lets through, the one that clients in `ns` mean.
  template <class Takes>
  const ServiceInfo* best(const std::vector<const ServiceInfo*>& of_hostname, std::string_view ns, Takes takes) const {
    const ServiceInfo* best = nullptr;
    auto rank = [&](const ServiceInfo& s) { return s.kubernetes ? 0 : s.ns == ns ? 1 : 2; };
    for (const ServiceInfo* service : of_hostname) {  // oldest first, so ties keep the oldest
      if (!sees(*service, ns) || !takes(*service)) continue;
      if (!best || rank(*service) < rank(*best)) best = service;
    }
    return best;
  }

  template <class Takes>
  std::vector<const ServiceInfo*> visible(std::string_view ns, Takes takes) const {
    std::vector<const ServiceInfo*> out;
    for (const ServiceInfo* service : service_list) {
      if (!takes(*service)) continue;
      const auto& same_host = by_hostname.at(service->hostname);
      const bool seen = same_host.size() == 1 ? sees(*service, ns) : best(same_host, ns, takes) == service;
      if (seen) out.push_back(service);
    }
    return out;
  }

  void index_services(const std::shared_ptr<const View>& previous) {
    static const std::unordered_map<std::string, HeldServicePtr> kNone;
    workloads = std::make_unique<Workloads>(resources);
    services = build_services(resources, *workloads, previous ? previous->index_->by_identity : kNone);
    for (const HeldServicePtr& service : services) {
      const ServiceInfo& info = service->info;
      service_list.push_back(&info);
      held[&info] = service.get();
      by_identity[identity_of(info)] = service;
      by_hostname[info.hostname].push_back(&info);
      if (!info.selector.empty()) selecting[info.ns].push_back(&info);
      for (size_t port = 0; port < service->lists.size(); ++port)
        for (size_t i = 0; i < service->lists[port].size(); ++i)
          by_address[service->lists[port][i].address].push_back({service.get(), port, i});
    }
    automatic_addresses = assign_addresses(service_list);
  }

  void index_rules(Rules rules) {
    for (const Resource* resource : rules) {
      const DestinationRule& rule = *resource->as<DestinationRule>();
      auto& own = local_rules[resource->key.ns].by_host[rule.host];
      if (own.empty()) own.emplace_back();
      merge(*resource, rule, own.front().rule);

      auto& groups = exported_rules[resource->key.ns].by_host[rule.host];
      auto group = std::find_if(groups.begin(), groups.end(), [&](const RuleGroup& g) { return g.export_to == rule.export_to; });
      if (group == groups.end()) group = groups.insert(groups.end(), RuleGroup{rule.export_to, {}});
      merge(*resource, rule, group->rule);
    }
    for (auto* indexes : {&local_rules, &exported_rules})
      for (auto& [ns, index] : *indexes) {
        for (const auto& [host, groups] : index.by_host)
          if (host.starts_with('*')) index.wildcards.push_back(host);
        std::sort(index.wildcards.begin(), index.wildcards.end(),
                  [](const std::string& a, const std::string& b) { return a.size() != b.size() ? a.size() > b.size() : a < b; });
      }
  }

  // The delegate that `resource` names, if it may see it.
  const VirtualService* delegate_of(const Resource& resource, const Delegate& delegate) const {
    auto found = by_key.find({"VirtualService", delegate.ns, delegate.name});
    const VirtualService* leaf = found == by_key.end() ? nullptr : found->second->as<VirtualService>();
    return leaf && leaf->is_delegate() && sees(*leaf, delegate.ns, resource.key.ns) ? leaf : nullptr;
  }

  const VirtualService* with_delegates(const Resource& resource) {
    const VirtualService& root = *resource.as<VirtualService>();
    if (std::none_of(root.http.begin(), root.http.end(), [](const HttpRoute& route) { return route.delegate.has_value(); })) return &root;
    VirtualService& out = merged.emplace_back(root);
    out.http.clear();
    for (const HttpRoute& route : root.http) {
      if (!route.delegate) {
        out.http.push_back(route);
      } else if (const VirtualService* leaf = delegate_of(resource, *route.delegate)) {
        for (HttpRoute& own : merge_delegate(route, *leaf)) out.http.push_back(std::move(own));
      }
    }
    return &out;
  }

  void index_config() {
    Rules rules, virtuals, gateway_resources, limits, sidecar_resources;
    for (const ResourcePtr& resource : resources) {
      if (resource->as<DestinationRule>()) rules.push_back(resource.get());
      if (resource->as<VirtualService>()) virtuals.push_back(resource.get());
      if (resource->as<Gateway>()) gateway_resources.push_back(resource.get());
      if (resource->as<RateLimit>()) limits.push_back(resource.get());
      if (resource->as<Sidecar>()) sidecar_resources.push_back(resource.get());
    }
    for (Rules* list : {&rules, &virtuals, &gateway_resources, &limits, &sidecar_resources})
      std::sort(list->begin(), list->end(), [](const Resource* a, const Resource* b) { return older(*a, *b); });
    index_rules(std::move(rules));
    index_sidecars(sidecar_resources);
    for (const Resource* resource : virtuals) {
      if (resource->as<VirtualService>()->is_delegate()) continue;
      const VirtualService* spec = with_delegates(*resource);
      for (const std::string& gateway : spec->gateways) virtual_services[gateway].push_back({resource, spec});
    }
    for (const Resource* resource : gateway_resources) gateways.push_back({resource, resource->as<Gateway>()});
    for (const Resource* resource : limits) rate_limits.push_back({resource, resource->as<RateLimit>()});
  }

  // What the Gateway API's objects come to stands beside what people wrote.
  void index_attached(const Index* previous) {
    for (const ResourcePtr& resource : resources)
      if (is_attached(*resource)) attached_inputs.push_back(resource);
    const bool same = previous && previous->attached_inputs == attached_inputs &&
                      std::ranges::equal(previous->service_list, service_list,
                                         [](const ServiceInfo* a, const ServiceInfo* b) { return attaches_alike(*a, *b); });
    attached = same ? previous->attached : std::make_shared<const Attached>(attach(resources, service_list));
    for (const Attached::Rule& rule : attached->rules) {
      virtual_services[rule.spec.gateways.front()].push_back({&rule.resource, &rule.spec});
      if (rule.consumer) consumer_hosts[rule.resource.key.ns].insert(rule.spec.hosts.front());
      if (rule.producer) producers.insert(&rule.spec);
    }
    for (const Attached::Server& server : attached->servers) gateways.push_back({&server.resource, &server.spec});
    if (attached->rules.empty() && attached->servers.empty()) return;
    const auto by_age = [](const auto& a, const auto& b) { return older(*a.resource, *b.resource); };
    for (auto& [gateway, list] : virtual_services) std::stable_sort(list.begin(), list.end(), by_age);
    std::stable_sort(gateways.begin(), gateways.end(), by_age);
  }
};

const Subset* MergedRule::subset(std::string_view name) const {
  for (const Subset& subset : subsets)
    if (subset.name == name) return &subset;
  return nullptr;
}

View::View(std::unique_ptr<Index> index) : index_(std::move(index)) {}
View::~View() = default;

std::shared_ptr<const View> View::build(uint64_t revision, std::vector<ResourcePtr> resources,
                                        const std::shared_ptr<const View>& previous) {
  auto index = std::make_unique<Index>();
  index->revision = revision;
  index->resources = std::move(resources);
  std::sort(index->resources.begin(), index->resources.end(), [](const ResourcePtr& a, const ResourcePtr& b) { return a->key < b->key; });
  for (const ResourcePtr& resource : index->resources) index->by_key[resource->key] = resource.get();
  const Resource* mesh = nullptr;
  for (const ResourcePtr& resource : index->resources)
    if (resource->as<MeshConfig>() && resource->key.ns == kRootNamespace && (!mesh || older(*resource, *mesh))) mesh = resource.get();
  if (mesh) index->mesh = *mesh->as<MeshConfig>();
  index->index_services(previous);
  index->index_config();
  index->index_attached(previous ? previous->index_.get() : nullptr);
  return std::shared_ptr<const View>(new View(std::move(index)));
}

uint64_t View::revision() const { return index_->revision; }
std::span<const ResourcePtr> View::resources() const { return index_->resources; }

const Resource* View::find(const Key& key) const {
  auto found = index_->by_key.find(key);
  return found == index_->by_key.end() ? nullptr : found->second;
}

std::span<const ServiceInfo* const> View::services() const { return index_->service_list; }

const ServiceInfo* View::find_service(std::string_view hostname, std::string_view client_ns) const {
  auto found = index_->by_hostname.find(std::string(hostname));
  if (found == index_->by_hostname.end()) return nullptr;
  return index_->best(found->second, client_ns, [](const ServiceInfo&) { return true; });
}

Scope View::scope(const Node& node) const {
  Scope scope(node.ns);
  if (node.type == Node::Type::kRouter || index_->sidecars.empty()) return scope;
  if (const Index::OwnSidecar* own = index_->sidecar_of(node.ns, labels(node)))
    scope.sidecar = own->resource->key.ns + "/" + own->resource->key.name;
  return scope;
}

const MeshConfig& View::mesh() const { return index_->mesh; }

const Sidecar* View::sidecar(const Scope& scope) const {
  const Index::OwnSidecar* own = index_->sidecar_named(scope.sidecar);
  return own ? own->spec : nullptr;
}

std::vector<Egress> View::egress(const Scope& scope) const {
  std::vector<Egress> out;
  const Sidecar* own = sidecar(scope);
  if (!own || own->egress.empty()) {
    Egress& all = out.emplace_back();
    all.services = index_->visible(scope.ns, [](const ServiceInfo&) { return true; });
    all.rules = virtual_services(scope.ns);
    return out;
  }
  const std::vector<Typed<VirtualService>> rules = virtual_services(scope.ns);
  for (const EgressListener& listener : own->egress) {
    Egress& one = out.emplace_back();
    one.spec = &listener;
    one.services =
        index_->visible(scope.ns, [&](const ServiceInfo& service) { return listener.takes(service.ns, service.hostname, scope.ns); });
    for (const Typed<VirtualService>& rule : rules) {
      const bool takes = std::any_of(rule->hosts.begin(), rule->hosts.end(),
                                     [&](const std::string& host) { return listener.takes(rule.resource->key.ns, host, scope.ns); });
      if (takes) one.rules.push_back(rule);
    }
  }
  return out;
}

std::vector<const ServiceInfo*> View::visible_services(const Scope& scope) const {
  const Sidecar* own = sidecar(scope);
  if (!own || own->egress.empty()) return index_->visible(scope.ns, [](const ServiceInfo&) { return true; });
  // One service of a hostname: that of the first listener that knows it.
  std::map<std::string_view, const ServiceInfo*> known;
  const std::vector<Egress> listeners = egress(scope);
  for (const Egress& listener : listeners)
    for (const ServiceInfo* service : listener.services) known.emplace(service->hostname, service);
  auto add = [&](const Destination& to) {
    if (const ServiceInfo* service = find_service(to.host, scope.ns)) known.emplace(service->hostname, service);
  };
  for (const Egress& listener : listeners)
    for (const Typed<VirtualService>& rule : listener.rules) {
      for (const HttpRoute& route : rule->http) {
        for (const RouteDestination& to : route.routes) add(to.destination);
        for (const Mirror& to : route.mirrors) add(to.destination);
      }
      for (const auto* list : {&rule->tls, &rule->tcp})
        for (const L4Route& route : *list)
          for (const RouteDestination& to : route.routes) add(to.destination);
    }
  std::vector<const ServiceInfo*> out;
  for (const ServiceInfo* service : index_->service_list) {
    auto found = known.find(service->hostname);
    if (found != known.end() && found->second == service) out.push_back(service);
  }
  return out;
}

const EndpointList& View::endpoints(const ServiceInfo& service, uint32_t port) const {
  static const EndpointList kNone;
  auto found = index_->held.find(&service);
  if (found == index_->held.end()) return kNone;
  const HeldService& held = *found->second;
  for (size_t i = 0; i < held.info.ports.size(); ++i)
    if (held.info.ports[i].number == port) return held.lists[i];
  return kNone;
}

const AutomaticAddresses* View::automatic_addresses(const ServiceInfo& service) const {
  auto found = index_->automatic_addresses.find(&service);
  return found == index_->automatic_addresses.end() ? nullptr : &found->second;
}

std::vector<Typed<VirtualService>> View::virtual_services(std::string_view client_ns, std::string_view gateway) const {
  std::vector<Typed<VirtualService>> visible;
  auto found = index_->virtual_services.find(std::string(gateway));
  if (found == index_->virtual_services.end()) return visible;
  // A client's own namespace overrides what the service's namespace says for all, as the Gateway API has it for a mesh.
  auto own = index_->consumer_hosts.find(std::string(client_ns));
  for (const Typed<VirtualService>& candidate : found->second) {
    if (!index_->sees(*candidate.spec, candidate.resource->key.ns, client_ns)) continue;
    const bool overridden =
        own != index_->consumer_hosts.end() && index_->producers.contains(candidate.spec) && own->second.contains(candidate->hosts.front());
    if (!overridden) visible.push_back(candidate);
  }
  return visible;
}

const MergedRule* View::destination_rule(std::string_view hostname, std::string_view service_ns, std::string_view client_ns) const {
  if (client_ns != kRootNamespace) {
    if (auto own = index_->local_rules.find(std::string(client_ns)); own != index_->local_rules.end())
      if (const MergedRule* rule = own->second.find(hostname, [](const RuleGroup&) { return true; })) return rule;
  }
  for (std::string_view ns : {service_ns, kRootNamespace}) {
    auto theirs = index_->exported_rules.find(std::string(ns));
    if (theirs == index_->exported_rules.end()) continue;
    auto visible = [&](const RuleGroup& group) {
      return exported(Index::said(group.export_to, index_->mesh.destination_rule_export_to), ns, client_ns);
    };
    if (const MergedRule* rule = theirs->second.find(hostname, visible)) return rule;
  }
  return nullptr;
}

std::vector<Typed<Gateway>> View::gateways(const Labels& labels, std::string_view ns) const {
  std::vector<Typed<Gateway>> chosen;
  for (const Typed<Gateway>& gateway : index_->gateways)
    if (selects(gateway->selector, labels) && (gateway->proxies_ns.empty() || gateway->proxies_ns == ns)) chosen.push_back(gateway);
  return chosen;
}

const ObjectStatus* View::status(const Key& key) const {
  auto found = index_->attached->statuses.find(key);
  return found == index_->attached->statuses.end() ? nullptr : &found->second;
}

std::vector<Typed<RateLimit>> View::rate_limits(std::string_view ns) const {
  std::vector<Typed<RateLimit>> own;
  for (const Typed<RateLimit>& limit : index_->rate_limits)
    if (limit.resource->key.ns == ns || limit.resource->key.ns == kRootNamespace) own.push_back(limit);
  return own;
}

const Resource* View::workload(const Node& node) const {
  const ResourcePtr* found = index_->workloads->pod(node.ns, node.name);
  if (!found) found = index_->workloads->entry(node.ns, node.name);
  if (!found) found = index_->workloads->by_address(node.ns, node.ip);
  return found ? found->get() : nullptr;
}

const Labels& View::labels(const Node& node) const {
  if (!node.labels.empty()) return node.labels;
  const Resource* resource = workload(node);
  if (!resource) return node.labels;
  const WorkloadEntry* entry = resource->as<WorkloadEntry>();
  return entry && !entry->labels.empty() ? entry->labels : resource->labels;
}

std::vector<InboundPort> View::inbound(const Node& node) const {
  std::vector<InboundPort> ports = service_inbound(node);
  const Index::OwnSidecar* own = index_->sidecars.empty() ? nullptr : index_->sidecar_named(scope(node).sidecar);
  if (!own) return ports;
  if (!own->service) {
    if (own->spec->inbound_pool)
      for (InboundPort& port : ports) port.connection_pool = &*own->spec->inbound_pool;
    return ports;
  }
  std::vector<InboundPort> written;
  for (size_t i = 0; i < own->spec->ingress.size(); ++i) {
    const IngressListener& listener = own->spec->ingress[i];
    InboundPort& one =
        written.emplace_back(InboundPort{own->service.get(), &own->service->ports[i], listener.port.number, &listener, nullptr});
    for (const InboundPort& port : ports)
      if (port.port->number == listener.port.number) {
        one.service = port.service;
        break;
      }
    if (listener.connection_pool)
      one.connection_pool = &*listener.connection_pool;
    else if (own->spec->inbound_pool)
      one.connection_pool = &*own->spec->inbound_pool;
  }
  return written;
}

std::vector<InboundPort> View::service_inbound(const Node& node) const {
  std::vector<InboundPort> ports;
  auto add = [&](const ServiceInfo& service, const ServicePort& port, uint32_t target) {
    const bool known = std::any_of(ports.begin(), ports.end(), [&](const InboundPort& p) { return p.port == &port; });
    if (!known && target != 0) ports.push_back({&service, &port, target, nullptr, nullptr});
  };
  // By address; where the endpoint's workload is known, it must be this one (several may share an address without a network of their own).
  if (auto here = index_->by_address.find(node.ip); here != index_->by_address.end()) {
    for (const Index::At& at : here->second) {
      const Endpoint& endpoint = at.service->lists[at.port][at.endpoint];
      if (!endpoint.workload.empty() && (endpoint.workload != node.name || endpoint.ns != node.ns)) continue;
      add(at.service->info, at.service->info.ports[at.port], endpoint.port);
    }
  }
  // By label: a workload that no slice lists yet.
  const Resource* resource = workload(node);
  const Pod* pod = resource ? resource->as<Pod>() : nullptr;
  if (auto services = index_->selecting.find(node.ns); services != index_->selecting.end()) {
    const Labels& own = labels(node);
    for (const ServiceInfo* service : services->second)
      if (selects(service->selector, own))
        for (const ServicePort& port : service->ports) add(*service, port, target_number(port.target, pod));
  }
  std::stable_sort(ports.begin(), ports.end(), [](const InboundPort& a, const InboundPort& b) {
    return std::tie(a.service->created, a.service->hostname, a.port->number) <
           std::tie(b.service->created, b.service->hostname, b.port->number);
  });
  return ports;
}

}  // namespace weft::model
