// Kubernetes' own kinds as plain YAML. Real manifests carry much that a mesh does not read, so unknown fields pass; what is read is
// checked.
#include "controlplane/validation/kinds.h"

#include <set>

namespace weft::validation::kubernetes {
namespace {

constexpr std::string_view kUnread = "";

constexpr Field kServicePortFields[] = {
    {"name", Type::kString},
    {"port", Type::kInteger},
    {"protocol", Type::kChoice, Use::kWorks, "UDP and SCTP ports are left out", nullptr, "TCP UDP SCTP"},
    {"appProtocol", Type::kString},
    {"targetPort", Type::kIntOrString}};
constexpr Table kServicePort{kServicePortFields, true};
constexpr Field kServiceSpecFields[] = {{"clusterIP", Type::kString, Use::kWorks, "None: headless"},
                                        {"clusterIPs", Type::kStrings},
                                        {"type", Type::kChoice, Use::kWorks, "make a ServiceEntry for the outside host", nullptr,
                                         "ClusterIP NodePort LoadBalancer !ExternalName"},
                                        {"selector", Type::kStringMap},
                                        {"ports", Type::kObjects, Use::kWorks, "", &kServicePort},
                                        {"publishNotReadyAddresses", Type::kBool}};
constexpr Table kServiceSpec{kServiceSpecFields, true};
constexpr Field kServiceFields[] = {WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kServiceSpec}};

constexpr Field kTargetRefFields[] = {{"kind", Type::kString}, {"name", Type::kString}, {"namespace", Type::kString}};
constexpr Table kTargetRef{kTargetRefFields, true};
constexpr Field kAddressFields[] = {
    {"ip", Type::kString}, {"nodeName", Type::kString}, {"targetRef", Type::kObject, Use::kWorks, "", &kTargetRef}};
constexpr Table kAddress{kAddressFields, true};
constexpr Field kEndpointPortFields[] = {
    {"name", Type::kString}, {"port", Type::kInteger}, {"protocol", Type::kChoice, Use::kWorks, "", nullptr, "TCP UDP SCTP"}};
constexpr Table kEndpointPort{kEndpointPortFields, true};
constexpr Field kEndpointsSubsetFields[] = {{"addresses", Type::kObjects, Use::kWorks, "", &kAddress},
                                            {"notReadyAddresses", Type::kObjects, Use::kWorks, "", &kAddress},
                                            {"ports", Type::kObjects, Use::kWorks, "", &kEndpointPort}};
constexpr Table kEndpointsSubset{kEndpointsSubsetFields, true};
constexpr Field kEndpointsFields[] = {WEFT_OBJECT_FIELDS, {"subsets", Type::kObjects, Use::kWorks, "", &kEndpointsSubset}};

constexpr Field kConditionsFields[] = {
    {"ready", Type::kBool, Use::kWorks, "true when absent"}, {"serving", Type::kBool}, {"terminating", Type::kBool}};
constexpr Table kConditions{kConditionsFields, true};
constexpr Field kSliceEndpointFields[] = {{"addresses", Type::kStrings},
                                          {"conditions", Type::kObject, Use::kWorks, "", &kConditions},
                                          {"targetRef", Type::kObject, Use::kWorks, "", &kTargetRef},
                                          {"nodeName", Type::kString},
                                          {"zone", Type::kString}};
constexpr Table kSliceEndpoint{kSliceEndpointFields, true};
constexpr Field kSliceFields[] = {WEFT_OBJECT_FIELDS,
                                  {"addressType", Type::kChoice, Use::kWorks, "FQDN slices are left out", nullptr, "IPv4 IPv6 FQDN"},
                                  {"ports", Type::kObjects, Use::kWorks, "", &kEndpointPort},
                                  {"endpoints", Type::kObjects, Use::kWorks, "", &kSliceEndpoint}};

constexpr Field kContainerPortFields[] = {{"name", Type::kString}, {"containerPort", Type::kInteger}};
constexpr Table kContainerPort{kContainerPortFields, true};
constexpr Field kContainerFields[] = {{"ports", Type::kObjects, Use::kWorks, "", &kContainerPort}};
constexpr Table kContainer{kContainerFields, true};
constexpr Field kPodSpecFields[] = {
    {"serviceAccountName", Type::kString},
    {"nodeName", Type::kString},
    {"hostname", Type::kString, Use::kWorks, "its name in the DNS, within spec.subdomain; the pod's name when absent"},
    {"subdomain", Type::kString},
    {"containers", Type::kObjects, Use::kWorks, "", &kContainer}};
constexpr Table kPodSpec{kPodSpecFields, true};
constexpr Field kConditionFields[] = {{"type", Type::kString}, {"status", Type::kString}};
constexpr Table kCondition{kConditionFields, true};
constexpr Field kPodStatusFields[] = {
    {"podIP", Type::kString}, {"phase", Type::kString}, {"conditions", Type::kObjects, Use::kWorks, "", &kCondition}};
constexpr Table kPodStatus{kPodStatusFields, true};
constexpr Field kPodFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kPodSpec}, {"status", Type::kObject, Use::kWorks, "", &kPodStatus}};

constexpr Field kNamespaceFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kAny, Use::kHarmless, kUnread}, {"status", Type::kAny, Use::kHarmless, kUnread}};

void check_ip(const Reader& at) {
  if (!is_ip(at.text())) at.error(codes::kValue, "found \"" + at.text().substr(0, 100) + "\", expected an IP address");
}

model::PodRef pod_ref(const Reader& target) {
  if (!target || (target["kind"] && target["kind"].text() != "Pod")) return {};
  return {target["namespace"] ? target["namespace"].text() : target.subject().ns, target["name"].text()};
}

std::vector<model::EndpointPort> endpoint_ports(const Reader& list) {
  std::vector<model::EndpointPort> ports;
  for (const Reader& item : list.items())
    ports.push_back({item["name"].text(), item["protocol"] ? item["protocol"].text() : "TCP", port_number(item["port"])});
  return ports;
}

std::optional<model::TargetPort> target_port(const Reader& at) {
  if (!at) return std::nullopt;
  const std::string text = at.text();
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos) return model::TargetPort{port_number(at).value_or(0), {}};
  if (!is_dns_label(text) || text.size() > 15)
    at.error(codes::kName, "found \"" + text.substr(0, 60) + "\", expected a port number or the name of a container port");
  return model::TargetPort{0, text};
}

}  // namespace

constexpr Table kServiceTable{kServiceFields, true};
constexpr Table kEndpointsTable{kEndpointsFields, true};
constexpr Table kEndpointSliceTable{kSliceFields, true};
constexpr Table kPodTable{kPodFields, true};
constexpr Table kNamespaceTable{kNamespaceFields, true};

model::Spec build_service(const Reader& root) {
  const Reader spec = root["spec"];
  model::Service service;
  const std::string ip = spec["clusterIP"].text();
  service.headless = ip == "None";
  for (const Reader& item : spec["clusterIPs"].items()) {
    if (item.text() == "None") continue;
    check_ip(item);
    service.cluster_ips.push_back(item.text());
  }
  if (service.cluster_ips.empty() && !ip.empty() && !service.headless) {
    check_ip(spec["clusterIP"]);
    service.cluster_ips.push_back(ip);
  }
  service.selector = spec["selector"].text_map();
  service.publish_not_ready = spec["publishNotReadyAddresses"].flag();
  std::set<std::string> names, numbers;
  const std::vector<Reader> items = spec["ports"].items();
  for (const Reader& item : items) {
    model::KubePort& port = service.ports.emplace_back();
    port.name = item["name"].text();
    if (items.size() > 1 && port.name.empty())
      item.missing("name", "a name, since the Service has several ports");
    else if (!names.insert(port.name).second)
      item["name"].error(codes::kDuplicate, "found the port name " + port.name + " twice");
    if (!item["port"]) item.missing("port", "a port number");
    port.port = port_number(item["port"]).value_or(0);
    if (item["protocol"]) port.protocol = item["protocol"].text();
    if (item["port"] && !numbers.insert(port.protocol + item["port"].text()).second)
      item["port"].error(codes::kDuplicate, "found port " + item["port"].text() + " twice");
    port.app_protocol = item["appProtocol"].text();
    port.target = target_port(item["targetPort"]);
  }
  if (service.ports.empty() && !service.headless) spec.missing("ports", "at least one port");
  for (const auto& [name, value] : root["metadata"]["annotations"].entries()) {
    if (name != "networking.istio.io/exportTo") continue;
    std::string text = value.text();
    for (size_t start = 0; start <= text.size();) {
      const size_t comma = std::min(text.find(',', start), text.size());
      std::string part = text.substr(start, comma - start);
      part.erase(0, part.find_first_not_of(' '));
      part.erase(part.find_last_not_of(' ') + 1);
      if (!part.empty() && part != "*" && part != "." && part != "~" && !is_dns_label(part))
        value.error(codes::kName, "found \"" + part.substr(0, 100) + "\", expected \"*\", \".\", \"~\" or the name of a namespace");
      if (!part.empty()) service.export_to.push_back(part);
      start = comma + 1;
    }
  }
  return service;
}

model::Spec build_endpoints(const Reader& root) {
  model::Endpoints endpoints;
  for (const Reader& item : root["subsets"].items()) {
    model::EndpointsSubset& subset = endpoints.subsets.emplace_back();
    for (auto [field, list] : {std::pair{"addresses", &subset.ready}, {"notReadyAddresses", &subset.not_ready}}) {
      for (const Reader& address : item[field].items()) {
        if (!address["ip"])
          address.missing("ip", "an IP address");
        else
          check_ip(address["ip"]);
        list->push_back({address["ip"].text(), address["nodeName"].text(), "", pod_ref(address["targetRef"])});
      }
    }
    subset.ports = endpoint_ports(item["ports"]);
  }
  return endpoints;
}

model::Spec build_endpoint_slice(const Reader& root) {
  model::EndpointSlice slice;
  const auto labels = root["metadata"]["labels"].text_map();
  if (auto service = labels.find("kubernetes.io/service-name"); service != labels.end())
    slice.service = service->second;
  else
    root["metadata"].warn(codes::kNoEffect, "found no label kubernetes.io/service-name, so this slice belongs to no Service",
                          "add the label with the name of the Service");
  slice.address_type = root["addressType"].text();
  if (!root["addressType"]) root.missing("addressType", "IPv4, IPv6 or FQDN");
  slice.ports = endpoint_ports(root["ports"]);
  for (const Reader& item : root["endpoints"].items()) {
    model::SliceEndpoint& endpoint = slice.endpoints.emplace_back();
    endpoint.addresses = item["addresses"].texts();
    if (endpoint.addresses.empty()) item.missing("addresses", "at least one address");
    if (slice.address_type != "FQDN")
      for (const Reader& address : item["addresses"].items()) check_ip(address);
    const Reader conditions = item["conditions"];
    endpoint.ready = conditions["ready"].flag(true);
    // As istiod reads it: not ready and nothing said about terminating means going away.
    endpoint.terminating = conditions["terminating"].flag(!endpoint.ready);
    endpoint.node = item["nodeName"].text();
    endpoint.zone = item["zone"].text();
    endpoint.pod = pod_ref(item["targetRef"]);
  }
  return slice;
}

model::Spec build_pod(const Reader& root) {
  model::Pod pod;
  const Reader spec = root["spec"], status = root["status"];
  if (Reader ip = status["podIP"]; ip && !ip.text().empty()) {
    check_ip(ip);
    pod.ip = ip.text();
  }
  pod.node = spec["nodeName"].text();
  pod.hostname = spec["hostname"].text();
  pod.subdomain = spec["subdomain"].text();
  if (Reader account = spec["serviceAccountName"]; account && !account.text().empty()) pod.service_account = account.text();
  for (const Reader& container : spec["containers"].items())
    for (const Reader& port : container["ports"].items())
      if (auto number = port_number(port["containerPort"])) pod.ports.push_back({port["name"].text(), *number});
  const std::string phase = status["phase"].text();
  if (phase == "Succeeded" || phase == "Failed" || root["metadata"]["deletionTimestamp"]) pod.ready = false;
  for (const Reader& condition : status["conditions"].items())
    if (condition["type"].text() == "Ready" && condition["status"].text() != "True") pod.ready = false;
  return pod;
}

model::Spec build_namespace(const Reader&) { return model::Namespace{}; }

}  // namespace weft::validation::kubernetes
