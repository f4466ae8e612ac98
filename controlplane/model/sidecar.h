// Sidecar as validation left it: which services the proxies of some workloads know, and on which ports they serve and send. And `Scope`:
// who it is that asks for services.
#pragma once
#include "controlplane/model/destination_rule.h"

namespace weft::model {

// Clients of a namespace, narrowed by the Sidecar that picks them, if one does.
struct Scope {
  std::string ns;
  std::string sidecar;  // "ns/name"; empty: none

  Scope(std::string name, std::string of_sidecar) : ns(std::move(name)), sidecar(std::move(of_sidecar)) {}
  // A namespace's clients without a Sidecar, so that whoever asks for a namespace may name it.
  Scope(std::string name) : ns(std::move(name)) {}
  Scope(std::string_view name) : ns(name) {}
  Scope(const char* name) : ns(name) {}
  auto operator<=>(const Scope&) const = default;
};

// One of spec.egress[].hosts. Later ones may take away what earlier ones named.
struct EgressHost {
  std::string ns;        // "*" any, "." the client's own, "~" none
  std::string host;      // "a.b", "*.b" or "*"
  bool without = false;  // "~ns/host": all but this
  bool takes(std::string_view service_ns, std::string_view hostname, std::string_view client_ns) const;
};

enum class CaptureMode : unsigned char { kDefault, kIptables, kNone };

struct SidecarPort {
  uint32_t number = 0;
  std::string name;
  Protocol protocol = Protocol::kTcp;
};

struct EgressListener {
  std::optional<SidecarPort> port;  // absent: the ports of the services
  std::string bind;                 // an IP, "unix://PATH", or empty
  CaptureMode capture = CaptureMode::kDefault;
  std::vector<EgressHost> hosts;
  bool takes(std::string_view service_ns, std::string_view hostname, std::string_view client_ns) const;
};

struct IngressListener {
  SidecarPort port;
  std::string bind;
  CaptureMode capture = CaptureMode::kDefault;
  // Where the application is: "127.0.0.1", "::1", "0.0.0.0" (the workload's own address) or "unix://PATH"; empty: nobody said.
  std::string endpoint_address;
  uint32_t endpoint_port = 0;  // not of a Unix socket
  std::optional<ConnectionPool> connection_pool;
};

enum class OutboundPolicy : unsigned char { kRegistryOnly, kAllowAny };

struct Sidecar {
  std::optional<Labels> workload_selector;
  std::vector<EgressListener> egress;  // one without port is the last
  std::vector<IngressListener> ingress;
  std::optional<OutboundPolicy> outbound_policy;
  std::optional<ConnectionPool> inbound_pool;
};

}  // namespace weft::model
