// What is to be captured. `CaptureFlags` is what people write (flags, environment, annotations: text, with istio-init's names and
// defaults); `plan_of` checks it and gives a `CapturePlan`, the value that the rules follow from. No I/O.
#pragma once
#include "init/cidr.h"

#include <cstdint>
#include <functional>
#include <optional>

namespace weft::init {

struct CaptureFlags {
  std::string envoy_port = "15001";            // --envoy-port
  std::string inbound_capture_port = "15006";  // --inbound-capture-port
  std::string inbound_tunnel_port = "15008";   // --inbound-tunnel-port
  std::string probe_port = "15002";            // --iptables-probe-port
  std::string proxy_uid = "1337";              // --proxy-uid
  std::string proxy_gid;                       // --proxy-gid; empty: as proxy_uid
  std::string mode = "REDIRECT";               // --istio-inbound-interception-mode
  std::string inbound_ports;                   // --istio-inbound-ports
  std::string inbound_ports_excluded;          // --istio-local-exclude-ports
  std::string outbound_ports;                  // --istio-outbound-ports
  std::string outbound_ports_excluded;         // --istio-local-outbound-ports-exclude
  std::string service_cidr;                    // --istio-service-cidr
  std::string service_exclude_cidr;            // --istio-service-exclude-cidr
  std::string kube_virt_interfaces;            // --kube-virt-interfaces
  std::string exclude_interfaces;              // --istio-exclude-interfaces
  std::string tproxy_mark = "1337";            // --istio-inbound-tproxy-mark
  std::string tproxy_route_table = "133";      // --istio-inbound-tproxy-route-table
  std::string owner_groups = "*";              // --owner-groups-include
  std::string owner_groups_excluded;           // --owner-groups-exclude
  std::string dns_servers;                     // --dns-servers; empty: those of the pod's resolv.conf
  bool redirect_dns = false, capture_all_dns = false, drop_invalid = false;
  bool dual_stack = false;  // IPv6 rules beside those of IPv4

  bool operator==(const CaptureFlags&) const = default;
};

// What the place says where the rules shall hold.
struct Surroundings {
  bool only_ipv6 = false;                // the addresses that others can reach are of IPv6
  std::vector<std::string> nameservers;  // of resolv.conf
  std::function<std::optional<uint32_t>(const std::string&)> group_id;
};

enum class Interception : unsigned char { kRedirect, kTproxy, kNone };
enum class DnsCapture : unsigned char { kNone, kServers, kAll };

struct CapturePlan {
  uint16_t outbound_port = 15001, inbound_port = 15006, tunnel_port = 15008, probe_port = 15002;
  std::vector<uint32_t> uids, gids;
  Interception mode = Interception::kRedirect;
  bool all_inbound = false;
  std::vector<uint16_t> inbound_ports, inbound_excluded;
  std::vector<uint16_t> outbound_ports, outbound_excluded;
  bool all_outbound = false;
  std::vector<Cidr> outbound_ranges, excluded_ranges;
  std::vector<std::string> virtual_interfaces, excluded_interfaces;
  uint32_t mark = 1337, route_table = 133;
  bool all_groups_but = true;  // capture all groups but `groups`; otherwise only those
  std::vector<uint32_t> groups;
  DnsCapture dns = DnsCapture::kNone;
  std::vector<Cidr> dns_servers;
  bool drop_invalid = false;
  bool ipv6 = false;

  // Whether the mode stands on marks and a routing table of its own.
  bool policy_routing() const { return mode == Interception::kTproxy && (all_inbound || !inbound_ports.empty()); }
};

inline constexpr uint16_t kDnsPort = 15053;  // where the proxy answers DNS
// Marks what the proxy itself sends to its own pod, so that TPROXY takes it as if it came from outside.
inline constexpr uint32_t kSelfCallMark = 1338;

// An error names every bad flag on a line of its own: flag, what was found, what was expected.
Result<CapturePlan> plan_of(const CaptureFlags& flags, const Surroundings& surroundings);

}  // namespace weft::init
