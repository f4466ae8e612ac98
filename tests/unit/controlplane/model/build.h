// Resources built by hand, without YAML.
#pragma once
#include "controlplane/model/view.h"

namespace weft::model::testing {

inline ResourcePtr make(std::string kind, std::string ns, std::string name, Spec spec, uint64_t created = 1, Labels labels = {},
                        std::string json = {}) {
  Resource resource;
  resource.key = {std::move(kind), std::move(ns), std::move(name)};
  resource.labels = std::move(labels);
  resource.created = created;
  resource.json = json.empty() ? resource.key.to_string() : std::move(json);
  resource.origin.text = std::make_shared<const std::string>();
  resource.spec = std::make_shared<const Spec>(std::move(spec));
  return std::make_shared<const Resource>(std::move(resource));
}

inline ResourcePtr service(const std::string& name, Labels selector = {}, uint64_t created = 1, const std::string& ns = "default",
                           uint32_t port = 8080) {
  Service spec;
  spec.selector = std::move(selector);
  spec.cluster_ips = {"10.96.0.1"};
  spec.ports.push_back({"http", "TCP", "", port, TargetPort{8080, {}}});
  return make("Service", ns, name, std::move(spec), created);
}

inline ResourcePtr pod(const std::string& name, Labels labels, const std::string& ip, bool ready = true, const std::string& ns = "default",
                       uint64_t created = 1) {
  Pod spec;
  spec.ip = ip;
  spec.ready = ready;
  spec.service_account = name + "-sa";
  spec.ports = {{"web", 9090}};
  return make("Pod", ns, name, std::move(spec), created, std::move(labels), name + ip + (ready ? "" : "!"));
}

inline ResourcePtr slice(const std::string& name, const std::string& of, std::vector<SliceEndpoint> endpoints,
                         const std::string& ns = "default", const std::string& json = {}) {
  EndpointSlice spec;
  spec.service = of;
  spec.address_type = "IPv4";
  spec.ports = {{"http", "TCP", 8080}};
  spec.endpoints = std::move(endpoints);
  return make("EndpointSlice", ns, name, std::move(spec), 1, {}, json);
}

inline ResourcePtr rule(const std::string& ns, const std::string& name, const std::string& host, std::vector<std::string> subsets,
                        std::optional<LoadBalancer> balancer = {}, std::vector<std::string> export_to = {}, uint64_t created = 1) {
  DestinationRule spec;
  spec.host = resolve_host(host, ns);
  spec.export_to = std::move(export_to);
  for (std::string& subset : subsets) spec.subsets.push_back({subset, {{"version", subset}}, {}});
  if (balancer) {
    spec.traffic_policy.emplace();
    spec.traffic_policy->load_balancer = balancer;
  }
  return make("DestinationRule", ns, name, std::move(spec), created);
}

inline std::shared_ptr<const View> view(std::vector<ResourcePtr> resources, uint64_t revision = 1,
                                        const std::shared_ptr<const View>& previous = {}) {
  return View::build(revision, std::move(resources), previous);
}

}  // namespace weft::model::testing
