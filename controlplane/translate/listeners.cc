// LDS: one bound listener per port of the plan. HTTP ports get istiod's connection manager with stock filters only.
#include "controlplane/translate/translate.h"

#include "controlplane/translate/http_filters.h"
#include "controlplane/translate/messages.h"
#include "controlplane/translate/names.h"
#include "controlplane/translate/rate_limits.h"
#include "controlplane/translate/tcp_chains.h"

#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "envoy/extensions/filters/http/grpc_stats/v3/config.pb.h"
#include "envoy/extensions/filters/http/grpc_web/v3/grpc_web.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/extensions/request_id/uuid/v3/uuid.pb.h"

namespace weft::translate {
namespace {

namespace hcm = envoy::extensions::filters::network::http_connection_manager::v3;
using hcm::HttpConnectionManager;

constexpr const char* kServerName = "istio-envoy";
constexpr uint32_t kInboundRetries = 2;

HttpConnectionManager connection_manager(std::string stat_prefix, const Binding& binding) {
  HttpConnectionManager out;
  out.set_stat_prefix(std::move(stat_prefix));
  out.mutable_stream_idle_timeout();  // 0s: routes have their timeouts
  out.mutable_normalize_path()->set_value(true);
  out.set_path_with_escaped_slashes_action(HttpConnectionManager::KEEP_UNCHANGED);
  out.mutable_use_remote_address()->set_value(false);
  out.set_proxy_100_continue(true);
  out.add_upgrade_configs()->set_upgrade_type("websocket");
  envoy::extensions::request_id::uuid::v3::UuidRequestIdConfig request_id;
  request_id.mutable_use_request_id_for_trace_sampling()->set_value(true);
  pack(*out.mutable_request_id_extension()->mutable_typed_config(), request_id);
  if (binding.grpc_web) add_filter(out, "envoy.filters.http.grpc_web", envoy::extensions::filters::http::grpc_web::v3::GrpcWeb());
  envoy::extensions::filters::http::grpc_stats::v3::FilterConfig grpc_stats;
  grpc_stats.mutable_stats_for_all_methods()->set_value(false);
  add_filter(out, "envoy.filters.http.grpc_stats", grpc_stats);
  add_filter(out, "envoy.filters.http.fault", envoy::extensions::filters::http::fault::v3::HTTPFault());
  add_filter(out, "envoy.filters.http.cors", envoy::extensions::filters::http::cors::v3::Cors());
  add_rate_limits(out, binding.limits);
  add_filter(out, "envoy.filters.http.router", envoy::extensions::filters::http::router::v3::Router());
  return out;
}

// What a certificate of the client says is put into x-forwarded-client-cert; `cert`: the certificate itself, too.
void tell_client_certificate(HttpConnectionManager& out, HttpConnectionManager::ForwardClientCertDetails how, bool cert) {
  out.set_forward_client_cert_details(how);
  auto* details = out.mutable_set_current_client_cert_details();
  details->mutable_subject()->set_value(true);
  details->set_cert(cert);
  details->set_dns(true);
  details->set_uri(true);
}

void set_rds(HttpConnectionManager& out, std::string name) {
  set_ads(*out.mutable_rds()->mutable_config_source());
  out.mutable_rds()->set_route_config_name(std::move(name));
}

void set_inbound_routes(HttpConnectionManager& out, const Binding& binding) {
  const std::string cluster = inbound_cluster(binding.port);
  auto* routes = out.mutable_route_config();
  routes->set_name(cluster);
  routes->mutable_validate_clusters()->set_value(false);
  auto* host = routes->add_virtual_hosts();
  host->set_name("inbound|http|" + std::to_string(binding.service_port));
  host->add_domains("*");
  auto* route = host->add_routes();
  route->set_name("default");
  route->mutable_match()->set_prefix("/");
  route->mutable_route()->set_cluster(cluster);
  route->mutable_decorator()->set_operation(service_operation(binding.inbound.service->hostname, binding.service_port));
  route->mutable_route()->mutable_timeout();  // 0s: none
  // Clients' limits hold, by grpc-timeout: a limit of 0s is none.
  auto* limits = route->mutable_route()->mutable_max_stream_duration();
  limits->mutable_max_stream_duration();
  limits->mutable_grpc_timeout_header_max();
  // What the application never began may be sent once more. Streams of gRPC are not.
  if (binding.inbound.port->protocol == model::Protocol::kGrpc || binding.inbound.port->protocol == model::Protocol::kGrpcWeb) return;
  auto* retries = route->mutable_route()->mutable_retry_policy();
  retries->set_retry_on("reset-before-request");
  retries->mutable_num_retries()->set_value(kInboundRetries);
}

void add_http(Listener& out, const HttpConnectionManager& manager) {
  auto* filter = out.add_filter_chains()->add_filters();
  filter->set_name("envoy.filters.network.http_connection_manager");
  pack(*filter->mutable_typed_config(), manager);
}

void add_tcp(Listener& out, const std::string& cluster) {
  envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy proxy;
  proxy.set_stat_prefix(cluster);
  proxy.set_cluster(cluster);
  auto* filter = out.add_filter_chains()->add_filters();
  filter->set_name("envoy.filters.network.tcp_proxy");
  pack(*filter->mutable_typed_config(), proxy);
}

Listener inbound(const Binding& binding) {
  Listener out;
  out.set_name(listener_name(binding.address, binding.port));
  out.set_traffic_direction(envoy::config::core::v3::INBOUND);
  if (!is_http(served_protocol(*binding.inbound.port))) {
    add_tcp(out, inbound_cluster(binding.port));
    return out;
  }
  HttpConnectionManager manager = connection_manager("inbound_" + out.name() + ";", binding);
  manager.set_server_name(kServerName);
  tell_client_certificate(manager, HttpConnectionManager::APPEND_FORWARD, false);
  set_inbound_routes(manager, binding);
  add_http(out, manager);
  return out;
}

Listener outbound(const Binding& binding) {
  Listener out;
  out.set_name(listener_name(binding.address, binding.port));
  out.set_traffic_direction(envoy::config::core::v3::OUTBOUND);
  if (binding.kind == Binding::Kind::kOutboundTcp || binding.kind == Binding::Kind::kGatewayTcp) {
    write_chains(out, binding.chains);
    return out;
  }
  HttpConnectionManager manager = connection_manager("outbound_" + out.name() + ";", binding);
  if (binding.kind == Binding::Kind::kGateway) {
    manager.set_server_name(kServerName);
    manager.mutable_use_remote_address()->set_value(true);  // the edge: what the client says about itself is not believed
    tell_client_certificate(manager, HttpConnectionManager::SANITIZE_SET, true);
    set_rds(manager, gateway_routes_name(binding.port, binding.written_bind));
  } else {
    set_rds(manager, std::to_string(binding.service_port));
  }
  add_http(out, manager);
  return out;
}

}  // namespace

std::vector<Listener> listeners(const ListenerPlan& plan) {
  std::vector<Listener> all;
  for (const Binding& binding : plan.bindings) {
    Listener& out = all.emplace_back(binding.kind == Binding::Kind::kInbound ? inbound(binding) : outbound(binding));
    set_address(*out.mutable_address(), binding.address, binding.port);
  }
  return all;
}

}  // namespace weft::translate
