// Inside a view: how services and their endpoints come from the objects that make them. A `HeldService` is a function of its inputs
// alone, so a new view takes over every service whose inputs are the very same objects.
#pragma once
#include "controlplane/model/view.h"

namespace weft::model {

struct HeldService {
  ServiceInfo info;
  std::vector<EndpointList> lists;  // beside info.ports
  std::vector<ResourcePtr> inputs;  // everything it was made from, in a stable order
};
using HeldServicePtr = std::shared_ptr<const HeldService>;

// Pods and workload entries by name, address and label.
class Workloads {
 public:
  explicit Workloads(std::span<const ResourcePtr> resources);

  const ResourcePtr* pod(std::string_view ns, std::string_view name) const;
  const ResourcePtr* by_address(std::string_view ns, std::string_view ip) const;  // ns empty: any
  const ResourcePtr* entry(std::string_view ns, std::string_view name) const;
  // Pods and workload entries of `ns` that carry all labels of a selector that is not empty, by key.
  std::vector<ResourcePtr> selected(const std::string& ns, const Labels& selector) const;

 private:
  std::unordered_map<std::string, ResourcePtr> pods_, entries_;  // "ns/name"
  std::unordered_map<std::string, std::vector<ResourcePtr>> by_address_;
  std::unordered_map<std::string, std::vector<ResourcePtr>> by_label_;  // "ns/key=value"
};

// The labels that select a pod or a workload entry (whose own labels win over its metadata's).
Labels workload_labels(const Resource& resource);
// The number of `target` on a pod; 0 when the pod has no port of that name.
uint32_t target_number(const TargetPort& target, const Pod* pod);

// Every service of `resources` (sorted by key). `before`, by "hostname ns", are those of an earlier view.
std::vector<HeldServicePtr> build_services(std::span<const ResourcePtr> resources, const Workloads& workloads,
                                           const std::unordered_map<std::string, HeldServicePtr>& before);
std::string identity_of(const ServiceInfo& service);

}  // namespace weft::model
