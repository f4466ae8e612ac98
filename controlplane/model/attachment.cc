#include "controlplane/model/attachment.h"

#include "controlplane/model/listener_table.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <unordered_map>

namespace weft::model {
namespace {

std::string element(const std::string& list, size_t index) { return list + "[" + std::to_string(index) + "]"; }

// Why something of a route does not work: the reason of a condition, and a sentence.
struct Refusal {
  std::string reason, message;
};

// Rules of one route with their destinations found. Each HttpRoute has one match, so that those of several routes can be put in order.
struct Resolved {
  std::vector<std::shared_ptr<const HttpRoute>> routes;
  std::vector<StatusProblem> problems;                    // of backends
  std::vector<StatusProblem> dropped;                     // rules
  std::vector<std::shared_ptr<const L4Route>> passed_on;  // of TCPRoute and TLSRoute
};

// One route's rules in a group.
struct Entry {
  const Resource* route = nullptr;
  std::shared_ptr<const HttpRoute> rule;
  std::optional<uint32_t> port;  // of the service; absent: all
};

// The same of a TCPRoute or TLSRoute.
struct PassedOn {
  const Resource* route = nullptr;
  std::shared_ptr<const L4Route> rule;
  std::vector<std::string> names;  // of TLS
  std::optional<uint32_t> port;
};

// What competes for the same requests.
struct Group {
  std::string gateway, host, ns;
  bool producer = false, consumer = false;
  std::vector<Entry> entries;  // oldest route first, rules as written
  std::vector<PassedOn> passed_on;
};

// By what the Gateway API orders matches: a bigger one comes first.
using Rank = std::tuple<int, size_t, bool, size_t, size_t>;
Rank rank_of(const HttpMatch& match) {
  int kind = 0;
  size_t length = 0;
  if (match.uri) {
    length = match.uri->value.size();
    switch (match.uri->kind) {
      case StringMatch::Kind::kExact: kind = 3; break;
      case StringMatch::Kind::kPrefix: kind = 2; break;
      default: kind = 1; break;
    }
    if (kind == 2 && match.uri->value == "/") kind = 0;  // everything: behind the expressions, which nothing would reach otherwise
  }
  return {kind, length, match.method.has_value(), match.headers.size(), match.query_params.size()};
}

bool by_age(const Resource* a, const Resource* b) {
  return std::tie(a->created, a->key.ns, a->key.name, a->key.kind) < std::tie(b->created, b->key.ns, b->key.name, b->key.kind);
}

class Attacher {
 public:
  Attacher(std::span<const ResourcePtr> resources, std::span<const ServiceInfo* const> services) : listeners_(resources, services) {
    for (const ServiceInfo* service : services) {
      if (service->kubernetes) services_.emplace(service->ns + "/" + service->name, service);
      hosts_.emplace(service->hostname, service);
    }
    for (const ResourcePtr& resource : resources) {
      if (resource->as<KubeRoute>()) routes_.push_back(resource.get());
      if (const ReferenceGrant* grant = resource->as<ReferenceGrant>()) grants_[resource->key.ns].push_back(grant);
      if (const ServiceEntry* entry = resource->as<ServiceEntry>()) entries_[resource->key.ns + "/" + resource->key.name] = entry;
    }
    std::sort(routes_.begin(), routes_.end(), by_age);
  }

  Attached run() {
    for (const Resource* route : routes_) attach(*route, *route->as<KubeRoute>());
    for (Group& group : groups_) publish(group);
    listeners_.finish(out_);
    return std::move(out_);
  }

 private:
  // -- backends

  bool granted(const Resource& route, const BackendRef& to) const {
    auto found = grants_.find(to.ns);
    if (found == grants_.end()) return false;
    auto from_here = [&](const ReferenceGrant::From& from) {
      return from.group == kGatewayApi && from.kind == route.key.kind && from.ns == route.key.ns;
    };
    auto to_there = [&](const ReferenceGrant::To& one) {
      return (one.group == to.group || (one.group == "core" && to.group.empty())) && one.kind == to.kind &&
             (one.name.empty() || one.name == to.name);
    };
    return std::any_of(found->second.begin(), found->second.end(), [&](const ReferenceGrant* grant) {
      return std::any_of(grant->from.begin(), grant->from.end(), from_here) && std::any_of(grant->to.begin(), grant->to.end(), to_there);
    });
  }

  // An empty host where the backend cannot be used, with the reason.
  Destination destination(const Resource& route, const BackendRef& to, bool mesh, std::optional<Refusal>& refusal) const {
    Destination out;
    out.port = to.port;
    out.written_host = to.name;
    const bool foreign = to.ns_written && to.ns != route.key.ns;
    if (foreign && !mesh && !granted(route, to)) {
      refusal = {"RefNotPermitted", "backendRef " + to.name + "/" + to.ns + " not accessible to a " + route.key.kind + " in namespace \"" +
                                        route.key.ns + "\" (missing a ReferenceGrant?)"};
      return out;
    }
    const ServiceInfo* service = nullptr;
    std::string host;
    if ((to.group.empty() || to.group == "core") && to.kind == "Service") {
      host = resolve_host(to.name, to.ns);
      if (auto found = services_.find(to.ns + "/" + to.name); found != services_.end()) service = found->second;
    } else if (to.group == "networking.istio.io" && to.kind == "Hostname") {
      host = to.name;
      if (auto found = hosts_.find(host); found != hosts_.end() && exported(found->second->export_to, found->second->ns, route.key.ns))
        service = found->second;
    } else {
      refusal = {"InvalidKind", "referencing unsupported backendRef: group \"" + to.group + "\" kind \"" + to.kind + "\""};
      return out;
    }
    if (!service) {
      refusal = {"BackendNotFound", "backend(" + host + ") not found"};
    } else if (to.port && !service->port(*to.port)) {
      refusal = {"BackendNotFound", "backend(" + host + ") has no port " + std::to_string(*to.port)};
    } else {
      out.host = host;
    }
    return out;
  }

  // -- rules

  const Resolved& resolve(const Resource& route, const KubeRoute& spec, bool mesh, std::optional<Resolved>& kept) const {
    if (kept) return *kept;
    Resolved& out = kept.emplace();
    const std::string path = std::string("/apis/") + std::string(kGatewayApi) + "/v1/namespaces/" + route.key.ns +
                             (spec.grpc ? "/grpcroutes/" : "/httproutes/") + route.key.name;
    const bool passes_on = spec.tcp || spec.tls;
    for (size_t i = 0; i < spec.rules.size(); ++i) {
      const RouteRule& rule = spec.rules[i];
      const std::string field = element("spec.rules", i);
      if (!rule.unsupported.empty()) {
        out.dropped.push_back({"UnsupportedValue", rule.unsupported, field});
        continue;
      }
      HttpRoute action = rule.action;
      action.index = i;
      action.source = path;
      action.origin = RouteOrigin{route.key.ns, route.key.name, i};
      if (action.name.empty()) action.name = route.key.ns + "." + route.key.name + "." + std::to_string(i);
      auto found = [&](const BackendRef& to, const std::string& at) {
        std::optional<Refusal> refusal;
        Destination destination = this->destination(route, to, mesh, refusal);
        if (refusal) out.problems.push_back({refusal->reason, refusal->message, at});
        return destination;
      };
      if (passes_on) {
        L4Route one;
        for (size_t b = 0; b < rule.backends.size(); ++b) {
          Destination destination = found(rule.backends[b].to, element(field + ".backendRefs", b));
          if (rule.backends[b].weight > 0) one.routes.push_back({std::move(destination), rule.backends[b].weight, {}});
        }
        out.passed_on.push_back(std::make_shared<const L4Route>(std::move(one)));
        continue;
      }
      for (size_t m = 0; m < rule.mirrors.size(); ++m) {
        Destination destination = found(rule.mirrors[m].to, field + ".filters");
        if (!destination.host.empty()) action.mirrors.push_back({std::move(destination), rule.mirrors[m].percentage});
      }
      for (size_t b = 0; b < rule.backends.size(); ++b) {
        Destination destination = found(rule.backends[b].to, element(field + ".backendRefs", b));
        if (rule.backends[b].weight > 0)
          action.routes.push_back({std::move(destination), rule.backends[b].weight, rule.backends[b].headers});
      }
      if (action.routes.empty() && !action.redirect) {
        action.direct_response = DirectResponse{.status = spec.grpc ? 503u : 500u};
        action.rewrite.reset();
      }
      for (size_t m = 0; m < rule.matches.size(); ++m) {
        auto one = std::make_shared<HttpRoute>(action);
        one->matches = {rule.matches[m]};
        one->matches[0].index = m;
        out.routes.push_back(std::move(one));
      }
    }
    return out;
  }

  // -- parents

  void attach(const Resource& route, const KubeRoute& spec) {
    ObjectStatus& status = out_.statuses[route.key];
    status.observed_generation = generation_of(route, spec.generation);
    std::optional<Resolved> for_mesh, for_gateways;
    for (size_t i = 0; i < spec.parents.size(); ++i) {
      const ParentRef& ref = spec.parents[i];
      const bool service = (ref.group.empty() || ref.group == "core") && ref.kind == "Service";
      const bool entry = ref.group == "networking.istio.io" && ref.kind == "ServiceEntry";
      const bool gateway = ref.group == kGatewayApi && ref.kind == "Gateway";
      if (!service && !entry && !gateway) continue;  // another controller's
      ParentStatus parent{ref, std::string(kController), {}};
      std::optional<Refusal> refusal;
      size_t bound = 0;
      const Resolved* rules = nullptr;
      if (gateway) {
        ServedGateway* found = listeners_.find(ref.ns, ref.name);
        if (found && found->controller.empty()) continue;
        if (found) parent.controller = found->controller;
        rules = &resolve(route, spec, false, for_gateways);
        bound = bind_to_gateway(route, spec, ref, found, *rules, refusal);
      } else {
        rules = &resolve(route, spec, true, for_mesh);
        bound = service ? bind_to_service(route, ref, *rules, refusal) : bind_to_entry(route, ref, *rules, refusal);
      }
      conditions(parent, status, *rules, bound, refusal, element("spec.parentRefs", i), spec.rules.size());
      status.parents.push_back(std::move(parent));
    }
  }

  static void conditions(ParentStatus& parent, ObjectStatus& status, const Resolved& rules, size_t bound,
                         const std::optional<Refusal>& refusal, const std::string& field, size_t rule_count) {
    auto problem = [&](const StatusProblem& one) {
      if (std::find(status.problems.begin(), status.problems.end(), one) == status.problems.end()) status.problems.push_back(one);
    };
    const bool none_left = !rules.dropped.empty() && rules.dropped.size() == rule_count;
    std::string dropped;
    for (const StatusProblem& one : rules.dropped) dropped += (dropped.empty() ? "" : "; ") + one.message;
    Condition accepted{"Accepted", true, "Accepted",
                       bound > 1 ? "Route was valid, bound to " + std::to_string(bound) + " parents" : "Route was valid"};
    if (refusal) {
      accepted = {"Accepted", false, refusal->reason, refusal->message};
      problem({refusal->reason, refusal->message, field});
    } else if (none_left) {
      accepted = {"Accepted", false, "UnsupportedValue", dropped};
    }
    parent.conditions.push_back(accepted);
    Condition resolved{"ResolvedRefs", true, "ResolvedRefs", "All references resolved"};
    for (const StatusProblem& one : rules.problems) {
      problem(one);
      if (resolved.status) resolved = {"ResolvedRefs", false, one.reason, ""};
      if (resolved.message.find(one.message) == std::string::npos) resolved.message += (resolved.message.empty() ? "" : "; ") + one.message;
    }
    parent.conditions.push_back(resolved);
    if (!rules.dropped.empty() && !none_left)
      parent.conditions.push_back({"PartiallyInvalid", true, "UnsupportedValue", "Dropped Rule(s): " + dropped});
  }

  size_t bind_to_gateway(const Resource& route, const KubeRoute& spec, const ParentRef& ref, ServedGateway* gateway, const Resolved& rules,
                         std::optional<Refusal>& refusal) {
    if (!gateway) {
      refusal = {"NoMatchingParent", "parent gateway \"" + ref.ns + "/" + ref.name + "\" not found"};
      return 0;
    }
    size_t bound = 0;
    int best = 0;  // how near the route came to a listener
    auto refuse = [&](int near, std::string reason, std::string message) {
      if (near <= best) return;
      best = near;
      refusal = {std::move(reason), std::move(message)};
    };
    static const std::vector<std::string> kAny = {""};
    for (ServedListener& listener : gateway->listeners) {
      const Listener& at = *listener.spec;
      if (!ref.section.empty() && ref.section != at.name) continue;
      if (ref.port && *ref.port != at.port) continue;
      if (!listener.served) {
        refuse(2, "NoMatchingParent", "listener \"" + at.name + "\" is not served: " + listener.why_not);
        continue;
      }
      if (std::find(listener.kinds.begin(), listener.kinds.end(), AllowedKind{std::string(kGatewayApi), route.key.kind}) ==
          listener.kinds.end()) {
        refuse(4, "NotAllowedByListeners", "kind " + route.key.kind + " is not allowed by listener \"" + at.name + "\"");
        continue;
      }
      if (!listeners_.admits(listener, route.key.ns)) {
        refuse(4, "NotAllowedByListeners", "namespace \"" + route.key.ns + "\" is not allowed by listener \"" + at.name + "\"");
        continue;
      }
      std::set<std::string> hosts;
      bool any = false;
      for (const std::string& host : spec.hostnames.empty() ? kAny : spec.hostnames) {
        const std::optional<std::string> both = common_host(host, at.hostname);
        if (!both) continue;
        any = true;
        if (ListenerTable::keeps(*gateway, listener, *both)) hosts.insert(*both);
      }
      if (!any) {
        refuse(3, "NoMatchingListenerHostname", "no hostnames matched parent hostname \"" + at.hostname + "\"");
        continue;
      }
      ++bound;
      ++listener.attached_routes;
      for (const std::string& host : hosts)
        add(group(listener.internal, host, route.key.ns, false, false), route, rules, std::nullopt, {host});
    }
    if (bound > 0)
      refusal.reset();
    else if (best == 0)
      refusal = {"NoMatchingParent",
                 ref.port ? "port " + std::to_string(*ref.port) + " not found" : "sectionName \"" + ref.section + "\" not found"};
    return bound;
  }

  size_t bind_to_service(const Resource& route, const ParentRef& ref, const Resolved& rules, std::optional<Refusal>& refusal) {
    auto found = services_.find(ref.ns + "/" + ref.name);
    if (found == services_.end()) {
      refusal = {"NoMatchingParent", "parent service: \"" + ref.name + "\" not found"};
      return 0;
    }
    const ServiceInfo& service = *found->second;
    std::optional<uint32_t> port = ref.port;
    if (port && !service.port(*port)) {
      refusal = {"NoMatchingParent", "port " + std::to_string(*port) + " not found"};
      return 0;
    }
    if (!ref.section.empty()) {
      auto named = std::find_if(service.ports.begin(), service.ports.end(), [&](const ServicePort& p) { return p.name == ref.section; });
      if (named == service.ports.end() || (port && *port != named->number)) {
        refusal = {"NoMatchingParent", "sectionName \"" + ref.section + "\" not found"};
        return 0;
      }
      port = named->number;
    }
    const bool producer = service.ns == route.key.ns;
    add(group(std::string(kMesh), service.hostname, route.key.ns, producer, !producer), route, rules, port,
        names_of(route, service.hostname));
    return 1;
  }

  size_t bind_to_entry(const Resource& route, const ParentRef& ref, const Resolved& rules, std::optional<Refusal>& refusal) {
    auto found = entries_.find(ref.ns + "/" + ref.name);
    if (found == entries_.end()) {
      refusal = {"NoMatchingParent", "parent service entry: \"" + ref.name + "\" not found"};
      return 0;
    }
    const bool producer = ref.ns == route.key.ns;
    for (const std::string& host : found->second->hosts)
      add(group(std::string(kMesh), host, route.key.ns, producer, !producer), route, rules, ref.port, names_of(route, host));
    return 1;
  }

  // -- groups

  Group& group(const std::string& gateway, const std::string& host, const std::string& ns, bool producer, bool consumer) {
    const std::string key = gateway + "\n" + host + "\n" + (consumer ? ns : "");
    auto [at, fresh] = group_index_.try_emplace(key, groups_.size());
    if (fresh) groups_.push_back({gateway, host, ns, producer, consumer, {}});
    return groups_[at->second];
  }

  // The names by which clients of the mesh ask for a TLSRoute's service: its own, else the service's.
  static std::vector<std::string> names_of(const Resource& route, const std::string& host) {
    const KubeRoute& spec = *route.as<KubeRoute>();
    return spec.hostnames.empty() ? std::vector<std::string>{host} : spec.hostnames;
  }

  static void add(Group& group, const Resource& route, const Resolved& rules, std::optional<uint32_t> port,
                  const std::vector<std::string>& names) {
    for (const auto& rule : rules.routes) group.entries.push_back({&route, rule, port});
    for (const auto& rule : rules.passed_on) group.passed_on.push_back({&route, rule, names, port});
  }

  void publish(Group& group) {
    if (group.entries.empty() && group.passed_on.empty()) return;
    const Resource& oldest = group.entries.empty() ? *group.passed_on.front().route : *group.entries.front().route;
    Attached::Rule& out = out_.rules.emplace_back();
    out.resource.key = {oldest.key.kind, group.ns, oldest.key.name + "~" + group.gateway + "~" + group.host};
    out.resource.created = oldest.created;
    out.producer = group.producer;
    out.consumer = group.consumer;
    out.spec.hosts = {group.host};
    out.spec.gateways = {group.gateway};
    if (group.consumer) out.spec.export_to = {"."};
    std::vector<std::pair<Rank, const Entry*>> order;
    for (const Entry& entry : group.entries) order.emplace_back(rank_of(entry.rule->matches.front()), &entry);
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (const auto& [rank, entry] : order) {
      HttpRoute& route = out.spec.http.emplace_back(*entry->rule);
      route.matches.front().port = entry->port;
    }
    for (const PassedOn& one : group.passed_on) {
      const bool tls = one.route->as<KubeRoute>()->tls;
      L4Route& route = (tls ? out.spec.tls : out.spec.tcp).emplace_back(*one.rule);
      if (!tls && !one.port) continue;
      L4Match& match = route.matches.emplace_back();
      if (tls) match.sni_hosts = one.names;
      match.port = one.port;
    }
  }

  ListenerTable listeners_;
  std::vector<const Resource*> routes_;
  std::unordered_map<std::string, const ServiceInfo*> services_, hosts_;  // Kubernetes' by "ns/name"; all by host
  std::unordered_map<std::string, const ServiceEntry*> entries_;
  std::unordered_map<std::string, std::vector<const ReferenceGrant*>> grants_;
  std::deque<Group> groups_;
  std::unordered_map<std::string, size_t> group_index_;
  Attached out_;
};

}  // namespace

bool is_attached(const Resource& resource) {
  return resource.as<KubeRoute>() || resource.as<KubeGateway>() || resource.as<GatewayClass>() || resource.as<ReferenceGrant>() ||
         resource.as<Namespace>() || resource.as<ServiceEntry>();
}

bool attaches_alike(const ServiceInfo& a, const ServiceInfo& b) {
  return &a == &b || (a.hostname == b.hostname && a.ns == b.ns && a.name == b.name && a.kubernetes == b.kubernetes && a.ports == b.ports &&
                      a.addresses == b.addresses && a.selector == b.selector && a.export_to == b.export_to);
}

Attached attach(std::span<const ResourcePtr> resources, std::span<const ServiceInfo* const> services) {
  const bool any = std::any_of(resources.begin(), resources.end(), [](const ResourcePtr& resource) {
    return resource->as<KubeRoute>() || resource->as<KubeGateway>() || resource->as<GatewayClass>();
  });
  return any ? Attacher(resources, services).run() : Attached{};
}

}  // namespace weft::model
