// Gateways, ServiceEntries and RateLimits beside the other objects.
#include "controlplane/validation/analysis.h"

#include <algorithm>
#include <map>
#include <set>

namespace weft::validation {
namespace {

using model::Gateway;
using model::RateLimit;
using model::Resource;
using model::ServiceEntry;

// Services in front of pods that the labels select, anywhere (a gateway's) or in one namespace.
std::vector<const model::ServiceInfo*> services_before(const model::View& view, const Pods& pods, const model::Labels& labels) {
  const std::vector<const Resource*> selected = pods.selected(labels, {});
  std::vector<const model::ServiceInfo*> found;
  for (const model::ServiceInfo* service : view.services()) {
    if (service->selector.empty()) continue;
    const bool any = std::any_of(selected.begin(), selected.end(), [&](const Resource* pod) {
      return pod->key.ns == service->ns && model::selects(service->selector, pod->labels);
    });
    if (any) found.push_back(service);
  }
  return found;
}

// By its own number, or by the one that its pods listen on: proxies bind that one either way.
bool leads_to(const model::ServiceInfo& service, uint32_t port) {
  return std::any_of(service.ports.begin(), service.ports.end(),
                     [port](const model::ServicePort& p) { return p.number == port || p.target.number == port; });
}

void ports(const model::View& view, const Pods& pods, const Resource& resource, const Gateway& gateway, Diagnostics& findings) {
  if (gateway.selector.empty()) return;
  const auto services = services_before(view, pods, gateway.selector);
  if (services.empty()) return;  // proxies may come without pods and services
  for (size_t i = 0; i < gateway.servers.size(); ++i) {
    const uint32_t port = gateway.servers[i].port;
    if (std::any_of(services.begin(), services.end(), [&](const model::ServiceInfo* s) { return leads_to(*s, port); })) continue;
    std::string names;
    for (const model::ServiceInfo* service : services) names += (names.empty() ? "" : ", ") + service->ns + "/" + service->name;
    findings.push_back(finding_at(resource, codes::kGatewayPort, Severity::kWarning,
                                  "the gateway listens on port " + std::to_string(port) + ", which the Service of its workload (" + names +
                                      "; pod selector " + text_of(gateway.selector) + ") does not have",
                                  item_of("spec.servers", i) + ".port.number",
                                  "add the port " + std::to_string(port) + " to the Service, or name one that it has"));
  }
}

std::set<std::string> hosts_of(const model::GatewayServer& server) {
  std::set<std::string> hosts;
  for (const model::GatewayHost& host : server.hosts) hosts.insert((host.ns == "*" ? "" : host.ns + "/") + host.host);
  return hosts;
}

}  // namespace

std::string item_of(std::string_view list, size_t i) { return std::string(list) + "[" + std::to_string(i) + "]"; }

std::string text_of(const model::Labels& labels) {
  std::string out;
  for (const auto& [key, value] : labels) out += (out.empty() ? "" : ",") + key + "=" + value;
  return out;
}

Diagnostic finding_at(const Resource& resource, const Code& code, Severity severity, std::string message, std::string field,
                      std::string fix) {
  Diagnostic finding = resource.finding(severity, std::string(code.code), std::move(message), std::move(field));
  finding.alias = code.alias;
  finding.fix = std::move(fix);
  return finding;
}

void analyze_gateways(const model::View& view, const Pods& pods, Diagnostics& findings) {
  std::vector<const Resource*> seen;
  for (const model::ResourcePtr& resource : view.resources()) {
    const Gateway* gateway = resource->as<Gateway>();
    if (!gateway) continue;
    ports(view, pods, *resource, *gateway, findings);
    // Of two servers for one port and host of the same proxies, the older gateway's counts.
    for (const Resource* other : seen) {
      const Gateway& theirs = *other->as<Gateway>();
      if (theirs.selector != gateway->selector) continue;
      for (size_t i = 0; i < gateway->servers.size(); ++i) {
        for (const model::GatewayServer& server : theirs.servers) {
          if (server.port != gateway->servers[i].port) continue;
          std::string shared;
          const std::set<std::string> own = hosts_of(gateway->servers[i]);
          for (const std::string& host : hosts_of(server))
            if (own.contains(host)) shared += (shared.empty() ? "" : ", ") + host;
          if (shared.empty()) continue;
          findings.push_back(
              finding_at(*resource, codes::kGatewayConflict, Severity::kWarning,
                         "Conflict with gateways " + other->key.ns + "/" + other->key.name + " (workload selector " +
                             text_of(gateway->selector) + ", port " + std::to_string(server.port) + ", hosts " + shared + ")",
                         item_of("spec.servers", i), "bind VirtualServices to one of them, and remove the hosts from the other"));
        }
      }
    }
    seen.push_back(resource.get());
  }
}

void analyze_service_entries(const model::View& view, Diagnostics& findings) {
  std::map<std::pair<std::string, uint32_t>, std::pair<const Resource*, model::Protocol>> known;
  for (const model::ResourcePtr& resource : view.resources()) {
    const ServiceEntry* entry = resource->as<ServiceEntry>();
    if (!entry) continue;
    for (size_t i = 0; i < entry->ports.size(); ++i) {
      const auto& port = entry->ports[i];
      for (const std::string& host : entry->hosts) {
        auto [at, first] = known.try_emplace({host, port.number}, resource.get(), port.protocol);
        if (first || at->second.second == port.protocol) continue;
        findings.push_back(finding_at(*resource, codes::kEntryProtocol, Severity::kWarning,
                                      "port " + std::to_string(port.number) + " of " + host + " is " + std::string(name_of(port.protocol)) +
                                          " here and " + std::string(name_of(at->second.second)) + " in ServiceEntry " +
                                          at->second.first->key.ns + "/" + at->second.first->key.name,
                                      item_of("spec.ports", i), "use one protocol for a host's port"));
      }
      const bool tcp = port.protocol == model::Protocol::kTcp || port.protocol == model::Protocol::kUnknown;
      if (tcp && entry->addresses.empty())
        findings.push_back(
            finding_at(*resource, codes::kEntryAddresses, Severity::kInfo,
                       "port " + std::to_string(port.number) +
                           " serves TCP and the ServiceEntry has no addresses, so nothing but the port tells its traffic from others'",
                       item_of("spec.ports", i), "add addresses, or use the port for nothing else"));
    }
  }
}

void analyze_rate_limits(const model::View& view, Diagnostics& findings) {
  for (const model::ResourcePtr& resource : view.resources()) {
    const RateLimit* limit = resource->as<RateLimit>();
    if (!limit) continue;
    for (size_t i = 0; i < limit->targets.size(); ++i) {
      const RateLimit::Target& target = limit->targets[i];
      const bool gateway = target.kind == "Gateway";
      if (view.find({target.kind, resource->key.ns, target.name})) continue;
      if (gateway && view.find({std::string(model::kKubeGateway), resource->key.ns, target.name})) continue;
      std::vector<std::string_view> names;
      for (const model::ResourcePtr& other : view.resources())
        if (other->key.kind == target.kind && other->key.ns == resource->key.ns) names.push_back(other->key.name);
      const std::string_view meant = did_you_mean(target.name, names);
      findings.push_back(finding_at(
          *resource, codes::kTargetUnknown, Severity::kWarning,
          "Referenced " + target.kind + " not found: \"" + resource->key.ns + "/" + target.name + "\"",
          item_of("spec.targetRefs", i) + ".name",
          meant.empty() ? "add the " + target.kind + " to the namespace " + resource->key.ns : "did you mean " + std::string(meant) + "?"));
    }
  }
}

}  // namespace weft::validation
