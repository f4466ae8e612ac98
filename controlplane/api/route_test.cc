// What a proxy would do with a request: tried on the very bytes that it was sent, with the file and line of each rule.
#include "controlplane/api/api.h"
#include "controlplane/api/json.h"
#include "controlplane/api/proxies.h"
#include "controlplane/translate/route_trial.h"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

namespace weft::api {
namespace {

using translate::Trial;
using translate::TrialAction;
using translate::TrialRequest;
using xds::ProxyStatus;
using xds::ResourceType;

struct Question {
  std::string from;
  TrialRequest request;
  std::optional<uint32_t> port;  // as the URL says
};

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::string lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// "http://reviews:9080/a?b"; what is missing is said.
std::string read_url(const std::string& url, Question& out) {
  const size_t colon = url.find("://");
  if (colon == std::string::npos || (url.substr(0, colon) != "http" && url.substr(0, colon) != "https"))
    return "url: found \"" + url.substr(0, 200) + "\", expected one such as http://reviews:9080/path";
  out.request.scheme = url.substr(0, colon);
  const size_t begin = colon + 3, slash = std::min(url.find_first_of("/?#", begin), url.size());
  out.request.authority = url.substr(begin, slash - begin);
  out.request.path = url.substr(slash, url.find('#', slash) - slash);
  if (!out.request.path.starts_with('/')) out.request.path.insert(0, "/");
  if (out.request.authority.empty()) return "url: found no host in \"" + url.substr(0, 200) + "\"";
  const size_t at = out.request.authority.rfind(':');
  if (at == std::string::npos || out.request.authority.find(']', at) != std::string::npos) return {};
  uint32_t port = 0;
  const char* end = out.request.authority.data() + out.request.authority.size();
  auto [stop, error] = std::from_chars(out.request.authority.data() + at + 1, end, port);
  if (error != std::errc() || stop != end || port == 0 || port > 65535)
    return "url: found the port \"" + out.request.authority.substr(at + 1, 100) + "\", expected 1 to 65535";
  out.port = port;
  return {};
}

std::variant<Question, Reply> read_question(const Request& request) {
  boost::system::error_code error;
  const json::value body = json::parse(request.body, error);
  const json::object* object = error ? nullptr : body.if_object();
  if (object == nullptr)
    return error_reply(400, "bad_request", "expected {\"from\", \"method\", \"url\", \"headers\": [[name, value]]} as JSON");
  Question out;
  out.from = text_of(*object, "from");
  if (out.from.empty()) return error_reply(400, "bad_request", "from: expected the name of a proxy, such as app-1.default");
  if (std::string method = text_of(*object, "method"); !method.empty()) out.request.method = method;
  if (std::string why = read_url(text_of(*object, "url"), out); !why.empty()) return error_reply(400, "bad_request", why);
  const json::value* headers = object->if_contains("headers");
  if (headers == nullptr) return out;
  if (!headers->is_array()) return error_reply(400, "bad_request", "headers: expected a list of [name, value]");
  for (const json::value& item : headers->get_array()) {
    const json::array* pair = item.if_array();
    if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_string() || !(*pair)[1].is_string())
      return error_reply(400, "bad_request", "headers: expected a list of [name, value]");
    std::string name = lowered(std::string((*pair)[0].get_string())), value((*pair)[1].get_string());
    if (name == "host" || name == ":authority") {
      out.request.authority = value;
    } else {
      out.request.headers.emplace_back(std::move(name), std::move(value));
    }
  }
  return out;
}

struct Configuration {
  std::string name;
  xds::ResourcePtr resource;
  std::string note;
};

// The service that an application calls by this name or address; empty: none that is known.
std::string host_called(std::string_view authority, const model::Node& node, const model::View& view) {
  const size_t colon = authority.rfind(':');
  std::string name(authority.find(':') == colon ? authority.substr(0, colon) : authority);
  if (name.ends_with('.')) name.pop_back();
  const std::string domain(model::kDomain);
  for (const std::string& host : {name, model::resolve_host(name, node.ns), name + ".svc." + domain, name + "." + domain})
    if (view.find_service(host, node.ns) != nullptr) return host;
  for (const model::ServiceInfo* service : view.services())
    if (std::find(service->addresses.begin(), service->addresses.end(), name) != service->addresses.end()) return service->hostname;
  return {};
}

// Which of the proxy's route configurations takes the request: by the port of the URL, else the only one that knows the host.
std::variant<Configuration, Reply> configuration_for(const Question& question, const ProxyStatus& proxy, const model::View& view) {
  const bool router = proxy.node->type == model::Node::Type::kRouter;
  std::vector<std::pair<uint32_t, std::string>> served;  // by the port that a client of the proxy names
  const translate::ListenerPlan plan = router ? translate::listener_plan(view, *proxy.node) : translate::ListenerPlan{};
  for (const xds::ResourcePtr& listener : proxy.snapshot->map(ResourceType::kListener).all()) {
    for (auto& [port, name] : translate::routes_of_listener(listener->message())) {
      uint32_t asked = port;
      const size_t digits = name.rfind(':') + 1;  // "8080", or "HOST:8080"
      if (!router) std::from_chars(name.data() + digits, name.data() + name.size(), asked);
      for (const translate::Binding& binding : plan.bindings)
        if (binding.port == port) asked = binding.service_port;
      served.emplace_back(asked, name);
      if (router && asked != port) served.emplace_back(port, name);
    }
  }
  std::sort(served.begin(), served.end());
  auto held = [&](const std::string& name) {
    const xds::ResourcePtr* found = proxy.snapshot->map(ResourceType::kRoute).find(name);
    return found == nullptr ? xds::ResourcePtr() : *found;
  };
  const uint32_t wanted = question.port.value_or(question.request.scheme == "https" ? 443 : 80);
  // A captured connection goes by its address: a service whose port is looked at has a configuration of its own.
  const std::string called = host_called(question.request.authority, *proxy.node, view);
  std::stable_partition(served.begin(), served.end(), [&](const auto& one) { return one.second.starts_with(called + ":"); });
  for (const auto& [port, name] : served)
    if (port == wanted && (name.find(':') == std::string::npos || name.starts_with(called + ":")))
      if (auto resource = held(name)) return Configuration{name, std::move(resource), {}};
  std::map<uint32_t, Configuration> knowing;
  std::set<uint32_t> taken;
  for (const auto& [port, name] : served) {
    taken.insert(port);
    const auto resource = held(name);
    if (question.port || !resource) continue;
    if (!name.starts_with(called + ":") && !translate::names_host(resource->message(), question.request.authority)) continue;
    knowing.try_emplace(
        port, Configuration{name, resource, "the URL names no port; " + std::to_string(port) + " is the only one where the host is known"});
  }
  if (knowing.size() == 1) return std::move(knowing.begin()->second);
  std::string ports;
  for (uint32_t port : taken) ports += (ports.empty() ? "" : ", ") + std::to_string(port);
  return error_reply(422, "no_listener",
                     proxy.node->name + "." + proxy.node->ns + " does not take HTTP on port " + std::to_string(wanted) + "; it does on " +
                         (ports.empty() ? "none" : ports.substr(0, 300)));
}

json::value rule_json(const translate::RouteOrigin& origin, const model::View& view) {
  if (origin.object.name.empty()) return nullptr;
  json::object out = to_json(origin.object);
  out["field"] = origin.field;
  if (const model::Resource* resource = view.find(origin.object)) {
    const Diagnostic place = resource->finding(Severity::kInfo, "", "", origin.field);
    if (!place.file.empty()) out["file"] = place.file;
    out["line"] = place.mark.line;
  }
  return out;
}

json::array destinations_json(const std::vector<translate::TrialDestination>& from, const xds::Snapshot& snapshot) {
  json::array list;
  for (const translate::TrialDestination& to : from) {
    json::object one{{"cluster", to.cluster}, {"percent", to.percent}};
    // outbound|PORT|SUBSET|HOST
    const size_t first = to.cluster.find('|'), second = to.cluster.find('|', first + 1), third = to.cluster.find('|', second + 1);
    if (to.cluster.starts_with("outbound|") && third != std::string::npos) {
      one["port"] = to.cluster.substr(first + 1, second - first - 1);
      one["subset"] = to.cluster.substr(second + 1, third - second - 1);
      one["host"] = to.cluster.substr(third + 1);
    }
    one["exists"] = snapshot.map(ResourceType::kCluster).find(to.cluster) != nullptr;
    if (const xds::ResourcePtr* endpoints = snapshot.map(ResourceType::kEndpoint).find(to.cluster))
      one["healthy_endpoints"] = translate::healthy_endpoints((*endpoints)->message());
    list.push_back(std::move(one));
  }
  return list;
}

json::object action_json(const TrialAction& action, const xds::Snapshot& snapshot) {
  constexpr std::string_view kKinds[] = {"none", "forward", "redirect", "respond"};
  json::object out{{"kind", kKinds[static_cast<size_t>(action.kind)]}};
  if (action.status != 0) out["status"] = action.status;
  if (!action.location.empty()) out["location"] = action.location;
  if (!action.body.empty()) out["body"] = action.body.substr(0, 1000);
  if (action.kind == TrialAction::Kind::kForward) {
    out["destinations"] = destinations_json(action.destinations, snapshot);
    out["mirrors"] = destinations_json(action.mirrors, snapshot);
    out["path"] = action.path;
    out["authority"] = action.authority;
  }
  json::array& settings = out["settings"].emplace_array();
  for (const std::string& setting : action.settings) settings.emplace_back(setting);
  return out;
}

json::array routes_json(const Trial& trial, const std::string& configuration, const std::optional<translate::RouteOrigins>& origins,
                        const model::View& view) {
  json::array list;
  const std::vector<translate::RouteOrigin>* written = nullptr;
  if (origins) {
    auto found = origins->find({configuration, trial.virtual_host});
    if (found != origins->end()) written = &found->second;
  }
  for (const translate::TriedRoute& tried : trial.routes) {
    json::object route{{"name", tried.name}, {"matches", tried.matches}};
    json::array& conditions = route["conditions"].emplace_array();
    for (const translate::Condition& condition : tried.conditions)
      conditions.push_back(
          json::object{{"text", condition.text}, {"found", condition.found}, {"holds", condition.holds}, {"certain", condition.certain}});
    if (written != nullptr && tried.index < written->size())
      route["rule"] = rule_json((*written)[tried.index], view);
    else
      route["rule"] = nullptr;
    list.push_back(std::move(route));
  }
  return list;
}

}  // namespace

Reply Api::route_test(const Request& request) {
  auto question = read_question(request);
  if (auto* reply = std::get_if<Reply>(&question)) return std::move(*reply);
  const Question& asked = std::get<Question>(question);
  auto proxy_found = find_proxy(services_.acks, asked.from);
  if (auto* reply = std::get_if<Reply>(&proxy_found)) return std::move(*reply);
  const ProxyStatus& proxy = std::get<ProxyStatus>(proxy_found);
  if (!proxy.snapshot) return error_reply(409, "not_sent", proxy.node->id + " was not sent anything yet");
  const std::shared_ptr<const model::View> view = services_.store.view();
  auto chosen = configuration_for(asked, proxy, *view);
  if (auto* reply = std::get_if<Reply>(&chosen)) return std::move(*reply);
  const Configuration& configuration = std::get<Configuration>(chosen);
  const auto trial = translate::try_request(configuration.resource->message(), asked.request);
  if (!trial) return error_reply(500, "internal", "the route configuration " + configuration.name + " does not parse");
  const auto origins = translate::origins_of(*view, *proxy.node, configuration.name, configuration.resource->message());

  json::object answer{{"node", proxy.node->id}, {"revision", proxy.snapshot->revision}, {"configuration", configuration.name}};
  answer["request"] = json::object{{"method", asked.request.method}, {"authority", asked.request.authority}, {"path", asked.request.path}};
  answer["virtual_host"] = trial->virtual_host;
  answer["domain"] = trial->domain;
  answer["routes"] = routes_json(*trial, configuration.name, origins, *view);
  answer["action"] = action_json(trial->action, *proxy.snapshot);
  json::array& notes = answer["notes"].emplace_array();
  if (!configuration.note.empty()) notes.emplace_back(configuration.note);
  if (!origins)
    notes.emplace_back("revision " + std::to_string(view->revision()) +
                       " is not sent yet: this is what the proxy runs, without the lines of its rules");
  if (proxy.types[index_of(ResourceType::kRoute)].rejected) notes.emplace_back("the proxy refuses routes that it was sent; see status");
  return json_reply(answer);
}

}  // namespace weft::api
