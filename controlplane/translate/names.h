// The names that tie xDS resources together, in Istio's spelling.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace weft::translate {

// outbound|8080|v2|order-service.default.svc.cluster.local
std::string outbound_cluster(uint32_t port, std::string_view subset, std::string_view host);
// outbound_.8080_.v2_.order-service.default.svc.cluster.local, as the SNI of sidecars has it
std::string sni_cluster(uint32_t port, std::string_view subset, std::string_view host);
// inbound|8080||
std::string inbound_cluster(uint32_t port);
// 127.0.0.5_8080
std::string listener_name(std::string_view address, uint32_t port);
// http.8080; http.8080.127.0.0.5 of a server that says where it binds
std::string gateway_routes_name(uint32_t port, std::string_view bind = {});
// order-service.default.svc.cluster.local:8080
std::string virtual_host_name(std::string_view host, uint32_t port);

// order-service.default.svc.cluster.local:8080/*
std::string service_operation(std::string_view host, uint32_t port);

// What outbound_cluster was made of; no host: another name.
struct ClusterName {
  uint32_t port = 0;
  std::string_view host;
};
ClusterName cluster_name(std::string_view name);

inline constexpr std::string_view kBlackHoleCluster = "BlackHoleCluster", kPassthroughCluster = "PassthroughCluster",
                                  kInboundPassthroughCluster = "InboundPassthroughCluster";

// Where captured traffic is redirected to.
inline constexpr uint32_t kVirtualOutboundPort = 15001, kVirtualInboundPort = 15006;
inline std::string wildcard_address(bool ipv6) { return ipv6 ? "::" : "0.0.0.0"; }

}  // namespace weft::translate
