// ServiceEntry and WorkloadEntry: hosts outside Kubernetes, with fixed addresses.
#include "controlplane/validation/kinds.h"

#include <set>

namespace weft::validation::service_entry {
namespace {

constexpr Field kEntryFields[] = {{"address", Type::kString, Use::kWorks, "an IP address"},
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
    {"resolution", Type::kChoice, Use::kWorks, "the proxy has clusters with fixed endpoints only: use STATIC", nullptr,
     "STATIC !NONE !DNS !DNS_ROUND_ROBIN !DYNAMIC_DNS"},
    {"endpoints", Type::kObjects, Use::kWorks, "", &kEntry},
    {"workloadSelector", Type::kObject, Use::kWorks, "pods and WorkloadEntries of the namespace", &kSelector},
    {"exportTo", Type::kStrings},
    {"subjectAltNames", Type::kStrings, Use::kRefused, "TLS comes with a later version"}};
constexpr Table kSpec{kSpecFields};
constexpr Field kRootFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kSpec}, {"status", Type::kAny, Use::kHarmless, "written by Kubernetes"}};
constexpr Field kEntryRootFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kEntry}, {"status", Type::kAny, Use::kHarmless, "written by Kubernetes"}};

constexpr size_t kMaxHosts = 256;

model::WorkloadEntry entry(const Reader& from) {
  model::WorkloadEntry entry;
  if (Reader address = from["address"]; address && !address.text().empty()) {
    entry.address = address.text();
    if (entry.address.starts_with("unix:"))
      address.error(codes::kUnsupportedField, address.path() + ": Unix sockets are not supported by this version of Weft",
                    "use an IP address");
    else if (!is_ip(entry.address))
      address.error(codes::kValue, "found \"" + entry.address.substr(0, 260) + "\", expected an IP address",
                    "host names need resolution DNS, which this version does not carry");
  } else {
    from.missing("address", "an IP address");
  }
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

}  // namespace

constexpr Table kTable{kRootFields};
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
  if (!spec["resolution"])
    spec.subject().report(Severity::kError, codes::kUnsupportedField, spec.subject().document.root.mark,
                          "spec.resolution is absent, which means NONE, and NONE is not supported by this version of Weft",
                          "spec.resolution", "set resolution: STATIC and list endpoints");
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
  } else if (out.endpoints.empty()) {
    spec.missing("endpoints", "endpoints or a workloadSelector, as resolution STATIC needs");
  }
  out.export_to = export_to(spec["exportTo"], true);
  return out;
}

model::Spec build_entry(const Reader& root) { return entry(root["spec"]); }

}  // namespace weft::validation::service_entry
