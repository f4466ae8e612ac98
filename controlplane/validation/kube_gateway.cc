// Gateway, GatewayClass and ReferenceGrant of the Gateway API. Listeners that are not plain HTTP are taken, and their status says that
// they are not served.
#include "controlplane/validation/route_parts.h"

#include <algorithm>
#include <set>

namespace weft::validation::kube_gateway {
namespace {

using namespace gateway_api;

constexpr std::string_view kWithTls = "HTTPS and TLS listeners are not served until TLS comes";
constexpr std::string_view kNoDeploy = "Weft starts no proxies; label the proxies yourself";

constexpr Field kRequirementFields[] = {{"key", Type::kString},
                                        {"operator", Type::kChoice, Use::kWorks, "", nullptr, "In NotIn Exists DoesNotExist"},
                                        {"values", Type::kStrings}};
constexpr Table kRequirement{kRequirementFields};
constexpr Field kSelectorFields[] = {{"matchLabels", Type::kStringMap},
                                     {"matchExpressions", Type::kObjects, Use::kWorks, "", &kRequirement}};
constexpr Table kSelector{kSelectorFields};
constexpr Field kNamespacesFields[] = {{"from", Type::kChoice, Use::kWorks, "Same when absent", nullptr, "All Same Selector"},
                                       {"selector", Type::kObject, Use::kWorks, "labels of Namespace objects", &kSelector}};
constexpr Table kNamespaces{kNamespacesFields};
constexpr Field kKindFields[] = {{"group", Type::kString}, {"kind", Type::kString}};
constexpr Table kKind{kKindFields};
constexpr Field kAllowedFields[] = {
    {"namespaces", Type::kObject, Use::kWorks, "", &kNamespaces},
    {"kinds", Type::kObjects, Use::kWorks, "HTTPRoute and GRPCRoute; TCPRoute; TLSRoute: as the protocol has it", &kKind}};
constexpr Table kAllowed{kAllowedFields};
constexpr Field kTlsFields[] = {{"mode", Type::kChoice, Use::kWorks, kWithTls, nullptr, "Terminate Passthrough"},
                                {"certificateRefs", Type::kAny, Use::kHarmless, kWithTls},
                                {"options", Type::kStringMap, Use::kHarmless, kWithTls}};
constexpr Table kTls{kTlsFields};
constexpr Field kListenerFields[] = {
    {"name", Type::kString},
    {"hostname", Type::kString, Use::kWorks, "every host when absent"},
    {"port", Type::kInteger},
    {"protocol", Type::kString, Use::kWorks,
     "HTTP, TCP, and TLS of mode Passthrough are served; of others the status says that they are not (UnsupportedProtocol)"},
    {"tls", Type::kObject, Use::kWorks, "", &kTls},
    {"allowedRoutes", Type::kObject, Use::kWorks, "", &kAllowed}};
constexpr Table kListener{kListenerFields};
constexpr Field kAddressFields[] = {
    {"type", Type::kString, Use::kWorks, "Hostname: the Service whose selector picks the proxies; others: condition UnsupportedAddress"},
    {"value", Type::kString}};
constexpr Table kAddress{kAddressFields};
constexpr Field kInfrastructureFields[] = {{"labels", Type::kStringMap, Use::kHarmless, kNoDeploy},
                                           {"annotations", Type::kStringMap, Use::kHarmless, kNoDeploy},
                                           {"parametersRef", Type::kObject, Use::kRefused, kNoDeploy}};
constexpr Table kInfrastructure{kInfrastructureFields};
constexpr Field kSpecFields[] = {
    {"gatewayClassName", Type::kString, Use::kWorks, "weft, istio, or a GatewayClass with a controller of theirs"},
    {"listeners", Type::kObjects, Use::kWorks, "", &kListener},
    {"addresses", Type::kObjects, Use::kWorks, "absent: proxies of its namespace with the label gateway.networking.k8s.io/gateway-name",
     &kAddress},
    {"infrastructure", Type::kObject, Use::kWorks, "", &kInfrastructure},
    {"allowedListeners", Type::kAny, Use::kHarmless, "ListenerSets are refused"},
    {"tls", Type::kObject, Use::kRefused, kWithTls},
    {"defaultScope", Type::kString, Use::kRefused, "routes name their Gateway"}};
constexpr Table kSpec{kSpecFields};
constexpr Field kRootFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kSpec}, {"status", Type::kAny, Use::kHarmless, "Weft derives its own"}};

constexpr Field kClassSpecFields[] = {{"controllerName", Type::kString, Use::kWorks,
                                       "weft.mesh/gateway-controller or istio.io/gateway-controller; others are left to others"},
                                      {"description", Type::kString, Use::kHarmless, "for people"},
                                      {"parametersRef", Type::kObject, Use::kRefused, kNoDeploy}};
constexpr Table kClassSpec{kClassSpecFields};
constexpr Field kClassFields[] = {WEFT_OBJECT_FIELDS,
                                  {"spec", Type::kObject, Use::kWorks, "", &kClassSpec},
                                  {"status", Type::kAny, Use::kHarmless, "Weft derives its own"}};

constexpr Field kFromFields[] = {{"group", Type::kString}, {"kind", Type::kString}, {"namespace", Type::kString}};
constexpr Table kFrom{kFromFields};
constexpr Field kToFields[] = {{"group", Type::kString}, {"kind", Type::kString}, {"name", Type::kString, Use::kWorks, "all when absent"}};
constexpr Table kTo{kToFields};
constexpr Field kGrantSpecFields[] = {{"from", Type::kObjects, Use::kWorks, "", &kFrom}, {"to", Type::kObjects, Use::kWorks, "", &kTo}};
constexpr Table kGrantSpec{kGrantSpecFields};
constexpr Field kGrantFields[] = {WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kGrantSpec}};

model::LabelSelector selector(const Reader& from) {
  using Operator = model::LabelRequirement::Operator;
  model::LabelSelector out;
  check_labels(from["matchLabels"]);
  out.labels = from["matchLabels"].text_map();
  for (const Reader& item : from["matchExpressions"].items()) {
    model::LabelRequirement& one = out.requirements.emplace_back();
    if (!item["key"]) item.missing("key", "the key of a label");
    if (!item["operator"]) item.missing("operator", "In, NotIn, Exists or DoesNotExist");
    one.key = item["key"].text();
    one.values = item["values"].texts();
    const std::string name = item["operator"].text();
    one.op = name == "NotIn"          ? Operator::kNotIn
             : name == "Exists"       ? Operator::kExists
             : name == "DoesNotExist" ? Operator::kDoesNotExist
                                      : Operator::kIn;
    const bool wants = one.op == Operator::kIn || one.op == Operator::kNotIn;
    if (wants == one.values.empty())
      item.error(codes::kConflict,
                 wants ? "found no values, expected at least one for " + name : "found values beside " + name + ", which takes none");
  }
  return out;
}

void check_protocol(const Reader& item, model::Listener& listener) {
  const Reader tls = item["tls"];
  const std::string &protocol = listener.protocol, mode = tls["mode"].text();
  listener.passthrough = protocol == "TLS" && mode == "Passthrough";
  const bool plain = protocol == "HTTP" || protocol == "TCP" || protocol == "UDP";
  if (plain && tls) tls.error(codes::kConflict, "found tls in a listener of protocol " + protocol, "write protocol: HTTPS, or remove tls");
  if (protocol == "HTTPS" && mode == "Passthrough")
    tls["mode"].error(codes::kConflict, "found Passthrough where protocol is HTTPS, expected Terminate");
  if (protocol == "TLS" && mode.empty()) item.missing("tls.mode", "Terminate or Passthrough for protocol TLS");
  if ((protocol == "TCP" || protocol == "UDP") && !listener.hostname.empty())
    item["hostname"].error(codes::kConflict, "found hostname in a listener of protocol " + protocol);
  if (tls && mode != "Passthrough" && !tls["certificateRefs"] && !tls["options"])
    tls.error(codes::kMissing, "found neither certificateRefs nor options, expected one of them where mode is Terminate");
  if (protocol == "HTTP" || protocol == "TCP" || listener.passthrough) return;
  item["protocol"].warn(codes::kNotServed,
                        "the " + protocol.substr(0, 60) + " listener " + listener.name + " is taken but not served" +
                            (protocol == "HTTPS" || protocol == "TLS" ? " until TLS comes" : ""),
                        "add an HTTP listener to serve its hosts in plain text meanwhile");
}

model::Listener listener_of(const Reader& item) {
  model::Listener out;
  out.name = item["name"].text();
  if (!item["name"]) item.missing("name", "a name");
  check_section_name(item["name"]);
  if (!item["port"]) item.missing("port", "a port number");
  out.port = port_number(item["port"]).value_or(0);
  out.hostname = item["hostname"].text();
  if (!out.hostname.empty()) check_hostname(item["hostname"], out.hostname, true);
  out.protocol = item["protocol"].text();
  if (out.protocol.empty())
    item.missing("protocol", "HTTP, TCP or TLS");
  else
    check_protocol(item, out);
  const Reader allowed = item["allowedRoutes"], from = allowed["namespaces"]["from"];
  if (from.text() == "All") out.from = model::Listener::From::kAll;
  if (from.text() == "Selector") {
    out.from = model::Listener::From::kSelector;
    if (!allowed["namespaces"]["selector"]) allowed["namespaces"].missing("selector", "labels of namespaces, as from is Selector");
    out.namespaces = selector(allowed["namespaces"]["selector"]);
  }
  at_most(allowed["kinds"], 8);
  for (const Reader& kind : allowed["kinds"].items()) {
    if (!kind["kind"]) kind.missing("kind", "HTTPRoute, GRPCRoute, TCPRoute or TLSRoute");
    out.kinds.push_back({kind["group"] ? kind["group"].text() : std::string(model::kGatewayApi), kind["kind"].text()});
  }
  return out;
}

}  // namespace

constexpr Table kTable{kRootFields};
constexpr Table kClassTable{kClassFields};
constexpr Table kGrantTable{kGrantFields};

model::Spec build(const Reader& root) {
  const Reader spec = root["spec"];
  model::KubeGateway gateway;
  gateway.generation = generation(root);
  gateway.class_name = spec["gatewayClassName"].text();
  if (gateway.class_name.empty()) spec.missing("gatewayClassName", "weft, istio or the name of a GatewayClass");
  const Reader listeners = spec["listeners"];
  at_most(listeners, 64);
  std::set<std::string> names, seen;
  for (const Reader& item : listeners.items()) {
    const model::Listener& one = gateway.listeners.emplace_back(listener_of(item));
    if (!names.insert(one.name).second)
      item["name"].error(codes::kDuplicate, "found the listener " + one.name + " twice; names are unique within a Gateway");
    if (!seen.insert(std::to_string(one.port) + " " + one.protocol + " " + one.hostname).second)
      item.error(codes::kDuplicate, "found a second listener of port " + std::to_string(one.port) + ", protocol " + one.protocol +
                                        " and hostname \"" + one.hostname + "\"; the combination is unique");
  }
  if (gateway.listeners.empty()) spec.missing("listeners", "at least one listener");
  at_most(spec["addresses"], 16);
  std::set<std::string> addresses;
  for (const Reader& item : spec["addresses"].items()) {
    model::GatewayAddress& one = gateway.addresses.emplace_back();
    one.type = item["type"] ? item["type"].text() : "IPAddress";
    one.value = item["value"].text();
    if (one.type == "Hostname") {
      if (one.value.empty())
        item.missing("value", "the name of a Service, as NAME or NAME.NAMESPACE.svc.cluster.local");
      else
        check_hostname(item["value"], one.value, true);
    }
    if (!one.value.empty() && !addresses.insert(one.type + " " + one.value).second)
      item.error(codes::kDuplicate, "found the address " + one.value + " twice");
  }
  return gateway;
}

model::Spec build_class(const Reader& root) {
  const Reader name = root["spec"]["controllerName"];
  model::GatewayClass out;
  out.generation = generation(root);
  out.controller = name.text();
  const size_t slash = out.controller.find('/');
  if (!name)
    root["spec"].missing("controllerName", "such as weft.mesh/gateway-controller");
  else if (slash == std::string::npos || slash + 1 == out.controller.size() || !is_dns_name(out.controller.substr(0, slash)))
    name.error(codes::kName, "found \"" + out.controller.substr(0, 100) + "\", expected DOMAIN/PATH such as weft.mesh/gateway-controller");
  return out;
}

model::Spec build_grant(const Reader& root) {
  const Reader spec = root["spec"];
  model::ReferenceGrant grant;
  for (const char* field : {"from", "to"}) {
    at_most(spec[field], 16);
    if (spec[field].items().empty()) spec.missing(field, "at least one entry");
    for (const Reader& item : spec[field].items()) {
      if (!item["group"]) item.missing("group", "the group of an API, \"\" for Kubernetes' own");
      if (!item["kind"]) item.missing("kind", "the name of a kind");
    }
  }
  for (const Reader& item : spec["from"].items()) {
    if (!is_dns_label(item["namespace"].text())) item.missing("namespace", "the name of a namespace");
    grant.from.push_back({item["group"].text(), item["kind"].text(), item["namespace"].text()});
  }
  for (const Reader& item : spec["to"].items()) grant.to.push_back({item["group"].text(), item["kind"].text(), item["name"].text()});
  return grant;
}

}  // namespace weft::validation::kube_gateway
