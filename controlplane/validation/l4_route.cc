// TCPRoute and TLSRoute of the Gateway API: connections that are passed on as they are, to backends by weight.
#include "controlplane/validation/route_parts.h"

namespace weft::validation::l4_route {
namespace {

using namespace gateway_api;

constexpr Field kBackendFields[] = {
    {"group", Type::kString, Use::kWorks, "\"\" when absent"},
    {"kind", Type::kString, Use::kWorks, "Service when absent; Hostname of networking.istio.io: a host that a ServiceEntry has"},
    {"namespace", Type::kString, Use::kWorks, "another one needs a ReferenceGrant there when a Gateway is the parent"},
    {"name", Type::kString},
    {"port", Type::kInteger},
    {"weight", Type::kInteger, Use::kWorks, "1 when absent; the share of a backend that is not there is closed"}};
constexpr Table kBackend{kBackendFields};
constexpr Field kRuleFields[] = {{"name", Type::kString}, {"backendRefs", Type::kObjects, Use::kWorks, "at least one", &kBackend}};
constexpr Table kRule{kRuleFields};
constexpr Field kTcpSpecFields[] = {{"parentRefs", Type::kObjects, Use::kWorks, "", &kParentRefTable},
                                    {"rules", Type::kObjects, Use::kWorks, "one", &kRule},
                                    {"useDefaultGateways", Type::kString, Use::kRefused, "name the Gateway in parentRefs"}};
constexpr Table kTcpSpec{kTcpSpecFields};
constexpr Field kTlsSpecFields[] = {
    {"parentRefs", Type::kObjects, Use::kWorks, "", &kParentRefTable},
    {"hostnames", Type::kStrings, Use::kWorks, "the SNI, intersected with the listener's; of a Service, its name when absent"},
    {"rules", Type::kObjects, Use::kWorks, "one", &kRule},
    {"useDefaultGateways", Type::kString, Use::kRefused, "name the Gateway in parentRefs"}};
constexpr Table kTlsSpec{kTlsSpecFields};
constexpr Field kTcpFields[] = {WEFT_OBJECT_FIELDS,
                                {"spec", Type::kObject, Use::kWorks, "", &kTcpSpec},
                                {"status", Type::kAny, Use::kHarmless, "Weft derives its own"}};
constexpr Field kTlsFields[] = {WEFT_OBJECT_FIELDS,
                                {"spec", Type::kObject, Use::kWorks, "", &kTlsSpec},
                                {"status", Type::kAny, Use::kHarmless, "Weft derives its own"}};

model::KubeRoute route_of(const Reader& root) {
  model::KubeRoute route = read_route(root, [](const Reader& from) {
    model::RouteRule rule;
    read_backends(from["backendRefs"], {}, rule);
    if (rule.backends.empty()) from.missing("backendRefs", "at least one backend");
    return rule;
  });
  const Reader rules = root["spec"]["rules"];
  if (route.rules.empty()) root["spec"].missing("rules", "one rule");
  // Nothing tells their connections apart, so that the second would have none.
  if (route.rules.size() > 1)
    rules.error(codes::kTooLarge, "found " + std::to_string(route.rules.size()) + " rules, expected one", "write a route for each");
  return route;
}

}  // namespace

constexpr Table kTcpTable{kTcpFields};
constexpr Table kTlsTable{kTlsFields};

model::Spec build_tcp(const Reader& root) {
  model::KubeRoute route = route_of(root);
  route.tcp = true;
  return route;
}

model::Spec build_tls(const Reader& root) {
  model::KubeRoute route = route_of(root);
  route.tls = true;
  return route;
}

}  // namespace weft::validation::l4_route
