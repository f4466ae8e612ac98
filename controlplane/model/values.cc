#include "controlplane/model/values.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace weft::model {
namespace {

struct ProtocolName {
  Protocol protocol;
  std::string_view name;
};
constexpr std::array<ProtocolName, 11> kProtocols{{{Protocol::kHttp, "HTTP"},
                                                   {Protocol::kHttp2, "HTTP2"},
                                                   {Protocol::kGrpc, "GRPC"},
                                                   {Protocol::kGrpcWeb, "GRPC-WEB"},
                                                   {Protocol::kHttps, "HTTPS"},
                                                   {Protocol::kTls, "TLS"},
                                                   {Protocol::kTcp, "TCP"},
                                                   {Protocol::kMongo, "MONGO"},
                                                   {Protocol::kRedis, "REDIS"},
                                                   {Protocol::kMysql, "MYSQL"},
                                                   {Protocol::kUdp, "UDP"}}};

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

Protocol protocol_named(std::string_view name) {
  for (const ProtocolName& known : kProtocols)
    if (same_ignoring_case(known.name, name)) return known.protocol;
  return Protocol::kUnknown;
}

std::string_view name_of(Protocol protocol) {
  for (const ProtocolName& known : kProtocols)
    if (known.protocol == protocol) return known.name;
  return "unknown";
}

Protocol select_protocol(std::string_view app_protocol, std::string_view port_name, uint32_t port) {
  if (!app_protocol.empty()) {
    if (app_protocol == "kubernetes.io/h2c") return Protocol::kHttp2;
    if (app_protocol == "kubernetes.io/ws") return Protocol::kHttp;
    if (app_protocol == "kubernetes.io/wss") return Protocol::kHttps;
    if (Protocol p = protocol_named(app_protocol); p != Protocol::kUnknown) return p;
  }
  // "grpc-web" and "grpc-web-x" are longer than the part before the first dash.
  if (same_ignoring_case(port_name.substr(0, 8), "grpc-web") && (port_name.size() == 8 || port_name[8] == '-')) return Protocol::kGrpcWeb;
  if (Protocol p = protocol_named(port_name.substr(0, port_name.find('-'))); p != Protocol::kUnknown) return p;
  // Servers that speak first would hang a sniffing listener: SMTP, DNS, MySQL, MongoDB.
  if (port == 25 || port == 53 || port == 3306 || port == 27017) return Protocol::kTcp;
  return Protocol::kUnknown;
}

Locality parse_locality(std::string_view text) {
  Locality locality;
  for (std::string* part : {&locality.region, &locality.zone, &locality.sub_zone}) {
    const size_t slash = text.find('/');
    *part = text.substr(0, slash);
    if (slash == std::string_view::npos) break;
    text.remove_prefix(slash + 1);
  }
  return locality;
}

bool selects(const Labels& selector, const Labels& labels) {
  return std::all_of(selector.begin(), selector.end(), [&](const auto& wanted) {
    auto found = labels.find(wanted.first);
    return found != labels.end() && found->second == wanted.second;
  });
}

std::string resolve_host(std::string_view host, std::string_view ns) {
  if (host.empty() || host == "*" || host.find_first_of(".:") != std::string_view::npos) return std::string(host);
  std::string full(host);
  full.append(".").append(ns).append(".svc.").append(kDomain);
  return full;
}

bool host_matches(std::string_view pattern, std::string_view host) {
  if (pattern == host || pattern == "*") return true;
  if (!pattern.starts_with('*')) return false;
  const std::string_view suffix = pattern.substr(1);
  if (host.starts_with('*')) host.remove_prefix(1);
  return host.size() >= suffix.size() && host.ends_with(suffix);
}

bool exported(const std::vector<std::string>& export_to, std::string_view own_ns, std::string_view client_ns) {
  if (export_to.empty()) return true;
  return std::any_of(export_to.begin(), export_to.end(), [&](const std::string& to) {
    if (to == "*") return true;
    if (to == ".") return own_ns == client_ns;
    return to == client_ns;  // "~" is the name of no namespace
  });
}

}  // namespace weft::model
