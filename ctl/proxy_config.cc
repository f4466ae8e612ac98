// What a proxy was sent (asked of weft-control), or what it runs (asked of its admin page), in tables that fit a screen.
#include "ctl/commands.h"
#include "ctl/exit_code.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <ostream>

namespace weft::ctl {
namespace {

// Admin pages hold resources under these names: section "@type" ends, list, path to the resource.
struct Section {
  std::string_view list, inner, resource;
};

std::vector<Section> sections_of(const std::string& type) {
  if (type == "clusters")
    return {{"static_clusters", "", "cluster"}, {"dynamic_active_clusters", "", "cluster"}, {"dynamic_warming_clusters", "", "cluster"}};
  if (type == "listeners") return {{"static_listeners", "", "listener"}, {"dynamic_listeners", "active_state", "listener"}};
  if (type == "routes") return {{"static_route_configs", "", "route_config"}, {"dynamic_route_configs", "", "route_config"}};
  return {{"static_endpoint_configs", "", "endpoint_config"}, {"dynamic_endpoint_configs", "", "endpoint_config"}};
}

json::array resources_of_dump(const json::value& dump, const std::string& type) {
  json::array resources;
  for (const json::value& config : list_at(dump, "configs")) {
    for (const Section& section : sections_of(type)) {
      for (const json::value& item : list_at(config, section.list)) {
        const json::value& holder = section.inner.empty() ? item : at(item, section.inner);
        const json::value& resource = at(holder, section.resource);
        if (resource.is_object()) resources.push_back(resource);
      }
    }
  }
  return resources;
}

std::string socket_text(const json::value& address) {
  const json::value& socket = at(address, "socket_address");
  const std::string ip = text_at(socket, "address");
  return (ip.find(':') == std::string::npos ? ip : "[" + ip + "]") + ":" + whole_at(socket, "port_value");
}

constexpr std::string_view kUnlimited = "4294967295";

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

Table clusters(const json::array& resources) {
  Table table({"SERVICE", "PORT", "SUBSET", "DIRECTION", "TYPE", "LB", "MAX CONN", "OUTLIER"});
  for (const json::value& cluster : resources) {
    const std::string name = text_at(cluster, "name");
    std::vector<std::string> parts;  // outbound|8080|v2|host
    for (size_t start = 0; start <= name.size();) {
      const size_t end = std::min(name.find('|', start), name.size());
      parts.push_back(name.substr(start, end - start));
      start = end + 1;
    }
    const bool ours = parts.size() == 4;
    const json::array& thresholds = list_at(at(cluster, "circuit_breakers"), "thresholds");
    const std::string limit = thresholds.empty() ? "" : whole_at(thresholds.front(), "max_connections");
    const json::value& outlier = at(cluster, "outlier_detection");
    std::string ejects = whole_at(outlier, "consecutive_gateway_failure");
    if (ejects.empty()) ejects = whole_at(outlier, "consecutive_5xx");
    std::string type = text_at(cluster, "type"), policy = text_at(cluster, "lb_policy");
    table.add({ours && !parts[3].empty() ? parts[3]
               : ours                    ? "-"
                                         : name,
               ours ? parts[1] : "-", or_dash(ours ? parts[2] : ""), ours ? parts[0] : "-", type.empty() ? "STATIC" : type,
               policy.empty() ? "ROUND_ROBIN" : policy, or_dash(limit == kUnlimited ? "" : limit),
               outlier.is_object() ? "after " + or_dash(ejects) : "-"});
  }
  return table;
}

// What a filter chain does with a connection: "routes http.8080", "cluster inbound|8080||".
std::string destination(const json::value& chain) {
  for (const json::value& filter : list_at(chain, "filters")) {
    const json::value& config = at(filter, "typed_config");
    const std::string type = text_at(config, "@type");
    if (type.ends_with("HttpConnectionManager")) {
      if (at(config, "rds").is_object()) return "routes " + text_at(at(config, "rds"), "route_config_name");
      return "routes " + or_dash(text_at(at(config, "route_config"), "name")) + " (inline)";
    }
    if (type.ends_with("TcpProxy")) return "cluster " + text_at(config, "cluster");
  }
  return "-";
}

Table listeners(const json::array& resources) {
  Table table({"NAME", "ADDRESS", "DIRECTION", "DESTINATION"});
  for (const json::value& listener : resources) {
    std::string where;
    const auto add = [&](const json::value& chain) {
      const std::string one = destination(chain);
      if (where.find(one) == std::string::npos) where += (where.empty() ? "" : ", ") + one;
    };
    for (const json::value& chain : list_at(listener, "filter_chains")) add(chain);
    if (const json::value& rest = at(listener, "default_filter_chain"); rest.is_object()) add(rest);
    table.add({or_dash(text_at(listener, "name")), socket_text(at(listener, "address")), or_dash(text_at(listener, "traffic_direction")),
               or_dash(where)});
  }
  return table;
}

std::string value_match(const json::value& match) {
  for (const char* kind : {"exact", "prefix", "suffix", "contains"})
    if (const std::string text = text_at(match, kind); !text.empty())
      return (kind == std::string("exact") ? "" : std::string(kind) + " ") + text;
  return "~" + text_at(at(match, "safe_regex"), "regex");
}

std::string match_text(const json::value& match) {
  std::string text = text_at(match, "path");
  if (text.empty() && at(match, "prefix").is_string()) text = text_at(match, "prefix") + "*";
  if (text.empty() && at(match, "path_separated_prefix").is_string()) text = text_at(match, "path_separated_prefix") + "/*";
  if (text.empty() && at(match, "safe_regex").is_object()) text = "~" + text_at(at(match, "safe_regex"), "regex");
  for (const json::value& header : list_at(match, "headers")) {
    text += " " + text_at(header, "name");
    text += flag_at(header, "invert_match") ? "!=" : "=";
    if (at(header, "string_match").is_object())
      text += value_match(at(header, "string_match"));
    else if (at(header, "present_match").is_bool())
      text += "(present)";
    else
      text += "...";
  }
  for (const json::value& parameter : list_at(match, "query_parameters")) text += " ?" + text_at(parameter, "name");
  return or_dash(text);
}

std::string action_text(const json::value& route) {
  const json::value& action = at(route, "route");
  if (action.is_object()) {
    std::string text = text_at(action, "cluster");
    for (const json::value& weighted : list_at(at(action, "weighted_clusters"), "clusters"))
      text += (text.empty() ? "" : ", ") + whole_at(weighted, "weight") + "% " + text_at(weighted, "name");
    if (const std::string timeout = text_at(action, "timeout"); !timeout.empty() && timeout != "0s") text += " timeout " + timeout;
    return or_dash(text);
  }
  if (at(route, "redirect").is_object())
    return "redirect " + text_at(at(route, "redirect"), "host_redirect") + text_at(at(route, "redirect"), "path_redirect");
  if (at(route, "direct_response").is_object()) return "answer " + whole_at(at(route, "direct_response"), "status");
  return "-";
}

Table routes(const json::array& resources) {
  Table table({"ROUTES", "DOMAIN", "MATCH", "ACTION", "RULE"});
  for (const json::value& configuration : resources) {
    for (const json::value& host : list_at(configuration, "virtual_hosts")) {
      const json::array& domains = list_at(host, "domains");
      std::string domain = domains.empty() ? "-" : domains.front().is_string() ? std::string(domains.front().get_string()) : "-";
      if (domains.size() > 1) domain += " +" + std::to_string(domains.size() - 1);
      for (const json::value& route : list_at(host, "routes")) {
        // Istio's trail from a route to the object it came from.
        std::string rule = text_at(at(at(at(route, "metadata"), "filter_metadata"), "istio"), "config");
        if (const size_t slash = rule.find("/namespaces/"); slash != std::string::npos) rule = rule.substr(slash + 12);
        table.add({or_dash(text_at(configuration, "name")), domain, match_text(at(route, "match")), action_text(route), or_dash(rule)});
      }
    }
  }
  return table;
}

Table endpoints(const json::array& resources) {
  Table table({"ENDPOINT", "HEALTH", "WEIGHT", "LOCALITY", "CLUSTER"});
  for (const json::value& assignment : resources) {
    for (const json::value& group : list_at(assignment, "endpoints")) {
      const json::value& locality = at(group, "locality");
      std::string place = text_at(locality, "region");
      for (const char* part : {"zone", "sub_zone"})
        if (const std::string text = text_at(locality, part); !text.empty()) place += "/" + text;
      for (const json::value& endpoint : list_at(group, "lb_endpoints")) {
        const std::string health = text_at(endpoint, "health_status"), weight = whole_at(endpoint, "load_balancing_weight");
        table.add({socket_text(at(at(endpoint, "endpoint"), "address")), health.empty() ? "UNKNOWN" : health, weight.empty() ? "1" : weight,
                   or_dash(place), text_at(assignment, "cluster_name")});
      }
    }
  }
  return table;
}

}  // namespace

int proxy_config(const Options& options, Server& server, const Console& console) {
  const std::string& type = options.config_type;
  json::array resources;
  if (options.name.starts_with("http://") || options.name.starts_with("https://")) {
    auto url = parse_url(options.name);
    if (!url) {
      console.error(url.error().detail);
      return kUsage;
    }
    Server admin(*url, console);
    const std::optional<json::value> dump = admin.get(type == "endpoints" ? "/config_dump?include_eds" : "/config_dump");
    if (!dump) return admin.exit_code();
    resources = resources_of_dump(*dump, type);
  } else {
    const std::optional<json::value> answer = server.get("/v1/proxies/" + percent_encode(options.name) + "/config/" + type);
    if (!answer) return server.exit_code();
    for (const json::value& item : list_at(*answer, "items")) resources.push_back(at(item, "resource"));
    if (at(*answer, "revision").is_null()) console.warn("nothing was sent to this proxy yet");
  }

  if (!print_whole(resources, options.output, console.data())) {
    const Table table = type == "clusters"    ? clusters(resources)
                        : type == "listeners" ? listeners(resources)
                        : type == "routes"    ? routes(resources)
                                              : endpoints(resources);
    if (table.empty())
      console.say("no " + type);
    else
      console.data() << table.text();
  }
  return kOk;
}

}  // namespace weft::ctl
