// Sidecar: what the proxies of a namespace, or of some of its workloads, know of the mesh, and the ports that they serve.
#include "controlplane/validation/connection_pool.h"
#include "controlplane/validation/kinds.h"

#include <algorithm>
#include <set>

namespace weft::validation::sidecar {
namespace {

constexpr std::string_view kWithTls = "TLS comes with a later version";

constexpr Field kSelectorFields[] = {{"labels", Type::kStringMap}};
constexpr Table kSelector{kSelectorFields};
constexpr Field kPortFields[] = {{"number", Type::kInteger},
                                 {"protocol", Type::kString},
                                 {"name", Type::kString},
                                 {"targetPort", Type::kInteger, Use::kRefused, "write defaultEndpoint"}};
constexpr Table kPort{kPortFields};
constexpr Field kEgressFields[] = {
    {"port", Type::kObject, Use::kWorks, "absent: the ports of the services; such a listener is the last", &kPort},
    {"bind", Type::kString, Use::kWorks, "an IP or unix:// and a path"},
    {"captureMode", Type::kChoice, Use::kWorks, "", nullptr, "DEFAULT IPTABLES NONE"},
    {"hosts", Type::kStrings, Use::kWorks,
     "namespace/host: * any namespace, . the client's own, ~/* nothing, ~namespace/host all but this"}};
constexpr Table kEgress{kEgressFields};
constexpr Field kIngressFields[] = {
    {"port", Type::kObject, Use::kWorks, "", &kPort},
    {"bind", Type::kString, Use::kWorks, "an IP; that of the workload when absent"},
    {"captureMode", Type::kChoice, Use::kWorks, "", nullptr, "DEFAULT IPTABLES NONE"},
    {"defaultEndpoint", Type::kString, Use::kWorks,
     "127.0.0.1:PORT, [::1]:PORT, 0.0.0.0:PORT (the workload's own address), [::]:PORT or unix:// and a path"},
    {"tls", Type::kObject, Use::kRefused, kWithTls},
    {"connectionPool", Type::kObject, Use::kWorks, "", &kConnectionPoolTable}};
constexpr Table kIngress{kIngressFields};
constexpr Field kPolicyFields[] = {
    {"mode", Type::kChoice, Use::kWorks, "REGISTRY_ONLY when outboundTrafficPolicy stands without it", nullptr,
     "REGISTRY_ONLY ALLOW_ANY !ALLOW_ANY_DYNAMIC_DNS"},
    {"egressProxy", Type::kObject, Use::kRefused, "name the hosts by ServiceEntries and send them there by a VirtualService"}};
constexpr Table kPolicy{kPolicyFields};
constexpr Field kSpecFields[] = {
    {"workloadSelector", Type::kObject, Use::kWorks, "absent: every workload of the namespace; of the root namespace: of all", &kSelector},
    {"ingress", Type::kObjects, Use::kWorks, "instead of the ports of the workload's services", &kIngress},
    {"egress", Type::kObjects, Use::kWorks, "every service that is exported to the namespace when absent", &kEgress},
    {"outboundTrafficPolicy", Type::kObject, Use::kWorks, "ALLOW_ANY when absent; without capture unknown hosts get 502 either way",
     &kPolicy},
    {"inboundConnectionPool", Type::kObject, Use::kWorks, "of every inbound port", &kConnectionPoolTable}};
constexpr Table kSpec{kSpecFields};
constexpr Field kRootFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kSpec}, {"status", Type::kAny, Use::kHarmless, "written by Kubernetes"}};

std::string bind(const Reader& at, bool sockets) {
  const std::string text = at.text();
  if (text.empty()) return text;
  if (is_unix_address(text) && sockets)
    check_unix_address(at, text);
  else if (!is_ip(text))
    at.error(codes::kValue, "found \"" + text.substr(0, 120) + "\", expected an IP address" + (sockets ? " or unix:// and a path" : ""));
  return text;
}

model::CaptureMode capture(const Reader& at) {
  if (at.text() == "IPTABLES") return model::CaptureMode::kIptables;
  return at.text() == "NONE" ? model::CaptureMode::kNone : model::CaptureMode::kDefault;
}

model::SidecarPort port(const Reader& from) {
  model::SidecarPort out;
  if (!from["number"]) from.missing("number", "a port number");
  out.number = port_number(from["number"]).value_or(0);
  out.name = from["name"].text();
  const Reader protocol = from["protocol"];
  if (!protocol) {
    from.missing("protocol", "HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, TLS, TCP, MONGO, REDIS or MYSQL");
    return out;
  }
  out.protocol = model::protocol_named(protocol.text());
  if (out.protocol == model::Protocol::kUnknown || out.protocol == model::Protocol::kUdp)
    protocol.error(codes::kChoice,
                   "found \"" + protocol.text() + "\", expected HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, TLS, TCP, MONGO, REDIS or MYSQL");
  return out;
}

model::EgressHost egress_host(const Reader& at) {
  model::EgressHost out;
  const std::string text = at.text();
  const size_t slash = text.find('/');
  if (slash == std::string::npos) {
    at.error(codes::kHost, "found \"" + text.substr(0, 260) + "\", expected namespace/host",
             "write ./" + text.substr(0, 260) + " for the own namespace, or */" + text.substr(0, 260) + " for any");
    return out;
  }
  out.ns = text.substr(0, slash);
  out.host = text.substr(slash + 1);
  if (out.ns.size() > 1 && out.ns.front() == '~') {
    out.without = true;
    out.ns.erase(0, 1);
  }
  if (out.ns != "*" && out.ns != "." && out.ns != "~" && !is_dns_label(out.ns))
    at.error(codes::kName, "found the namespace \"" + out.ns.substr(0, 100) + "\", expected *, ., ~ or the name of a namespace");
  check_host(at, out.host, true);
  // A name without dot is no service's: hosts are fully qualified here.
  if (out.ns != "~" && out.host != "*" && out.host.find('.') == std::string::npos)
    at.warn(codes::kNoEffect, "found the short name " + out.host + ", which no host is equal to",
            "write the whole name, such as " + out.host + "." + (out.ns == "." || out.ns == "*" ? at.subject().ns : out.ns) +
                ".svc.cluster.local");
  return out;
}

void egress(const Reader& list, model::Sidecar& out) {
  std::set<std::string> places;
  const std::vector<Reader> items = list.items();
  for (size_t i = 0; i < items.size(); ++i) {
    const Reader& item = items[i];
    model::EgressListener& one = out.egress.emplace_back();
    one.capture = capture(item["captureMode"]);
    one.bind = bind(item["bind"], true);
    if (item["port"]) one.port = port(item["port"]);
    for (const Reader& host : item["hosts"].items()) one.hosts.push_back(egress_host(host));
    if (one.hosts.empty()) item.missing("hosts", "at least one namespace/host");
    const bool nothing = std::any_of(one.hosts.begin(), one.hosts.end(), [](const auto& host) { return host.ns == "~"; });
    if (nothing && one.hosts.size() > 1) item["hosts"].error(codes::kConflict, "found ~/ (nothing) beside other hosts, expected it alone");
    if (!one.port && i + 1 < items.size())
      item.error(codes::kConflict, "found a listener without port before others, expected it as the last, and at most one",
                 "give it a port, or put it last");
    if (!one.port && is_unix_address(one.bind)) item.missing("port", "a port, as bind is a Unix socket");
    if (is_unix_address(one.bind) && one.capture == model::CaptureMode::kIptables)
      item["captureMode"].error(codes::kConflict, "found IPTABLES beside a Unix socket, which nothing is redirected to", "write NONE");
    if (one.port && !places.insert(one.bind + " " + std::to_string(one.port->number)).second)
      item["port"].error(codes::kDuplicate, "found port " + std::to_string(one.port->number) + " twice");
  }
}

// "127.0.0.1:8080", "[::1]:8080" or a socket's path.
void endpoint(const Reader& at, model::IngressListener& out) {
  const std::string text = at.text();
  if (is_unix_address(text)) {
    check_unix_address(at, text);
    out.endpoint_address = text;
    return;
  }
  const size_t colon = text.rfind(':');
  std::string ip = text.substr(0, colon);
  const std::string number = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (ip.starts_with('[') && ip.ends_with(']')) ip = ip.substr(1, ip.size() - 2);
  const bool known = ip == "127.0.0.1" || ip == "::1" || ip == "0.0.0.0" || ip == "::";
  const bool digits = !number.empty() && number.size() <= 5 && number.find_first_not_of("0123456789") == std::string::npos;
  const unsigned long value = digits ? std::stoul(number) : 0;
  if (!known || value == 0 || value > 65535)
    return at.error(codes::kValue, "found \"" + text.substr(0, 120) +
                                       "\", expected 127.0.0.1:PORT, [::1]:PORT, 0.0.0.0:PORT, [::]:PORT or unix:// and a path");
  out.endpoint_address = ip;
  out.endpoint_port = static_cast<uint32_t>(value);
}

void ingress(const Reader& list, model::Sidecar& out) {
  std::set<uint32_t> ports;
  for (const Reader& item : list.items()) {
    model::IngressListener& one = out.ingress.emplace_back();
    if (item["port"])
      one.port = port(item["port"]);
    else
      item.missing("port", "a port with number, protocol and name");
    if (item["port"]["number"] && !ports.insert(one.port.number).second)
      item["port"]["number"].error(codes::kDuplicate, "found port " + std::to_string(one.port.number) + " twice");
    one.bind = bind(item["bind"], false);
    one.capture = capture(item["captureMode"]);
    if (item["defaultEndpoint"]) endpoint(item["defaultEndpoint"], one);
    if (Reader pool = item["connectionPool"]) one.connection_pool = read_connection_pool(pool);
  }
}

}  // namespace

constexpr Table kTable{kRootFields};

model::Spec build(const Reader& root) {
  const Reader spec = root["spec"];
  model::Sidecar out;
  if (Reader selector = spec["workloadSelector"]) {
    check_labels(selector["labels"]);
    out.workload_selector = selector["labels"].text_map();
    if (out.workload_selector->empty()) {
      out.workload_selector.reset();  // as Istio has it: one that selects by nothing is the namespace's
      selector.warn(codes::kNoEffect, "found a workloadSelector without labels, which selects every workload of the namespace",
                    "add labels, or remove it");
    }
  }
  egress(spec["egress"], out);
  ingress(spec["ingress"], out);
  if (Reader policy = spec["outboundTrafficPolicy"])
    out.outbound_policy = policy["mode"].text() == "ALLOW_ANY" ? model::OutboundPolicy::kAllowAny : model::OutboundPolicy::kRegistryOnly;
  if (Reader pool = spec["inboundConnectionPool"]) out.inbound_pool = read_connection_pool(pool);
  if (out.workload_selector && root.subject().ns == model::kRootNamespace)
    spec["workloadSelector"].warn(codes::kNoEffect,
                                  "found a workloadSelector in the root namespace; it selects workloads of this namespace alone",
                                  "remove it to make the Sidecar everybody's default");
  if (out.egress.empty() && out.ingress.empty() && !out.outbound_policy && !out.inbound_pool)
    spec.error(codes::kMissing, "found an empty Sidecar, expected egress, ingress, outboundTrafficPolicy or inboundConnectionPool");
  return out;
}

}  // namespace weft::validation::sidecar
