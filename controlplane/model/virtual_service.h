// VirtualService as validation left it: names resolved, enums and numbers typed, presence kept where it means something.
#pragma once
#include "controlplane/model/values.h"

#include <cstdint>

namespace weft::model {

struct Destination {
  std::string host;          // fully qualified; empty: a backend that is not there
  std::string written_host;  // as the user wrote it, for messages
  std::string subset;        // empty: none
  std::optional<uint32_t> port;
};

struct HeaderOperations {
  std::map<std::string, std::string> set, add;
  std::vector<std::string> remove;
  bool empty() const { return set.empty() && add.empty() && remove.empty(); }
};
struct Headers {
  HeaderOperations request, response;
  bool empty() const { return request.empty() && response.empty(); }
};

struct HttpMatch {
  std::string name;
  std::optional<StringMatch> uri, method, scheme, authority;
  bool ignore_uri_case = false;
  std::map<std::string, StringMatch> headers, without_headers, query_params;
  std::optional<uint32_t> port;
  Labels source_labels;
  std::optional<std::string> source_namespace;
  std::vector<std::string> gateways;  // "mesh" or "ns/name"; empty: those of the VirtualService
  std::string stat_prefix;
  // match[index] of the route as written; kInherited: a delegate's route has none, so its root's stands here
  static constexpr size_t kInherited = SIZE_MAX;
  size_t index = 0;
  bool path_separated = false;  // a prefix of `uri` ends at a slash or at the path's end, as the Gateway API has it
};

struct RouteDestination {
  Destination destination;
  std::optional<uint32_t> weight;
  Headers headers;
};

struct RegexRewrite {
  std::string match, rewrite;
};

struct Redirect {
  enum class Port : unsigned char { kKeep, kFixed, kFromProtocolDefault, kFromRequestPort, kOfScheme };
  std::optional<std::string> uri, prefix_rewrite, authority, scheme;
  Port port_kind = Port::kKeep;
  uint32_t port = 0;  // kFixed
  uint32_t code = 301;
  std::optional<RegexRewrite> uri_regex;
};

struct DirectResponse {
  uint32_t status = 0;
  std::optional<std::string> body;
  bool bytes = false;  // `body` may be anything, not text alone
};

struct Rewrite {
  std::optional<std::string> uri, authority;
  std::optional<RegexRewrite> uri_regex;
};

struct Retries {
  uint32_t attempts = 0;  // 0 turns retries off
  std::optional<Duration> per_try_timeout, backoff;
  std::string retry_on;  // empty: the mesh default
  std::optional<bool> ignore_previous_hosts;
  bool remote_localities = false;
};

struct Delay {
  Duration fixed{};
  double percentage = 0;  // 0 to 100
};
struct Abort {
  uint32_t http_status = 0;  // 0: grpc_status
  uint32_t grpc_status = 0;
  double percentage = 0;
};
struct Fault {
  std::optional<Delay> delay;
  std::optional<Abort> abort;
};

struct Mirror {
  Destination destination;
  std::optional<double> percentage;  // 0 to 100; absent: all
};

struct CorsPolicy {
  std::vector<StringMatch> allow_origins;
  std::vector<std::string> allow_methods, allow_headers, expose_headers;
  std::optional<Duration> max_age;  // whole seconds
  std::optional<bool> allow_credentials;
  bool ignore_unmatched_preflights = false;
};

struct Delegate {
  std::string ns, name;
};

// Where a route was written, when not in the object and at the place where it stands: merged from a delegate.
struct RouteOrigin {
  std::string ns, name;  // of the delegate
  size_t route = 0;      // its spec.http[route]
};

struct HttpRoute {
  std::string name;
  std::vector<HttpMatch> matches;  // empty: everything
  std::vector<RouteDestination> routes;
  std::optional<Redirect> redirect;
  std::optional<DirectResponse> direct_response;
  std::optional<Rewrite> rewrite;
  std::optional<Duration> timeout;  // 0: off
  std::optional<Retries> retries;
  std::optional<Fault> fault;
  std::vector<Mirror> mirrors;
  std::optional<CorsPolicy> cors;
  Headers headers;
  std::optional<Delegate> delegate;   // the routes of another VirtualService stand here; gone once merged
  size_t index = 0;                   // spec.http[index] of the object
  std::optional<RouteOrigin> origin;  // set by merging
  std::string source;                 // the API path of the Gateway API's object that it comes from; empty: a VirtualService
  bool missing_is_500 = false;        // a backend that is not there answers 500, as an HTTPRoute's does; else 503
};

// Connections that are passed on as they are, by what they say before anything else (tls) or by where they go (tcp).
struct L4Match {
  std::vector<std::string> sni_hosts;            // of tls: at least one
  std::vector<std::string> destination_subnets;  // addresses and CIDRs
  std::optional<uint32_t> port;
  Labels source_labels;
  std::optional<std::string> source_namespace;
  std::vector<std::string> gateways;  // empty: those of the VirtualService
};
struct L4Route {
  std::vector<L4Match> matches;  // of tcp: none takes everything
  std::vector<RouteDestination> routes;
};

struct VirtualService {
  std::vector<std::string> hosts;     // fully qualified, "*.x" or "*"; none: a delegate
  std::vector<std::string> gateways;  // "mesh" or "ns/name"; {"mesh"} when none was written
  std::vector<std::string> export_to;
  std::vector<HttpRoute> http;
  std::vector<L4Route> tls, tcp;
  bool is_delegate() const { return hosts.empty(); }
};

}  // namespace weft::model
