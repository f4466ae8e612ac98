// Gateway: what is passed on as it is works, HTTP, TCP and TLS. Servers that terminate TLS are taken with a warning: they need
// certificates.
#include "controlplane/validation/kinds.h"

#include <set>

namespace weft::validation::gateway {
namespace {

constexpr std::string_view kWithTls = "servers that terminate TLS are not served until certificates come";

constexpr Field kPortFields[] = {
    {"number", Type::kInteger},
    {"protocol", Type::kString, Use::kWorks,
     "HTTP, HTTP2, GRPC, GRPC-WEB, TCP and MONGO are served; HTTPS and TLS where tls.mode passes it on, else they warn"},
    {"name", Type::kString},
    {"targetPort", Type::kInteger, Use::kRefused, "the targetPort of the gateway's Service is what counts"}};
constexpr Table kPort{kPortFields};
constexpr Field kTlsFields[] = {{"httpsRedirect", Type::kBool, Use::kWorks, "of an HTTP server: 301 to https://"},
                                {"mode", Type::kChoice, Use::kWorks, "PASSTHROUGH when absent; it and AUTO_PASSTHROUGH are served", nullptr,
                                 "PASSTHROUGH SIMPLE MUTUAL AUTO_PASSTHROUGH ISTIO_MUTUAL OPTIONAL_MUTUAL"},
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
                                   {"bind", Type::kString, Use::kWorks, "an IP or unix:// and a path"},
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
  if (!at) return server["port"].missing("protocol", "HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, TLS, TCP or MONGO");
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
    case model::Protocol::kTls: {
      if (!server["tls"]) return server.missing("tls", "a tls block for a server of protocol " + at.text());
      const std::string mode = server["tls"]["mode"].text();
      out.tls = mode.empty() || mode == "PASSTHROUGH" ? model::GatewayTls::kPassthrough
                : mode == "AUTO_PASSTHROUGH"          ? model::GatewayTls::kAutoPassthrough
                                                      : model::GatewayTls::kTerminate;
      if (out.tls != model::GatewayTls::kTerminate) {
        for (const char* field : {"credentialName", "serverCertificate", "privateKey", "caCertificates"})
          if (server["tls"][field])
            server["tls"][field].error(codes::kConflict, std::string("found ") + field + " where TLS is passed on as it is",
                                       "remove it, or write mode: SIMPLE");
        return;
      }
      at.warn(codes::kNotServed,
              "the " + std::string(name_of(out.protocol)) + " server on port " + std::to_string(out.port) +
                  " is taken but not served until certificates come",
              "add an HTTP server to serve its hosts in plain text meanwhile");
      return;
    }
    case model::Protocol::kTcp:
    case model::Protocol::kMongo:
      if (server["tls"])
        server["tls"].error(codes::kUnsupportedField,
                            server["tls"].path() + " of a " + at.text() + " server is not supported by this version of Weft",
                            "write protocol: TLS to pass it on as it is");
      return;
    default: return at.error(codes::kChoice, "found \"" + at.text() + "\", expected HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, TLS, TCP or MONGO");
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
    if (Reader bind = item["bind"]) {
      server.bind = bind.text();
      if (is_unix_address(server.bind))
        check_unix_address(bind, server.bind);
      else if (!is_ip(server.bind))
        bind.error(codes::kValue, "found \"" + server.bind.substr(0, 120) + "\", expected an IP address or unix:// and a path");
    }
    hosts(item, server);
  }
  if (gateway.servers.empty()) spec.missing("servers", "at least one server");
  return gateway;
}

}  // namespace weft::validation::gateway
