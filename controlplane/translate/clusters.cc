// CDS: one cluster per service port and subset, with the policy of the DestinationRule that the client sees. How its hosts are found
// depends on the service: EDS, DNS, or whatever address the client dialled.
#include "controlplane/translate/endpoints.h"

#include "controlplane/translate/messages.h"
#include "controlplane/translate/names.h"
#include "controlplane/translate/outbound_plan.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

#include <algorithm>
#include <chrono>
#include <limits>

namespace weft::translate {
namespace {

namespace cluster = envoy::config::cluster::v3;
using namespace std::chrono_literals;

constexpr auto kConnectTimeout = 10s, kDnsRefresh = 60s;
constexpr auto kPassthroughIdle = 5min;
constexpr auto kNever = 9223372035s;  // the longest that Envoy counts in nanoseconds
constexpr uint32_t kUnlimited = std::numeric_limits<uint32_t>::max();

void add_circuit_breakers(Cluster& out, const model::ConnectionPool& pool) {
  auto* threshold = out.mutable_circuit_breakers()->add_thresholds();
  threshold->mutable_max_connections()->set_value(pool.max_connections.value_or(kUnlimited));
  threshold->mutable_max_pending_requests()->set_value(pool.http1_max_pending_requests.value_or(kUnlimited));
  threshold->mutable_max_requests()->set_value(pool.http2_max_requests.value_or(kUnlimited));
  threshold->mutable_max_retries()->set_value(pool.max_retries.value_or(kUnlimited));
  threshold->set_track_remaining(true);
}

void set_http2(envoy::config::core::v3::Http2ProtocolOptions& out, const model::ConnectionPool& pool) {
  if (pool.max_concurrent_streams) out.mutable_max_concurrent_streams()->set_value(*pool.max_concurrent_streams);
  if (!pool.http2_keep_alive) return;
  if (pool.http2_keep_alive->interval)
    set_duration(*out.mutable_connection_keepalive()->mutable_interval(), *pool.http2_keep_alive->interval);
  if (pool.http2_keep_alive->timeout) set_duration(*out.mutable_connection_keepalive()->mutable_timeout(), *pool.http2_keep_alive->timeout);
}

// Only when something differs from the defaults: a plain HTTP/1.1 cluster needs none. `outbound`: to another proxy or service, whose
// protocol the client's rule may choose. A protocol that is looked at goes on as it came.
void add_http_options(Cluster& out, const model::ConnectionPool& pool, model::Protocol protocol, bool outbound) {
  const bool unknown = protocol == model::Protocol::kUnknown;
  if (!is_http(protocol) && !unknown) return;
  const bool as_client = unknown || (outbound && pool.use_client_protocol);
  const bool http2 = is_http2(protocol) || (outbound && pool.h2_upgrade);
  if (!http2 && !as_client && !pool.idle_timeout && !pool.max_requests_per_connection) return;
  envoy::extensions::upstreams::http::v3::HttpProtocolOptions options;
  if (pool.idle_timeout) set_duration(*options.mutable_common_http_protocol_options()->mutable_idle_timeout(), *pool.idle_timeout);
  if (pool.max_requests_per_connection) {
    options.mutable_common_http_protocol_options()->mutable_max_requests_per_connection()->set_value(*pool.max_requests_per_connection);
  }
  if (as_client) {
    options.mutable_use_downstream_protocol_config()->mutable_http_protocol_options();
    set_http2(*options.mutable_use_downstream_protocol_config()->mutable_http2_protocol_options(), pool);
  } else if (http2) {
    set_http2(*options.mutable_explicit_http_config()->mutable_http2_protocol_options(), pool);
  } else {
    options.mutable_explicit_http_config()->mutable_http_protocol_options();
  }
  pack((*out.mutable_typed_extension_protocol_options())["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"], options);
}

void add_outlier_detection(Cluster& out, const model::OutlierDetection& rule) {
  auto* detection = out.mutable_outlier_detection();
  detection->mutable_enforcing_success_rate()->set_value(0);
  if (rule.consecutive_5xx_errors) {
    uint32_t limit = *rule.consecutive_5xx_errors;
    detection->mutable_consecutive_5xx()->set_value(limit);
    detection->mutable_enforcing_consecutive_5xx()->set_value(limit > 0 ? 100 : 0);
  }
  if (rule.consecutive_gateway_errors) {
    uint32_t limit = *rule.consecutive_gateway_errors;
    detection->mutable_consecutive_gateway_failure()->set_value(limit);
    detection->mutable_enforcing_consecutive_gateway_failure()->set_value(limit > 0 ? 100 : 0);
  }
  detection->set_split_external_local_origin_errors(rule.split_external_local_origin_errors);
  if (rule.consecutive_local_origin_failures) {
    uint32_t limit = *rule.consecutive_local_origin_failures;
    detection->mutable_consecutive_local_origin_failure()->set_value(limit);
    detection->mutable_enforcing_consecutive_local_origin_failure()->set_value(limit > 0 ? 100 : 0);
  }
  if (rule.interval) set_duration(*detection->mutable_interval(), *rule.interval);
  if (rule.base_ejection_time) set_duration(*detection->mutable_base_ejection_time(), *rule.base_ejection_time);
  if (rule.max_ejection_percent) detection->mutable_max_ejection_percent()->set_value(*rule.max_ejection_percent);
  // Ejecting and panicking contradict each other: panic is off unless asked for.
  out.mutable_common_lb_config()->mutable_healthy_panic_threshold()->set_value(rule.min_health_percent.value_or(0));
}

void add_metadata(Cluster& out, const model::ServiceInfo& service, const model::MergedRule* rule, std::string_view subset) {
  auto& fields = *(*out.mutable_metadata()->mutable_filter_metadata())["istio"].mutable_fields();
  if (rule != nullptr && !rule->name.empty()) {
    fields["config"].set_string_value("/apis/networking.istio.io/v1/namespaces/" + rule->ns + "/destination-rule/" + rule->name);
  }
  auto& listed = *fields["services"].mutable_list_value()->add_values()->mutable_struct_value()->mutable_fields();
  listed["host"].set_string_value(service.hostname);
  listed["name"].set_string_value(service.name);
  listed["namespace"].set_string_value(service.ns);
  if (!subset.empty()) fields["subset"].set_string_value(std::string(subset));
  if (service.mesh_external) fields["external"].set_bool_value(true);
}

cluster::Cluster::LbPolicy lb_policy(const std::optional<model::LoadBalancer>& choice) {
  switch (choice.value_or(model::LoadBalancer::kLeastRequest)) {
    case model::LoadBalancer::kRoundRobin: return Cluster::ROUND_ROBIN;
    case model::LoadBalancer::kRandom: return Cluster::RANDOM;
    case model::LoadBalancer::kLeastRequest: break;
  }
  return Cluster::LEAST_REQUEST;
}

void set_balancing(Cluster& out, const model::PolicyBlocks& policy) {
  if (!policy.consistent_hash) {
    out.set_lb_policy(lb_policy(policy.load_balancer));
  } else if (policy.consistent_hash->maglev) {
    out.set_lb_policy(Cluster::MAGLEV);
    if (policy.consistent_hash->table_size)
      out.mutable_maglev_lb_config()->mutable_table_size()->set_value(*policy.consistent_hash->table_size);
  } else {
    out.set_lb_policy(Cluster::RING_HASH);
    out.mutable_ring_hash_lb_config()->mutable_minimum_ring_size()->set_value(policy.consistent_hash->ring_size);
  }
}

// To the address that a connection was for.
void set_original(Cluster& out) {
  out.set_type(Cluster::ORIGINAL_DST);
  out.clear_lb_config();
  out.set_lb_policy(Cluster::CLUSTER_PROVIDED);
}

// Calls of a sidecar's own come from here, so that they are not captured again.
void set_source(Cluster& out, bool ipv6) {
  auto* source = out.mutable_upstream_bind_config()->mutable_source_address();
  source->set_address(ipv6 ? "::6" : "127.0.0.6");
  source->set_port_value(0);
}

Cluster passthrough(std::string_view name) {
  Cluster out;
  out.set_name(std::string(name));
  set_original(out);
  set_duration(*out.mutable_connect_timeout(), kConnectTimeout);
  model::ConnectionPool pool;
  pool.idle_timeout = kPassthroughIdle;
  add_circuit_breakers(out, pool);
  add_http_options(out, pool, model::Protocol::kUnknown, true);
  return out;
}

// The hosts of a cluster.
void set_discovery(Cluster& out, const model::View& view, const model::ServiceInfo& service, const model::ServicePort& port,
                   const model::Subset* subset, const Scope& scope) {
  if (has_told_endpoints(service, scope)) {
    out.set_type(Cluster::EDS);
    set_ads(*out.mutable_eds_cluster_config()->mutable_eds_config());
    out.mutable_eds_cluster_config()->set_service_name(
        outbound_cluster(port.number, subset != nullptr ? std::string_view(subset->name) : std::string_view(), service.hostname));
    return;
  }
  // Where the client wanted to go; clients of a headless service choose a pod themselves.
  if (service.resolution == model::Resolution::kNone || service.kubernetes) return set_original(out);
  const model::Labels* labels = subset != nullptr ? &subset->labels : nullptr;
  LoadAssignment hosts = load_assignment(out.name(), view.endpoints(service, port.number), labels);
  // One name at a time: where entries share a host, or a subset has none, there is another number of them.
  const bool one = hosts.endpoints_size() == 1 && hosts.endpoints(0).lb_endpoints_size() == 1;
  out.set_type(service.resolution == model::Resolution::kDnsRoundRobin && one ? Cluster::LOGICAL_DNS : Cluster::STRICT_DNS);
  out.set_dns_lookup_family(Cluster::V4_ONLY);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  set_duration(*out.mutable_dns_refresh_rate(), kDnsRefresh);
  out.set_respect_dns_ttl(true);
#pragma GCC diagnostic pop
  *out.mutable_load_assignment() = std::move(hosts);
}

Cluster outbound(const model::View& view, const model::ServiceInfo& service, const model::ServicePort& port, const model::MergedRule* rule,
                 const model::Subset* subset, const Scope& scope, bool sni = false) {
  const auto* subset_policy = subset != nullptr && subset->traffic_policy ? &*subset->traffic_policy : nullptr;
  model::PolicyBlocks policy = effective_policy(rule != nullptr ? rule->policy() : nullptr, subset_policy, port.number);
  const model::ConnectionPool pool = policy.connection_pool.value_or(model::ConnectionPool{});
  const std::string_view subset_name = subset != nullptr ? std::string_view(subset->name) : std::string_view();

  Cluster out;
  out.set_name((sni ? sni_cluster : outbound_cluster)(port.number, subset_name, service.hostname));
  set_balancing(out, policy);
  set_discovery(out, view, service, port, subset, scope);
  set_duration(*out.mutable_connect_timeout(), pool.connect_timeout.value_or(kConnectTimeout));
  out.mutable_common_lb_config();
  add_circuit_breakers(out, pool);
  if (!sni) add_http_options(out, pool, scope.captured ? port.protocol : served_protocol(port), true);
  if (policy.outlier_detection) add_outlier_detection(out, *policy.outlier_detection);
  add_metadata(out, service, rule, subset_name);
  return out;
}

}  // namespace

model::Protocol served_protocol(const model::ServicePort& port) {
  return port.protocol == model::Protocol::kUnknown ? model::Protocol::kHttp : port.protocol;
}

std::vector<Cluster> outbound_clusters(const model::View& view, const Scope& scope) {
  std::vector<Cluster> all;
  for (const model::ServiceInfo* service : services_of(view, scope)) {
    const model::MergedRule* rule = view.destination_rule(service->hostname, service->ns, scope.ns);
    for (const bool sni : {false, true}) {
      if (sni && !scope.sni_dnat) continue;
      for (const model::ServicePort& port : service->ports) {
        all.push_back(outbound(view, *service, port, rule, nullptr, scope, sni));
        if (rule == nullptr) continue;
        for (const model::Subset& subset : rule->subsets) all.push_back(outbound(view, *service, port, rule, &subset, scope, sni));
      }
    }
  }
  if (scope.captured) all.push_back(passthrough(kPassthroughCluster));
  Cluster& hole = all.emplace_back();
  hole.set_name(std::string(kBlackHoleCluster));
  hole.set_type(Cluster::STATIC);
  set_duration(*hole.mutable_connect_timeout(), kConnectTimeout);
  std::sort(all.begin(), all.end(), [](const Cluster& a, const Cluster& b) { return a.name() < b.name(); });
  return all;
}

std::vector<Cluster> inbound_clusters(const model::View& view, const model::Node& node, const ListenerPlan& plan) {
  std::vector<Cluster> all;
  for (const Binding& binding : plan.bindings) {
    if (binding.kind != Binding::Kind::kInbound) continue;
    const model::ServiceInfo& service = *binding.inbound.service;
    const model::MergedRule* rule = view.destination_rule(service.hostname, service.ns, service.ns);
    model::PolicyBlocks policy = effective_policy(rule != nullptr ? rule->policy() : nullptr, nullptr, binding.service_port);
    model::ConnectionPool pool = policy.connection_pool.value_or(model::ConnectionPool{});
    if (binding.inbound.connection_pool != nullptr) pool = *binding.inbound.connection_pool;  // its Sidecar's
    Cluster& out = all.emplace_back();
    out.set_name(inbound_cluster(binding.inbound.target_port));
    set_duration(*out.mutable_connect_timeout(), pool.connect_timeout.value_or(kConnectTimeout));
    out.mutable_common_lb_config();
    const bool told = binding.inbound.ingress != nullptr && !binding.inbound.ingress->endpoint_address.empty();
    if (plan.captured && !told) {
      set_original(out);
      set_source(out, plan.ipv6);
      out.mutable_cleanup_interval()->set_seconds(kNever.count());  // there is one host, the workload
    } else {
      out.set_type(Cluster::STATIC);
      auto [address, port] = application_address(node, binding.inbound);
      auto* assignment = out.mutable_load_assignment();
      assignment->set_cluster_name(out.name());
      set_address(*assignment->add_endpoints()->add_lb_endpoints()->mutable_endpoint()->mutable_address(), address, port);
    }
    add_circuit_breakers(out, pool);
    add_http_options(out, pool, plan.captured ? binding.inbound.port->protocol : served_protocol(*binding.inbound.port), false);
    add_metadata(out, service, rule, {});
  }
  if (plan.captured) set_source(all.emplace_back(passthrough(kInboundPassthroughCluster)), plan.ipv6);
  std::sort(all.begin(), all.end(), [](const Cluster& a, const Cluster& b) { return a.name() < b.name(); });
  return all;
}

}  // namespace weft::translate
