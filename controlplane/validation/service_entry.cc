// ServiceEntry, WorkloadEntry and WorkloadGroup: hosts outside Kubernetes.
#include "controlplane/validation/kinds.h"

#include <set>

namespace weft::validation::service_entry {
namespace {

using model::is_dns;
using model::Resolution;

constexpr Field kEntryFields[] = {
    {"address", Type::kString, Use::kWorks, "an IP address, a host name that DNS knows, or unix:// and a path"},
    {"ports", Type::kPortMap, Use::kWorks, "by the port's name"},
    {"labels", Type::kStringMap},
    {"network", Type::kString},
    {"locality", Type::kString, Use::kWorks, "region/zone/subzone"},
    {"weight", Type::kInteger},
    {"serviceAccount", Type::kString}};
constexpr Table kEntry{kEntryFields};
constexpr Field kPortFields[] = {{"number", Type::kInteger},
                                 {"name", Type::kString},
                                 {"protocol", Type::kString, Use::kWorks, "TCP when absent"},
                                 {"targetPort", Type::kInteger}};
constexpr Table kPort{kPortFields};
constexpr Field kSelectorFields[] = {{"labels", Type::kStringMap}};
constexpr Table kSelector{kSelectorFields};
constexpr Field kSpecFields[] = {
    {"hosts", Type::kStrings},
    {"addresses", Type::kStrings, Use::kWorks, "virtual IPs or CIDRs"},
    {"ports", Type::kObjects, Use::kWorks, "", &kPort},
    {"location", Type::kChoice, Use::kWorks, "MESH_EXTERNAL when absent", nullptr, "MESH_EXTERNAL MESH_INTERNAL"},
    {"resolution", Type::kChoice, Use::kWorks, "NONE when absent: where the client wanted to go, which needs capture", nullptr,
     "NONE STATIC DNS DNS_ROUND_ROBIN !DYNAMIC_DNS"},
    {"endpoints", Type::kObjects, Use::kWorks, "", &kEntry},
    {"workloadSelector", Type::kObject, Use::kWorks, "pods and WorkloadEntries of the namespace", &kSelector},
    {"exportTo", Type::kStrings},
    {"subjectAltNames", Type::kStrings, Use::kRefused, "TLS comes with a later version"}};
constexpr Table kSpec{kSpecFields};
constexpr Field kRootFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kSpec}, {"status", Type::kAny, Use::kHarmless, "written by Kubernetes"}};
constexpr Field kHeaderFields[] = {{"name", Type::kString}, {"value", Type::kString}};
constexpr Table kHeader{kHeaderFields};
constexpr Field kHttpGetFields[] = {{"path", Type::kString},
                                    {"port", Type::kInteger},
                                    {"host", Type::kString},
                                    {"scheme", Type::kString},
                                    {"httpHeaders", Type::kObjects, Use::kWorks, "", &kHeader}};
constexpr Table kHttpGet{kHttpGetFields};
constexpr Field kSocketFields[] = {{"host", Type::kString}, {"port", Type::kInteger}};
constexpr Table kSocket{kSocketFields};
constexpr Field kExecFields[] = {{"command", Type::kStrings}};
constexpr Table kExec{kExecFields};
constexpr Field kGrpcFields[] = {{"port", Type::kInteger}, {"service", Type::kString}};
constexpr Table kGrpc{kGrpcFields};
constexpr Field kProbeFields[] = {{"initialDelaySeconds", Type::kInteger},
                                  {"timeoutSeconds", Type::kInteger, Use::kWorks, "1 when absent"},
                                  {"periodSeconds", Type::kInteger, Use::kWorks, "10 when absent"},
                                  {"successThreshold", Type::kInteger, Use::kWorks, "1 when absent"},
                                  {"failureThreshold", Type::kInteger, Use::kWorks, "3 when absent"},
                                  {"httpGet", Type::kObject, Use::kWorks, "", &kHttpGet},
                                  {"tcpSocket", Type::kObject, Use::kWorks, "", &kSocket},
                                  {"exec", Type::kObject, Use::kWorks, "", &kExec},
                                  {"grpc", Type::kObject, Use::kWorks, "", &kGrpc}};
constexpr Table kProbe{kProbeFields};
constexpr Field kGroupMetadataFields[] = {{"labels", Type::kStringMap}, {"annotations", Type::kStringMap}};
constexpr Table kGroupMetadata{kGroupMetadataFields};
constexpr Field kGroupSpecFields[] = {{"metadata", Type::kObject, Use::kWorks, "", &kGroupMetadata},
                                      {"template", Type::kObject, Use::kWorks, "taken; workloads do not register by themselves", &kEntry},
                                      {"probe", Type::kObject, Use::kWorks, "taken; nobody runs it", &kProbe}};
constexpr Table kGroupSpec{kGroupSpecFields};
constexpr Field kGroupRootFields[] = {WEFT_OBJECT_FIELDS,
                                      {"spec", Type::kObject, Use::kWorks, "checked, with a warning that nothing comes of it", &kGroupSpec},
                                      {"status", Type::kAny, Use::kHarmless, "written by Kubernetes"}};
constexpr Field kEntryRootFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kEntry}, {"status", Type::kAny, Use::kHarmless, "written by Kubernetes"}};

constexpr size_t kMaxHosts = 256;

// An address, where `addressed`: templates have none.
model::WorkloadEntry entry(const Reader& from, bool addressed = true) {
  model::WorkloadEntry entry;
  const Reader address = from["address"];
  entry.address = address.text();
  if (is_unix_address(entry.address)) {
    check_unix_address(address, entry.address);
    if (from["ports"]) from["ports"].error(codes::kConflict, "found ports beside a Unix socket, which has none");
  } else if (!entry.address.empty() && !is_ip(entry.address)) {
    check_host(address, entry.address, false);
  }
  if (addressed && entry.address.empty())
    from.missing("address", from["network"] ? "an address; workloads that only the gateway of their network reaches are not supported"
                                            : "an IP address, a host name, or unix:// and a path");
  if (!addressed && address) address.error(codes::kConflict, "found an address in a template, whose workloads have one each", "remove it");
  for (const auto& [name, number] : from["ports"].entries())
    if (auto port = port_number(number)) entry.ports[name] = *port;
  check_labels(from["labels"]);
  entry.labels = from["labels"].text_map();
  entry.network = from["network"].text();
  entry.locality = model::parse_locality(from["locality"].text());
  entry.weight = from["weight"].integer(0, INT32_MAX);
  entry.service_account = from["serviceAccount"].text();
  return entry;
}

void ports(const Reader& spec, model::ServiceEntry& out) {
  std::set<uint32_t> numbers;
  std::set<std::string> names;
  for (const Reader& item : spec["ports"].items()) {
    model::EntryPort& port = out.ports.emplace_back();
    if (!item["number"]) item.missing("number", "a port number");
    port.number = port_number(item["number"]).value_or(0);
    if (item["number"] && !numbers.insert(port.number).second)
      item["number"].error(codes::kDuplicate, "found port " + item["number"].text() + " twice");
    port.name = item["name"].text();
    if (!item["name"])
      item.missing("name", "a name for the port");
    else if (!names.insert(port.name).second)
      item["name"].error(codes::kDuplicate, "found the port name " + port.name + " twice");
    if (Reader protocol = item["protocol"]) {
      port.protocol = model::protocol_named(protocol.text());
      if (port.protocol == model::Protocol::kUnknown || port.protocol == model::Protocol::kUdp)
        protocol.error(codes::kChoice,
                       "found \"" + protocol.text() + "\", expected HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, TLS, TCP, MONGO, REDIS or MYSQL");
    }
    port.target_port = port_number(item["targetPort"]);
  }
  if (out.ports.empty()) spec.missing("ports", "at least one port");
}

void hosts(const Reader& spec, model::ServiceEntry& out) {
  std::set<std::string> seen;
  for (const Reader& item : spec["hosts"].items()) {
    const std::string text = item.text();
    if (text == "*") {
      item.error(codes::kHost, "found \"*\", which would take every host; expected a host name");
      continue;
    }
    if (!check_host(item, text, true)) continue;
    const std::string full = qualified(item, text);
    if (!seen.insert(full).second) item.error(codes::kDuplicate, "found the host " + full + " twice");
    out.hosts.push_back(full);
  }
  if (spec["hosts"].items().empty()) spec.missing("hosts", "at least one host");
  if (out.hosts.size() > kMaxHosts)
    spec["hosts"].error(codes::kTooLarge, "found " + std::to_string(out.hosts.size()) + " hosts, expected at most 256");
}

Resolution resolution_of(std::string_view name) {
  if (name == "STATIC") return Resolution::kStatic;
  if (name == "DNS") return Resolution::kDns;
  if (name == "DNS_ROUND_ROBIN") return Resolution::kDnsRoundRobin;
  return Resolution::kNone;
}

// What fits only some ways to find a service.
void check_resolution(const Reader& spec, const model::ServiceEntry& entry) {
  const Resolution how = entry.resolution;
  const std::vector<Reader> endpoints = spec["endpoints"].items();
  if (how == Resolution::kNone && (!endpoints.empty() || entry.workload_selector))
    spec[endpoints.empty() ? "workloadSelector" : "endpoints"].error(
        codes::kConflict, "found endpoints where resolution is NONE, which goes where the client wanted to go",
        "write resolution: STATIC, or DNS for host names");
  for (const Reader& item : endpoints) {
    const std::string address = item["address"].text();
    const bool name = !address.empty() && !is_ip(address) && !is_unix_address(address);
    if (how == Resolution::kStatic && name)
      item["address"].error(codes::kValue,
                            "found the host name " + address.substr(0, 260) + " where resolution is STATIC, expected an IP address",
                            "write resolution: DNS");
    if (is_dns(how) && is_unix_address(address))
      item["address"].error(codes::kConflict, "found a Unix socket where DNS finds the endpoints", "write resolution: STATIC");
  }
  if (is_dns(how) && endpoints.empty() && !entry.workload_selector) {
    const std::vector<Reader> hosts = spec["hosts"].items();
    for (const Reader& host : hosts)
      if (host.text().starts_with('*'))
        host.error(codes::kHost, "found the wildcard " + host.text().substr(0, 260) + " where DNS is asked for the host",
                   "name the hosts, or add endpoints");
  }
  if (how == Resolution::kDnsRoundRobin && (endpoints.size() > 1 || entry.workload_selector))
    spec[endpoints.empty() ? "workloadSelector" : "endpoints"].error(
        codes::kConflict, "found more than one endpoint where resolution is DNS_ROUND_ROBIN, expected one at most",
        "write resolution: DNS");
  if (how == Resolution::kNone || how == Resolution::kStatic) return;
  for (const Reader& item : spec["addresses"].items())
    if (item.text().find('/') != std::string::npos)
      item.error(codes::kConflict, "found the range " + item.text() + " where DNS finds the endpoints, expected single addresses",
                 "write resolution: NONE or STATIC");
}

void check_probe(const Reader& probe) {
  int kinds = 0;
  for (const char* kind : {"httpGet", "tcpSocket", "exec", "grpc"}) kinds += probe[kind] ? 1 : 0;
  if (kinds == 0) probe.error(codes::kMissing, "found a probe that asks nothing, expected httpGet, tcpSocket, exec or grpc");
  if (kinds > 1) probe.error(codes::kConflict, "found several of httpGet, tcpSocket, exec and grpc, expected one");
  for (const char* number : {"initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"})
    probe[number].integer(0, INT32_MAX);
  for (const char* kind : {"httpGet", "tcpSocket", "grpc"}) {
    if (!probe[kind]) continue;
    if (!probe[kind]["port"]) probe[kind].missing("port", "a port number");
    port_number(probe[kind]["port"]);
  }
  const std::string scheme = probe["httpGet"]["scheme"].text();
  if (!scheme.empty() && scheme != "http" && scheme != "https" && scheme != "HTTP" && scheme != "HTTPS")
    probe["httpGet"]["scheme"].error(codes::kChoice, "found \"" + scheme.substr(0, 60) + "\", expected HTTP or HTTPS");
  for (const Reader& header : probe["httpGet"]["httpHeaders"].items())
    if (!is_header_name(header["name"].text()))
      header["name"].error(codes::kName, "found \"" + header["name"].text().substr(0, 100) + "\", expected the name of a header");
  if (probe["exec"] && probe["exec"]["command"].items().empty()) probe["exec"].missing("command", "a program and its arguments");
  probe.warn(codes::kNotServed, "the probe is taken but nobody runs it", "mark entries that are down by removing them");
}

}  // namespace

constexpr Table kTable{kRootFields};
constexpr Table kGroupTable{kGroupRootFields};
constexpr Table kEntryTable{kEntryRootFields};

model::Spec build(const Reader& root) {
  const Reader spec = root["spec"];
  model::ServiceEntry out;
  hosts(spec, out);
  for (const Reader& item : spec["addresses"].items()) {
    if (!is_cidr_or_ip(item.text()))
      item.error(codes::kValue, "found \"" + item.text().substr(0, 100) + "\", expected an IP address or a CIDR");
    out.addresses.push_back(item.text());
  }
  ports(spec, out);
  out.resolution = resolution_of(spec["resolution"].text());
  out.location = spec["location"].text() == "MESH_INTERNAL" ? model::Location::kMeshInternal : model::Location::kMeshExternal;
  for (const Reader& item : spec["endpoints"].items()) {
    out.endpoints.push_back(entry(item));
    for (const auto& [name, number] : item["ports"].entries()) {
      bool known = false;
      for (const model::EntryPort& port : out.ports) known = known || port.name == name;
      if (!known) number.error(codes::kValue, "found the port name " + name + ", expected one of spec.ports");
    }
  }
  if (Reader selector = spec["workloadSelector"]) {
    check_labels(selector["labels"]);
    out.workload_selector = selector["labels"].text_map();
    if (out.workload_selector->empty()) selector.missing("labels", "at least one label");
    if (!out.endpoints.empty()) selector.error(codes::kConflict, "found workloadSelector and endpoints, expected one of them");
  } else if (out.endpoints.empty() && out.resolution == Resolution::kStatic) {
    spec.missing("endpoints", "endpoints or a workloadSelector, as resolution STATIC needs");
  }
  check_resolution(spec, out);
  out.export_to = export_to(spec["exportTo"], true);
  return out;
}

model::Spec build_entry(const Reader& root) { return entry(root["spec"]); }

model::Spec build_group(const Reader& root) {
  const Reader spec = root["spec"];
  model::WorkloadGroup group;
  check_labels(spec["metadata"]["labels"]);
  group.labels = spec["metadata"]["labels"].text_map();
  if (Reader from = spec["template"])
    group.entry = entry(from, false);
  else
    spec.missing("template", "what the group's WorkloadEntries have in common");
  if (Reader probe = spec["probe"]) check_probe(probe);
  spec["template"].warn(codes::kNotServed, "the template is taken, but workloads do not register by themselves",
                        "write a WorkloadEntry for each workload");
  return group;
}

}  // namespace weft::validation::service_entry
