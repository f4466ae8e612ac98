// The routes of one VirtualService as one proxy needs them: what is decided while translating (port, gateway, source) is gone, the rest
// is matchers and actions.
#pragma once
#include "controlplane/translate/translate.h"

#include "envoy/config/route/v3/route_components.pb.h"

namespace weft::translate {

struct RouteScope {
  const model::View& view;
  const Client& client;
  std::string gateway;  // "mesh" or "ns/name"
  uint32_t port = 0;    // of the listener, as clients see it
};

using Route = envoy::config::route::v3::Route;

// A route and where it was written; null for what nobody wrote.
struct BuiltRoute {
  Route route;
  const model::Resource* object = nullptr;
  const model::HttpRoute* rule = nullptr;
  const model::HttpMatch* match = nullptr;
};

// For requests and for gRPC's alike; 0: none.
void set_timeouts(envoy::config::route::v3::RouteAction& out, model::Duration timeout);
// The conditions that are asked of each request.
void set_match(envoy::config::route::v3::RouteMatch& out, const model::HttpMatch& match);
// In order; building stops after the first route that matches everything.
std::vector<BuiltRoute> http_routes(const model::Typed<model::VirtualService>& rule, const RouteScope& scope);
// Where nobody said anything: everything to the service, with the mesh's retries.
Route default_route(const std::string& host, const RouteScope& scope);
bool matches_everything(const Route& route);

}  // namespace weft::translate
