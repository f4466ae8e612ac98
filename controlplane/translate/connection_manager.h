// Filter chains as istiod fills them, with stock filters only: a connection manager, or TCP to a cluster.
#pragma once
#include "controlplane/translate/translate.h"

#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

namespace weft::translate {

using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

inline constexpr const char* kServerName = "istio-envoy";

HttpConnectionManager connection_manager(std::string stat_prefix, bool grpc_web = false,
                                         const std::vector<model::Typed<model::RateLimit>>& limits = {});

// What a certificate of the client says is put into x-forwarded-client-cert; `cert`: the certificate itself, too.
void tell_client_certificate(HttpConnectionManager& out, HttpConnectionManager::ForwardClientCertDetails how, bool cert);
void set_rds(HttpConnectionManager& out, std::string name);

// What other proxies send to a workload: everything to `cluster`. `host` and `port` are its service's.
struct InboundRoutes {
  std::string cluster, host;
  uint32_t port = 0;
  bool retries = true;  // what the application never began
};
HttpConnectionManager inbound_manager(std::string stat_prefix, const InboundRoutes& routes, bool grpc_web = false,
                                      const std::vector<model::Typed<model::RateLimit>>& limits = {});
InboundRoutes inbound_routes(const Binding& binding);

void add_http(FilterChain& out, const HttpConnectionManager& manager);
void add_tcp(FilterChain& out, std::string_view cluster);

}  // namespace weft::translate
