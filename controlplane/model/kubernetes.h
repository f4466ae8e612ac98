// What the control plane reads of Kubernetes' own kinds.
#pragma once
#include "controlplane/model/values.h"

namespace weft::model {

// A number or the name of a container port.
struct TargetPort {
  uint32_t number = 0;
  std::string name;
  bool operator==(const TargetPort&) const = default;
};

struct KubePort {
  std::string name, protocol = "TCP", app_protocol;
  uint32_t port = 0;
  std::optional<TargetPort> target;  // absent: the same number as `port`
};

struct Service {
  std::vector<std::string> cluster_ips;
  bool headless = false;
  bool publish_not_ready = false;
  Labels selector;
  std::vector<KubePort> ports;
  std::vector<std::string> export_to;  // annotation networking.istio.io/exportTo
};

struct PodRef {
  std::string ns, name;  // empty name: none
};

struct EndpointAddress {
  std::string ip, node, zone;
  PodRef pod;
};

struct EndpointPort {
  std::string name, protocol = "TCP";
  std::optional<uint32_t> port;  // absent in a slice: all ports
};

struct EndpointsSubset {
  std::vector<EndpointAddress> ready, not_ready;
  std::vector<EndpointPort> ports;
};
struct Endpoints {
  std::vector<EndpointsSubset> subsets;
};

struct SliceEndpoint {
  std::vector<std::string> addresses;
  bool ready = true, terminating = false;
  std::string node, zone;
  PodRef pod;
};
struct EndpointSlice {
  std::string service;       // label kubernetes.io/service-name
  std::string address_type;  // IPv4, IPv6, FQDN
  std::vector<EndpointPort> ports;
  std::vector<SliceEndpoint> endpoints;
};

struct ContainerPort {
  std::string name;
  uint32_t number = 0;
};
struct Pod {
  std::string ip, node, service_account = "default";
  std::string hostname, subdomain;  // set: its name within a headless Service
  bool ready = true;                // conditions say Ready=False, or the phase is over: false
  std::vector<ContainerPort> ports;
};

struct Namespace {};

}  // namespace weft::model
