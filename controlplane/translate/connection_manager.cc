#include "controlplane/translate/connection_manager.h"

#include "controlplane/translate/http_filters.h"
#include "controlplane/translate/messages.h"
#include "controlplane/translate/names.h"
#include "controlplane/translate/rate_limits.h"

#include "envoy/config/listener/v3/listener_components.pb.h"
#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "envoy/extensions/filters/http/grpc_stats/v3/config.pb.h"
#include "envoy/extensions/filters/http/grpc_web/v3/grpc_web.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/extensions/request_id/uuid/v3/uuid.pb.h"

namespace weft::translate {
namespace {

constexpr uint32_t kInboundRetries = 2;

void set_inbound_routes(HttpConnectionManager& out, const InboundRoutes& to) {
  auto* routes = out.mutable_route_config();
  routes->set_name(to.cluster);
  routes->mutable_validate_clusters()->set_value(false);
  auto* host = routes->add_virtual_hosts();
  host->set_name("inbound|http|" + std::to_string(to.port));
  host->add_domains("*");
  auto* route = host->add_routes();
  route->set_name("default");
  route->mutable_match()->set_prefix("/");
  route->mutable_route()->set_cluster(to.cluster);
  route->mutable_decorator()->set_operation(service_operation(to.host, to.port));
  route->mutable_route()->mutable_timeout();  // 0s: none
  // Clients' limits hold, by grpc-timeout: a limit of 0s is none.
  auto* limits = route->mutable_route()->mutable_max_stream_duration();
  limits->mutable_max_stream_duration();
  limits->mutable_grpc_timeout_header_max();
  if (!to.retries) return;
  auto* retries = route->mutable_route()->mutable_retry_policy();
  retries->set_retry_on("reset-before-request");
  retries->mutable_num_retries()->set_value(kInboundRetries);
}

}  // namespace

HttpConnectionManager connection_manager(std::string stat_prefix, bool grpc_web,
                                         const std::vector<model::Typed<model::RateLimit>>& limits) {
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
  if (grpc_web) add_filter(out, "envoy.filters.http.grpc_web", envoy::extensions::filters::http::grpc_web::v3::GrpcWeb());
  envoy::extensions::filters::http::grpc_stats::v3::FilterConfig grpc_stats;
  grpc_stats.mutable_stats_for_all_methods()->set_value(false);
  add_filter(out, "envoy.filters.http.grpc_stats", grpc_stats);
  add_filter(out, "envoy.filters.http.fault", envoy::extensions::filters::http::fault::v3::HTTPFault());
  add_filter(out, "envoy.filters.http.cors", envoy::extensions::filters::http::cors::v3::Cors());
  add_rate_limits(out, limits);
  add_filter(out, "envoy.filters.http.router", envoy::extensions::filters::http::router::v3::Router());
  return out;
}

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

HttpConnectionManager inbound_manager(std::string stat_prefix, const InboundRoutes& routes, bool grpc_web,
                                      const std::vector<model::Typed<model::RateLimit>>& limits) {
  HttpConnectionManager out = connection_manager(std::move(stat_prefix), grpc_web, limits);
  out.set_server_name(kServerName);
  tell_client_certificate(out, HttpConnectionManager::APPEND_FORWARD, false);
  set_inbound_routes(out, routes);
  return out;
}

InboundRoutes inbound_routes(const Binding& binding) {
  // Streams of gRPC are not sent once more.
  const model::Protocol protocol = binding.inbound.port->protocol;
  const bool grpc = protocol == model::Protocol::kGrpc || protocol == model::Protocol::kGrpcWeb;
  return {
      .cluster = inbound_cluster(binding.port), .host = binding.inbound.service->hostname, .port = binding.service_port, .retries = !grpc};
}

void add_http(FilterChain& out, const HttpConnectionManager& manager) {
  auto* filter = out.add_filters();
  filter->set_name("envoy.filters.network.http_connection_manager");
  pack(*filter->mutable_typed_config(), manager);
}

void add_tcp(FilterChain& out, std::string_view cluster) {
  envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy proxy;
  proxy.set_stat_prefix(std::string(cluster));
  proxy.set_cluster(std::string(cluster));
  auto* filter = out.add_filters();
  filter->set_name("envoy.filters.network.tcp_proxy");
  pack(*filter->mutable_typed_config(), proxy);
}

}  // namespace weft::translate
