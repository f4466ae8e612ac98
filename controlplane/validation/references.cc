// What objects say about each other. Nothing here refuses: a dangling reference may be filled in a minute, and Istio takes it too.
#include "controlplane/model/delegates.h"
#include "controlplane/validation/analysis.h"
#include "controlplane/validation/validation.h"

#include <algorithm>
#include <set>

namespace weft::validation {
namespace {

using model::DestinationRule;
using model::Gateway;
using model::HttpMatch;
using model::Resource;
using model::StringMatch;
using model::Typed;
using model::View;
using model::VirtualService;

bool implies(const std::optional<StringMatch>& earlier, const std::optional<StringMatch>& later) {
  if (!earlier) return true;
  if (!later) return false;
  if (*earlier == *later) return true;
  using Kind = StringMatch::Kind;
  return earlier->kind == Kind::kPrefix && (later->kind == Kind::kExact || later->kind == Kind::kPrefix) &&
         later->value.starts_with(earlier->value);
}

bool implies(const std::map<std::string, StringMatch>& earlier, const std::map<std::string, StringMatch>& later) {
  return std::all_of(earlier.begin(), earlier.end(), [&](const auto& wanted) {
    auto found = later.find(wanted.first);
    return found != later.end() &&
           (wanted.second.kind == StringMatch::Kind::kPresent || implies(std::optional(wanted.second), std::optional(found->second)));
  });
}

// Whether whatever `later` takes has been taken by `earlier`.
bool covers(const HttpMatch& earlier, const HttpMatch& later) {
  const bool uri_all = earlier.uri && earlier.uri->kind == StringMatch::Kind::kPrefix && earlier.uri->value == "/";
  if (!uri_all && (!implies(earlier.uri, later.uri) || (later.ignore_uri_case && !earlier.ignore_uri_case && earlier.uri))) return false;
  if (!implies(earlier.method, later.method) || !implies(earlier.scheme, later.scheme) || !implies(earlier.authority, later.authority))
    return false;
  if (!implies(earlier.headers, later.headers) || !implies(earlier.query_params, later.query_params)) return false;
  for (const auto& without : earlier.without_headers) {
    auto found = later.without_headers.find(without.first);
    if (found == later.without_headers.end() || !(found->second == without.second)) return false;
  }
  if (earlier.port && earlier.port != later.port) return false;
  if (!model::selects(earlier.source_labels, later.source_labels)) return false;
  if (earlier.source_namespace && earlier.source_namespace != later.source_namespace) return false;
  return earlier.gateways.empty() || earlier.gateways == later.gateways;
}

bool may_meet(const Resource& a, const std::vector<std::string>& a_to, const Resource& b, const std::vector<std::string>& b_to) {
  auto sees = [&](std::string_view ns) { return model::exported(a_to, a.key.ns, ns) && model::exported(b_to, b.key.ns, ns); };
  if (sees(a.key.ns) || sees(b.key.ns)) return true;
  return std::any_of(a_to.begin(), a_to.end(), sees) || std::any_of(b_to.begin(), b_to.end(), sees);
}

class References {
 public:
  explicit References(const View& view) : view_(view) {
    for (const model::ResourcePtr& resource : view.resources()) {
      const VirtualService* spec = resource->as<VirtualService>();
      if (spec)
        for (const model::HttpRoute& route : spec->http)
          if (route.delegate) delegated_.insert({route.delegate->ns, route.delegate->name});
      if (!spec || std::find(spec->gateways.begin(), spec->gateways.end(), model::kMesh) == spec->gateways.end()) continue;
      for (const std::string& host : spec->hosts) mesh_hosts_[host].push_back(resource.get());
    }
  }

  Diagnostics run() {
    for (const model::ResourcePtr& resource : view_.resources()) {
      if (const VirtualService* spec = resource->as<VirtualService>()) virtual_service(*resource, *spec);
      if (const DestinationRule* spec = resource->as<DestinationRule>()) destination_rule(*resource, *spec);
      if (const model::Service* spec = resource->as<model::Service>()) service(*resource, *spec);
      if (const model::ObjectStatus* status = view_.status(resource->key)) gateway_api(*resource, *status);
    }
    const Pods pods(view_);
    analyze_gateways(view_, pods, findings_);
    analyze_service_entries(view_, findings_);
    analyze_rate_limits(view_, findings_);
    analyze_workloads(view_, pods, findings_);
    return std::move(findings_);
  }

 private:
  void report(const Resource& resource, const Code& code, Severity severity, std::string message, std::string field, std::string fix) {
    findings_.push_back(finding_at(resource, code, severity, std::move(message), std::move(field), std::move(fix)));
  }
  void warn(const Resource& resource, const Code& code, std::string message, std::string field, std::string fix) {
    report(resource, code, Severity::kWarning, std::move(message), std::move(field), std::move(fix));
  }

  const model::ServiceInfo* known(const std::string& host, const std::string& ns) const {
    if (const model::ServiceInfo* service = view_.find_service(host, ns)) return service;
    for (const model::ServiceInfo* service : view_.services())
      if (model::host_matches(service->hostname, host) && model::exported(service->export_to, service->ns, ns)) return service;
    return nullptr;
  }

  std::string host_fix(const std::string& host, const std::string& ns) const {
    std::vector<std::string_view> names;
    for (const model::ServiceInfo* service : view_.services())
      names.push_back(service->ns == ns && service->kubernetes ? std::string_view(service->name) : std::string_view(service->hostname));
    const std::string_view meant = did_you_mean(host, names);
    if (!meant.empty()) return "did you mean " + std::string(meant) + "? Otherwise add a Service or ServiceEntry for " + host;
    return "add a Service or ServiceEntry for " + host;
  }

  void virtual_service(const Resource& resource, const VirtualService& spec) {
    const bool gateways = std::any_of(spec.gateways.begin(), spec.gateways.end(), [](const auto& name) { return name != model::kMesh; });
    for (size_t i = 0; i < spec.http.size(); ++i) {
      const std::string route = item_of("spec.http", i);
      for (size_t j = 0; gateways && j < spec.http[i].routes.size(); ++j)
        mesh_subsets(resource, spec.http[i].routes[j].destination, route + item_of(".route", j) + ".destination");
      for (size_t j = 0; j < spec.http[i].routes.size(); ++j)
        destination(resource, spec.http[i].routes[j].destination, route + item_of(".route", j) + ".destination", &spec);
      for (size_t j = 0; j < spec.http[i].mirrors.size(); ++j) mirror(resource, spec, spec.http[i].mirrors[j], route, j);
      if (spec.http[i].delegate) delegate(resource, spec.http[i], route);
      reachability(resource, spec, i);
    }
    const auto passed_on = [&](const std::vector<model::L4Route>& routes, std::string_view list) {
      for (size_t i = 0; i < routes.size(); ++i)
        for (size_t j = 0; j < routes[i].routes.size(); ++j)
          destination(resource, routes[i].routes[j].destination, item_of(list, i) + item_of(".route", j) + ".destination", &spec);
    };
    passed_on(spec.tls, "spec.tls");
    passed_on(spec.tcp, "spec.tcp");
    if (spec.is_delegate() && !delegated_.contains({resource.key.ns, resource.key.name}))
      warn(resource, codes::kDelegateUnused, "the VirtualService has no hosts and no other one delegates to it, so it does nothing", "spec",
           "add hosts, or refer to it by spec.http[].delegate of another VirtualService");
    for (size_t i = 0; i < spec.gateways.size(); ++i)
      if (spec.gateways[i] != model::kMesh) gateway(resource, spec, spec.gateways[i], item_of("spec.gateways", i));
    if (std::find(spec.gateways.begin(), spec.gateways.end(), model::kMesh) != spec.gateways.end()) conflicts(resource, spec);
  }

  void mirror(const Resource& resource, const VirtualService& spec, const model::Mirror& to, const std::string& route, size_t at) {
    const yaml::Document document = resource.document();
    const bool one = model::locate(document.root, route).find("mirror") != nullptr;
    destination(resource, to.destination, one ? route + ".mirror" : route + item_of(".mirrors", at) + ".destination", &spec);
  }

  void delegate(const Resource& resource, const model::HttpRoute& root, const std::string& route) {
    const model::Delegate& to = *root.delegate;
    const std::string name = to.ns + "/" + to.name, field = route + ".delegate.name";
    const Resource* found = view_.find({"VirtualService", to.ns, to.name});
    const VirtualService* leaf = found ? found->as<VirtualService>() : nullptr;
    if (!leaf) {
      std::vector<std::string_view> names;
      for (const model::ResourcePtr& other : view_.resources())
        if (const VirtualService* spec = other->as<VirtualService>(); spec && spec->is_delegate()) names.push_back(other->key.name);
      const std::string_view meant = did_you_mean(to.name, names);
      return warn(resource, codes::kDelegateUnknown, "Referenced delegate not found: \"" + name + "\"; the route is left out", field,
                  meant.empty() ? "add the VirtualService " + name + ", without hosts" : "did you mean " + std::string(meant) + "?");
    }
    if (!leaf->is_delegate())
      return warn(resource, codes::kDelegateUnknown, "the delegate " + name + " has hosts of its own; the route is left out", field,
                  "remove spec.hosts of " + name);
    if (!model::exported(leaf->export_to, to.ns, resource.key.ns))
      return warn(resource, codes::kDelegateUnknown,
                  "the delegate " + name + " is not exported to the namespace " + resource.key.ns + "; the route is left out", field,
                  "add " + resource.key.ns + " to its exportTo");
    std::vector<size_t> dropped;
    merge_delegate(root, *leaf, &dropped);
    for (size_t index : dropped)
      warn(*found, codes::kDelegateConflict,
           "VirtualService " + resource.key.ns + "/" + resource.key.name + " hands over less than this route asks for at " + route +
               "; the route is left out there",
           item_of("spec.http", index), "let its matches be within those of " + route + " there: exact, or a longer prefix");
  }

  // What the status of a Gateway API's object complains about.
  void gateway_api(const Resource& resource, const model::ObjectStatus& status) {
    const bool route = resource.as<model::KubeRoute>() != nullptr;
    for (const model::StatusProblem& problem : status.problems) {
      const Code& code = !route ? codes::kGatewayStatus : problem.field.starts_with("spec.parentRefs") ? codes::kParent : codes::kBackend;
      std::string fix;
      if (problem.reason == "RefNotPermitted") fix = "add a ReferenceGrant to the namespace of the backend";
      if (problem.reason == "NotAllowedByListeners") fix = "change allowedRoutes of the listener, or move the route";
      if (problem.reason == "NoMatchingListenerHostname") fix = "let spec.hostnames have one that the listener's hostname covers";
      warn(resource, code, problem.message + " (" + problem.reason + ")", problem.field, fix);
    }
    if (const model::KubeRoute* spec = resource.as<model::KubeRoute>()) beside_virtual_services(resource, *spec);
  }

  // A Service's routes stand in one line with the VirtualServices of its host: sidecars go by the oldest.
  void beside_virtual_services(const Resource& resource, const model::KubeRoute& spec) {
    for (size_t i = 0; i < spec.parents.size(); ++i) {
      if (spec.parents[i].kind != "Service") continue;
      const std::string host = model::resolve_host(spec.parents[i].name, spec.parents[i].ns);
      auto found = mesh_hosts_.find(host);
      if (found == mesh_hosts_.end()) continue;
      for (const Resource* other : found->second) {
        if (!model::exported(other->as<VirtualService>()->export_to, other->key.ns, resource.key.ns)) continue;
        warn(resource, codes::kHostConflict,
             resource.key.to_string() + " and " + other->key.to_string() + " define the same mesh host " + host + "; the older one, " +
                 (older(*other, resource) ? other->key : resource.key).to_string() + ", wins",
             item_of("spec.parentRefs", i), "keep one of them");
        break;
      }
    }
  }

  // `spec`: the rule whose requests go there; its own hosts keep the port that they came for.
  void destination(const Resource& resource, const model::Destination& to, const std::string& field, const VirtualService* spec = nullptr) {
    const model::ServiceInfo* service = known(to.host, resource.key.ns);
    if (!service) {
      warn(resource, codes::kHostUnknown, "Referenced host not found: \"" + to.written_host + "\"", field + ".host",
           host_fix(to.written_host, resource.key.ns));
    } else if (to.port && !service->port(*to.port)) {
      warn(resource, codes::kHostUnknown, "Referenced host:port not found: \"" + to.written_host + ":" + std::to_string(*to.port) + "\"",
           field + ".port.number", "the ports of " + to.written_host + " are" + ports_of(*service));
    }
    if (service && spec && !to.port && service->ports.size() > 1) {
      const bool mesh = spec->gateways == std::vector<std::string>{std::string(model::kMesh)};
      const bool own = std::find(spec->hosts.begin(), spec->hosts.end(), to.host) != spec->hosts.end();
      if (!mesh || !own)
        warn(resource, codes::kPortNeeded,
             "This VirtualService routes to a service \"" + to.written_host + "\" that exposes multiple ports:" + ports_of(*service) +
                 ". Specifying a port in the destination is required to disambiguate",
             field, "add port: {number: ...} to the destination");
    }
    if (to.subset.empty()) return;
    const model::MergedRule* rule = view_.destination_rule(to.host, service ? service->ns : resource.key.ns, resource.key.ns);
    if (rule && rule->subset(to.subset)) return;
    std::string fix = "add a DestinationRule for " + to.written_host + " with a subset named " + to.subset;
    if (rule) {
      std::vector<std::string_view> names;
      for (const model::Subset& subset : rule->subsets) names.push_back(subset.name);
      const std::string_view meant = did_you_mean(to.subset, names);
      fix = meant.empty() ? "add a subset named " + to.subset + " to DestinationRule " + rule->ns + "/" + rule->name
                          : "did you mean " + std::string(meant) + "?";
    }
    warn(resource, codes::kSubsetUnknown,
         "Referenced host+subset in destinationrule not found: \"" + to.written_host + "+" + to.subset + "\"", field + ".subset", fix);
  }

  // Requests that come by a gateway go by the gateway's rules alone: what the mesh's rule of the host says does not reach them.
  void mesh_subsets(const Resource& resource, const model::Destination& to, const std::string& field) {
    auto found = mesh_hosts_.find(to.host);
    if (!to.subset.empty() || found == mesh_hosts_.end()) return;
    for (const Resource* other : found->second) {
      if (other == &resource) continue;
      for (const model::HttpRoute& route : other->as<VirtualService>()->http) {
        const bool subsets = std::any_of(route.routes.begin(), route.routes.end(), [&](const model::RouteDestination& one) {
          return one.destination.host == to.host && !one.destination.subset.empty();
        });
        if (!subsets) continue;
        warn(resource, codes::kSubsetsOfMesh,
             "Subset in virtual service " + other->key.ns + "/" + other->key.name + " has no effect on ingress gateway " + resource.key.ns +
                 "/" + resource.key.name + " requests",
             field, "name the subsets here, too");
        return;
      }
    }
  }

  static std::string ports_of(const model::ServiceInfo& service) {
    std::string out;
    for (const model::ServicePort& port : service.ports) out += " " + std::to_string(port.number);
    return out;
  }

  void gateway(const Resource& resource, const VirtualService& spec, const std::string& name, const std::string& field) {
    const size_t slash = name.find('/');
    const std::string ns = name.substr(0, slash), short_name = name.substr(slash + 1);
    const Resource* found = view_.find({"Gateway", ns, short_name});
    if (!found) {
      std::vector<std::string_view> names;
      for (const model::ResourcePtr& other : view_.resources())
        if (other->as<Gateway>()) names.push_back(other->key.name);
      const std::string_view meant = did_you_mean(short_name, names);
      const std::string shown = ns == resource.key.ns ? short_name : name;
      std::string fix = meant.empty() ? "add the Gateway " + name : "did you mean " + std::string(meant) + "?";
      if (view_.find({std::string(model::kKubeGateway), ns, short_name}))
        fix = "write an HTTPRoute: a VirtualService binds to Gateways of networking.istio.io";
      warn(resource, codes::kGatewayUnknown, "Referenced gateway not found: \"" + shown + "\"", field, std::move(fix));
      return;
    }
    for (size_t i = 0; i < spec.hosts.size(); ++i) {
      bool served = false;
      for (const model::GatewayServer& server : found->as<Gateway>()->servers)
        for (const model::GatewayHost& host : server.hosts)
          served = served || ((host.ns == "*" || host.ns == resource.key.ns) &&
                              (model::host_matches(host.host, spec.hosts[i]) || model::host_matches(spec.hosts[i], host.host)));
      if (!served)
        warn(resource, codes::kHostNotInGateway, "host " + spec.hosts[i] + " of the VirtualService is in no server of Gateway " + name,
             item_of("spec.hosts", i), "add " + spec.hosts[i] + " to the hosts of a server of the Gateway");
    }
  }

  // The oldest VirtualService of a host wins in sidecars; the others are told.
  void conflicts(const Resource& resource, const VirtualService& spec) {
    for (size_t i = 0; i < spec.hosts.size(); ++i) {
      const Resource* oldest = nullptr;
      for (const Resource* other : mesh_hosts_.at(spec.hosts[i]))
        if (older(*other, resource) && may_meet(resource, spec.export_to, *other, other->as<VirtualService>()->export_to) &&
            (!oldest || older(*other, *oldest)))
          oldest = other;
      if (!oldest) continue;
      const std::string winner = oldest->key.ns + "/" + oldest->key.name, own = resource.key.ns + "/" + resource.key.name;
      warn(resource, codes::kHostConflict,
           "the VirtualServices " + winner + " and " + own + " define the same mesh host " + spec.hosts[i] + "; the older one, " + winner +
               ", wins",
           item_of("spec.hosts", i), "merge them into one VirtualService");
    }
  }

  void reachability(const Resource& resource, const VirtualService& spec, size_t at) {
    static const std::vector<HttpMatch> kEverything(1);
    auto matches = [&](size_t route) -> const std::vector<HttpMatch>& {
      return spec.http[route].matches.empty() ? kEverything : spec.http[route].matches;
    };
    const std::vector<HttpMatch>& own = matches(at);
    std::vector<std::optional<size_t>> taken(own.size());
    for (size_t m = 0; m < own.size(); ++m)
      for (size_t earlier = 0; earlier <= at && !taken[m]; ++earlier) {
        const std::vector<HttpMatch>& theirs = matches(earlier);
        if (earlier != at && spec.http[earlier].delegate) continue;  // what the delegate leaves goes on
        const size_t end = earlier == at ? m : theirs.size();
        for (size_t k = 0; k < end && !taken[m]; ++k)
          if (covers(theirs[k], own[m])) taken[m] = earlier;
      }
    const bool all = std::all_of(taken.begin(), taken.end(), [&](const auto& t) { return t && *t < at; });
    const std::string field = item_of("spec.http", at);
    if (all) {
      const bool catch_all = spec.http[*taken.front()].matches.empty();
      warn(resource, codes::kUnreachable,
           "VirtualService rule #" + std::to_string(at) + " not used (" +
               (catch_all ? "only the last rule can have no matches"
                          : "rule #" + std::to_string(*taken.front()) + " takes everything first") +
               ")",
           field, "put it before " + item_of("spec.http", *taken.front()) + ", or remove it");
      return;
    }
    for (size_t m = 0; m < own.size(); ++m)
      if (taken[m])
        warn(resource, codes::kIneffective,
             "VirtualService rule #" + std::to_string(at) + " match #" + std::to_string(m) +
                 " is not used (overlaps with a match in rule #" + std::to_string(*taken[m]) + ")",
             field + item_of(".match", m), "remove the match, or put it first");
  }

  void destination_rule(const Resource& resource, const DestinationRule& spec) {
    const bool wildcard = spec.host.starts_with('*');
    const model::ServiceInfo* service = wildcard ? nullptr : known(spec.host, resource.key.ns);
    if (wildcard) {
      const auto services = view_.services();
      if (std::any_of(services.begin(), services.end(),
                      [&](const model::ServiceInfo* s) { return model::host_matches(spec.host, s->hostname); }))
        return;
    }
    if (!service) {
      warn(resource, codes::kRuleHostUnknown, "no service has the host \"" + spec.written_host + "\" of the DestinationRule", "spec.host",
           wildcard ? "" : host_fix(spec.written_host, resource.key.ns));
      return;
    }
    for (size_t i = 0; i < spec.subsets.size(); ++i) {
      bool any = false;
      for (const model::ServicePort& port : service->ports)
        for (const model::Endpoint& endpoint : view_.endpoints(*service, port.number))
          any = any || model::selects(spec.subsets[i].labels, endpoint.labels);
      if (any) continue;
      std::string labels;
      for (const auto& [key, value] : spec.subsets[i].labels) labels += (labels.empty() ? "" : ", ") + key + ": " + value;
      warn(resource, codes::kEmptySubset,
           "the subset " + spec.subsets[i].name + " selects no pods of " + spec.written_host + "; requests to it get 503",
           item_of("spec.subsets", i), "label a pod of the service with " + (labels.empty() ? "anything" : labels));
    }
  }

  void service(const Resource& resource, const model::Service& spec) {
    for (size_t i = 0; i < spec.ports.size(); ++i) {
      const model::KubePort& port = spec.ports[i];
      if (port.protocol == "UDP" || port.protocol == "SCTP" ||
          model::select_protocol(port.app_protocol, port.name, port.port) != model::Protocol::kUnknown)
        continue;
      if (port.port == 25 || port.port == 53) continue;
      report(resource, codes::kPortName, Severity::kInfo,
             "port name \"" + port.name + "\" (port " + std::to_string(port.port) +
                 ") does not follow the naming convention of Istio, so the protocol is unknown",
             item_of("spec.ports", i), "name it http, http-... , grpc or tcp, or set appProtocol");
    }
  }

  const View& view_;
  std::map<std::string, std::vector<const Resource*>> mesh_hosts_;
  std::set<std::pair<std::string, std::string>> delegated_;
  Diagnostics findings_;
};

}  // namespace

Diagnostics check_references(const model::View& view) { return References(view).run(); }

}  // namespace weft::validation
