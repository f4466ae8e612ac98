// RDS: which host on which port goes by which VirtualService.
#include "controlplane/translate/translate.h"

#include "controlplane/translate/http_routes.h"
#include "controlplane/translate/messages.h"
#include "controlplane/translate/names.h"
#include "controlplane/translate/outbound_plan.h"

#include "envoy/config/route/v3/route.pb.h"

#include <algorithm>
#include <map>
#include <set>

namespace weft::translate {
namespace {

using Rules = std::vector<model::Typed<model::VirtualService>>;
using VirtualHost = envoy::config::route::v3::VirtualHost;

constexpr uint32_t kMaxDirectResponse = 1 << 20;
constexpr uint32_t kHttpPort = 80;
constexpr uint32_t kBadGateway = 502;

RouteConfiguration empty_configuration(std::string name) {
  RouteConfiguration out;
  out.set_name(std::move(name));
  out.mutable_validate_clusters()->set_value(false);
  out.mutable_max_direct_response_body_size_bytes()->set_value(kMaxDirectResponse);
  out.set_ignore_port_in_host_matching(true);
  return out;
}

// Every name under which a client in `ns` may call the service.
std::vector<std::string> domains_of(const model::ServiceInfo& service, const std::string& ns) {
  std::vector<std::string> domains = {service.hostname};
  if (service.kubernetes) {
    domains.push_back(service.hostname + ".");
    if (service.ns == ns) domains.push_back(service.name);
    const std::string qualified = service.name + "." + service.ns;
    if (service.ns == ns) {
      domains.push_back(qualified + ".svc");
      domains.push_back(qualified);
    } else {
      domains.push_back(qualified);
      domains.push_back(qualified + ".svc");
    }
  }
  if (service.headless) {
    const size_t count = domains.size();
    for (size_t i = 0; i < count; ++i) domains.push_back("*." + domains[i]);
  }
  for (const std::string& address : service.addresses) {
    if (address.find('/') == std::string::npos) domains.push_back(address);
  }
  return domains;
}

bool is_wildcard(const std::string& host) { return host.starts_with('*'); }

// The rule of each service that none names by its very host: the one with the longest wildcard, among equals the oldest.
std::map<const model::ServiceInfo*, const model::VirtualService*> by_wildcard(const std::vector<const model::ServiceInfo*>& services,
                                                                              const Rules& rules) {
  std::set<std::string_view> named;
  for (const auto& rule : rules)
    for (const std::string& host : rule->hosts)
      if (!is_wildcard(host)) named.insert(host);
  std::map<const model::ServiceInfo*, const model::VirtualService*> chosen;
  for (const model::ServiceInfo* service : services) {
    if (named.contains(service->hostname)) continue;
    size_t best = 0;
    for (const auto& rule : rules) {
      for (const std::string& host : rule->hosts) {
        if (!is_wildcard(host) || host.size() <= best || !model::host_matches(host, service->hostname)) continue;
        chosen[service] = rule.spec;
        best = host.size();
      }
    }
  }
  return chosen;
}

RouteOrigin origin_of(const BuiltRoute& built) {
  RouteOrigin origin;
  if (built.object == nullptr) return origin;
  origin.object = built.object->key;
  size_t route = built.rule->index;
  if (built.rule->origin) {
    origin.object.ns = built.rule->origin->ns;
    origin.object.name = built.rule->origin->name;
    route = built.rule->origin->route;
  }
  const bool kube = origin.object.kind == "HTTPRoute" || origin.object.kind == "GRPCRoute";
  origin.field = (kube ? "spec.rules[" : "spec.http[") + std::to_string(route) + "]";
  if (!built.rule->source.empty()) {  // of the Gateway API
    origin.object.kind = built.rule->source.find("/grpcroutes/") != std::string::npos ? "GRPCRoute" : "HTTPRoute";
    origin.field = "spec.rules[" + std::to_string(route) + "].matches[" + std::to_string(built.match->index) + "]";
    return origin;
  }
  if (built.match != nullptr && built.match->index != model::HttpMatch::kInherited) {
    origin.field += (kube ? ".matches[" : ".match[") + std::to_string(built.match->index) + "]";
  }
  return origin;
}

// Builds one route configuration, host by host.
class Hosts {
 public:
  Hosts(std::string name, RouteOrigins* origins) : out_(empty_configuration(std::move(name))), origins_(origins) {}

  // Without the domains that another host has already; a host without domains is left out. `https`: all are sent there.
  void add(std::string name, const std::vector<std::string>& domains, const std::vector<BuiltRoute>& routes, bool https = false) {
    VirtualHost host;
    for (const std::string& domain : domains) {
      if (taken_.insert(domain).second) host.add_domains(domain);
    }
    if (host.domains_size() == 0) return;
    host.set_name(std::move(name));
    host.set_include_request_attempt_count(true);
    if (https) host.set_require_tls(VirtualHost::ALL);
    for (const BuiltRoute& built : routes) {
      *host.add_routes() = built.route;
      if (origins_ != nullptr) (*origins_)[{out_.name(), host.name()}].push_back(origin_of(built));
    }
    *out_.add_virtual_hosts() = std::move(host);
  }
  void reserve(const std::string& domain) { taken_.insert(domain); }
  bool empty() const { return out_.virtual_hosts_size() == 0; }

  RouteConfiguration finish() {
    std::sort(out_.mutable_virtual_hosts()->begin(), out_.mutable_virtual_hosts()->end(),
              [](const VirtualHost& a, const VirtualHost& b) { return a.name() < b.name(); });
    return std::move(out_);
  }

 private:
  RouteConfiguration out_;
  RouteOrigins* origins_;
  std::set<std::string> taken_;
};

// Requests to hosts that are nobody's: on to where they were for, or refused.
void add_catch_all(RouteConfiguration& out, bool allowed) {
  VirtualHost* host = out.add_virtual_hosts();
  host->set_name(allowed ? "allow_any" : "block_all");
  host->add_domains("*");
  host->set_include_request_attempt_count(true);
  Route* route = host->add_routes();
  route->set_name(host->name());
  route->mutable_match()->set_prefix("/");
  if (!allowed) {
    route->mutable_direct_response()->set_status(kBadGateway);
    return;
  }
  route->mutable_route()->set_cluster(std::string(kPassthroughCluster));
  set_timeouts(*route->mutable_route(), model::Duration(0));
}

RouteConfiguration sidecar_routes(const model::View& view, const Client& client, uint32_t port,
                                  const std::vector<const model::ServiceInfo*>& services, const Rules& rules, RouteOrigins* origins) {
  Hosts hosts(std::to_string(port), origins);
  hosts.reserve("*");
  const RouteScope scope{view, client, std::string(model::kMesh), port};
  std::map<std::string_view, const model::ServiceInfo*> by_name;
  for (const model::ServiceInfo* service : services) by_name.emplace(service->hostname, service);
  const auto wildcards = by_wildcard(services, rules);
  std::set<const model::ServiceInfo*> ruled;
  for (const auto& rule : rules) {
    std::vector<const model::ServiceInfo*> own;
    std::vector<std::string> others;  // hosts that are no service's on this port
    for (const std::string& host : rule->hosts) {
      if (!is_wildcard(host)) {
        if (auto found = by_name.find(host); found != by_name.end()) {
          own.push_back(found->second);
        } else {
          others.push_back(host);
        }
        continue;
      }
      bool covers = false;
      for (const model::ServiceInfo* service : services) {
        if (!model::host_matches(host, service->hostname)) continue;
        covers = true;
        auto chosen = wildcards.find(service);
        if (chosen != wildcards.end() && chosen->second == rule.spec) own.push_back(service);
      }
      if (!covers && host != "*") others.push_back(host);
    }
    // Hosts that no service has are reachable beside a service of the rule, or on the port that needs no name.
    if (own.empty() && (port != kHttpPort || others.empty())) continue;
    const std::vector<BuiltRoute> routes = http_routes(rule, scope);
    if (routes.empty()) continue;
    for (const model::ServiceInfo* service : own) {
      if (!ruled.insert(service).second) continue;  // the older rule has it
      hosts.add(virtual_host_name(service->hostname, port), domains_of(*service, client.ns), routes);
    }
    for (const std::string& host : others) hosts.add(virtual_host_name(host, port), {host}, routes);
  }
  for (const model::ServiceInfo* service : services) {
    if (ruled.contains(service)) continue;
    hosts.add(virtual_host_name(service->hostname, port), domains_of(*service, client.ns),
              {{.route = default_route(service->hostname, scope)}});
  }
  RouteConfiguration out = hosts.finish();
  add_catch_all(out, allows_any(view, scope_of(client)));
  return out;
}

// A service alone, whatever a request's host is: its address led here.
RouteConfiguration sole_routes(const model::View& view, const Client& client, uint32_t port, const model::ServiceInfo& service,
                               const Rules& rules, RouteOrigins* origins) {
  const std::string name = virtual_host_name(service.hostname, port);
  Rules own;
  for (const auto& rule : rules) {
    if (std::any_of(rule->hosts.begin(), rule->hosts.end(), [&](const auto& host) { return model::host_matches(host, service.hostname); }))
      own.push_back(rule);
  }
  RouteOrigins written;
  RouteConfiguration out = sidecar_routes(view, client, port, {&service}, own, &written);
  VirtualHost sole;
  for (VirtualHost& host : *out.mutable_virtual_hosts())
    if (host.name() == name) sole = std::move(host);
  sole.clear_domains();
  sole.add_domains("*");
  out.set_name(name);
  out.clear_virtual_hosts();
  *out.add_virtual_hosts() = std::move(sole);
  if (origins != nullptr) (*origins)[{name, name}] = std::move(written[{std::to_string(port), name}]);
  return out;
}

// The host that both a rule's and a server's pattern cover, or nothing.
std::optional<std::string> intersection(const std::string& rule_host, const std::string& server_host) {
  if (model::host_matches(server_host, rule_host)) return rule_host;
  if (model::host_matches(rule_host, server_host)) return server_host;
  return std::nullopt;
}

RouteConfiguration gateway_routes(const model::View& view, const Client& client, const GatewayPort& where, RouteOrigins* origins) {
  const uint32_t port = where.server;
  Hosts out(gateway_routes_name(where.bound, where.bind), origins);
  struct Host {
    std::set<std::string> rules;  // those that are in already
    std::vector<BuiltRoute> routes;
    bool https = false;  // a server redirects its clients
  };
  struct Source {
    model::Typed<model::VirtualService> rule;
    std::string gateway;
    std::vector<std::string> hosts;
  };
  std::vector<Source> sources;
  std::map<std::string, Host> hosts;
  for (const auto& gateway : view.gateways(client.labels, client.ns)) {
    const std::string name = gateway.resource->key.ns + "/" + gateway.resource->key.name;
    const Rules rules = view.virtual_services(client.ns, name);
    for (const model::GatewayServer& server : gateway->servers) {
      if (!server.http() || !server.served() || server.port != port || server.bind != where.bind) continue;
      if (server.https_redirect)  // also where nobody has a rule
        for (const model::GatewayHost& host : server.hosts) hosts[host.host].https = true;
      for (const auto& rule : rules) {
        Source source{rule, name, {}};
        for (const std::string& host : rule->hosts) {
          for (const model::GatewayHost& allowed : server.hosts) {
            if (allowed.ns != "*" && allowed.ns != rule.resource->key.ns) continue;
            if (auto both = intersection(host, allowed.host)) source.hosts.push_back(*both);
          }
        }
        if (server.https_redirect)
          for (const std::string& host : source.hosts) hosts[host].https = true;
        if (!source.hosts.empty()) sources.push_back(std::move(source));
      }
    }
  }
  std::stable_sort(sources.begin(), sources.end(),
                   [](const Source& a, const Source& b) { return older(*a.rule.resource, *b.rule.resource); });

  for (const Source& source : sources) {
    const RouteScope scope{view, client, source.gateway, port};
    const std::vector<BuiltRoute> routes = http_routes(source.rule, scope);
    for (const std::string& name : source.hosts) {
      Host& host = hosts[name];
      if (!host.rules.insert(source.rule.resource->key.to_string()).second) continue;
      host.routes.insert(host.routes.end(), routes.begin(), routes.end());
    }
  }
  for (auto& [name, host] : hosts) {
    std::stable_partition(host.routes.begin(), host.routes.end(), [](const BuiltRoute& built) { return !matches_everything(built.route); });
    out.add(virtual_host_name(name, port), {name}, host.routes, host.https);
  }
  if (out.empty()) out.add("blackhole:" + std::to_string(port), {"*"}, {});
  return out.finish();
}

}  // namespace

Client client_of(const model::View& view, const model::Node& node, const ListenerPlan& plan) {
  Client client;
  client.ns = node.ns;
  client.router = node.type == model::Node::Type::kRouter;
  client.proxyless = node.proxyless;
  client.captured = plan.captured;
  client.ipv6 = plan.ipv6;
  client.transparent = plan.transparent;
  if (client.router) {
    client.labels = view.labels(node);
    for (const Binding& binding : plan.bindings)
      if (binding.kind == Binding::Kind::kGateway)
        client.gateway_ports.push_back({binding.service_port, binding.port, binding.written_bind});
    return client;
  }
  const auto asks = [](const auto& routes) {
    for (const auto& route : routes)
      for (const auto& match : route.matches)
        if (!match.source_labels.empty()) return true;
    return false;
  };
  client.sidecar = view.scope(node).sidecar;
  for (const auto& rule : rules_of(view, scope_of(client))) {
    if (!asks(rule->http) && !asks(rule->tls) && !asks(rule->tcp)) continue;
    client.labels = view.labels(node);
    return client;
  }
  return client;
}

std::vector<RouteConfiguration> route_configurations(const model::View& view, const Client& client, RouteOrigins* origins) {
  if (client.proxyless) return proxyless_routes(view, client);
  std::vector<RouteConfiguration> all;
  if (client.router) {
    for (const GatewayPort& port : client.gateway_ports) all.push_back(gateway_routes(view, client, port, origins));
  } else if (client.captured) {
    const Scope scope = scope_of(client);
    OutboundPlan plan = outbound_plan(view, scope);
    const std::vector<Egress> egress = egress_of(view, scope);
    std::set<std::string_view> made;
    for (const OutboundListener& listener : plan.listeners) {
      if (listener.routes.empty() || !made.insert(listener.routes).second) continue;
      const Rules& rules = egress[listener.egress - 1].rules;
      all.push_back(listener.sole != nullptr ? sole_routes(view, client, listener.port, *listener.sole, rules, origins)
                                             : sidecar_routes(view, client, listener.port, plan.http[listener.port], rules, origins));
    }
  } else {
    std::set<uint32_t> written;  // ports that a Sidecar lists one by one
    for (const Egress& egress : egress_of(view, scope_of(client))) {
      std::map<uint32_t, std::vector<const model::ServiceInfo*>> ports;
      if (egress.port != 0 && (!written.insert(egress.port).second || !is_http(egress.protocol))) continue;
      if (egress.port != 0) ports[egress.port];
      for (const model::ServiceInfo* service : egress.services)
        for (const model::ServicePort& port : service->ports)
          if (is_http(served_protocol(port)) && (egress.port != 0 ? port.number == egress.port : !written.contains(port.number)))
            ports[port.number].push_back(service);
      for (const auto& [port, services] : ports) all.push_back(sidecar_routes(view, client, port, services, egress.rules, origins));
    }
  }
  std::sort(all.begin(), all.end(), [](const RouteConfiguration& a, const RouteConfiguration& b) { return a.name() < b.name(); });
  return all;
}

}  // namespace weft::translate
