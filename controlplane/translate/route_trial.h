// One request tried on the very route configuration that a proxy was sent: which route takes it, why those before it do not, and what
// becomes of it. Envoy's rules of matching, so that the answer is what the proxy does.
#pragma once
#include "controlplane/translate/translate.h"

namespace weft::translate {

struct TrialRequest {
  std::string method = "GET", scheme = "http", authority, path = "/";  // path with its query
  std::vector<std::pair<std::string, std::string>> headers;            // names in lower case
};

struct Condition {
  std::string text, found;  // "header end-user is \"jason\"", "absent"
  bool holds = false;
  bool certain = true;  // false: it depends on what only a live request has
};
struct TriedRoute {
  std::string name;
  size_t index = 0;  // in the virtual host
  bool matches = false;
  std::vector<Condition> conditions;
};
struct TrialDestination {
  std::string cluster;  // "outbound|8080|v1|reviews.default.svc.cluster.local"
  double percent = 100;
};
struct TrialAction {
  enum class Kind : unsigned char { kNone, kForward, kRedirect, kRespond };
  Kind kind = Kind::kNone;
  std::vector<TrialDestination> destinations, mirrors;
  std::string location, body;         // kRedirect, kRespond
  uint32_t status = 0;                // kRedirect, kRespond
  std::string path, authority;        // kForward: as the upstream sees them
  std::vector<std::string> settings;  // "timeout 3s", "up to 2 retries on ..."
};
struct Trial {
  std::string virtual_host, domain;  // empty: no host matches, 404
  std::vector<TriedRoute> routes;    // up to the one that matches
  TrialAction action;                // kNone: no route matches, 404
};

// Nothing when the bytes are no RouteConfiguration.
std::optional<Trial> try_request(std::string_view route_configuration, const TrialRequest& request);
// Whether a virtual host of its own, not the one for "*", takes the authority.
bool names_host(std::string_view route_configuration, const std::string& authority);

// Where the routes of a configuration that a node was sent were written. Nothing when the view gives other bytes: what was sent is of an
// older one.
std::optional<RouteOrigins> origins_of(const model::View& view, const model::Node& node, const std::string& name, std::string_view sent);

// Healthy endpoints in the bytes of a ClusterLoadAssignment.
size_t healthy_endpoints(std::string_view load_assignment);

// The route configurations of listeners by the ports at which they listen: (port, name).
std::vector<std::pair<uint32_t, std::string>> routes_of_listener(std::string_view listener);

}  // namespace weft::translate
