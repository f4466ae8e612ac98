#include "init/annotations.h"

#include <algorithm>

namespace weft::init {
namespace {

struct Annotation {
  const char* name;
  const char* flag;  // whose syntax the value has
  std::string CaptureFlags::*value;
  bool adds;  // to the flag's list, instead of replacing it
};

// The later of two that mean one flag wins.
constexpr Annotation kAnnotations[] = {
    {"sidecar.istio.io/interceptionMode", "--istio-inbound-interception-mode", &CaptureFlags::mode, false},
    {"traffic.sidecar.istio.io/includeInboundPorts", "--istio-inbound-ports", &CaptureFlags::inbound_ports, false},
    {"traffic.sidecar.istio.io/excludeInboundPorts", "--istio-local-exclude-ports", &CaptureFlags::inbound_ports_excluded, true},
    {"traffic.sidecar.istio.io/includeOutboundPorts", "--istio-outbound-ports", &CaptureFlags::outbound_ports, false},
    {"traffic.sidecar.istio.io/excludeOutboundPorts", "--istio-local-outbound-ports-exclude", &CaptureFlags::outbound_ports_excluded,
     false},
    {"traffic.sidecar.istio.io/includeOutboundIPRanges", "--istio-service-cidr", &CaptureFlags::service_cidr, false},
    {"traffic.sidecar.istio.io/excludeOutboundIPRanges", "--istio-service-exclude-cidr", &CaptureFlags::service_exclude_cidr, false},
    {"traffic.sidecar.istio.io/excludeInterfaces", "--istio-exclude-interfaces", &CaptureFlags::exclude_interfaces, false},
    {"traffic.sidecar.istio.io/kubevirtInterfaces", "--kube-virt-interfaces", &CaptureFlags::kube_virt_interfaces, false},
    {"istio.io/reroute-virtual-interfaces", "--kube-virt-interfaces", &CaptureFlags::kube_virt_interfaces, false},
};

// The port that answers for the agent; it is excluded from capture, 0 says that there is none.
constexpr const char* kStatusPort = "status.sidecar.istio.io/port";
constexpr const char* kDefaultStatusPort = "15020";

struct FlagText {
  const char* flag;
  std::string CaptureFlags::*value;
};
constexpr FlagText kFlagTexts[] = {
    {"-p", &CaptureFlags::envoy_port},
    {"-z", &CaptureFlags::inbound_capture_port},
    {"-e", &CaptureFlags::inbound_tunnel_port},
    {"--iptables-probe-port", &CaptureFlags::probe_port},
    {"-u", &CaptureFlags::proxy_uid},
    {"-g", &CaptureFlags::proxy_gid},
    {"-m", &CaptureFlags::mode},
    {"-i", &CaptureFlags::service_cidr},
    {"-x", &CaptureFlags::service_exclude_cidr},
    {"-b", &CaptureFlags::inbound_ports},
    {"-d", &CaptureFlags::inbound_ports_excluded},
    {"-q", &CaptureFlags::outbound_ports},
    {"-o", &CaptureFlags::outbound_ports_excluded},
    {"-c", &CaptureFlags::exclude_interfaces},
    {"-k", &CaptureFlags::kube_virt_interfaces},
    {"-t", &CaptureFlags::tproxy_mark},
    {"-r", &CaptureFlags::tproxy_route_table},
    {"--owner-groups-include", &CaptureFlags::owner_groups},
    {"--owner-groups-exclude", &CaptureFlags::owner_groups_excluded},
    {"--dns-servers", &CaptureFlags::dns_servers},
};
struct FlagSwitch {
  const char* flag;
  bool CaptureFlags::*value;
};
constexpr FlagSwitch kFlagSwitches[] = {{"--redirect-dns", &CaptureFlags::redirect_dns},
                                        {"--capture-all-dns", &CaptureFlags::capture_all_dns},
                                        {"--drop-invalid", &CaptureFlags::drop_invalid},
                                        {"--dual-stack", &CaptureFlags::dual_stack}};

// The complaint that plan_of makes of this flag, if it makes one.
std::string complaint_about(const std::string& problems, std::string_view flag) {
  const std::string start = std::string(flag) + ": ";
  for (size_t at = 0; at < problems.size();) {
    const size_t end = std::min(problems.find('\n', at), problems.size());
    if (problems.compare(at, start.size(), start) == 0) return problems.substr(at + start.size(), end - at - start.size());
    at = end + 1;
  }
  return {};
}

void add_item(std::string& list, const std::string& more) {
  if (more.empty()) return;
  if (!list.empty()) list += ',';
  list += more;
}

}  // namespace

CaptureFlags sidecar_flags() {
  CaptureFlags flags;
  flags.inbound_ports = flags.service_cidr = "*";
  flags.inbound_ports_excluded = "15090,15021";
  return flags;
}

Result<CaptureFlags> flags_of(const Annotations& annotations, CaptureFlags flags) {
  for (const Annotation& known : kAnnotations) {
    const auto found = annotations.find(known.name);
    if (found == annotations.end()) continue;
    // Judged alone, by the flag's own rules.
    CaptureFlags alone;
    alone.*known.value = found->second;
    if (const auto plan = plan_of(alone, {}); !plan) {
      if (const std::string problem = complaint_about(plan.error().detail, known.flag); !problem.empty())
        return invalid(std::string(known.name) + ": " + problem);
    }
    if (known.adds)
      add_item(flags.*known.value, found->second);
    else
      flags.*known.value = found->second;
  }
  const auto status = annotations.find(kStatusPort);
  const std::string port = status == annotations.end() ? kDefaultStatusPort : status->second;
  if (port != "0") {
    CaptureFlags alone;
    alone.envoy_port = port;
    if (const auto plan = plan_of(alone, {}); !plan) {
      if (const std::string problem = complaint_about(plan.error().detail, "--envoy-port"); !problem.empty())
        return invalid(std::string(kStatusPort) + ": " + problem + ", or 0");
    }
    add_item(flags.inbound_ports_excluded, port);
  }
  return flags;
}

std::vector<std::string> arguments_of(const CaptureFlags& flags) {
  const CaptureFlags defaults;
  std::vector<std::string> arguments;
  for (const FlagText& text : kFlagTexts) {
    if (flags.*text.value == defaults.*text.value) continue;
    arguments.emplace_back(text.flag);
    arguments.push_back(flags.*text.value);
  }
  for (const FlagSwitch& on : kFlagSwitches)
    if (flags.*on.value) arguments.emplace_back(on.flag);
  return arguments;
}

}  // namespace weft::init
