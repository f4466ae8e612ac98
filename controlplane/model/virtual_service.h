// VirtualService as validation left it: names resolved, enums and numbers typed, presence kept where it means something.
#pragma once
#include "controlplane/model/values.h"

namespace weft::model {

struct Destination {
  std::string host;          // fully qualified
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
};

struct RouteDestination {
  Destination destination;
  std::optional<uint32_t> weight;
  Headers headers;
};

struct Redirect {
  enum class Port : unsigned char { kKeep, kFixed, kFromProtocolDefault, kFromRequestPort };
  std::optional<std::string> uri, prefix_rewrite, authority, scheme;
  Port port_kind = Port::kKeep;
  uint32_t port = 0;  // kFixed
  uint32_t code = 301;
};

struct DirectResponse {
  uint32_t status = 0;
  std::optional<std::string> body;
};

struct Rewrite {
  std::optional<std::string> uri, authority;
};

struct Retries {
  uint32_t attempts = 0;  // 0 turns retries off
  std::optional<Duration> per_try_timeout, backoff;
  std::string retry_on;  // empty: the mesh default
  std::optional<bool> ignore_previous_hosts;
};

struct Delay {
  Duration fixed{};
  double percentage = 0;  // 0 to 100
};
struct Abort {
  uint32_t http_status = 0;
  double percentage = 0;
};
struct Fault {
  std::optional<Delay> delay;
  std::optional<Abort> abort;
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
  Headers headers;
};

struct VirtualService {
  std::vector<std::string> hosts;     // fully qualified, "*.x" or "*"
  std::vector<std::string> gateways;  // "mesh" or "ns/name"; {"mesh"} when none was written
  std::vector<std::string> export_to;
  std::vector<HttpRoute> http;
};

}  // namespace weft::model
