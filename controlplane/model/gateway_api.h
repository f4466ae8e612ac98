// The Gateway API's kinds as validation left them. A route's rules are HttpRoutes already, but for their destinations: those hang on
// other objects and are found when a view is built (attachment.h).
#pragma once
#include "controlplane/model/virtual_service.h"

namespace weft::model {

inline constexpr std::string_view kGatewayApi = "gateway.networking.k8s.io";
// How a Key calls this group's Gateway, since Istio has a kind of that name.
inline constexpr std::string_view kKubeGateway = "Gateway.gateway.networking.k8s.io";

struct ParentRef {
  std::string group, kind, ns, name, section;  // ns: of the route when none was written
  bool ns_written = false;
  std::optional<uint32_t> port;
};

struct BackendRef {
  std::string group, kind, ns, name;
  bool ns_written = false;
  std::optional<uint32_t> port;
};

struct RouteBackend {
  BackendRef to;
  uint32_t weight = 1;
  Headers headers;
};

struct RouteMirror {
  BackendRef to;
  std::optional<double> percentage;  // 0 to 100; absent: all
};

struct RouteRule {
  std::vector<HttpMatch> matches;  // at least one
  HttpRoute action;                // without matches, routes and mirrors
  std::vector<RouteBackend> backends;
  std::vector<RouteMirror> mirrors;
  std::string unsupported;  // why the rule is dropped; empty: it is not
};

// HTTPRoute and GRPCRoute; TCPRoute and TLSRoute, whose rules have nothing but backends.
struct KubeRoute {
  bool grpc = false, tcp = false, tls = false;
  std::vector<ParentRef> parents;
  std::vector<std::string> hostnames;  // lower case; empty: whatever the listener has
  std::vector<RouteRule> rules;
  std::optional<uint64_t> generation;
};

struct LabelRequirement {
  enum class Operator : unsigned char { kIn, kNotIn, kExists, kDoesNotExist };
  std::string key;
  Operator op = Operator::kIn;
  std::vector<std::string> values;
};
struct LabelSelector {
  Labels labels;
  std::vector<LabelRequirement> requirements;
  bool selects(const Labels& of) const;
};

struct AllowedKind {
  std::string group, kind;
  bool operator==(const AllowedKind&) const = default;
};

struct Listener {
  enum class From : unsigned char { kSame, kAll, kSelector };
  std::string name, hostname;  // hostname empty: all
  uint32_t port = 0;
  std::string protocol;      // as written; HTTP, TCP and TLS that is passed on are served
  bool passthrough = false;  // TLS goes on as it is
  From from = From::kSame;
  LabelSelector namespaces;        // kSelector
  std::vector<AllowedKind> kinds;  // empty: what the protocol carries
};

struct GatewayAddress {
  std::string type, value;
};

struct KubeGateway {
  std::string class_name;
  std::vector<Listener> listeners;
  std::vector<GatewayAddress> addresses;
  std::optional<uint64_t> generation;
};

struct GatewayClass {
  std::string controller;
  std::optional<uint64_t> generation;
};

struct ReferenceGrant {
  struct From {
    std::string group, kind, ns;
  };
  struct To {
    std::string group, kind, name;  // name empty: all
  };
  std::vector<From> from;
  std::vector<To> to;
};

}  // namespace weft::model
