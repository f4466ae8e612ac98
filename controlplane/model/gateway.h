// Gateway as validation left it. Servers that are not plain HTTP are kept, marked as not served.
#pragma once
#include "controlplane/model/values.h"

namespace weft::model {

struct GatewayHost {
  std::string ns;    // whose VirtualServices may bind: "*" (any) or a namespace ("." is resolved already)
  std::string host;  // "a.b", "*.b" or "*"
};

struct GatewayServer {
  uint32_t port = 0;
  std::string port_name;
  Protocol protocol = Protocol::kHttp;
  std::string name, bind;
  std::vector<GatewayHost> hosts;
  bool https_redirect = false;  // clients are sent to https://
  bool served() const { return is_http(protocol); }
};

struct Gateway {
  Labels selector;         // empty: every router
  std::string proxies_ns;  // only routers of this namespace; empty: of any
  std::vector<GatewayServer> servers;
};

}  // namespace weft::model
