// Which ports a proxy serves. Without capture inbound and outbound meet on one address, so a port that both want goes to inbound (other
// proxies dial it), and outbound moves up by an offset. docs/no-capture.md tells the rules to users.
#include "controlplane/translate/names.h"
#include "controlplane/translate/translate.h"

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

void plan_inbound(const model::View& view, const model::Node& node, const std::string& address, ListenerPlan& plan,
                  std::set<Address>& taken) {
  for (const model::InboundPort& inbound : view.inbound(node)) {
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

void plan_outbound(const model::View& view, const model::Node& node, ListenerPlan& plan, std::set<Address>& taken) {
  const std::string address = text_of(node, "OUTBOUND_BIND_ADDRESS", node.ip);
  const bool unprivileged = is_true(node, "UNPRIVILEGED_POD");
  const uint32_t offset = number_of(node.metadata.find("OUTBOUND_PORT_OFFSET"), kOutboundPortOffset);
  const yaml::Node* moved = node.metadata.find("OUTBOUND_PORTS");  // by hand: service port -> where to listen for it
  std::map<uint32_t, const model::ServiceInfo*> ports;             // null: HTTP, which many services share; else the TCP service
  std::set<uint32_t> grpc_web;
  for (const model::ServiceInfo* service : view.visible_services(node.ns)) {
    for (const model::ServicePort& port : service->ports) {
      const bool http = is_http(served_protocol(port));
      if (port.protocol == model::Protocol::kGrpcWeb) grpc_web.insert(port.number);
      auto [at, first] = ports.emplace(port.number, http ? nullptr : service);
      if (first || (http && at->second == nullptr)) continue;
      const std::string where = "outbound port " + std::to_string(port.number) + ": ";
      if (http) {
        plan.conflicts.push_back({Conflict::Kind::kHttpOverTcp, where + "HTTP stands over TCP of " + at->second->hostname});
        at->second = nullptr;
      } else {
        const bool under_http = at->second == nullptr;
        plan.conflicts.push_back({under_http ? Conflict::Kind::kTcpUnderHttp : Conflict::Kind::kTcpOverTcp,
                                  where + "TCP of " + service->hostname + " gives way to " +
                                      (under_http ? std::string("HTTP") : "TCP of " + at->second->hostname)});
      }
    }
  }
  for (const auto& [port, tcp_service] : ports) {
    const uint32_t wanted = moved != nullptr ? number_of(moved->find(std::to_string(port)), port) : port;
    const std::optional<uint32_t> bound = outbound_port(taken, address, wanted, unprivileged, offset);
    if (!bound) {
      plan.conflicts.push_back({Conflict::Kind::kNoPort, "outbound port " + std::to_string(port) + ": no port is left to listen on"});
      continue;
    }
    taken.insert({address, *bound});
    Binding& binding = plan.bindings.emplace_back();
    binding.kind = tcp_service != nullptr ? Binding::Kind::kOutboundTcp : Binding::Kind::kOutboundHttp;
    binding.address = address;
    binding.port = *bound;
    binding.service_port = port;
    binding.tcp_service = tcp_service;
    binding.grpc_web = grpc_web.contains(port);
  }
}

// A gateway's server listens on the target port of the Service in front of its pods, where there is one.
void plan_gateways(const model::View& view, const model::Node& node, ListenerPlan& plan) {
  const std::string address = node.interception == model::Node::Interception::kNone ? node.ip : "0.0.0.0";
  const bool unprivileged = is_true(node, "UNPRIVILEGED_POD");
  const std::vector<model::InboundPort> inbound = view.inbound(node);
  std::map<uint32_t, uint32_t> bound_ports;  // bound port -> server port
  for (const auto& gateway : view.gateways(view.labels(node), node.ns)) {
    for (const model::GatewayServer& server : gateway->servers) {
      if (!server.served()) continue;
      uint32_t bound = server.port;
      for (const model::InboundPort& port : inbound) {
        if (port.port->number == server.port) {
          bound = port.target_port;
          break;
        }
      }
      const std::string where =
          "gateway " + gateway.resource->key.ns + "/" + gateway.resource->key.name + " port " + std::to_string(server.port);
      if (unprivileged && bound < kFirstUnprivileged) {
        plan.conflicts.push_back({Conflict::Kind::kGateway, where + ": an unprivileged pod cannot listen on " + std::to_string(bound)});
        continue;
      }
      auto [at, first] = bound_ports.emplace(bound, server.port);
      const bool grpc_web = server.protocol == model::Protocol::kGrpcWeb;
      if (!first) {
        if (at->second == server.port) {
          for (Binding& binding : plan.bindings) {
            if (binding.port != bound) continue;
            binding.gateways.push_back(gateway.resource->key);
            binding.grpc_web = binding.grpc_web || grpc_web;
          }
        } else {
          plan.conflicts.push_back(
              {Conflict::Kind::kGateway, where + ": port " + std::to_string(bound) + " serves " + std::to_string(at->second)});
        }
        continue;
      }
      Binding& binding = plan.bindings.emplace_back();
      binding.kind = Binding::Kind::kGateway;
      binding.address = server.bind.empty() ? address : server.bind;
      binding.port = bound;
      binding.service_port = server.port;
      binding.grpc_web = grpc_web;
      binding.gateways.push_back(gateway.resource->key);
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

ListenerPlan listener_plan(const model::View& view, const model::Node& node) {
  ListenerPlan plan;
  if (node.type == model::Node::Type::kRouter) {
    plan_gateways(view, node, plan);
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
