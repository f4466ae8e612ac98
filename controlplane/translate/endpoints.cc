// EDS: the healthy endpoints of a service port or subset, by locality.
#include "controlplane/translate/endpoints.h"

#include "controlplane/translate/messages.h"
#include "controlplane/translate/names.h"

#include "envoy/config/endpoint/v3/endpoint.pb.h"

#include <algorithm>
#include <map>

namespace weft::translate {

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

namespace {

void add_service(const model::View& view, const Scope& scope, const model::ServiceInfo& service, std::vector<LoadAssignment>& out) {
  if (!has_told_endpoints(service, scope)) return;
  const model::MergedRule* rule = view.destination_rule(service.hostname, service.ns, scope.ns);
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

std::vector<LoadAssignment> load_assignments(const model::View& view, const Scope& scope) {
  std::vector<LoadAssignment> all;
  for (const model::ServiceInfo* service : view.visible_services(scope)) add_service(view, scope, *service, all);
  sort_by_name(all);
  return all;
}

std::vector<LoadAssignment> load_assignments_of(const model::View& view, const Scope& scope, const std::string& hostname) {
  std::vector<LoadAssignment> all;
  if (scope.sidecar.empty()) {
    if (const model::ServiceInfo* service = view.find_service(hostname, scope.ns)) add_service(view, scope, *service, all);
  } else {
    for (const model::ServiceInfo* service : view.visible_services(scope))
      if (service->hostname == hostname) add_service(view, scope, *service, all);
  }
  sort_by_name(all);
  return all;
}

}  // namespace weft::translate
