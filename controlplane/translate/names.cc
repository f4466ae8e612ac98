#include "controlplane/translate/names.h"

#include <charconv>

namespace weft::translate {

std::string outbound_cluster(uint32_t port, std::string_view subset, std::string_view host) {
  std::string name = "outbound|" + std::to_string(port) + "|";
  name += subset;
  name += '|';
  name += host;
  return name;
}

std::string sni_cluster(uint32_t port, std::string_view subset, std::string_view host) {
  std::string name = "outbound_." + std::to_string(port) + "_.";
  return name.append(subset).append("_.").append(host);
}

std::string inbound_cluster(uint32_t port) { return "inbound|" + std::to_string(port) + "||"; }

std::string listener_name(std::string_view address, uint32_t port) { return std::string(address) + "_" + std::to_string(port); }

std::string gateway_routes_name(uint32_t port, std::string_view bind) {
  std::string name = "http." + std::to_string(port);
  return bind.empty() ? name : name.append(".").append(bind);
}

std::string virtual_host_name(std::string_view host, uint32_t port) { return std::string(host) + ":" + std::to_string(port); }

std::string service_operation(std::string_view host, uint32_t port) { return virtual_host_name(host, port) + "/*"; }

ClusterName cluster_name(std::string_view name) {
  constexpr std::string_view kPrefix = "outbound|";
  const size_t port_end = name.find('|', kPrefix.size()),
               subset_end = name.find('|', port_end == std::string_view::npos ? port_end : port_end + 1);
  ClusterName out;
  if (!name.starts_with(kPrefix) || subset_end == std::string_view::npos) return out;
  std::from_chars(name.data() + kPrefix.size(), name.data() + port_end, out.port);
  out.host = name.substr(subset_end + 1);
  return out;
}

}  // namespace weft::translate
