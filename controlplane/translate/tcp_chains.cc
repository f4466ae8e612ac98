#include "controlplane/translate/tcp_chains.h"

#include "controlplane/translate/inspectors.h"
#include "controlplane/translate/messages.h"
#include "controlplane/translate/names.h"

#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <tuple>

namespace weft::translate {
namespace {

using model::L4Match;
using model::L4Route;

uint32_t chain_port(const model::Destination& to, const ChainScope& scope) {
  if (to.port) return *to.port;
  const model::ServiceInfo* service = scope.view.find_service(to.host, scope.scope.ns);
  return service && service->ports.size() == 1 ? service->ports.front().number : scope.port;
}

TcpChain chain_to(const L4Route& route, const model::Resource& rule, const ChainScope& scope) {
  TcpChain out;
  for (const model::RouteDestination& to : route.routes) {
    const uint32_t weight = route.routes.size() == 1 ? 1 : to.weight.value_or(0);
    if (weight == 0) continue;
    const std::string name = to.destination.host.empty()
                                 ? std::string("UnknownService")
                                 : outbound_cluster(chain_port(to.destination, scope), to.destination.subset, to.destination.host);
    out.targets.push_back({name, weight});
  }
  if (out.targets.empty()) out.targets.push_back({std::string(kBlackHoleCluster), 1});  // no backend of the Gateway API's route is there
  out.stat_prefix = out.targets.size() == 1 ? out.targets.front().cluster : rule.key.name + "." + rule.key.ns;
  return out;
}

bool fits(const L4Match& match, const ChainScope& scope) {
  if (!match.gateways.empty() && std::find(match.gateways.begin(), match.gateways.end(), scope.gateway) == match.gateways.end())
    return false;
  if (match.port && *match.port != scope.port) return false;
  if (match.source_namespace && !match.source_namespace->empty() && *match.source_namespace != scope.scope.ns) return false;
  return model::selects(match.source_labels, scope.labels);
}

void add_tls_route(const L4Route& route, const model::Resource& rule, const ChainScope& scope, std::vector<TcpChain>& out) {
  for (const L4Match& match : route.matches) {
    if (!fits(match, scope)) continue;
    TcpChain& chain = out.emplace_back(chain_to(route, rule, scope));
    for (const std::string& name : match.sni_hosts) chain.server_names.push_back(name == "*" ? std::string() : name);
    if (std::find(chain.server_names.begin(), chain.server_names.end(), "") != chain.server_names.end()) chain.server_names.clear();
    chain.any_tls = chain.server_names.empty();
    chain.prefixes = match.destination_subnets;
  }
}

// Whether the route takes all that is left.
bool add_tcp_route(const L4Route& route, const model::Resource& rule, const ChainScope& scope, std::vector<TcpChain>& out) {
  if (route.matches.empty()) {
    out.push_back(chain_to(route, rule, scope));
    return true;
  }
  for (const L4Match& match : route.matches) {
    if (!fits(match, scope)) continue;
    TcpChain& chain = out.emplace_back(chain_to(route, rule, scope));
    chain.prefixes = match.destination_subnets;
    if (chain.prefixes.empty()) return true;
  }
  return false;
}

bool names(const model::VirtualService& rule, const std::string& host) {
  return std::any_of(rule.hosts.begin(), rule.hosts.end(), [&](const std::string& own) { return model::host_matches(own, host); });
}

void write_match(FilterChain& out, const TcpChain& chain) {
  if (chain.any_tls || !chain.alpn.empty()) out.mutable_filter_chain_match()->set_transport_protocol("tls");
  for (const std::string& name : chain.server_names) out.mutable_filter_chain_match()->add_server_names(name);
  for (const std::string& name : chain.alpn) out.mutable_filter_chain_match()->add_application_protocols(name);
  for (const std::string& prefix : chain.prefixes) {
    auto* range = out.mutable_filter_chain_match()->add_prefix_ranges();
    const size_t slash = prefix.find('/');
    range->set_address_prefix(prefix.substr(0, slash));
    const uint32_t whole = prefix.find(':') == std::string::npos ? 32 : 128;
    range->mutable_prefix_len()->set_value(
        slash == std::string::npos ? whole : static_cast<uint32_t>(std::strtoul(prefix.c_str() + slash + 1, nullptr, 10)));
  }
}

}  // namespace

std::vector<TcpChain> rule_chains(const ChainScope& scope, const ChainRules& rules, const model::ServiceInfo& service,
                                  const model::ServicePort& port) {
  std::vector<TcpChain> out;
  const bool tls = tells_sni(port.protocol);
  for (const auto& rule : rules) {
    if (!names(*rule.spec, service.hostname)) continue;
    if (tls)
      for (const L4Route& route : rule->tls) add_tls_route(route, *rule.resource, scope, out);
    for (const L4Route& route : rule->tcp)
      if (!tls && add_tcp_route(route, *rule.resource, scope, out)) return out;
  }
  return out;
}

std::vector<TcpChain> service_chains(const ChainScope& scope, const ChainRules& rules, const model::ServiceInfo& service,
                                     const model::ServicePort& port, bool shared) {
  std::vector<TcpChain> out = rule_chains(scope, rules, service, port);
  const bool tls = tells_sni(port.protocol);
  const bool complete = tls ? !out.empty() : !out.empty() && out.back().prefixes.empty();
  if (complete) return out;
  TcpChain& all = out.emplace_back();
  all.stat_prefix = outbound_cluster(port.number, {}, service.hostname);
  all.targets.push_back({all.stat_prefix, 1});
  if (tls && shared) all.server_names = {service.hostname};
  return out;
}

std::vector<TcpChain> server_chains(const ChainScope& scope, const ChainRules& rules, const model::GatewayServer& server) {
  std::vector<TcpChain> out;
  for (const auto& rule : rules) {
    const bool bound = std::any_of(rule->hosts.begin(), rule->hosts.end(), [&](const std::string& host) {
      return std::any_of(server.hosts.begin(), server.hosts.end(), [&](const model::GatewayHost& allowed) {
        return (allowed.ns == "*" || allowed.ns == rule.resource->key.ns) &&
               (model::host_matches(allowed.host, host) || model::host_matches(host, allowed.host));
      });
    });
    if (!bound) continue;
    if (server.tls == model::GatewayTls::kPassthrough) {
      for (const L4Route& route : rule->tls) add_tls_route(route, *rule.resource, scope, out);
      continue;
    }
    for (const L4Route& route : rule->tcp)
      if (add_tcp_route(route, *rule.resource, scope, out)) return out;
  }
  return out;
}

std::vector<TcpChain> passthrough_chains(const ChainScope& scope, const model::GatewayServer& server) {
  std::vector<TcpChain> out;
  for (const model::ServiceInfo* service : scope.view.visible_services(scope.scope)) {
    const bool allowed = std::any_of(server.hosts.begin(), server.hosts.end(), [&](const model::GatewayHost& host) {
      return (host.ns == "*" || host.ns == service->ns) && model::host_matches(host.host, service->hostname);
    });
    if (!allowed) continue;
    const model::MergedRule* rule = scope.view.destination_rule(service->hostname, service->ns, scope.scope.ns);
    auto add = [&](const model::ServicePort& port, std::string_view subset) {
      TcpChain& chain = out.emplace_back();
      chain.stat_prefix = sni_cluster(port.number, subset, service->hostname);
      chain.server_names = {chain.stat_prefix};
      chain.targets.push_back({chain.stat_prefix, 1});
      // Sidecars alone speak so to each other: the certificate is the service's, not the gateway's.
      chain.alpn = {"istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"};
    };
    for (const model::ServicePort& port : service->ports) {
      add(port, {});
      if (rule == nullptr) continue;
      for (const model::Subset& subset : rule->subsets) add(port, subset.name);
    }
  }
  return out;
}

void add_chains(std::vector<TcpChain>& to, std::vector<TcpChain> more) {
  static const std::vector<std::string> kAny = {""};
  using Place = std::tuple<bool, std::string, std::string>;
  auto places = [](const TcpChain& chain) {
    std::set<Place> out;
    for (const std::string& name : chain.server_names.empty() ? kAny : chain.server_names)
      for (const std::string& prefix : chain.prefixes.empty() ? kAny : chain.prefixes) out.insert({chain.any_tls, name, prefix});
    return out;
  };
  std::set<Place> taken;
  for (const TcpChain& chain : to) taken.merge(places(chain));
  for (TcpChain& chain : more) {
    // Of a chain's names those go that another one has.
    const std::vector<std::string>& prefixes = chain.prefixes.empty() ? kAny : chain.prefixes;
    if (chain.server_names.size() > 1) {
      std::vector<std::string> left;
      for (const std::string& name : chain.server_names) {
        const bool free = std::none_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) {
          return taken.contains({chain.any_tls, name, prefix});
        });
        if (free && std::find(left.begin(), left.end(), name) == left.end()) left.push_back(name);
      }
      if (left.empty()) continue;
      chain.server_names = std::move(left);
    }
    std::set<Place> own = places(chain);
    if (std::any_of(own.begin(), own.end(), [&](const Place& place) { return taken.contains(place); })) continue;
    taken.merge(own);
    to.push_back(std::move(chain));
  }
}

void write_chain(FilterChain& out, const TcpChain& chain) {
  envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy proxy;
  proxy.set_stat_prefix(chain.stat_prefix);
  if (chain.targets.size() == 1) {
    proxy.set_cluster(chain.targets.front().cluster);
  } else {
    for (const TcpTarget& target : chain.targets) {
      auto* one = proxy.mutable_weighted_clusters()->add_clusters();
      one->set_name(target.cluster);
      one->set_weight(target.weight);
    }
  }
  write_match(out, chain);
  auto* filter = out.add_filters();
  filter->set_name("envoy.filters.network.tcp_proxy");
  pack(*filter->mutable_typed_config(), proxy);
}

void write_chains(Listener& out, const std::vector<TcpChain>& chains) {
  for (const TcpChain& chain : chains) write_chain(*out.add_filter_chains(), chain);
  add_inspectors(out);
}

}  // namespace weft::translate
