// Selectors and the workloads behind them: who selects nobody, and Services that disagree about a workload they share.
#include "controlplane/validation/analysis.h"

#include <algorithm>
#include <map>
#include <set>

namespace weft::validation {
namespace {

using model::KubePort;
using model::Labels;
using model::Resource;

bool is_tcp(const KubePort& port) { return port.protocol != "UDP" && port.protocol != "SCTP"; }

model::Protocol protocol_of(const KubePort& port) { return model::select_protocol(port.app_protocol, port.name, port.port); }

model::TargetPort target_of(const KubePort& port) { return port.target.value_or(model::TargetPort{port.port, {}}); }

std::string name_or_number(const model::TargetPort& target) { return target.name.empty() ? std::to_string(target.number) : target.name; }

// Two Services of one workload, the older one first. A pair is told of once, however many workloads they share.
void compare(const std::string& pod, const Resource& first, const Resource& second, Diagnostics& findings) {
  const model::Service &older = *first.as<model::Service>(), &newer = *second.as<model::Service>();
  const std::string name = first.key.ns + "/" + first.key.name;
  for (size_t i = 0; i < newer.ports.size(); ++i) {
    const KubePort& port = newer.ports[i];
    for (const KubePort& other : older.ports) {
      if (!is_tcp(port) || !is_tcp(other)) continue;
      const model::Protocol here = protocol_of(port), there = protocol_of(other);
      const bool told = here != model::Protocol::kUnknown && there != model::Protocol::kUnknown;
      if (port.port == other.port && told && here != there) {
        findings.push_back(finding_at(second, codes::kWorkloadProtocol, Severity::kWarning,
                                      "port " + std::to_string(port.port) + " is " + std::string(name_of(here)) + " here and " +
                                          std::string(name_of(there)) + " in Service " + name + ", which selects the same pods (" + pod +
                                          ")",
                                      item_of("spec.ports", i), "use one protocol for a port of a workload"));
      } else if (port.port != other.port && target_of(port) == target_of(other)) {
        findings.push_back(finding_at(second, codes::kWorkloadPorts, Severity::kWarning,
                                      "targetPort " + name_or_number(target_of(port)) + " is port " + std::to_string(port.port) +
                                          " here and port " + std::to_string(other.port) + " in Service " + name +
                                          ", which selects the same pods (" + pod + ")",
                                      item_of("spec.ports", i), "use port " + std::to_string(other.port) + ", or another targetPort"));
      }
    }
  }
}

// Labels that no workload has, where workloads are known at all.
void nobody(const Pods& pods, const Resource& resource, const Labels& labels, std::string_view ns, std::string field,
            Diagnostics& findings) {
  if (labels.empty() || !pods.known() || !pods.selected(labels, ns).empty()) return;
  const bool gateway = resource.as<model::Gateway>() != nullptr;
  const char* what = gateway ? "Referenced selector not found" : "No matching workloads for this resource with the following labels";
  findings.push_back(finding_at(resource, gateway ? codes::kSelectorUnknown : codes::kNoWorkload, Severity::kWarning,
                                std::string(what) + ": \"" + text_of(labels) + "\"", std::move(field),
                                "label the pods that are meant, or correct the labels here"));
}

// Of a workload, or of a whole namespace, the oldest Sidecar counts.
void sidecars(const model::View& view, const Pods& pods, Diagnostics& findings) {
  std::map<std::string, std::vector<const Resource*>> whole, some;  // by namespace
  for (const model::ResourcePtr& resource : view.resources())
    if (const auto* sidecar = resource->as<model::Sidecar>())
      (sidecar->workload_selector ? some : whole)[resource->key.ns].push_back(resource.get());
  auto by_age = [](const Resource* a, const Resource* b) { return older(*a, *b); };
  auto fix = [](const Resource* oldest) { return "merge it into Sidecar " + oldest->key.name + ", which counts"; };
  for (auto& [ns, list] : whole) {
    std::sort(list.begin(), list.end(), by_age);
    for (size_t i = 1; i < list.size(); ++i)
      findings.push_back(finding_at(*list[i], codes::kSidecarsOfNamespace, Severity::kWarning,
                                    "The Sidecars in namespace \"" + ns + "\" " + list[0]->key.name + " and " + list[i]->key.name +
                                        " have no workload selector; only " + list[0]->key.name + " has an effect",
                                    "metadata.name", fix(list[0])));
  }
  for (auto& [ns, list] : some) {
    std::sort(list.begin(), list.end(), by_age);
    std::map<const Resource*, const Resource*> taken;  // pod -> Sidecar
    for (const Resource* one : list) {
      const Labels& labels = *one->as<model::Sidecar>()->workload_selector;
      const Resource* told = nullptr;
      for (const Resource* pod : pods.selected(labels, ns)) {
        const auto [at, first] = taken.try_emplace(pod, one);
        if (first || told == at->second) continue;
        told = at->second;
        findings.push_back(finding_at(*one, codes::kSidecarConflict, Severity::kWarning,
                                      "The Sidecars " + told->key.name + " and " + one->key.name + " in namespace \"" + ns +
                                          "\" select the same workload pod (" + pod->key.name + "); only " + told->key.name +
                                          " has an effect",
                                      "spec.workloadSelector.labels", fix(told)));
      }
    }
  }
}

}  // namespace

void analyze_workloads(const model::View& view, const Pods& pods, Diagnostics& findings) {
  std::map<model::Key, std::vector<const Resource*>> services_of;  // by pod
  std::set<std::pair<const Resource*, const Resource*>> compared;
  for (const model::ResourcePtr& resource : view.resources()) {
    if (const auto* service = resource->as<model::Service>()) {
      if (service->selector.empty()) continue;
      for (const Resource* pod : pods.selected(service->selector, resource->key.ns)) services_of[pod->key].push_back(resource.get());
    }
    if (const auto* gateway = resource->as<model::Gateway>()) nobody(pods, *resource, gateway->selector, {}, "spec.selector", findings);
    if (const auto* sidecar = resource->as<model::Sidecar>(); sidecar && sidecar->workload_selector)
      nobody(pods, *resource, *sidecar->workload_selector, resource->key.ns, "spec.workloadSelector.labels", findings);
    if (const auto* limit = resource->as<model::RateLimit>())
      nobody(pods, *resource, limit->selector, resource->key.ns == model::kRootNamespace ? std::string_view() : resource->key.ns,
             "spec.selector.matchLabels", findings);
    if (const auto* entry = resource->as<model::ServiceEntry>(); entry && entry->workload_selector)
      nobody(pods, *resource, *entry->workload_selector, resource->key.ns, "spec.workloadSelector.labels", findings);
  }
  sidecars(view, pods, findings);
  for (const auto& [pod, services] : services_of) {
    for (size_t i = 1; i < services.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        const Resource *first = services[j], *second = services[i];
        if (older(*second, *first)) std::swap(first, second);
        if (compared.insert({first, second}).second) compare(pod.name, *first, *second, findings);
      }
    }
  }
}

}  // namespace weft::validation
