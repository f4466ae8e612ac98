// Small builders of routes for tests.
#pragma once
#include "proxy/routing/route_table.h"
#include "tests/unit/proxy/routing/test_head.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weft::testing {

inline routing::Route route_to(std::string cluster, std::string prefix = "/", routing::Rewrite rewrite = {}) {
  routing::Route route;
  route.path = {routing::PathMatcher::Kind::kPrefix, std::move(prefix)};
  auto forward = std::make_shared<routing::Forward>();
  forward->cluster = std::move(cluster);
  forward->rewrite = std::make_shared<const routing::Rewrite>(std::move(rewrite));
  route.action = std::shared_ptr<const routing::Forward>(std::move(forward));
  return route;
}

inline routing::Route route_with(routing::Forward forward) {
  routing::Route route;
  route.action = std::make_shared<const routing::Forward>(std::move(forward));
  return route;
}

inline routing::Route route_redirect(std::string prefix, routing::Redirect redirect) {
  routing::Route route;
  route.path = {routing::PathMatcher::Kind::kPrefix, std::move(prefix)};
  route.action = std::make_shared<const routing::Redirect>(std::move(redirect));
  return route;
}

inline routing::VirtualHost host_of(std::string name, std::vector<std::string> domains, std::vector<routing::Route> routes) {
  routing::VirtualHost host;
  host.name = std::move(name);
  host.domains = std::move(domains);
  host.routes = std::move(routes);
  return host;
}

inline std::shared_ptr<const routing::RouteTable> table_of(std::vector<routing::VirtualHost> hosts,
                                                           routing::RouteTableOptions options = {}) {
  options.name = "routes";
  options.virtual_hosts = std::move(hosts);
  return routing::RouteTable::build(std::move(options)).value();
}

inline std::shared_ptr<const routing::RouteTable> table_of(std::vector<routing::Route> routes) {
  return table_of(std::vector{host_of("all", {"*"}, std::move(routes))});
}

}  // namespace weft::testing
