#include "controlplane/model/listener_table.h"

#include <algorithm>

namespace weft::model {
namespace {

constexpr std::string_view kGatewayName = "gateway.networking.k8s.io/gateway-name";  // the label of a Gateway's own proxies

Condition good(std::string type, std::string reason, std::string message = "No errors found") {
  return {std::move(type), true, std::move(reason), std::move(message)};
}
Condition bad(std::string type, std::string reason, std::string message) {
  return {std::move(type), false, std::move(reason), std::move(message)};
}

bool is_ours(std::string_view controller) { return controller == kController || controller == kIstioController; }

// The kinds of routes that a listener of a protocol can have; none: the protocol is not served.
std::vector<std::string> route_kinds(const Listener& listener) {
  if (listener.protocol == "HTTP") return {"HTTPRoute", "GRPCRoute"};
  if (listener.protocol == "TCP") return {"TCPRoute"};
  if (listener.protocol == "TLS" && listener.passthrough) return {"TLSRoute"};
  return {};
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) out += (i == 0 ? "" : " and ") + names[i];
  return out.empty() ? "no route" : out;
}

// Service hosts under which proxies wait for the Gateway, as its addresses name them.
std::vector<std::string> service_hosts(const Resource& resource, const KubeGateway& spec) {
  std::vector<std::string> hosts;
  for (const GatewayAddress& address : spec.addresses)
    if (address.type == "Hostname" && !address.value.empty()) hosts.push_back(resolve_host(address.value, resource.key.ns));
  return hosts;
}

}  // namespace

bool LabelSelector::selects(const Labels& of) const {
  if (!model::selects(labels, of)) return false;
  return std::all_of(requirements.begin(), requirements.end(), [&](const LabelRequirement& wanted) {
    auto found = of.find(wanted.key);
    const bool there = found != of.end();
    const bool listed = there && std::find(wanted.values.begin(), wanted.values.end(), found->second) != wanted.values.end();
    switch (wanted.op) {
      case LabelRequirement::Operator::kIn: return listed;
      case LabelRequirement::Operator::kNotIn: return !listed;
      case LabelRequirement::Operator::kExists: return there;
      case LabelRequirement::Operator::kDoesNotExist: break;
    }
    return !there;
  });
}

std::optional<std::string> common_host(const std::string& a, const std::string& b) {
  if (a.empty() || a == "*") return b.empty() ? "*" : b;
  if (b.empty() || b == "*" || host_matches(b, a)) return a;
  if (host_matches(a, b)) return b;
  return std::nullopt;
}

uint64_t generation_of(const Resource& resource, const std::optional<uint64_t>& written) { return written.value_or(resource.revision); }

ListenerTable::ListenerTable(std::span<const ResourcePtr> resources, std::span<const ServiceInfo* const> services) : resources_(resources) {
  controllers_ = {{"weft", std::string(kController)}, {"istio", std::string(kIstioController)}};
  for (const ResourcePtr& resource : resources) {
    if (const GatewayClass* spec = resource->as<GatewayClass>()) controllers_[resource->key.name] = spec->controller;
    if (resource->as<Namespace>()) namespaces_[resource->key.name] = &resource->labels;
  }
  for (const ServiceInfo* service : services)
    if (service->kubernetes) services_[service->hostname] = service;
  for (const ResourcePtr& resource : resources) {
    const KubeGateway* spec = resource->as<KubeGateway>();
    if (!spec) continue;
    ServedGateway& gateway = gateways_[{resource->key.ns, resource->key.name}];
    gateway.resource = resource.get();
    gateway.spec = spec;
    if (auto known = controllers_.find(spec->class_name); known != controllers_.end() && is_ours(known->second))
      gateway.controller = known->second;
    std::map<uint32_t, const Listener*> first;  // of a port
    for (const Listener& listener : spec->listeners) {
      ServedListener& one = gateway.listeners.emplace_back();
      one.spec = &listener;
      one.gateway = resource.get();
      one.internal = resource->key.ns + "/" + resource->key.name + "~" + listener.name;
      const Listener* prior = first.emplace(listener.port, &listener).first->second;
      const bool conflict = prior->protocol != listener.protocol;
      const std::vector<std::string> kinds = route_kinds(listener);
      one.served = !kinds.empty() && !conflict;
      if (kinds.empty())
        one.why_not = "protocol " + listener.protocol + " is not served by this version of Weft";
      else if (conflict)
        one.why_not = "port " + std::to_string(listener.port) + " speaks " + prior->protocol + " for listener " + prior->name;

      const auto attaches = [&](const AllowedKind& kind) {
        return (kind.group.empty() || kind.group == kGatewayApi) && std::find(kinds.begin(), kinds.end(), kind.kind) != kinds.end();
      };
      for (const AllowedKind& kind : listener.kinds)
        if (attaches(kind)) one.kinds.push_back({std::string(kGatewayApi), kind.kind});
      if (listener.kinds.empty())
        for (const std::string& kind : kinds) one.kinds.push_back({std::string(kGatewayApi), kind});
      const bool kinds_known = std::all_of(listener.kinds.begin(), listener.kinds.end(), attaches);

      if (one.served)
        one.conditions.push_back(good("Accepted", "Accepted"));
      else
        one.conditions.push_back(bad("Accepted", conflict && !kinds.empty() ? "PortUnavailable" : "UnsupportedProtocol", one.why_not));
      Condition conflicted = bad("Conflicted", "NoConflicts", "No errors found");
      if (conflict)
        conflicted = {"Conflicted", true, "ProtocolConflict",
                      "port " + std::to_string(listener.port) + " speaks " + prior->protocol + " for listener " + prior->name};
      one.conditions.push_back(conflicted);
      one.conditions.push_back(one.served ? good("Programmed", "Programmed") : bad("Programmed", "Invalid", one.why_not));
      one.conditions.push_back(kinds_known ? good("ResolvedRefs", "ResolvedRefs")
                                           : bad("ResolvedRefs", "InvalidRouteKinds",
                                                 "allowedRoutes.kinds names a kind that cannot attach; " + joined(kinds) + " can"));
    }
  }
}

ServedGateway* ListenerTable::find(const std::string& ns, const std::string& name) {
  auto found = gateways_.find({ns, name});
  return found == gateways_.end() ? nullptr : &found->second;
}

bool ListenerTable::admits(const ServedListener& listener, const std::string& ns) const {
  switch (listener.spec->from) {
    case Listener::From::kAll: return true;
    case Listener::From::kSame: return ns == listener.gateway->key.ns;
    case Listener::From::kSelector: break;
  }
  Labels labels;
  if (auto found = namespaces_.find(ns); found != namespaces_.end()) labels = *found->second;
  labels.emplace("kubernetes.io/metadata.name", ns);
  return listener.spec->namespaces.selects(labels);
}

bool ListenerTable::keeps(const ServedGateway& gateway, const ServedListener& listener, std::string_view host) {
  const std::string& own = listener.spec->hostname;
  if (!own.empty() && !own.starts_with('*')) return true;
  return std::none_of(gateway.listeners.begin(), gateway.listeners.end(), [&](const ServedListener& other) {
    const std::string& theirs = other.spec->hostname;
    if (&other == &listener || !other.served || other.spec->port != listener.spec->port || theirs.empty() || theirs == own) return false;
    return theirs.size() >= own.size() && host_matches(theirs, host);
  });
}

void ListenerTable::finish(Attached& out) {
  for (const ResourcePtr& resource : resources_) {
    const GatewayClass* spec = resource->as<GatewayClass>();
    if (!spec || !is_ours(spec->controller)) continue;
    ObjectStatus& status = out.statuses[resource->key];
    status.observed_generation = generation_of(*resource, spec->generation);
    status.conditions.push_back(good("Accepted", "Accepted", "Handled by weft-control"));
  }
  for (const auto& [name, gateway] : gateways_) {
    status(gateway, out);
    if (gateway.controller.empty()) continue;
    // Proxies stand behind the Services that the addresses name, or carry the Gateway's label.
    std::vector<Labels> selectors;
    std::vector<std::string> spaces;
    for (const std::string& host : service_hosts(*gateway.resource, *gateway.spec)) {
      auto service = services_.find(host);
      if (service == services_.end() || service->second->selector.empty()) continue;
      selectors.push_back(service->second->selector);
      spaces.push_back(service->second->ns);
    }
    if (gateway.spec->addresses.empty()) {
      selectors.push_back({{std::string(kGatewayName), name.second}});
      spaces.push_back(name.first);
    }
    for (const ServedListener& listener : gateway.listeners) {
      if (!listener.served) continue;
      for (size_t i = 0; i < selectors.size(); ++i) {
        Attached::Server& server = out.servers.emplace_back();
        server.resource.key = {std::string(kKubeGateway), name.first, name.second + "~" + listener.spec->name};
        server.resource.created = gateway.resource->created;
        server.spec.selector = selectors[i];
        server.spec.proxies_ns = spaces[i];
        GatewayServer& one = server.spec.servers.emplace_back();
        one.port = listener.spec->port;
        one.port_name = one.name = listener.spec->name;
        one.protocol = protocol_named(listener.spec->protocol);
        if (listener.spec->passthrough) one.tls = GatewayTls::kPassthrough;
        one.hosts.push_back({"*", listener.spec->hostname.empty() ? "*" : listener.spec->hostname});
      }
    }
  }
}

void ListenerTable::status(const ServedGateway& gateway, Attached& out) const {
  const Resource& resource = *gateway.resource;
  ObjectStatus& status = out.statuses[resource.key];
  status.observed_generation = generation_of(resource, gateway.spec->generation);
  auto problem = [&](std::string reason, std::string message, std::string field) {
    status.problems.push_back({std::move(reason), std::move(message), std::move(field)});
  };
  if (gateway.controller.empty()) {
    const bool known = controllers_.contains(gateway.spec->class_name);
    problem(known ? "OtherController" : "NoMatchingClass",
            known ? "the class " + gateway.spec->class_name + " belongs to " + controllers_.at(gateway.spec->class_name) +
                        ", so Weft leaves the Gateway alone"
                  : "no GatewayClass " + gateway.spec->class_name + " is known, so Weft leaves the Gateway alone",
            "spec.gatewayClassName");
    return;
  }
  size_t served = 0;
  for (size_t i = 0; i < gateway.listeners.size(); ++i) {
    const ServedListener& listener = gateway.listeners[i];
    served += listener.served ? 1 : 0;
    status.listeners.push_back({listener.spec->name, listener.attached_routes, listener.kinds, listener.conditions});
    const std::string field = "spec.listeners[" + std::to_string(i) + "]";
    if (!listener.served && !route_kinds(*listener.spec).empty())
      problem("ProtocolConflict", "the listener " + listener.spec->name + " is not served: " + listener.why_not, field + ".port");
    for (const Condition& condition : listener.conditions)
      if (condition.reason == "InvalidRouteKinds") problem(condition.reason, condition.message, field + ".allowedRoutes.kinds");
  }
  std::string unsupported, missing;
  size_t ready = 0;
  for (size_t i = 0; i < gateway.spec->addresses.size(); ++i) {
    const GatewayAddress& address = gateway.spec->addresses[i];
    const std::string field = "spec.addresses[" + std::to_string(i) + "]";
    if (address.type != "Hostname") {
      unsupported = "only addresses of type Hostname are supported, found " + address.type + " " + address.value;
      problem("UnsupportedAddress", unsupported, field);
      continue;
    }
    const std::string host = resolve_host(address.value, resource.key.ns);
    auto service = services_.find(host);
    if (service == services_.end() || service->second->selector.empty()) {
      missing = service == services_.end() ? "hostname \"" + host + "\" not found"
                                           : "the Service " + host + " has no selector, which would tell its proxies";
      problem("AddressNotAssigned", missing, field + ".value");
      continue;
    }
    ++ready;
    for (const ServedListener& listener : gateway.listeners)
      if (listener.served && !service->second->port(listener.spec->port)) {
        missing = "port " + std::to_string(listener.spec->port) + " not found for hostname \"" + host + "\"";
        problem("AddressNotAssigned", missing, field + ".value");
      }
    for (const std::string& ip : service->second->addresses) status.addresses.push_back({"IPAddress", ip});
    if (service->second->addresses.empty()) status.addresses.push_back({"Hostname", host});
  }
  if (!unsupported.empty() && ready == 0)
    status.conditions.push_back(bad("Accepted", "UnsupportedAddress", unsupported));
  else if (served == gateway.listeners.size())
    status.conditions.push_back(good("Accepted", "Accepted", "Resource accepted"));
  else if (served > 0)
    status.conditions.push_back(good("Accepted", "ListenersNotValid", "One or more of the Gateway's listeners are not served"));
  else
    status.conditions.push_back(bad("Accepted", "ListenersNotValid", "None of the Gateway's listeners is served"));
  if (served == 0)
    status.conditions.push_back(bad("Programmed", "Invalid", "None of the Gateway's listeners is served"));
  else if (!missing.empty() || (!unsupported.empty() && ready == 0))
    status.conditions.push_back(bad("Programmed", "AddressNotAssigned", missing.empty() ? unsupported : missing));
  else
    status.conditions.push_back(good("Programmed", "Programmed", "Resource programmed"));
}

}  // namespace weft::model
