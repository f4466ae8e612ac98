// The Envoy v3 bootstrap of a proxy of the demo. weft-proxy reads it, and so does a real Envoy.
#pragma once
#include "demo/blocking_http.h"

#include <map>
#include <string>

namespace weft::demo {

struct ProxyNode {
  bool gateway = false;
  std::string ip, name, ns;
  std::map<std::string, std::string> labels;
  std::map<unsigned short, unsigned short> application_ports;  // the pod's port -> where the service listens, on the same address
  std::map<unsigned short, unsigned short> outbound_ports;     // a service's port -> where the sidecar takes calls to it
};

std::string bootstrap_yaml(const ProxyNode& node, const Address& admin, const Address& control);

}  // namespace weft::demo
