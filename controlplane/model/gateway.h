// Gateway as validation left it. Servers that terminate TLS are kept, marked as not served.
#pragma once
#include "controlplane/model/values.h"

namespace weft::model {

struct GatewayHost {
  std::string ns;    // whose VirtualServices may bind: "*" (any) or a namespace ("." is resolved already)
  std::string host;  // "a.b", "*.b" or "*"
};

// What becomes of TLS at a server. Terminating it (kTerminate) needs certificates, so such servers are not served.
enum class GatewayTls : unsigned char { kNone, kTerminate, kPassthrough, kAutoPassthrough };

struct GatewayServer {
  uint32_t port = 0;
  std::string port_name;
  Protocol protocol = Protocol::kHttp;
  std::string name, bind;
  std::vector<GatewayHost> hosts;
  bool https_redirect = false;  // clients are sent to https://
  GatewayTls tls = GatewayTls::kNone;
  bool http() const { return is_http(protocol); }
  bool served() const { return tls != GatewayTls::kTerminate; }
};

struct Gateway {
  Labels selector;         // empty: every router
  std::string proxies_ns;  // only routers of this namespace; empty: of any
  std::vector<GatewayServer> servers;
};

}  // namespace weft::model
