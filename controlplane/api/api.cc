#include "controlplane/api/api.h"

#include "controlplane/api/json.h"

#include <algorithm>

namespace weft::api {

// Paths end in "/..." where the handler reads the rest itself.
struct Api::Route {
  std::string_view method, path;
  Reply (Api::*handler)(const Request&);
  std::string_view help;
};

const Api::Route Api::kRoutes[] = {
    {"GET", "/", &Api::index, "this list"},
    {"POST", "/v1/apply", &Api::apply, "create or change objects, all or none; ?dry_run=true changes nothing"},
    {"POST", "/v1/validate", &Api::validate, "check objects against this control plane's world; changes nothing"},
    {"POST", "/v1/delete", &Api::remove_many, "delete the objects that a text names, all or none"},
    {"GET", "/v1/resources", &Api::list, "objects; ?kind= &namespace= &name="},
    {"GET", "/v1/resources/...", &Api::get, "one object: /v1/resources/KIND/NAMESPACE/NAME"},
    {"DELETE", "/v1/resources/...", &Api::remove, "delete one object"},
    {"GET", "/v1/status", &Api::status, "this program and its proxies: revision sent, accepted, refused"},
    {"GET", "/v1/wait", nullptr, "answers once every proxy has accepted; ?revision=N &timeout=10s"},
    {"GET", "/v1/proxies/...", &Api::proxy_config, "what a proxy was sent: /v1/proxies/NODE/config/clusters|listeners|routes|endpoints"},
    {"GET", "/v1/history", &Api::history, "revisions and their causes, newest first; ?limit="},
    {"POST", "/v1/diff", &Api::diff, "what applying objects would change, in objects and in what proxies are sent; ?detail=true"},
    {"POST", "/v1/rollback", &Api::roll_back, "back to an earlier revision's objects, all or none; ?to=N &dry_run=true &detail=true"},
    {"POST", "/v1/route-test", &Api::route_test, "which rule of a proxy takes a request; {\"from\", \"method\", \"url\", \"headers\"}"},
    {"GET", "/v1/analyze", &Api::analyze, "what the objects say about each other that will not work as meant"},
    {"GET", "/debug/syncz", &Api::syncz, "proxies in the form of istiod's page of that name"},
    {"GET", "/metrics", &Api::metrics, "Prometheus metrics"},
    {"GET", "/ready", &Api::ready, "200 once everything is loaded and served"},
    {"GET", "/healthz", &Api::ready, "the same"},
    {"GET", "/version", &Api::version, "the version of this program"},
};

Api::Api(Services services) : services_(std::move(services)) {
  services_.registry.declare_counter("galley_validation_passed", "Applied texts that were good.");
  services_.registry.declare_counter("galley_validation_failed", "Applied texts that were refused.");
}

Task<Reply> Api::answer(Request request) {
  if (request.path == "/v1/wait" && request.method == "GET") co_return co_await wait(std::move(request));
  co_return route(request);
}

Reply Api::route(const Request& request) {
  std::string allow;
  for (const Route& route : kRoutes) {
    const bool prefix = route.path.ends_with("/...");
    const std::string_view path = prefix ? route.path.substr(0, route.path.size() - 3) : route.path;
    if (prefix ? !request.path.starts_with(path) : request.path != path) continue;
    if (route.method == request.method) return (this->*route.handler)(request);
    allow += (allow.empty() ? "" : ", ") + std::string(route.method);
  }
  if (allow.empty()) return error_reply(404, "not_found", "no such page: " + request.path + "; GET / lists them");
  Reply reply = error_reply(405, "method_not_allowed", request.method + " is not for " + request.path + "; expected " + allow);
  reply.allow = allow;
  return reply;
}

Reply Api::index(const Request&) {
  std::string text = "weft-control " + services_.version + "\n\n";
  for (const Route& route : kRoutes) {
    std::string line = "  " + std::string(route.method) + " " + std::string(route.path);
    line.resize(std::max<size_t>(line.size() + 2, 30), ' ');
    text += line + std::string(route.help) + "\n";
  }
  return {200, text, "text/plain; charset=utf-8", {}};
}

Reply Api::metrics(const Request&) { return {200, services_.registry.text(), "text/plain; version=0.0.4; charset=utf-8", {}}; }

Reply Api::ready(const Request&) {
  if (closing_) return error_reply(503, "closing", "weft-control is ending");
  return json_reply(json::object{{"ready", true}, {"revision", services_.store.view()->revision()}});
}

Reply Api::version(const Request&) { return json_reply(json::object{{"name", "weft-control"}, {"version", services_.version}}); }

}  // namespace weft::api
