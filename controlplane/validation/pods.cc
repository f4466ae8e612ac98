#include "controlplane/validation/pods.h"

namespace weft::validation {

Pods::Pods(const model::View& view) {
  for (const model::ResourcePtr& resource : view.resources()) {
    const model::WorkloadEntry* entry = resource->as<model::WorkloadEntry>();
    if (!entry && !resource->as<model::Pod>()) continue;
    const Workload& workload = all_.emplace_back(Workload{resource.get(), entry ? &entry->labels : &resource->labels});
    for (const auto& [key, value] : *workload.labels) by_label_[key + "=" + value].push_back(workload);
  }
}

std::vector<const model::Resource*> Pods::selected(const model::Labels& labels, std::string_view ns) const {
  const std::vector<Workload>* candidates = &all_;
  if (!labels.empty()) {
    auto found = by_label_.find(labels.begin()->first + "=" + labels.begin()->second);
    if (found == by_label_.end()) return {};
    candidates = &found->second;
  }
  std::vector<const model::Resource*> out;
  for (const Workload& workload : *candidates)
    if ((ns.empty() || workload.resource->key.ns == ns) && model::selects(labels, *workload.labels)) out.push_back(workload.resource);
  return out;
}

}  // namespace weft::validation
