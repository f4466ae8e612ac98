#include "controlplane/translate/names.h"

namespace weft::translate {

std::string outbound_cluster(uint32_t port, std::string_view subset, std::string_view host) {
  std::string name = "outbound|" + std::to_string(port) + "|";
  name += subset;
  name += '|';
  name += host;
  return name;
}

std::string inbound_cluster(uint32_t port) { return "inbound|" + std::to_string(port) + "||"; }

std::string listener_name(std::string_view address, uint32_t port) { return std::string(address) + "_" + std::to_string(port); }

std::string gateway_routes_name(uint32_t port) { return "http." + std::to_string(port); }

std::string virtual_host_name(std::string_view host, uint32_t port) { return std::string(host) + ":" + std::to_string(port); }

}  // namespace weft::translate
