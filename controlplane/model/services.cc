#include "controlplane/model/services.h"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <set>

namespace weft::model {
namespace {

std::string join(std::string_view a, char between, std::string_view b) {
  std::string out;
  out.reserve(a.size() + b.size() + 1);
  return out.append(a).append(1, between).append(b);
}

std::string label_key(std::string_view ns, const std::string& key, const std::string& value) {
  return join(join(ns, '/', key), '=', value);
}

std::string label(const Labels& labels, const std::string& name) {
  auto found = labels.find(name);
  return found == labels.end() ? std::string() : found->second;
}

// A pod says where it runs by Istio's label (dots stand for slashes) or by Kubernetes' topology labels; a slice knows the zone.
Locality locality_of(const Labels& labels, const std::string& zone) {
  for (const char* name : {"istio-locality", "topology.istio.io/locality"}) {
    std::string text = label(labels, name);
    if (text.empty()) continue;
    if (text.find('/') == std::string::npos) std::replace(text.begin(), text.end(), '.', '/');
    return parse_locality(text);
  }
  Locality locality{label(labels, "topology.kubernetes.io/region"), label(labels, "topology.kubernetes.io/zone"),
                    label(labels, "topology.istio.io/subzone")};
  if (locality.zone.empty()) locality.zone = zone;
  return locality;
}

Endpoint from_labels(std::string address, uint32_t port, Labels labels) {
  Endpoint endpoint;
  endpoint.address = std::move(address);
  endpoint.port = port;
  endpoint.tls_mode = label(labels, "security.istio.io/tlsMode");
  endpoint.network = label(labels, "topology.istio.io/network");
  endpoint.labels = std::move(labels);
  return endpoint;
}

Endpoint from_pod(const Resource& resource, const Pod& pod, std::string address, uint32_t port, const std::string& zone) {
  Endpoint endpoint = from_labels(std::move(address), port, resource.labels);
  endpoint.locality = locality_of(resource.labels, zone);
  endpoint.service_account = pod.service_account;
  endpoint.workload = resource.key.name;
  endpoint.ns = resource.key.ns;
  endpoint.subdomain = pod.subdomain;
  if (!pod.subdomain.empty()) endpoint.hostname = pod.hostname.empty() ? resource.key.name : pod.hostname;
  return endpoint;
}

Endpoint from_entry(const WorkloadEntry& entry, Labels labels, std::string_view name, std::string_view ns, uint32_t port) {
  Endpoint endpoint = from_labels(entry.address, port, std::move(labels));
  endpoint.locality = entry.locality.empty() ? locality_of(endpoint.labels, "") : entry.locality;
  if (entry.weight) endpoint.weight = std::max(1u, *entry.weight);
  if (!entry.network.empty()) endpoint.network = entry.network;
  endpoint.service_account = entry.service_account;
  endpoint.workload = name;
  endpoint.ns = ns;
  return endpoint;
}

// A host name, which only DNS can make something of.
bool needs_dns(const WorkloadEntry& entry) {
  if (entry.address.starts_with("unix://")) return false;
  boost::system::error_code error;
  boost::asio::ip::make_address(entry.address, error);
  return bool(error);
}

uint32_t entry_port(const WorkloadEntry& entry, const std::string& port_name, uint32_t otherwise) {
  if (entry.address.starts_with("unix://")) return 0;
  auto found = entry.ports.find(port_name);
  return found == entry.ports.end() ? otherwise : found->second;
}

// One address of a slice or of Endpoints, with the pod behind it if it is known.
struct Address {
  std::string ip, zone;
  bool ready = true;
  const Resource* pod = nullptr;
};

Endpoint from_address(const Address& address, uint32_t port) {
  const Pod* pod = address.pod ? address.pod->as<Pod>() : nullptr;
  Endpoint endpoint = pod ? from_pod(*address.pod, *pod, address.ip, port, address.zone) : from_labels(address.ip, port, {});
  if (!pod) endpoint.locality.zone = address.zone;
  if (!address.ready) endpoint.health = Endpoint::Health::kUnhealthy;
  return endpoint;
}

// A slice port serves the service port of its name; a lone service port takes a lone slice port whatever they are called.
bool serves(const EndpointPort& offered, const ServicePort& wanted, size_t offered_count, size_t wanted_count) {
  if (offered.protocol == "UDP") return false;
  return offered.name == wanted.name || (offered.name.empty() && offered_count == 1 && wanted_count == 1);
}

void sort_and_unique(EndpointList& list) {
  auto key = [](const Endpoint& e) { return std::tie(e.address, e.port, e.ns, e.workload); };
  std::stable_sort(list.begin(), list.end(), [&](const Endpoint& a, const Endpoint& b) { return key(a) < key(b); });
  list.erase(std::unique(list.begin(), list.end(),
                         [](const Endpoint& a, const Endpoint& b) { return a.address == b.address && a.port == b.port; }),
             list.end());
}

// Builds one Kubernetes service from the objects that it found.
class KubernetesService {
 public:
  KubernetesService(const ResourcePtr& resource, const std::vector<ResourcePtr>* slices, const ResourcePtr* endpoints,
                    const Workloads& workloads)
      : resource_(resource), service_(*resource->as<Service>()), workloads_(workloads) {
    inputs_.push_back(resource);
    if (slices) {
      for (const ResourcePtr& slice : *slices) add_slice(slice);
    } else if (endpoints) {
      add_endpoints(*endpoints);
    } else if (!service_.selector.empty()) {
      selected_ = workloads.selected(resource->key.ns, service_.selector);
      inputs_.insert(inputs_.end(), selected_.begin(), selected_.end());
    }
  }

  std::vector<ResourcePtr>& inputs() { return inputs_; }

  HeldServicePtr build() {
    auto held = std::make_shared<HeldService>();
    held->info = info();
    for (const ServicePort& port : held->info.ports) held->lists.push_back(list(port, held->info.ports.size()));
    held->inputs = std::move(inputs_);
    return held;
  }

  static std::string identity(const Resource& resource) {
    return join(resolve_host(resource.key.name, resource.key.ns), ' ', resource.key.ns);
  }

 private:
  struct Group {
    const std::vector<EndpointPort>* ports;
    std::vector<Address> addresses;
  };

  const Resource* pod_of(const PodRef& ref, const std::string& ip) {
    const ResourcePtr* found = ref.name.empty() ? nullptr : workloads_.pod(ref.ns.empty() ? resource_->key.ns : ref.ns, ref.name);
    if (!found) found = workloads_.by_address(resource_->key.ns, ip);
    if (!found) return nullptr;
    inputs_.push_back(*found);
    return found->get();
  }

  void add_slice(const ResourcePtr& resource) {
    const EndpointSlice& slice = *resource->as<EndpointSlice>();
    if (slice.address_type == "FQDN") return;
    inputs_.push_back(resource);
    Group group{&slice.ports, {}};
    for (const SliceEndpoint& endpoint : slice.endpoints) {
      const bool ready = endpoint.ready || service_.publish_not_ready;
      if (!ready && endpoint.terminating) continue;
      for (const std::string& ip : endpoint.addresses) group.addresses.push_back({ip, endpoint.zone, ready, pod_of(endpoint.pod, ip)});
    }
    groups_.push_back(std::move(group));
  }

  void add_endpoints(const ResourcePtr& resource) {
    inputs_.push_back(resource);
    for (const EndpointsSubset& subset : resource->as<Endpoints>()->subsets) {
      Group group{&subset.ports, {}};
      for (const EndpointAddress& a : subset.ready) group.addresses.push_back({a.ip, a.zone, true, pod_of(a.pod, a.ip)});
      for (const EndpointAddress& a : subset.not_ready)
        group.addresses.push_back({a.ip, a.zone, service_.publish_not_ready, pod_of(a.pod, a.ip)});
      groups_.push_back(std::move(group));
    }
  }

  ServiceInfo info() const {
    ServiceInfo info;
    info.hostname = resolve_host(resource_->key.name, resource_->key.ns);
    info.ns = resource_->key.ns;
    info.name = resource_->key.name;
    info.kubernetes = true;
    info.addresses = service_.cluster_ips;
    info.headless = service_.headless;
    for (const KubePort& port : service_.ports) {
      if (port.protocol == "UDP" || port.protocol == "SCTP") continue;
      info.ports.push_back({port.port, port.name, select_protocol(port.app_protocol, port.name, port.port),
                            port.target.value_or(TargetPort{port.port, {}})});
    }
    info.export_to = service_.export_to;
    info.created = resource_->created;
    info.selector = service_.selector;
    info.sources = {resource_->key};
    return info;
  }

  EndpointList list(const ServicePort& port, size_t port_count) const {
    EndpointList list;
    for (const Group& group : groups_)
      for (const EndpointPort& offered : *group.ports) {
        if (!serves(offered, port, group.ports->size(), port_count)) continue;
        for (const Address& address : group.addresses) list.push_back(from_address(address, offered.port.value_or(port.target.number)));
        break;
      }
    for (const ResourcePtr& resource : selected_) {
      if (const Pod* pod = resource->as<Pod>()) {
        const uint32_t number = target_number(port.target, pod);
        if (pod->ip.empty() || number == 0) continue;
        list.push_back(from_pod(*resource, *pod, pod->ip, number, ""));
        if (!pod->ready && !service_.publish_not_ready) list.back().health = Endpoint::Health::kUnhealthy;
      } else if (const WorkloadEntry* entry = resource->as<WorkloadEntry>(); entry && !needs_dns(*entry)) {
        const uint32_t number = entry_port(*entry, port.name, port.target.number ? port.target.number : port.number);
        list.push_back(from_entry(*entry, workload_labels(*resource), resource->key.name, resource->key.ns, number));
      }
    }
    sort_and_unique(list);
    return list;
  }

  const ResourcePtr& resource_;
  const Service& service_;
  const Workloads& workloads_;
  std::vector<ResourcePtr> inputs_, selected_;
  std::vector<Group> groups_;
};

// All service entries of one namespace that name one host, oldest first.
class EntryService {
 public:
  EntryService(std::string hostname, std::vector<ResourcePtr> entries, const Workloads& workloads)
      : hostname_(std::move(hostname)), entries_(std::move(entries)) {
    for (const ResourcePtr& entry : entries_) {
      inputs_.push_back(entry);
      const ServiceEntry& spec = *entry->as<ServiceEntry>();
      if (!spec.workload_selector) continue;
      selected_[entry.get()] = workloads.selected(entry->key.ns, *spec.workload_selector);
      for (const ResourcePtr& workload : selected_[entry.get()]) inputs_.push_back(workload);
    }
  }

  std::vector<ResourcePtr>& inputs() { return inputs_; }

  HeldServicePtr build() {
    auto held = std::make_shared<HeldService>();
    ServiceInfo& info = held->info;
    const Resource& oldest = *entries_.front();
    info.hostname = hostname_;
    info.ns = oldest.key.ns;
    info.name = oldest.key.name;
    info.created = oldest.created;
    info.export_to = oldest.as<ServiceEntry>()->export_to;
    info.mesh_external = oldest.as<ServiceEntry>()->location == Location::kMeshExternal;
    info.resolution = oldest.as<ServiceEntry>()->resolution;
    for (const ResourcePtr& entry : entries_) {
      const ServiceEntry& spec = *entry->as<ServiceEntry>();
      info.sources.push_back(entry->key);
      for (const std::string& address : spec.addresses)
        if (std::find(info.addresses.begin(), info.addresses.end(), address) == info.addresses.end()) info.addresses.push_back(address);
      for (const EntryPort& port : spec.ports)
        if (!info.port(port.number))
          info.ports.push_back({port.number, port.name, port.protocol, {port.target_port.value_or(port.number), {}}});
    }
    for (const ServicePort& port : info.ports) held->lists.push_back(list(port));
    held->inputs = std::move(inputs_);
    return held;
  }

 private:
  EndpointList list(const ServicePort& port) const {
    EndpointList list;
    for (const ResourcePtr& resource : entries_) {
      const ServiceEntry& spec = *resource->as<ServiceEntry>();
      auto own = std::find_if(spec.ports.begin(), spec.ports.end(), [&](const EntryPort& p) { return p.number == port.number; });
      if (own == spec.ports.end()) continue;
      const uint32_t target = own->target_port.value_or(own->number);
      if (is_dns(spec.resolution) && spec.endpoints.empty() && !spec.workload_selector) {
        WorkloadEntry itself;
        itself.address = hostname_;
        list.push_back(from_entry(itself, {}, "", resource->key.ns, target));
      }
      for (const WorkloadEntry& entry : spec.endpoints)
        list.push_back(from_entry(entry, entry.labels, "", resource->key.ns, entry_port(entry, own->name, target)));
      auto selected = selected_.find(resource.get());
      if (selected == selected_.end()) continue;
      for (const ResourcePtr& workload : selected->second) {
        if (const WorkloadEntry* entry = workload->as<WorkloadEntry>()) {
          if (needs_dns(*entry) && !is_dns(spec.resolution)) continue;
          list.push_back(
              from_entry(*entry, workload_labels(*workload), workload->key.name, workload->key.ns, entry_port(*entry, own->name, target)));
        } else if (const Pod* pod = workload->as<Pod>(); pod && !pod->ip.empty()) {
          list.push_back(from_pod(*workload, *pod, pod->ip, target, ""));
          if (!pod->ready) list.back().health = Endpoint::Health::kUnhealthy;
        }
      }
    }
    sort_and_unique(list);
    return list;
  }

  std::string hostname_;
  std::vector<ResourcePtr> entries_, inputs_;
  std::map<const Resource*, std::vector<ResourcePtr>> selected_;
};

}  // namespace

const ServicePort* ServiceInfo::port(uint32_t number) const {
  for (const ServicePort& port : ports)
    if (port.number == number) return &port;
  return nullptr;
}

std::string identity_of(const ServiceInfo& service) { return join(service.hostname, ' ', service.ns); }

Labels workload_labels(const Resource& resource) {
  const WorkloadEntry* entry = resource.as<WorkloadEntry>();
  if (!entry) return resource.labels;
  Labels labels = entry->labels;
  labels.insert(resource.labels.begin(), resource.labels.end());
  return labels;
}

uint32_t target_number(const TargetPort& target, const Pod* pod) {
  if (target.name.empty()) return target.number;
  if (pod)
    for (const ContainerPort& port : pod->ports)
      if (port.name == target.name) return port.number;
  return 0;
}

Workloads::Workloads(std::span<const ResourcePtr> resources) {
  for (const ResourcePtr& resource : resources) {
    const Pod* pod = resource->as<Pod>();
    const WorkloadEntry* entry = resource->as<WorkloadEntry>();
    if (!pod && !entry) continue;
    (pod ? pods_ : entries_)[join(resource->key.ns, '/', resource->key.name)] = resource;
    const std::string& ip = pod ? pod->ip : entry->address;
    if (!ip.empty()) by_address_[ip].push_back(resource);
    for (const auto& [key, value] : workload_labels(*resource)) by_label_[label_key(resource->key.ns, key, value)].push_back(resource);
  }
}

const ResourcePtr* Workloads::pod(std::string_view ns, std::string_view name) const {
  auto found = pods_.find(join(ns, '/', name));
  return found == pods_.end() ? nullptr : &found->second;
}

const ResourcePtr* Workloads::entry(std::string_view ns, std::string_view name) const {
  auto found = entries_.find(join(ns, '/', name));
  return found == entries_.end() ? nullptr : &found->second;
}

const ResourcePtr* Workloads::by_address(std::string_view ns, std::string_view ip) const {
  auto found = by_address_.find(std::string(ip));
  if (found == by_address_.end()) return nullptr;
  for (const ResourcePtr& resource : found->second)
    if (ns.empty() || resource->key.ns == ns) return &resource;
  return nullptr;
}

std::vector<ResourcePtr> Workloads::selected(const std::string& ns, const Labels& selector) const {
  const std::vector<ResourcePtr>* fewest = nullptr;
  for (const auto& [key, value] : selector) {
    auto found = by_label_.find(label_key(ns, key, value));
    if (found == by_label_.end()) return {};
    if (!fewest || found->second.size() < fewest->size()) fewest = &found->second;
  }
  std::vector<ResourcePtr> result;
  if (!fewest) return result;
  for (const ResourcePtr& resource : *fewest)
    if (selects(selector, workload_labels(*resource))) result.push_back(resource);
  return result;
}

std::vector<HeldServicePtr> build_services(std::span<const ResourcePtr> resources, const Workloads& workloads,
                                           const std::unordered_map<std::string, HeldServicePtr>& before) {
  std::unordered_map<std::string, std::vector<ResourcePtr>> slices;  // by "ns/service"
  std::unordered_map<std::string, ResourcePtr> endpoints;
  std::map<std::string, std::vector<ResourcePtr>> entries;  // by "hostname ns"
  for (const ResourcePtr& resource : resources) {
    if (const EndpointSlice* slice = resource->as<EndpointSlice>()) slices[join(resource->key.ns, '/', slice->service)].push_back(resource);
    if (resource->as<Endpoints>()) endpoints[join(resource->key.ns, '/', resource->key.name)] = resource;
    if (const ServiceEntry* entry = resource->as<ServiceEntry>())
      for (const std::string& host : entry->hosts) entries[join(host, ' ', resource->key.ns)].push_back(resource);
  }

  std::vector<HeldServicePtr> services;
  auto take = [&](const std::string& identity, auto maker) {
    auto earlier = before.find(identity);
    if (earlier != before.end() && earlier->second->inputs == maker.inputs())
      services.push_back(earlier->second);
    else
      services.push_back(maker.build());
  };
  for (const ResourcePtr& resource : resources) {
    if (!resource->as<Service>()) continue;
    const std::string name = join(resource->key.ns, '/', resource->key.name);
    auto slice = slices.find(name);
    auto classic = endpoints.find(name);
    take(KubernetesService::identity(*resource), KubernetesService(resource, slice == slices.end() ? nullptr : &slice->second,
                                                                   classic == endpoints.end() ? nullptr : &classic->second, workloads));
  }
  for (auto& [identity, list] : entries) {
    std::sort(list.begin(), list.end(), [](const ResourcePtr& a, const ResourcePtr& b) { return older(*a, *b); });
    take(identity, EntryService(identity.substr(0, identity.find(' ')), list, workloads));
  }
  std::sort(services.begin(), services.end(), [](const HeldServicePtr& a, const HeldServicePtr& b) {
    return std::tie(a->info.created, a->info.hostname, a->info.ns) < std::tie(b->info.created, b->info.hostname, b->info.ns);
  });
  return services;
}

}  // namespace weft::model
