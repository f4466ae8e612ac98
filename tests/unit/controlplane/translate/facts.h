// What xDS resources say, a line for each fact, from their JSON: to compare what two control planes send.
#pragma once
#include "common/base/yaml.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace weft::translate::facts {

using yaml::Node;

inline const Node kNothing;

inline const Node& at(const Node& node, std::string_view path) {
  const Node* here = &node;
  while (!path.empty()) {
    const size_t dot = path.find('/');
    here = here->find(path.substr(0, dot));
    if (here == nullptr) return kNothing;
    path = dot == std::string_view::npos ? "" : path.substr(dot + 1);
  }
  return *here;
}

inline const std::string& text(const Node& node, std::string_view path) { return at(node, path).text; }

inline std::string joined(const Node& list) {
  std::string out;
  for (const Node& item : list.items) out += (out.empty() ? "" : ",") + item.text;
  return out;
}

// " key=value" for what is there.
inline std::string word(const Node& node, std::string_view path, const std::string& name) {
  const Node& value = at(node, path);
  if (value.is_scalar()) return " " + name + "=" + value.text;
  if (value.is_sequence()) return " " + name + "=" + joined(value);
  return value.is_map() ? " " + name : "";
}

inline std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

class Reader {
 public:
  std::vector<std::string> lines;

  void listener(const Node& from) {
    const std::string name = "listener " + text(from, "name");
    lines.push_back(name + ":" + word(from, "address/socketAddress/address", "at") + word(from, "address/socketAddress/portValue", "port") +
                    word(from, "trafficDirection", "direction") + word(from, "bindToPort", "bind") +
                    word(from, "useOriginalDst", "original_dst") + word(from, "transparent", "transparent") +
                    word(from, "listenerFiltersTimeout", "timeout") + word(from, "continueOnListenerFiltersTimeout", "continue"));
    if (!text(from, "maxConnectionsToAcceptPerSocketEvent").empty())
      lines.push_back(name + word(from, "maxConnectionsToAcceptPerSocketEvent", "accepts"));
    for (const Node& filter : at(from, "listenerFilters").items) {
      lines.push_back(name + " looks " + text(filter, "name") + word(filter, "typedConfig/initialReadBufferSize", "first") +
                      ports_off(at(filter, "filterDisabled")));
    }
    for (const Node& one : at(from, "filterChains").items) chain(name + " chain", one);
    if (const Node& rest = at(from, "defaultFilterChain"); rest.is_map()) chain(name + " else", rest);
  }

  void cluster(const Node& from) {
    const std::string name = "cluster " + text(from, "name");
    lines.push_back(name + ":" + word(from, "type", "type") + word(from, "lbPolicy", "balance") + word(from, "connectTimeout", "connect") +
                    word(from, "edsClusterConfig/serviceName", "eds") + word(from, "edsClusterConfig/edsConfig/ads", "ads") +
                    word(from, "cleanupInterval", "cleanup") + word(from, "upstreamBindConfig/sourceAddress/address", "source") +
                    word(from, "commonLbConfig/healthyPanicThreshold", "panic"));
    for (const Node& limit : at(from, "circuitBreakers/thresholds").items) {
      lines.push_back(name + " limits" + word(limit, "maxConnections", "connections") + word(limit, "maxPendingRequests", "pending") +
                      word(limit, "maxRequests", "requests") + word(limit, "maxRetries", "retries"));
      if (at(limit, "trackRemaining").is_scalar()) lines.push_back(name + word(limit, "trackRemaining", "remaining"));
    }
    if (const Node& outlier = at(from, "outlierDetection"); outlier.is_map()) lines.push_back(name + " ejects " + yaml::to_json(outlier));
    const Node& options = at(from, "typedExtensionProtocolOptions");
    if (options.is_map() && !options.entries.empty()) {
      const Node& http = options.entries.front().value;
      lines.push_back(name + " http" + word(http, "explicitHttpConfig/httpProtocolOptions", "http1") +
                      word(http, "explicitHttpConfig/http2ProtocolOptions", "http2") +
                      word(http, "useDownstreamProtocolConfig", "as-it-came") +
                      word(http, "commonHttpProtocolOptions/idleTimeout", "idle") +
                      word(http, "commonHttpProtocolOptions/maxRequestsPerConnection", "requests"));
    }
    metadata(name, from);
    if (at(from, "altStatName").is_scalar()) lines.push_back(name + word(from, "altStatName", "stats"));
    for (const Node& filter : at(from, "filters").items) lines.push_back(name + " filter " + text(filter, "name"));
    for (const Node& socket : at(from, "transportSocketMatches").items) lines.push_back(name + " socket " + text(socket, "name"));
  }

  void routes(const Node& from) {
    const std::string name = "routes " + text(from, "name");
    lines.push_back(name + ":" + word(from, "validateClusters", "validate") + word(from, "ignorePortInHostMatching", "any_port") +
                    word(from, "maxDirectResponseBodySizeBytes", "max_body"));
    for (const Node& one : at(from, "virtualHosts").items) host(name, one);
  }

  void endpoints(const Node& from) {
    for (const Node& locality : at(from, "endpoints").items) {
      for (const Node& one : at(locality, "lbEndpoints").items) {
        lines.push_back("endpoints " + text(from, "clusterName") + ":" + word(one, "endpoint/address/socketAddress/address", "at") +
                        word(one, "endpoint/address/socketAddress/portValue", "port") + word(one, "healthStatus", "health") +
                        word(one, "loadBalancingWeight", "weight") + word(locality, "loadBalancingWeight", "of"));
      }
    }
  }

 private:
  static std::string ports_off(const Node& off) {
    std::string out;
    auto add = [&](const Node& rule) {
      if (at(rule, "destinationPortRange").is_map())
        out += " off=" + text(rule, "destinationPortRange/start") + "-" + text(rule, "destinationPortRange/end");
    };
    add(off);
    for (const Node& rule : at(off, "orMatch/rules").items) add(rule);
    if (at(off, "notMatch").is_map()) out += " not" + ports_off(at(off, "notMatch"));
    return out;
  }

  void metadata(const std::string& name, const Node& from) {
    const Node& istio = at(from, "metadata/filterMetadata/istio");
    if (!istio.is_map()) return;
    std::string line =
        name + " is" + word(istio, "config", "config") + word(istio, "subset", "subset") + word(istio, "external", "external");
    for (const Node& service : at(istio, "services").items)
      line += " service=" + text(service, "host") + "," + text(service, "name") + "," + text(service, "namespace");
    lines.push_back(line);
  }

  void chain(const std::string& listener, const Node& from) {
    const Node& match = at(from, "filterChainMatch");
    std::string name = listener + " " + text(from, "name") + " [" + word(match, "destinationPort", "port") +
                       word(match, "transportProtocol", "transport") + word(match, "applicationProtocols", "alpn") +
                       word(match, "serverNames", "sni") + " ]";
    if (!text(from, "transportSocket/name").empty()) name += " tls";
    lines.push_back(name + word(from, "transportSocketConnectTimeout", "handshake"));
    for (const Node& filter : at(from, "filters").items) {
      const Node& config = at(filter, "typedConfig");
      const std::string kind = last_part(text(config, "@type"));
      if (kind == "TcpProxy") {
        lines.push_back(name + " tcp" + word(config, "cluster", "to") + word(config, "statPrefix", "stats"));
      } else if (kind == "HttpConnectionManager") {
        lines.push_back(name + " http" + word(config, "statPrefix", "stats") + word(config, "rds/routeConfigName", "routes") +
                        word(config, "routeConfig/name", "inline"));
        manager("manager " + text(config, "statPrefix"), config);
      } else {
        lines.push_back(name + " filter " + text(filter, "name"));
      }
    }
  }

  void manager(const std::string& name, const Node& from) {
    lines.push_back(name + word(from, "serverName", "server") + word(from, "useRemoteAddress", "edge") +
                    word(from, "forwardClientCertDetails", "xfcc") + word(from, "proxy100Continue", "continue") +
                    word(from, "streamIdleTimeout", "idle") + word(from, "normalizePath", "normalize") +
                    word(from, "pathWithEscapedSlashesAction", "slashes") + word(from, "rds/configSource/ads", "ads") +
                    word(from, "requestIdExtension/typedConfig/useRequestIdForTraceSampling", "samples_by_id"));
    if (at(from, "tracing").is_map()) lines.push_back(name + " traces");
    if (at(from, "httpProtocolOptions").is_map()) lines.push_back(name + " http1 options");
    for (const Node& upgrade : at(from, "upgradeConfigs").items) lines.push_back(name + word(upgrade, "upgradeType", "upgrade"));
    std::string order;
    for (const Node& filter : at(from, "httpFilters").items) {
      const std::string& is = text(filter, "name");
      if (is.starts_with("istio.") || is.ends_with(".rbac") || is.ends_with(".jwt_authn")) {
        lines.push_back(name + " filter " + is);
      } else {
        order += " " + last_part(is);
      }
      if (at(filter, "typedConfig/emitFilterState").is_scalar()) lines.push_back(name + " filter " + is + " emits");
    }
    lines.push_back(name + " filters" + order);
    if (at(from, "routeConfig").is_map()) routes(at(from, "routeConfig"));
  }

  void host(const std::string& routes, const Node& from) {
    const std::string name = routes + " host " + text(from, "name");
    lines.push_back(name + ":" + word(from, "domains", "domains") + word(from, "includeRequestAttemptCount", "attempts"));
    size_t index = 0;
    for (const Node& one : at(from, "routes").items) route(name + " route " + std::to_string(index++), one);
  }

  void route(const std::string& name, const Node& from) {
    lines.push_back(name + ":" + word(from, "name", "name") + " match " + yaml::to_json(at(from, "match")));
    const Node& to = at(from, "route");
    std::string where = word(to, "cluster", "to") + word(from, "directResponse/status", "status");
    for (const Node& one : at(to, "weightedClusters/clusters").items) where += " " + text(one, "weight") + "%" + text(one, "name");
    lines.push_back(name + where + word(to, "timeout", "timeout") + word(to, "maxGrpcTimeout", "grpc") +
                    word(to, "maxStreamDuration/maxStreamDuration", "stream") + word(from, "decorator/operation", "operation"));
    if (const Node& retry = at(to, "retryPolicy"); retry.is_map()) {
      lines.push_back(name + " retries" + word(retry, "numRetries", "times") + word(retry, "retryOn", "on") +
                      word(retry, "perTryTimeout", "each") + word(retry, "hostSelectionRetryMaxAttempts", "choices"));
    }
    for (const yaml::Entry& filter : at(from, "typedPerFilterConfig").entries) {
      lines.push_back(name + " " + filter.key + word(filter.value, "delay/fixedDelay", "delay") +
                      word(filter.value, "delay/percentage/numerator", "of") + word(filter.value, "abort/httpStatus", "abort") +
                      word(filter.value, "abort/percentage/numerator", "of"));
    }
    metadata(name, from);
  }
};

// `kind`: clusters, listeners, routes or endpoints. In order, each once.
inline std::vector<std::string> of(std::string_view kind, const Node& resources) {
  Reader reader;
  for (const Node& one : resources.items) {
    if (kind == "clusters") reader.cluster(one);
    if (kind == "listeners") reader.listener(one);
    if (kind == "routes") reader.routes(one);
    if (kind == "endpoints") reader.endpoints(one);
  }
  std::sort(reader.lines.begin(), reader.lines.end());
  reader.lines.erase(std::unique(reader.lines.begin(), reader.lines.end()), reader.lines.end());
  return std::move(reader.lines);
}

}  // namespace weft::translate::facts
