#include "controlplane/push/world_metrics.h"

#include "controlplane/model/destination_rule.h"
#include "controlplane/model/kubernetes.h"
#include "controlplane/model/view.h"
#include "controlplane/model/virtual_service.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace weft::push {

void declare_world_metrics(observe::PrometheusRegistry& registry) {
  registry.declare_gauge("pilot_services", "Services known.");
  registry.declare_gauge("pilot_virt_services", "VirtualServices known.");
  registry.declare_gauge("pilot_eds_no_instances", "Service ports without endpoints.");
  registry.declare_gauge("pilot_vservice_dup_domain", "VirtualService hosts that another one has already.");
  registry.declare_gauge("pilot_destrule_subsets", "Subsets that several DestinationRules of a namespace define for one host.");
  registry.declare_gauge("pilot_no_ip", "Pods without an address.");
  registry.declare_gauge("pilot_endpoint_not_ready", "Endpoints that are not ready.");
}

void count_world(const model::View& view, observe::PrometheusRegistry& registry) {
  size_t empty = 0, rules = 0, domains = 0, subsets = 0, without_ip = 0, not_ready = 0;
  for (const model::ServiceInfo* service : view.services()) {
    for (const model::ServicePort& port : service->ports) empty += view.endpoints(*service, port.number).empty() ? 1 : 0;
  }
  std::set<std::string> hosts;
  std::set<std::tuple<std::string, std::string, std::string>> defined;
  for (const model::ResourcePtr& resource : view.resources()) {
    if (const auto* rule = resource->as<model::VirtualService>()) {
      ++rules;
      if (std::find(rule->gateways.begin(), rule->gateways.end(), model::kMesh) == rule->gateways.end()) continue;
      for (const std::string& host : rule->hosts) domains += hosts.insert(host).second ? 0 : 1;
    } else if (const auto* destination = resource->as<model::DestinationRule>()) {
      for (const model::Subset& subset : destination->subsets) {
        subsets += defined.emplace(resource->key.ns, destination->host, subset.name).second ? 0 : 1;
      }
    } else if (const auto* pod = resource->as<model::Pod>()) {
      without_ip += pod->ip.empty() ? 1 : 0;
    } else if (const auto* slice = resource->as<model::EndpointSlice>()) {
      for (const model::SliceEndpoint& endpoint : slice->endpoints) not_ready += endpoint.ready ? 0 : 1;
    } else if (const auto* endpoints = resource->as<model::Endpoints>()) {
      for (const model::EndpointsSubset& subset : endpoints->subsets) not_ready += subset.not_ready.size();
    }
  }
  const auto show = [&](std::string_view name, size_t count) { registry.set(name, {}, static_cast<double>(count)); };
  show("pilot_services", view.services().size());
  show("pilot_virt_services", rules);
  show("pilot_eds_no_instances", empty);
  show("pilot_vservice_dup_domain", domains);
  show("pilot_destrule_subsets", subsets);
  show("pilot_no_ip", without_ip);
  show("pilot_endpoint_not_ready", not_ready);
}

}  // namespace weft::push
