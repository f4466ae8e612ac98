// gRPC's own xDS clients and servers, which have no proxy beside them. Istiod's layout for them: a listener is named by what a client
// dials and holds a connection manager, routes are named by their cluster, and nothing is sent that gRPC does not understand: it
// refuses some of that (unknown filters, balancers) and misreads the rest.
#include "controlplane/translate/endpoints.h"
#include "controlplane/translate/http_filters.h"
#include "controlplane/translate/http_routes.h"
#include "controlplane/translate/messages.h"
#include "controlplane/translate/names.h"
#include "controlplane/translate/translate.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

#include <algorithm>
#include <limits>

namespace weft::translate {
namespace {

namespace route = envoy::config::route::v3;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

constexpr std::string_view kServerPrefix = "xds.istio.io/grpc/lds/inbound/";
constexpr std::string_view kFaultFilterName = "envoy.filters.http.fault";

Listener api_listener(const std::string& name, uint32_t port, const HttpConnectionManager& manager) {
  Listener out;
  out.set_name(name + ":" + std::to_string(port));
  pack(*out.mutable_api_listener()->mutable_api_listener(), manager);
  return out;
}

// Every name that a client in `ns` may dial.
std::vector<std::string> names_of(const model::ServiceInfo& service, const std::string& ns) {
  std::vector<std::string> names = {service.hostname};
  if (!service.kubernetes) return names;
  const std::string qualified = service.name + "." + service.ns;
  if (service.ns == ns) names.push_back(service.name);
  names.push_back(qualified);
  names.push_back(qualified + ".svc");
  return names;
}

// In the words that older clients know as well: they refuse a string_match.
void use_old_words(route::HeaderMatcher& header) {
  if (!header.has_string_match()) return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  const auto match = header.string_match();
  if (match.has_safe_regex())
    *header.mutable_safe_regex_match() = match.safe_regex();
  else if (!match.prefix().empty())
    header.set_prefix_match(match.prefix());
  else
    header.set_exact_match(match.exact());
#pragma GCC diagnostic pop
}

// Whether gRPC can ever take the route; what it would misread is put into its words.
bool fit_match(route::RouteMatch& match) {
  if (match.query_parameters_size() > 0) return false;
  if (match.path_specifier_case() == route::RouteMatch::kPathSeparatedPrefix) match.set_prefix(match.path_separated_prefix() + "/");
  std::vector<route::HeaderMatcher> headers(match.headers().begin(), match.headers().end());
  match.clear_headers();
  for (route::HeaderMatcher& header : headers) {
    // Pseudo headers are not there to match. A call is a POST, always.
    if (header.name() == ":method") {
      const auto& wanted = header.string_match();
      const bool post = wanted.exact() == "POST" || (!wanted.prefix().empty() && std::string_view("POST").starts_with(wanted.prefix()));
      if (header.invert_match() == post) return false;
      continue;
    }
    if (header.name().starts_with(':')) return false;
    use_old_words(header);
    *match.add_headers() = std::move(header);
  }
  return true;
}

void fit_action(route::RouteAction& action) {
  route::RouteAction out;
  if (action.has_weighted_clusters()) {
    uint32_t total = 0;
    for (const auto& cluster : action.weighted_clusters().clusters()) {
      auto* one = out.mutable_weighted_clusters()->add_clusters();
      one->set_name(cluster.name());
      *one->mutable_weight() = cluster.weight();
      total += cluster.weight().value();
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    out.mutable_weighted_clusters()->mutable_total_weight()->set_value(total);  // older clients take 100 when it is absent
#pragma GCC diagnostic pop
  } else {
    out.set_cluster(action.cluster());
  }
  // The time that a whole call may take.
  if (action.timeout().seconds() > 0 || action.timeout().nanos() > 0)
    *out.mutable_max_stream_duration()->mutable_max_stream_duration() = action.timeout();
  if (action.has_retry_policy() && action.retry_policy().num_retries().value() > 0) {
    auto* policy = out.mutable_retry_policy();
    policy->set_retry_on(action.retry_policy().retry_on());
    *policy->mutable_num_retries() = action.retry_policy().num_retries();
    if (action.retry_policy().has_retry_back_off()) *policy->mutable_retry_back_off() = action.retry_policy().retry_back_off();
  }
  for (const auto& hash : action.hash_policy())
    if (hash.has_header()) *out.add_hash_policy() = hash;
  action = std::move(out);
}

// What gRPC understands of a route; nothing where it could never take it.
std::optional<Route> fit(const Route& from) {
  Route out;
  out.set_name(from.name());
  *out.mutable_match() = from.match();
  if (!fit_match(*out.mutable_match())) return std::nullopt;
  if (from.has_route()) {
    *out.mutable_route() = from.route();
    fit_action(*out.mutable_route());
  } else {
    out.mutable_non_forwarding_action();  // a redirect or an answer without a backend: the call fails
  }
  if (auto fault = from.typed_per_filter_config().find(std::string(kFaultFilterName)); fault != from.typed_per_filter_config().end())
    (*out.mutable_typed_per_filter_config())[fault->first] = fault->second;
  return out;
}

Cluster eds_cluster(const model::ServiceInfo& service, const model::ServicePort& port, const model::MergedRule* rule,
                    const model::Subset* subset) {
  const auto* subset_policy = subset != nullptr && subset->traffic_policy ? &*subset->traffic_policy : nullptr;
  const model::PolicyBlocks policy = effective_policy(rule != nullptr ? rule->policy() : nullptr, subset_policy, port.number);
  Cluster out;
  out.set_name(outbound_cluster(port.number, subset != nullptr ? std::string_view(subset->name) : std::string_view(), service.hostname));
  out.set_type(Cluster::EDS);
  out.mutable_eds_cluster_config()->mutable_eds_config()->mutable_ads();
  out.mutable_eds_cluster_config()->set_service_name(out.name());
  out.set_lb_policy(Cluster::ROUND_ROBIN);  // what every gRPC knows
  if (policy.connection_pool && policy.connection_pool->http2_max_requests)
    out.mutable_circuit_breakers()->add_thresholds()->mutable_max_requests()->set_value(*policy.connection_pool->http2_max_requests);
  return out;
}

}  // namespace

std::vector<Listener> proxyless_listeners(const model::View& view, const Scope& scope) {
  std::vector<Listener> all;
  for (const model::ServiceInfo* service : view.visible_services(scope)) {
    if (!has_told_endpoints(*service, scope)) continue;  // gRPC knows names of DNS by itself
    for (const model::ServicePort& port : service->ports) {
      HttpConnectionManager manager;
      manager.mutable_rds()->mutable_config_source()->mutable_ads();
      manager.mutable_rds()->set_route_config_name(outbound_cluster(port.number, {}, service->hostname));
      add_filter(manager, kFaultFilterName, envoy::extensions::filters::http::fault::v3::HTTPFault());
      add_filter(manager, "envoy.filters.http.router", envoy::extensions::filters::http::router::v3::Router());
      for (const std::string& name : names_of(*service, scope.ns)) all.push_back(api_listener(name, port.number, manager));
    }
  }
  std::sort(all.begin(), all.end(), [](const Listener& a, const Listener& b) { return a.name() < b.name(); });
  return all;
}

std::vector<Listener> proxyless_server_listeners(const model::View& view, const model::Node& node) {
  std::vector<Listener> all;
  HttpConnectionManager manager;
  manager.mutable_route_config()->set_name("inbound");
  auto* host = manager.mutable_route_config()->add_virtual_hosts();
  host->set_name("inbound");
  host->add_domains("*");
  Route* accept = host->add_routes();
  accept->mutable_match()->set_prefix("/");
  accept->mutable_non_forwarding_action();
  add_filter(manager, "envoy.filters.http.router", envoy::extensions::filters::http::router::v3::Router());
  std::vector<uint32_t> ports;
  for (const model::InboundPort& inbound : view.inbound(node)) {
    if (std::find(ports.begin(), ports.end(), inbound.target_port) == ports.end()) ports.push_back(inbound.target_port);
  }
  for (uint32_t port : ports) {
    // The name holds what the server listens on, as it says it.
    for (const auto& [written, address] : {std::pair<std::string, std::string>{node.ip, node.ip}, {"0.0.0.0", "0.0.0.0"}, {"[::]", "::"}}) {
      Listener& out = all.emplace_back();
      out.set_name(std::string(kServerPrefix) + written + ":" + std::to_string(port));
      set_address(*out.mutable_address(), address, port);
      auto* chain = out.add_filter_chains();
      chain->set_name("inbound-plaintext");
      auto* filter = chain->add_filters();
      filter->set_name("inbound-hcmplaintext");
      pack(*filter->mutable_typed_config(), manager);
    }
  }
  return all;
}

std::vector<Cluster> proxyless_clusters(const model::View& view, const Scope& scope) {
  std::vector<Cluster> all;
  for (const model::ServiceInfo* service : view.visible_services(scope)) {
    if (!has_told_endpoints(*service, scope)) continue;
    const model::MergedRule* rule = view.destination_rule(service->hostname, service->ns, scope.ns);
    for (const model::ServicePort& port : service->ports) {
      all.push_back(eds_cluster(*service, port, rule, nullptr));
      if (rule == nullptr) continue;
      for (const model::Subset& subset : rule->subsets) all.push_back(eds_cluster(*service, port, rule, &subset));
    }
  }
  std::sort(all.begin(), all.end(), [](const Cluster& a, const Cluster& b) { return a.name() < b.name(); });
  return all;
}

std::vector<RouteConfiguration> proxyless_routes(const model::View& view, const Client& client) {
  // The sidecar's own configurations say which rule has which service; here each service's part stands alone.
  std::map<std::string, const route::VirtualHost*> hosts;
  Client sidecar = client;
  sidecar.proxyless = false;
  const std::vector<RouteConfiguration> shared = route_configurations(view, sidecar);
  for (const RouteConfiguration& configuration : shared)
    for (const auto& host : configuration.virtual_hosts()) hosts.emplace(host.name(), &host);
  std::vector<RouteConfiguration> all;
  for (const model::ServiceInfo* service : view.visible_services(scope_of(client))) {
    for (const model::ServicePort& port : service->ports) {
      RouteConfiguration& out = all.emplace_back();
      out.set_name(outbound_cluster(port.number, {}, service->hostname));
      auto* host = out.add_virtual_hosts();
      host->set_name(virtual_host_name(service->hostname, port.number));
      host->add_domains("*");  // whatever name led here
      auto found = hosts.find(host->name());
      if (found == hosts.end()) {  // a port that sidecars pass on as TCP
        *host->add_routes() = *fit(default_route(service->hostname, {view, sidecar, std::string(model::kMesh), port.number}));
        continue;
      }
      for (const Route& written : found->second->routes())
        if (std::optional<Route> one = fit(written)) *host->add_routes() = std::move(*one);
    }
  }
  std::sort(all.begin(), all.end(), [](const RouteConfiguration& a, const RouteConfiguration& b) { return a.name() < b.name(); });
  return all;
}

}  // namespace weft::translate
