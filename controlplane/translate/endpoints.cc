// EDS: the healthy endpoints of a service port or subset, by locality.
#include "controlplane/translate/translate.h"

#include "controlplane/translate/messages.h"
#include "controlplane/translate/names.h"

#include "envoy/config/endpoint/v3/endpoint.pb.h"

#include <algorithm>
#include <map>

namespace weft::translate {
namespace {

LoadAssignment load_assignment(std::string name, const model::EndpointList& endpoints, const model::Labels* subset) {
  LoadAssignment out;
  out.set_cluster_name(std::move(name));
  std::map<model::Locality, std::vector<const model::Endpoint*>> localities;
  for (const model::Endpoint& endpoint : endpoints) {
    if (endpoint.health != model::Endpoint::Health::kHealthy) continue;
    if (subset != nullptr && !model::selects(*subset, endpoint.labels)) continue;
    localities[endpoint.locality].push_back(&endpoint);
  }
  for (const auto& [locality, members] : localities) {
    auto* group = out.add_endpoints();
    auto* where = group->mutable_locality();
    where->set_region(locality.region);
    where->set_zone(locality.zone);
    where->set_sub_zone(locality.sub_zone);
    uint32_t sum = 0;
    for (const model::Endpoint* endpoint : members) {
      auto* added = group->add_lb_endpoints();
      set_address(*added->mutable_endpoint()->mutable_address(), endpoint->address, endpoint->port);
      added->set_health_status(envoy::config::core::v3::HEALTHY);
      const uint32_t weight = std::max(1u, endpoint->weight);
      added->mutable_load_balancing_weight()->set_value(weight);
      sum += weight;
    }
    group->mutable_load_balancing_weight()->set_value(sum);
  }
  return out;
}

void add_service(const model::View& view, const std::string& ns, const model::ServiceInfo& service, std::vector<LoadAssignment>& out) {
  const model::MergedRule* rule = view.destination_rule(service.hostname, service.ns, ns);
  for (const model::ServicePort& port : service.ports) {
    const model::EndpointList& endpoints = view.endpoints(service, port.number);
    out.push_back(load_assignment(outbound_cluster(port.number, {}, service.hostname), endpoints, nullptr));
    if (rule == nullptr) continue;
    for (const model::Subset& subset : rule->subsets) {
      out.push_back(load_assignment(outbound_cluster(port.number, subset.name, service.hostname), endpoints, &subset.labels));
    }
  }
}

void sort_by_name(std::vector<LoadAssignment>& all) {
  std::sort(all.begin(), all.end(), [](const LoadAssignment& a, const LoadAssignment& b) { return a.cluster_name() < b.cluster_name(); });
}

}  // namespace

std::vector<LoadAssignment> load_assignments(const model::View& view, const std::string& ns) {
  std::vector<LoadAssignment> all;
  for (const model::ServiceInfo* service : view.visible_services(ns)) add_service(view, ns, *service, all);
  sort_by_name(all);
  return all;
}

std::vector<LoadAssignment> load_assignments_of(const model::View& view, const std::string& ns, const std::string& hostname) {
  std::vector<LoadAssignment> all;
  if (const model::ServiceInfo* service = view.find_service(hostname, ns)) add_service(view, ns, *service, all);
  sort_by_name(all);
  return all;
}

}  // namespace weft::translate
