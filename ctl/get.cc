// Words that show the world: get and history.
#include "ctl/commands.h"
#include "ctl/exit_code.h"
#include "ctl/kind_names.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <ostream>

namespace weft::ctl {
namespace {

std::string joined(const json::array& list) {
  std::string text;
  for (size_t i = 0; i < list.size(); ++i) {
    if (i == 3) return text + ",+" + std::to_string(list.size() - 3);
    text += (i ? "," : "") + (list[i].is_string() ? std::string(list[i].get_string()) : json::serialize(list[i]));
  }
  return text;
}

// "8080/http 9090/grpc" of the ports of a Service or a Gateway's servers.
std::string ports(const json::array& list) {
  std::string text;
  for (const json::value& item : list) {
    const json::value& port = at(item, "port").is_object() ? at(item, "port") : item;
    const std::string number = whole_at(port, "number").empty() ? whole_at(port, "port") : whole_at(port, "number");
    text += (text.empty() ? "" : " ") + number;
    if (const std::string name = text_at(port, "name"); !name.empty()) text += "/" + name;
  }
  return text;
}

// "Accepted Programmed", or what is wrong: "Accepted, not ResolvedRefs (BackendNotFound)".
std::string state(const json::value& status) {
  std::string good, bad;
  for (const json::value& condition : list_at(status, "conditions")) {
    const std::string type = text_at(condition, "type");
    const bool fine = (text_at(condition, "status") == "True") != (type == "PartiallyInvalid");
    if (fine)
      good += (good.empty() ? "" : " ") + type;
    else
      bad += ", " + std::string(type == "PartiallyInvalid" ? "" : "not ") + type + " (" + text_at(condition, "reason") + ")";
  }
  return good.empty() && !bad.empty() ? bad.substr(2) : good + bad;
}

// Each parent of a route, and how the route fares there.
std::string attachments(const json::value& object) {
  std::string text;
  for (const json::value& parent : list_at(at(object, "status"), "parents")) {
    const json::value& ref = at(parent, "parentRef");
    std::string where = lower_case(text_at(ref, "kind")) + "/" + text_at(ref, "name");
    if (const std::string section = text_at(ref, "sectionName"); !section.empty()) where += "/" + section;
    if (const std::string port = whole_at(ref, "port"); !port.empty()) where += ":" + port;
    text += (text.empty() ? "" : "; ") + where + " " + state(parent);
  }
  const std::string hosts = joined(list_at(at(object, "spec"), "hostnames"));
  return hosts.empty() || text.empty() ? hosts + text : hosts + " at " + text;
}

// The one thing people want to see of an object in a table.
std::string summary(const json::value& object) {
  const std::string kind = text_at(object, "kind");
  const json::value& spec = at(object, "spec");
  if (kind == "VirtualService") {
    const std::string gateways = joined(list_at(spec, "gateways"));
    return joined(list_at(spec, "hosts")) + (gateways.empty() ? "" : " via " + gateways);
  }
  if (kind == "DestinationRule") {
    const size_t subsets = list_at(spec, "subsets").size();
    return text_at(spec, "host") + (subsets == 0 ? "" : ", " + std::to_string(subsets) + (subsets == 1 ? " subset" : " subsets"));
  }
  if (kind == "Gateway" && text_at(object, "apiVersion").starts_with("gateway.networking.k8s.io/"))
    return ports(list_at(spec, "listeners")) + " " + state(at(object, "status"));
  if (kind == "Gateway") return ports(list_at(spec, "servers"));
  if (kind == "GatewayClass") return text_at(spec, "controllerName") + " " + state(at(object, "status"));
  if (kind == "HTTPRoute" || kind == "GRPCRoute" || kind == "TCPRoute" || kind == "TLSRoute") return attachments(object);
  if (kind == "ServiceEntry") return joined(list_at(spec, "hosts")) + " " + ports(list_at(spec, "ports"));
  if (kind == "WorkloadEntry") return text_at(spec, "address");
  if (kind == "Service") return ports(list_at(spec, "ports"));
  if (kind == "Pod") return text_at(at(object, "status"), "podIP");
  if (kind == "EndpointSlice") {
    json::array addresses;
    for (const json::value& endpoint : list_at(object, "endpoints"))
      for (const json::value& address : list_at(endpoint, "addresses")) addresses.push_back(address);
    return joined(addresses);
  }
  return "";
}

}  // namespace

int get(const Options& options, Server& server, const Console& console) {
  std::string target = "/v1/resources?kind=" + percent_encode(options.kind) + "&name=" + percent_encode(options.name);
  const bool without_namespace = options.kind == "Namespace" || options.kind == "GatewayClass";
  const bool everywhere = options.all_namespaces || without_namespace;
  if (!everywhere) target += "&namespace=" + percent_encode(options.ns);
  const std::optional<json::value> answer = server.get(target);
  if (!answer) return server.exit_code();
  const json::array& items = list_at(*answer, "items");
  const json::array& abouts = list_at(*answer, "about");
  const std::string where = everywhere ? "" : " in namespace " + options.ns;
  const std::string what = options.kind.empty() ? "object" : options.kind;
  if (items.empty() && !options.name.empty()) {
    console.error(what + " " + options.name + " does not exist" + where);
    return kFailed;
  }

  const std::string& format = options.output;
  const bool one = !options.name.empty() && items.size() == 1;
  if (format == "json") {
    console.data() << pretty(one ? items.front() : json::object{{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}});
  } else if (format == "yaml") {
    for (size_t i = 0; i < items.size(); ++i) console.data() << (i ? "---\n" : "") << yaml_of(items[i]);
  } else if (format == "name") {
    for (const json::value& about : abouts) console.data() << lower_case(text_at(about, "kind")) << "/" << text_at(about, "name") << "\n";
  } else if (items.empty()) {
    console.say("no " + what + where);
  } else {
    const bool wide = format == "wide", kinds = options.kind.empty();
    std::vector<std::string> head;
    if (everywhere && !without_namespace) head.push_back("NAMESPACE");
    if (kinds) head.push_back("KIND");
    for (const char* title : {"NAME", "WHAT", "REVISION"}) head.push_back(title);
    if (wide) head.insert(head.end(), {"CREATED", "OWNER", "FILE"});
    Table table(std::move(head));
    for (size_t i = 0; i < items.size() && i < abouts.size(); ++i) {
      const json::value& about = abouts[i];
      std::vector<std::string> row;
      if (everywhere && !without_namespace) row.push_back(text_at(about, "namespace"));
      if (kinds) row.push_back(text_at(about, "kind"));
      row.push_back(text_at(about, "name"));
      row.push_back(summary(items[i]));
      row.push_back(whole_at(about, "revision"));
      if (wide) {
        row.push_back(whole_at(about, "created"));
        row.push_back(text_at(about, "owner"));
        const std::string file = text_at(about, "file");
        row.push_back(file.empty() ? "-" : file + ":" + whole_at(about, "line"));
      }
      table.add(std::move(row));
    }
    console.data() << table.text();
  }
  return kOk;
}

int history(const Options& options, Server& server, const Console& console) {
  const std::optional<json::value> answer = server.get("/v1/history?limit=" + std::to_string(options.limit));
  if (!answer) return server.exit_code();
  if (print_whole(*answer, options.output, console.data())) return kOk;
  const size_t shown = options.output == "wide" ? SIZE_MAX : 3;
  Table table({"REVISION", "TIME", "WHO", "CAUSE", "CHANGES"});
  for (const json::value& revision : list_at(*answer, "revisions")) {
    const json::array& changes = list_at(revision, "changes");
    std::string text;
    for (size_t i = 0; i < changes.size() && i < shown; ++i)
      text += (i ? ", " : "") + lower_case(text_at(changes[i], "kind")) + "/" + text_at(changes[i], "name") + " " +
              text_at(changes[i], "change");
    if (changes.size() > shown) text += " and " + std::to_string(changes.size() - shown) + " more";
    table.add({whole_at(revision, "revision"), text_at(revision, "time"),
               text_at(revision, "author").empty() ? "-" : text_at(revision, "author"), text_at(revision, "cause"), text});
  }
  if (table.empty())
    console.say("no revision yet");
  else
    console.data() << table.text();
  return kOk;
}

}  // namespace weft::ctl
