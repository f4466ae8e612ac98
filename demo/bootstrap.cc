#include "demo/bootstrap.h"

namespace weft::demo {
namespace {

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

std::string port_map(const std::map<unsigned short, unsigned short>& ports) {
  std::string text = "{";
  for (const auto& [from, to] : ports) text += (text.size() > 1 ? ", " : "") + quoted(std::to_string(from)) + ": " + std::to_string(to);
  return text + "}";
}

std::string address_yaml(const Address& address) {
  return "{socket_address: {address: " + address.ip + ", port_value: " + std::to_string(address.port) + "}}";
}

}  // namespace

std::string bootstrap_yaml(const ProxyNode& node, const Address& admin, const Address& control) {
  std::string labels = "{";
  for (const auto& [key, value] : node.labels) labels += (labels.size() > 1 ? ", " : "") + quoted(key) + ": " + quoted(value);
  labels += "}";
  const auto app = node.labels.find("app");
  const std::string type = node.gateway ? "router" : "sidecar";
  std::string text;
  text += "node:\n";
  text += "  id: " + quoted(type + "~" + node.ip + "~" + node.name + "." + node.ns + "~" + node.ns + ".svc.cluster.local") + "\n";
  text += "  cluster: " + quoted((app != node.labels.end() ? app->second : node.name) + "." + node.ns) + "\n";
  text += "  metadata:\n";
  text += "    NAMESPACE: " + quoted(node.ns) + "\n";
  text += "    LABELS: " + labels + "\n";
  text += "    INTERCEPTION_MODE: NONE\n";
  text += "    UNPRIVILEGED_POD: \"true\"\n";
  text += "    APP_ADDRESS: " + quoted(node.ip) + "\n";
  if (!node.application_ports.empty()) text += "    APP_PORTS: " + port_map(node.application_ports) + "\n";
  if (!node.outbound_ports.empty()) text += "    OUTBOUND_PORTS: " + port_map(node.outbound_ports) + "\n";
  text += "admin:\n  address: " + address_yaml(admin) + "\n";
  text += "dynamic_resources:\n";
  text += "  lds_config: {resource_api_version: V3, ads: {}}\n";
  text += "  cds_config: {resource_api_version: V3, ads: {}}\n";
  text += "  ads_config:\n    api_type: GRPC\n    transport_api_version: V3\n    set_node_on_first_message_only: true\n";
  text += "    grpc_services:\n    - envoy_grpc: {cluster_name: xds}\n";
  text += "static_resources:\n  clusters:\n  - name: xds\n    type: STATIC\n    connect_timeout: 1s\n";
  text += "    typed_extension_protocol_options:\n      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n";
  text += "        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n";
  text += "        explicit_http_config: {http2_protocol_options: {}}\n";
  text += "    load_assignment:\n      cluster_name: xds\n      endpoints:\n      - lb_endpoints:\n";
  text += "        - endpoint: {address: " + address_yaml(control) + "}\n";
  return text;
}

}  // namespace weft::demo
