// A service, rules for it, and what they become for one client.
#pragma once
#include "controlplane/translate/translate.h"

#include "world.h"

#include "envoy/config/route/v3/route.pb.h"

namespace weft::translate {

using RouteMessage = envoy::config::route::v3::Route;
using Lines = std::vector<std::string>;

inline const std::string kShop = "---\napiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {ports: [{name: http, port: 8080}]}\n";

inline std::string rule(const std::string& name, const std::string& http, const std::string& head = "hosts: [shop]") {
  return "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: " + name + "}\nspec:\n  " + head + "\n  http:\n" +
         http;
}

inline Client client(const model::View& view, const std::string& metadata = "{}") {
  auto node = node_of("sidecar~127.0.0.5~x.default~default.svc.cluster.local", metadata);
  node.interception = model::Node::Interception::kNone;
  return client_of(view, node, listener_plan(view, node));
}

inline envoy::config::route::v3::VirtualHost host(const model::View& view, const Client& client, const std::string& name,
                                                  const std::string& routes = "8080") {
  for (const auto& configuration : route_configurations(view, client)) {
    if (configuration.name() != routes) continue;
    for (const auto& host : configuration.virtual_hosts()) {
      if (host.name() == name) return host;
    }
  }
  ADD_FAILURE() << name << " is not in " << routes;
  return {};
}

inline std::vector<RouteMessage> routes(const std::string& http) {
  auto view = view_of(kShop + rule("r", http));
  auto found = host(*view, client(*view), "shop.default.svc.cluster.local:8080");
  return {found.routes().begin(), found.routes().end()};
}

}  // namespace weft::translate
