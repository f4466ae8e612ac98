// The small words that several kinds share: labels, string matches, ports, protocols, localities, host names.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::model {

using Labels = std::map<std::string, std::string>;
using Duration = std::chrono::milliseconds;

inline constexpr std::string_view kDomain = "cluster.local";
inline constexpr std::string_view kRootNamespace = "istio-system";
inline constexpr std::string_view kMesh = "mesh";  // the gateway name that means "every sidecar"

struct StringMatch {
  enum class Kind : unsigned char { kExact, kPrefix, kRegex, kPresent };
  Kind kind = Kind::kExact;
  std::string value;
  bool operator==(const StringMatch&) const = default;
};

enum class Protocol : unsigned char { kUnknown, kHttp, kHttp2, kGrpc, kGrpcWeb, kHttps, kTls, kTcp, kMongo, kRedis, kMysql, kUdp };
// By Istio's name, in any case; kUnknown when it is none of them.
Protocol protocol_named(std::string_view name);
std::string_view name_of(Protocol protocol);
// Carried by the HTTP connection manager (HTTPS and TLS are opaque to it).
inline bool is_http(Protocol p) { return p == Protocol::kHttp || p == Protocol::kHttp2 || p == Protocol::kGrpc || p == Protocol::kGrpcWeb; }
// Spoken as HTTP/2 to the upstream.
inline bool is_http2(Protocol p) { return p == Protocol::kHttp2 || p == Protocol::kGrpc || p == Protocol::kGrpcWeb; }
// Istio's choice for a Service port: appProtocol, else the port's name up to the first '-', else well-known ports, else unknown.
Protocol select_protocol(std::string_view app_protocol, std::string_view port_name, uint32_t port);

struct Locality {
  std::string region, zone, sub_zone;
  bool empty() const { return region.empty() && zone.empty() && sub_zone.empty(); }
  auto operator<=>(const Locality&) const = default;
};
// "region/zone/subzone", later parts optional.
Locality parse_locality(std::string_view text);

// Whether every label of `selector` is in `labels`. An empty selector selects everything.
bool selects(const Labels& selector, const Labels& labels);

// A short name (no dot) becomes name.ns.svc.cluster.local; "*", wildcards, dotted names and addresses stay.
std::string resolve_host(std::string_view host, std::string_view ns);
// Whether `pattern` ("a.b", "*.b", "*") covers `host`, which may be a wildcard itself.
bool host_matches(std::string_view pattern, std::string_view host);
// exportTo: empty or "*" is everybody, "." its own namespace, "~" nobody, else the namespaces named.
bool exported(const std::vector<std::string>& export_to, std::string_view own_ns, std::string_view client_ns);

}  // namespace weft::model
