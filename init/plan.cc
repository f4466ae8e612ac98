#include "init/plan.h"

#include <charconv>

namespace weft::init {
namespace {

constexpr size_t kMostGroups = 64;  // each is a match of one rule

std::optional<uint32_t> number(std::string_view text, uint32_t least, uint32_t most) {
  uint32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || value < least || value > most) return std::nullopt;
  return value;
}

// Reads flags one after the other and keeps what was wrong.
class FlagReader {
 public:
  void complain(std::string_view flag, const std::string& problem) {
    if (!problems_.empty()) problems_ += '\n';
    problems_.append(flag).append(": ").append(problem);
  }
  void unexpected(std::string_view flag, std::string_view found, const char* expected) {
    complain(flag, "found \"" + std::string(found) + "\", expected " + expected);
  }

  uint32_t one(std::string_view flag, const std::string& text, uint32_t most, const char* expected) {
    const auto value = number(text, 1, most);
    if (!value) unexpected(flag, text, expected);
    return value.value_or(0);
  }
  uint16_t port(std::string_view flag, const std::string& text) {
    return static_cast<uint16_t>(one(flag, text, 65535, "a port from 1 to 65535"));
  }
  std::vector<uint16_t> ports(std::string_view flag, const std::string& text, const char* expected) {
    std::vector<uint16_t> found;
    for (const std::string& item : split_list(text)) {
      if (const auto value = number(item, 1, 65535))
        found.push_back(static_cast<uint16_t>(*value));
      else
        unexpected(flag, item, expected);
    }
    return found;
  }
  std::vector<uint32_t> ids(std::string_view flag, const std::string& text) {
    std::vector<uint32_t> found;
    for (const std::string& item : split_list(text)) {
      if (const auto value = number(item, 0, 4294967294U))
        found.push_back(*value);
      else
        unexpected(flag, item, "numbers of users or groups, separated by commas");
    }
    return found;
  }
  std::vector<Cidr> ranges(std::string_view flag, const std::string& text, const char* expected) {
    std::vector<Cidr> found;
    for (const std::string& item : split_list(text)) {
      if (const auto cidr = parse_cidr(item))
        found.push_back(*cidr);
      else
        unexpected(flag, item, expected);
    }
    return found;
  }
  // Names go into rules as they are: only what an interface can be called, with a final + for all that begin so.
  std::vector<std::string> interfaces(std::string_view flag, const std::string& text) {
    std::vector<std::string> found = split_list(text);
    for (const std::string& name : found) {
      const std::string_view stem = std::string_view(name).substr(0, name.size() - name.ends_with('+'));
      const bool plain =
          stem.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-:@") == std::string_view::npos;
      if (stem.empty() || stem.starts_with('-') || stem.size() > 15 || !plain)
        unexpected(flag, name, "names of network interfaces, separated by commas");
    }
    return found;
  }
  const std::string& problems() const { return problems_; }

 private:
  std::string problems_;
};

void read_groups(FlagReader& reader, const CaptureFlags& flags, const Surroundings& surroundings, CapturePlan& plan) {
  constexpr const char* kInclude = "--owner-groups-include";
  constexpr const char* kExclude = "--owner-groups-exclude";
  plan.all_groups_but = flags.owner_groups == "*";
  if (!plan.all_groups_but && !split_list(flags.owner_groups_excluded).empty())
    reader.complain(kExclude, std::string("has a meaning only where ") + kInclude + " is \"*\"");
  const char* flag = plan.all_groups_but ? kExclude : kInclude;
  for (const std::string& item : split_list(plan.all_groups_but ? flags.owner_groups_excluded : flags.owner_groups)) {
    auto id = number(item, 0, 4294967294U);
    if (!id && surroundings.group_id) id = surroundings.group_id(item);
    if (id)
      plan.groups.push_back(*id);
    else
      reader.unexpected(flag, item, "names or numbers of groups that exist, separated by commas");
  }
  if (plan.groups.size() > kMostGroups)
    reader.complain(flag, "found " + std::to_string(plan.groups.size()) + " groups, expected at most " + std::to_string(kMostGroups));
}

void read_dns(FlagReader& reader, const CaptureFlags& flags, const Surroundings& surroundings, CapturePlan& plan) {
  if (!flags.redirect_dns) {
    if (flags.capture_all_dns) reader.complain("--capture-all-dns", "has a meaning only together with --redirect-dns");
    if (!split_list(flags.dns_servers).empty()) reader.complain("--dns-servers", "has a meaning only together with --redirect-dns");
    return;
  }
  plan.dns = flags.capture_all_dns ? DnsCapture::kAll : DnsCapture::kServers;
  if (plan.dns == DnsCapture::kAll) return;
  plan.dns_servers = reader.ranges("--dns-servers", flags.dns_servers, "addresses, separated by commas");
  for (const Cidr& server : plan.dns_servers)
    if (!server.single()) reader.unexpected("--dns-servers", server.text(), "addresses, separated by commas");
  if (!split_list(flags.dns_servers).empty()) return;
  for (const std::string& text : surroundings.nameservers) {
    const std::string address = text.substr(0, text.find('%'));  // a zone is no part of what a rule can match
    if (const auto server = parse_cidr(address)) plan.dns_servers.push_back(*server);
  }
  if (plan.dns_servers.empty())
    reader.complain("--redirect-dns", "resolv.conf names no server; give --dns-servers, or --capture-all-dns for all of them");
}

}  // namespace

Result<CapturePlan> plan_of(const CaptureFlags& flags, const Surroundings& surroundings) {
  constexpr const char* kPorts = "ports from 1 to 65535, separated by commas";
  constexpr const char* kPortsOrAll = "\"*\", or ports from 1 to 65535 separated by commas";
  constexpr const char* kRanges = "address ranges such as 10.0.0.0/8 or fd00::/8, separated by commas";
  constexpr const char* kRangesOrAll = "\"*\", or address ranges such as 10.0.0.0/8 or fd00::/8 separated by commas";
  FlagReader reader;
  CapturePlan plan;
  plan.outbound_port = reader.port("--envoy-port", flags.envoy_port);
  plan.inbound_port = reader.port("--inbound-capture-port", flags.inbound_capture_port);
  plan.tunnel_port = reader.port("--inbound-tunnel-port", flags.inbound_tunnel_port);
  plan.probe_port = reader.port("--iptables-probe-port", flags.probe_port);
  if (plan.outbound_port == plan.inbound_port && plan.outbound_port != 0)
    reader.complain("--inbound-capture-port", "found " + flags.inbound_capture_port + ", which --envoy-port has already");

  plan.uids = reader.ids("--proxy-uid", flags.proxy_uid);
  plan.gids = reader.ids("--proxy-gid", flags.proxy_gid.empty() ? flags.proxy_uid : flags.proxy_gid);
  if (plan.uids.empty() && plan.gids.empty() && reader.problems().empty())
    reader.complain("--proxy-uid", "is empty, as --proxy-gid is; expected the proxy's user, whose connections are not captured");

  if (flags.mode == "REDIRECT" || flags.mode.empty())
    plan.mode = Interception::kRedirect;
  else if (flags.mode == "TPROXY")
    plan.mode = Interception::kTproxy;
  else if (flags.mode == "NONE")
    plan.mode = Interception::kNone;
  else
    reader.unexpected("--istio-inbound-interception-mode", flags.mode, "REDIRECT, TPROXY or NONE");

  plan.all_inbound = flags.inbound_ports == "*";
  if (!plan.all_inbound) plan.inbound_ports = reader.ports("--istio-inbound-ports", flags.inbound_ports, kPortsOrAll);
  plan.inbound_excluded = reader.ports("--istio-local-exclude-ports", flags.inbound_ports_excluded, kPorts);
  plan.outbound_ports = reader.ports("--istio-outbound-ports", flags.outbound_ports, kPorts);
  plan.outbound_excluded = reader.ports("--istio-local-outbound-ports-exclude", flags.outbound_ports_excluded, kPorts);
  plan.all_outbound = flags.service_cidr == "*";
  if (!plan.all_outbound) plan.outbound_ranges = reader.ranges("--istio-service-cidr", flags.service_cidr, kRangesOrAll);
  plan.excluded_ranges = reader.ranges("--istio-service-exclude-cidr", flags.service_exclude_cidr, kRanges);
  plan.virtual_interfaces = reader.interfaces("--kube-virt-interfaces", flags.kube_virt_interfaces);
  plan.excluded_interfaces = reader.interfaces("--istio-exclude-interfaces", flags.exclude_interfaces);
  plan.mark = reader.one("--istio-inbound-tproxy-mark", flags.tproxy_mark, 4294967295U, "a number from 1 to 4294967295");
  if (plan.mark == kSelfCallMark)
    reader.unexpected("--istio-inbound-tproxy-mark", flags.tproxy_mark, "another number: 1338 marks the proxy's calls to its own pod");
  // 253 to 255 are the kernel's own.
  plan.route_table = reader.one("--istio-inbound-tproxy-route-table", flags.tproxy_route_table, 252, "a number from 1 to 252");
  read_groups(reader, flags, surroundings, plan);
  read_dns(reader, flags, surroundings, plan);
  plan.drop_invalid = flags.drop_invalid;
  plan.ipv6 = flags.dual_stack || surroundings.only_ipv6;
  if (!reader.problems().empty()) return invalid(reader.problems());
  return plan;
}

}  // namespace weft::init
