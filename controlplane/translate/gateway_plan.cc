// Servers of several Gateways on one port are one listener when they speak alike: HTTP by a route configuration, TLS that is passed on by
// its SNI, or TCP of one server. Of those that do not, the oldest Gateway's stands.
#include "controlplane/translate/gateway_plan.h"

#include "controlplane/translate/outbound_plan.h"
#include "controlplane/translate/tcp_chains.h"

#include <algorithm>

namespace weft::translate {
namespace {

constexpr uint32_t kLowestOfAll = 1024;  // that anybody may bind

enum class Carries : unsigned char { kHttp, kTls, kTcp };

Carries carried(const model::GatewayServer& server) {
  return server.http() ? Carries::kHttp : server.tls == model::GatewayTls::kNone ? Carries::kTcp : Carries::kTls;
}

const char* spoken(Carries what) { return what == Carries::kHttp ? "HTTP" : what == Carries::kTls ? "TLS" : "TCP"; }

// A listener in the making.
struct Place {
  uint32_t server_port = 0;
  Carries carries = Carries::kHttp;
  size_t binding = 0;
};

std::vector<TcpChain> chains_of(const model::View& view, const Scope& scope, const model::Labels& labels,
                                const model::Typed<model::Gateway>& gateway, const model::GatewayServer& server) {
  const std::string name = gateway.resource->key.ns + "/" + gateway.resource->key.name;
  const ChainScope chains{view, scope, labels, name, server.port};
  if (server.tls == model::GatewayTls::kAutoPassthrough) return passthrough_chains(chains, server);
  return server_chains(chains, view.virtual_services(scope.ns, name), server);
}

}  // namespace

void plan_gateways(const model::View& view, const model::Node& node, bool unprivileged, ListenerPlan& plan) {
  const std::string usual = node.interception == model::Node::Interception::kNone ? node.ip : "0.0.0.0";
  const std::vector<model::InboundPort> inbound = view.inbound(node);
  const Scope scope = scope_of(view, node);
  const model::Labels& labels = view.labels(node);
  std::map<std::pair<std::string, uint32_t>, Place> places;  // by what is bound
  for (const auto& gateway : view.gateways(labels, node.ns)) {
    for (const model::GatewayServer& server : gateway->servers) {
      if (!server.served()) continue;
      // Of the Service in front of the pods, where there is one, the target port.
      uint32_t bound = server.port;
      auto in_front = std::find_if(inbound.begin(), inbound.end(), [&](const auto& port) { return port.port->number == server.port; });
      if (in_front != inbound.end()) bound = in_front->target_port;
      const std::string address = server.bind.empty() ? usual : server.bind;
      if (address.starts_with("unix://")) bound = 0;
      const std::string where =
          "gateway " + gateway.resource->key.ns + "/" + gateway.resource->key.name + " port " + std::to_string(server.port);
      if (unprivileged && bound != 0 && bound < kLowestOfAll) {
        plan.conflicts.push_back({Conflict::Kind::kGateway, where + ": an unprivileged pod cannot listen on " + std::to_string(bound)});
        continue;
      }
      const Carries carries = carried(server);
      auto [at, first] = places.try_emplace({address, bound}, Place{server.port, carries, plan.bindings.size()});
      if (!first && (at->second.server_port != server.port || at->second.carries != carries)) {
        const std::string other =
            at->second.server_port != server.port ? std::to_string(at->second.server_port) : spoken(at->second.carries);
        plan.conflicts.push_back({Conflict::Kind::kGateway, where + ": port " + std::to_string(bound) + " serves " + other});
        continue;
      }
      if (first) {
        Binding& made = plan.bindings.emplace_back();
        made.kind = carries == Carries::kHttp ? Binding::Kind::kGateway : Binding::Kind::kGatewayTcp;
        made.address = address;
        made.port = bound;
        made.service_port = server.port;
        made.written_bind = server.bind;
      }
      Binding& binding = plan.bindings[at->second.binding];
      binding.gateways.push_back(gateway.resource->key);
      binding.grpc_web = binding.grpc_web || server.protocol == model::Protocol::kGrpcWeb;
      if (carries == Carries::kHttp) continue;
      std::vector<TcpChain> chains = chains_of(view, scope, labels, gateway, server);
      if (carries == Carries::kTcp && !binding.chains.empty() && !chains.empty()) {
        plan.conflicts.push_back({Conflict::Kind::kGateway, where + ": an older Gateway's TCP has the port " + std::to_string(bound)});
        continue;
      }
      add_chains(binding.chains, std::move(chains));
    }
  }
  // Nobody says where its connections go: it does not listen, as nothing could answer.
  std::erase_if(plan.bindings, [](const Binding& one) { return one.kind == Binding::Kind::kGatewayTcp && one.chains.empty(); });
}

}  // namespace weft::translate
