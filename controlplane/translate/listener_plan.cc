// Which ports a proxy serves. Without capture inbound and outbound meet on one address, so a port that both want goes to inbound (other
// proxies dial it), and outbound moves up by an offset. docs/no-capture.md tells the rules to users.
#include "controlplane/translate/gateway_plan.h"
#include "controlplane/translate/names.h"
#include "controlplane/translate/outbound_plan.h"
#include "controlplane/translate/tcp_chains.h"

#include <algorithm>
#include <map>
#include <set>

namespace weft::translate {
namespace {

constexpr uint32_t kOutboundPortOffset = 15000, kFirstUnprivileged = 1024, kLastPort = 65535;

std::string text_of(const model::Node& node, std::string_view key, std::string fallback) {
  const yaml::Node* value = node.metadata.find(key);
  return value != nullptr && value->is_scalar() && !value->text.empty() ? value->text : fallback;
}

uint32_t number_of(const yaml::Node* value, uint32_t fallback) {
  if (value == nullptr || !value->is_scalar()) return fallback;
  char* end = nullptr;
  const double number = std::strtod(value->text.c_str(), &end);  // a Struct's numbers are doubles; strings are taken as well
  return *end == '\0' && number >= 1 && number <= kLastPort ? static_cast<uint32_t>(number) : fallback;
}

bool is_true(const model::Node& node, std::string_view key) { return text_of(node, key, "") == "true"; }

using Address = std::pair<std::string, uint32_t>;

// The outbound binding of a port, or nothing when no port is left.
std::optional<uint32_t> outbound_port(const std::set<Address>& taken, const std::string& address, uint32_t port, bool unprivileged,
                                      uint32_t offset) {
  if (!taken.contains({address, port}) && !(unprivileged && port < kFirstUnprivileged)) return port;
  for (uint32_t moved = port + offset; moved <= kLastPort; ++moved) {
    if (!taken.contains({address, moved})) return moved;
  }
  return std::nullopt;
}

void plan_inbound(const model::View& view, const model::Node& node, const std::string& usual, ListenerPlan& plan,
                  std::set<Address>& taken) {
  for (const model::InboundPort& inbound : view.inbound(node)) {
    const std::string address =
        inbound.ingress != nullptr && !inbound.ingress->bind.empty() && !plan.captured ? inbound.ingress->bind : usual;
    if (plan.captured && inbound.target_port == kVirtualInboundPort) {
      plan.conflicts.push_back({Conflict::Kind::kReserved, "inbound port " + std::to_string(inbound.target_port) + ": " +
                                                               inbound.service->hostname + " is not served, the port is the proxy's own"});
      continue;
    }
    if (!taken.insert({address, inbound.target_port}).second) {
      const auto claimed =
          std::find_if(plan.bindings.begin(), plan.bindings.end(), [&](const Binding& b) { return b.port == inbound.target_port; });
      if (claimed->inbound.service != inbound.service) {
        plan.conflicts.push_back({Conflict::Kind::kInbound, "inbound port " + std::to_string(inbound.target_port) + ": " +
                                                                claimed->inbound.service->hostname + " has it, " +
                                                                inbound.service->hostname + " shares its listener"});
      }
      continue;
    }
    Binding& binding = plan.bindings.emplace_back();
    binding.kind = Binding::Kind::kInbound;
    binding.address = address;
    binding.port = inbound.target_port;
    binding.service_port = inbound.port->number;
    binding.inbound = inbound;
    binding.grpc_web = inbound.port->protocol == model::Protocol::kGrpcWeb;
  }
}

// What meets on one port: HTTP, which many services share, or TCP, of which one takes all and others are known by their SNI.
struct Meeting {
  bool http = false, grpc_web = false;
  using Member = std::pair<const model::ServiceInfo*, const model::ServicePort*>;
  std::vector<Member> tcp;

  const Member* opaque() const {
    auto found = std::find_if(tcp.begin(), tcp.end(), [](const Member& one) { return !tells_sni(one.second->protocol); });
    return found == tcp.end() ? nullptr : &*found;
  }
};

void meet(Meeting& meeting, const model::ServiceInfo& service, const model::ServicePort& port, const std::string& where,
          ListenerPlan& plan) {
  if (is_http(served_protocol(port))) {
    if (!meeting.http)
      for (const Meeting::Member& other : meeting.tcp)
        plan.conflicts.push_back({Conflict::Kind::kHttpOverTcp, where + "HTTP stands over TCP of " + other.first->hostname});
    meeting.http = true;
    meeting.tcp.clear();
    return;
  }
  const Meeting::Member* opaque = meeting.opaque();
  if (meeting.http || (opaque != nullptr && !tells_sni(port.protocol))) {
    plan.conflicts.push_back({meeting.http ? Conflict::Kind::kTcpUnderHttp : Conflict::Kind::kTcpOverTcp,
                              where + "TCP of " + service.hostname + " gives way to " +
                                  (meeting.http ? std::string("HTTP") : "TCP of " + opaque->first->hostname)});
    return;
  }
  meeting.tcp.emplace_back(&service, &port);
}

// One listener for calls. Of those who share it, TLS is looked at first: the one that takes all stands behind.
void bind_outbound(const model::View& view, const Scope& scope, const model::Labels& labels, const ChainRules& rules,
                   const Meeting& meeting, const std::string& address, uint32_t bound, uint32_t port, ListenerPlan& plan) {
  Binding& binding = plan.bindings.emplace_back();
  binding.kind = meeting.http ? Binding::Kind::kOutboundHttp : Binding::Kind::kOutboundTcp;
  binding.address = address;
  binding.port = bound;
  binding.service_port = port;
  binding.grpc_web = meeting.grpc_web;
  const ChainScope chains{view, scope, labels, std::string(model::kMesh), port};
  for (const bool sni : {true, false})
    for (const auto& [service, service_port] : meeting.tcp)
      if (tells_sni(service_port->protocol) == sni)
        add_chains(binding.chains, service_chains(chains, rules, *service, *service_port, meeting.tcp.size() > 1));
}

void plan_outbound(const model::View& view, const model::Node& node, ListenerPlan& plan, std::set<Address>& taken) {
  const std::string usual = text_of(node, "OUTBOUND_BIND_ADDRESS", node.ip);
  const bool unprivileged = is_true(node, "UNPRIVILEGED_POD");
  const uint32_t offset = number_of(node.metadata.find("OUTBOUND_PORT_OFFSET"), kOutboundPortOffset);
  const yaml::Node* moved = node.metadata.find("OUTBOUND_PORTS");  // by hand: service port -> where to listen for it
  const Scope scope = scope_of(view, node);
  const model::Labels& labels = view.labels(node);
  std::set<uint32_t> written;  // ports that a Sidecar lists one by one
  for (const Egress& egress : egress_of(view, scope)) {
    const std::string address = egress.bind.empty() ? usual : egress.bind;
    std::map<uint32_t, Meeting> ports;
    if (egress.port != 0) {
      // The port is the Sidecar's; it leads to the services that have it, and to those that have one alone.
      const std::string where = "outbound port " + std::to_string(egress.port) + ": ";
      written.insert(egress.port);
      Meeting& meeting = ports[egress.port];
      meeting.http = is_http(egress.protocol);
      meeting.grpc_web = egress.protocol == model::Protocol::kGrpcWeb;
      for (const model::ServiceInfo* service : egress.services) {
        const model::ServicePort* port = service->port(egress.port);
        if (port == nullptr && service->ports.size() == 1) port = &service->ports.front();
        if (port != nullptr && !meeting.http && !is_http(served_protocol(*port))) meet(meeting, *service, *port, where, plan);
      }
      if (!meeting.http && meeting.tcp.empty()) continue;
      const bool socket = address.starts_with("unix://");
      if ((unprivileged && egress.port < kFirstUnprivileged && !socket) || !taken.insert({address, socket ? 0 : egress.port}).second) {
        plan.conflicts.push_back({Conflict::Kind::kNoPort, where + "the Sidecar's listener cannot bind " + address});
        continue;
      }
      bind_outbound(view, scope, labels, egress.rules, meeting, address, socket ? 0 : egress.port, egress.port, plan);
      continue;
    }
    for (const model::ServiceInfo* service : egress.services) {
      for (const model::ServicePort& port : service->ports) {
        if (written.contains(port.number)) continue;
        Meeting& meeting = ports[port.number];
        if (port.protocol == model::Protocol::kGrpcWeb) meeting.grpc_web = true;
        meet(meeting, *service, port, "outbound port " + std::to_string(port.number) + ": ", plan);
      }
    }
    for (const auto& [port, meeting] : ports) {
      const uint32_t wanted = moved != nullptr ? number_of(moved->find(std::to_string(port)), port) : port;
      const std::optional<uint32_t> bound = outbound_port(taken, address, wanted, unprivileged, offset);
      if (!bound) {
        plan.conflicts.push_back({Conflict::Kind::kNoPort, "outbound port " + std::to_string(port) + ": no port is left to listen on"});
        continue;
      }
      taken.insert({address, *bound});
      bind_outbound(view, scope, labels, egress.rules, meeting, address, *bound, port, plan);
    }
  }
}

bool limits(const model::Typed<model::RateLimit>& limit, const Binding& binding, const model::Node& node, const model::Labels& labels) {
  const std::string& ns = limit.resource->key.ns;
  if (limit->targets.empty()) return (ns == node.ns || ns == model::kRootNamespace) && model::selects(limit->selector, labels);
  return std::any_of(limit->targets.begin(), limit->targets.end(), [&](const model::RateLimit::Target& target) {
    if (binding.kind == Binding::Kind::kInbound) {
      const model::ServiceInfo& service = *binding.inbound.service;
      return target.kind == "Service" && service.kubernetes && service.name == target.name && service.ns == ns;
    }
    return target.kind == "Gateway" && std::any_of(binding.gateways.begin(), binding.gateways.end(),
                                                   [&](const model::Key& key) { return key.ns == ns && key.name == target.name; });
  });
}

// Services are asked what they take, not clients what they send: limits stand where requests come in.
void plan_limits(const model::View& view, const model::Node& node, ListenerPlan& plan) {
  const auto all = view.rate_limits(node.ns);
  if (all.empty()) return;
  const model::Labels& labels = view.labels(node);
  for (Binding& binding : plan.bindings) {
    if (binding.kind != Binding::Kind::kInbound && binding.kind != Binding::Kind::kGateway) continue;
    for (const auto& limit : all)
      if (limits(limit, binding, node, labels)) binding.limits.push_back(limit);
  }
}

}  // namespace

std::pair<std::string, uint32_t> application_address(const model::Node& node, uint32_t target_port) {
  uint32_t port = target_port;
  if (const yaml::Node* ports = node.metadata.find("APP_PORTS"); ports != nullptr && ports->is_map()) {
    port = number_of(ports->find(std::to_string(target_port)), target_port);
  }
  return {text_of(node, "APP_ADDRESS", "127.0.0.1"), port};
}

std::pair<std::string, uint32_t> application_address(const model::Node& node, const model::InboundPort& inbound) {
  if (inbound.ingress == nullptr || inbound.ingress->endpoint_address.empty()) return application_address(node, inbound.target_port);
  const model::IngressListener& said = *inbound.ingress;
  const bool any = said.endpoint_address == "0.0.0.0" || said.endpoint_address == "::";  // the workload's own address
  return {any ? node.ip : said.endpoint_address, said.endpoint_port};
}

ListenerPlan listener_plan(const model::View& view, const model::Node& node) {
  ListenerPlan plan;
  if (node.type == model::Node::Type::kRouter) {
    plan_gateways(view, node, is_true(node, "UNPRIVILEGED_POD"), plan);
  } else {
    const Scope scope = scope_of(view, node);
    plan.captured = scope.captured;
    plan.ipv6 = scope.ipv6;
    plan.transparent = scope.captured && node.interception == model::Node::Interception::kTproxy;
    std::set<Address> taken;
    plan_inbound(view, node, scope.captured ? wildcard_address(scope.ipv6) : node.ip, plan, taken);
    if (!scope.captured) plan_outbound(view, node, plan, taken);
  }
  plan_limits(view, node, plan);
  std::sort(plan.bindings.begin(), plan.bindings.end(),
            [](const Binding& a, const Binding& b) { return std::tie(a.address, a.port) < std::tie(b.address, b.port); });
  return plan;
}

}  // namespace weft::translate
