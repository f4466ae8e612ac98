// Gateway: HTTP servers work; HTTPS and TLS servers are taken with a warning, since they come with TLS.
#include "controlplane/validation/kinds.h"

#include <set>

namespace weft::validation::gateway {
namespace {

constexpr std::string_view kWithTls = "HTTPS and TLS servers are not served until TLS comes";

constexpr Field kPortFields[] = {
    {"number", Type::kInteger},
    {"protocol", Type::kString, Use::kWorks, "HTTP, HTTP2, GRPC and GRPC-WEB are served; HTTPS and TLS warn; TCP and MONGO are refused"},
    {"name", Type::kString},
    {"targetPort", Type::kInteger, Use::kRefused, "the targetPort of the gateway's Service is what counts"}};
constexpr Table kPort{kPortFields};
constexpr Field kTlsFields[] = {
    {"httpsRedirect", Type::kBool, Use::kWorks, "of an HTTP server: 301 to https://"},
    {"mode", Type::kChoice, Use::kWorks, kWithTls, nullptr, "PASSTHROUGH SIMPLE MUTUAL AUTO_PASSTHROUGH ISTIO_MUTUAL OPTIONAL_MUTUAL"},
    {"credentialName", Type::kString, Use::kHarmless, kWithTls},
    {"credentialNames", Type::kStrings, Use::kHarmless, kWithTls},
    {"caCertCredentialName", Type::kString, Use::kHarmless, kWithTls},
    {"tlsCertificates", Type::kAny, Use::kHarmless, kWithTls},
    {"serverCertificate", Type::kString, Use::kHarmless, kWithTls},
    {"privateKey", Type::kString, Use::kHarmless, kWithTls},
    {"caCertificates", Type::kString, Use::kHarmless, kWithTls},
    {"caCrl", Type::kString, Use::kHarmless, kWithTls},
    {"subjectAltNames", Type::kStrings, Use::kHarmless, kWithTls},
    {"verifyCertificateSpki", Type::kStrings, Use::kHarmless, kWithTls},
    {"verifyCertificateHash", Type::kStrings, Use::kHarmless, kWithTls},
    {"minProtocolVersion", Type::kString, Use::kHarmless, kWithTls},
    {"maxProtocolVersion", Type::kString, Use::kHarmless, kWithTls},
    {"cipherSuites", Type::kStrings, Use::kHarmless, kWithTls},
    {"insecureSkipVerify", Type::kBool, Use::kHarmless, kWithTls}};
constexpr Table kTls{kTlsFields};
constexpr Field kServerFields[] = {{"port", Type::kObject, Use::kWorks, "", &kPort},
                                   {"hosts", Type::kStrings, Use::kWorks, "[namespace/]host; namespace * or ."},
                                   {"name", Type::kString},
                                   {"tls", Type::kObject, Use::kWorks, "", &kTls},
                                   {"bind", Type::kString, Use::kRefused},
                                   {"defaultEndpoint", Type::kString, Use::kRefused}};
constexpr Table kServer{kServerFields};
constexpr Field kSpecFields[] = {{"selector", Type::kStringMap, Use::kWorks, "absent: every gateway proxy"},
                                 {"servers", Type::kObjects, Use::kWorks, "", &kServer}};
constexpr Table kSpec{kSpecFields};
constexpr Field kRootFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kSpec}, {"status", Type::kAny, Use::kHarmless, "written by Kubernetes"}};

// What stands in the tls block of a server without TLS, beside httpsRedirect.
void only_redirects(const Reader& tls) {
  for (const char* field : {"credentialName", "serverCertificate", "privateKey", "caCertificates"})
    if (tls[field])
      return tls[field].error(codes::kConflict, std::string("found ") + field + " in a server without TLS, expected httpsRedirect alone",
                              "remove it, or write protocol: HTTPS");
  if (tls["mode"] && tls["mode"].text() != "PASSTHROUGH")
    tls["mode"].error(codes::kConflict, "found mode " + tls["mode"].text() + " in a server without TLS, expected httpsRedirect alone",
                      "remove it, or write protocol: HTTPS");
}

void protocol(const Reader& server, model::GatewayServer& out) {
  const Reader at = server["port"]["protocol"];
  if (!at) return server["port"].missing("protocol", "HTTP, HTTP2, GRPC, HTTPS or TLS");
  out.protocol = model::protocol_named(at.text());
  switch (out.protocol) {
    case model::Protocol::kHttp:
    case model::Protocol::kHttp2:
    case model::Protocol::kGrpc:
    case model::Protocol::kGrpcWeb:
      out.https_redirect = server["tls"]["httpsRedirect"].flag();
      only_redirects(server["tls"]);
      return;
    case model::Protocol::kHttps:
    case model::Protocol::kTls:
      at.warn(codes::kNotServed,
              "the " + std::string(name_of(out.protocol)) + " server on port " + std::to_string(out.port) +
                  " is taken but not served until TLS comes",
              "add an HTTP server to serve its hosts in plain text meanwhile");
      if (!server["tls"]) server.missing("tls", "a tls block for a server of protocol " + at.text());
      return;
    case model::Protocol::kTcp:
    case model::Protocol::kMongo:
      return at.error(codes::kUnsupportedField, at.path() + ": " + at.text() + " servers are not supported by this version of Weft",
                      "use HTTP, HTTP2 or GRPC");
    default: return at.error(codes::kChoice, "found \"" + at.text() + "\", expected HTTP, HTTP2, GRPC, HTTPS or TLS");
  }
}

void hosts(const Reader& server, model::GatewayServer& out) {
  std::set<std::string> seen;
  for (const Reader& item : server["hosts"].items()) {
    std::string text = item.text(), ns = "*";
    if (size_t slash = text.find('/'); slash != std::string::npos) {
      ns = text.substr(0, slash);
      text.erase(0, slash + 1);
      if (ns == ".")
        ns = item.subject().ns;
      else if (ns != "*" && !is_dns_label(ns))
        item.error(codes::kName, "found the namespace \"" + ns + "\", expected *, . or the name of a namespace");
    }
    if (!is_ip(text)) check_host(item, text, true);
    if (!seen.insert(ns + "/" + text).second) item.error(codes::kDuplicate, "found \"" + item.text() + "\" twice");
    out.hosts.push_back({ns, qualified(item, text)});
  }
  if (out.hosts.empty()) server.missing("hosts", "at least one host (\"*\" takes all)");
}

}  // namespace

constexpr Table kTable{kRootFields};

model::Spec build(const Reader& root) {
  const Reader spec = root["spec"];
  model::Gateway gateway;
  check_labels(spec["selector"]);
  gateway.selector = spec["selector"].text_map();
  for (const Reader& item : spec["servers"].items()) {
    model::GatewayServer& server = gateway.servers.emplace_back();
    server.name = item["name"].text();
    const Reader port = item["port"];
    if (!port) {
      item.missing("port", "a port with number, protocol and name");
    } else {
      if (!port["number"]) port.missing("number", "a port number");
      server.port = port_number(port["number"]).value_or(0);
      server.port_name = port["name"].text();
      if (!port["name"]) port.missing("name", "a name for the port");
      protocol(item, server);
    }
    hosts(item, server);
  }
  if (gateway.servers.empty()) spec.missing("servers", "at least one server");
  return gateway;
}

}  // namespace weft::validation::gateway
