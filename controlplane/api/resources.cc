// Reading the world: objects as they were applied, and the revisions that made it.
#include "controlplane/api/api.h"
#include "controlplane/api/json.h"
#include "controlplane/validation/kinds.h"

namespace weft::api {
namespace {

bool equal_fold(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

// The kind as its objects spell it; other words stay as they are.
std::string proper_kind(const std::string& text) {
  for (const validation::Kind& kind : validation::kinds())
    if (equal_fold(kind.key(), text)) return std::string(kind.key());
  return text;
}

// Conditions and the rest of a status, as Kubernetes shows them.
json::array conditions(const std::vector<model::Condition>& list, uint64_t generation) {
  json::array out;
  for (const model::Condition& condition : list) {
    out.push_back(json::object{{"type", condition.type},
                               {"status", condition.status ? "True" : "False"},
                               {"reason", condition.reason},
                               {"message", condition.message},
                               {"observedGeneration", generation}});
  }
  return out;
}

json::object status_of(const model::ObjectStatus& status) {
  json::object out;
  if (!status.conditions.empty()) out["conditions"] = conditions(status.conditions, status.observed_generation);
  json::array parents, listeners, addresses;
  for (const model::ParentStatus& parent : status.parents) {
    json::object ref{{"group", parent.ref.group}, {"kind", parent.ref.kind}};
    if (parent.ref.ns_written) ref["namespace"] = parent.ref.ns;
    ref["name"] = parent.ref.name;
    if (!parent.ref.section.empty()) ref["sectionName"] = parent.ref.section;
    if (parent.ref.port) ref["port"] = *parent.ref.port;
    parents.push_back(json::object{{"parentRef", std::move(ref)},
                                   {"controllerName", parent.controller},
                                   {"conditions", conditions(parent.conditions, status.observed_generation)}});
  }
  for (const model::ListenerStatus& listener : status.listeners) {
    json::array kinds;
    for (const model::AllowedKind& kind : listener.supported_kinds)
      kinds.push_back(json::object{{"group", kind.group}, {"kind", kind.kind}});
    listeners.push_back(json::object{{"name", listener.name},
                                     {"attachedRoutes", listener.attached_routes},
                                     {"supportedKinds", std::move(kinds)},
                                     {"conditions", conditions(listener.conditions, status.observed_generation)}});
  }
  for (const model::GatewayAddress& address : status.addresses)
    addresses.push_back(json::object{{"type", address.type}, {"value", address.value}});
  if (!addresses.empty()) out["addresses"] = std::move(addresses);
  if (!listeners.empty()) out["listeners"] = std::move(listeners);
  if (!parents.empty()) out["parents"] = std::move(parents);
  return out;
}

// The object as it was written; with the status that was derived for it, if it is of a kind that has one.
json::value shown(const model::View& view, const model::Resource& resource) {
  json::value object = parsed(resource.json);
  const model::ObjectStatus* status = view.status(resource.key);
  if (status != nullptr && object.is_object()) object.as_object()["status"] = status_of(*status);
  return object;
}

json::object about(const model::Resource& resource, const std::string& owner) {
  json::object about = to_json(resource.key);
  about["owner"] = owner;
  if (!resource.origin.file.empty()) {
    about["file"] = resource.origin.file;
    about["line"] = resource.origin.line;
  }
  about["created"] = resource.created;
  about["revision"] = resource.revision;
  return about;
}

}  // namespace

std::optional<model::Key> key_of_path(std::string_view path) {
  constexpr std::string_view kPrefix = "/v1/resources/";
  path.remove_prefix(kPrefix.size());
  std::vector<std::string> parts;
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    parts.emplace_back(path.substr(at, end - at));
    at = end + 1;
  }
  if (parts.size() != 3 || parts[0].empty() || parts[1].empty() || parts[2].empty()) return std::nullopt;
  return model::Key{proper_kind(parts[0]), parts[1] == "-" ? "" : parts[1], parts[2]};
}

Reply Api::list(const Request& request) {
  const std::string kind = proper_kind(request.parameter("kind")), ns = request.parameter("namespace"), name = request.parameter("name");
  if (!kind.empty() && validation::kind_named(kind) == nullptr)
    return error_reply(400, "bad_request", "kind: \"" + kind.substr(0, 200) + "\" is none that weft-control holds");
  const std::shared_ptr<const model::View> view = services_.store.view();
  json::object answer;
  answer["revision"] = view->revision();
  json::array items, abouts;
  for (const model::ResourcePtr& resource : view->resources()) {
    if (!kind.empty() && resource->key.kind != kind) continue;
    if (!ns.empty() && resource->key.ns != ns) continue;
    if (!name.empty() && resource->key.name != name) continue;
    items.push_back(shown(*view, *resource));
    abouts.push_back(about(*resource, services_.store.owner(resource->key)));
  }
  answer["items"] = std::move(items);
  answer["about"] = std::move(abouts);
  return json_reply(answer);
}

Reply Api::get(const Request& request) {
  auto key = key_of_path(request.path);
  if (!key) return error_reply(404, "not_found", "expected /v1/resources/KIND/NAMESPACE/NAME (NAMESPACE - for kinds without one)");
  const std::shared_ptr<const model::View> view = services_.store.view();
  const model::Resource* resource = view->find(*key);
  if (resource == nullptr) return error_reply(404, "not_found", key->to_string() + " does not exist");
  json::object answer;
  answer["object"] = shown(*view, *resource);
  answer["about"] = about(*resource, services_.store.owner(*key));
  if (resource->origin.text) answer["text"] = *resource->origin.text;
  return json_reply(answer);
}

Reply Api::history(const Request& request) {
  size_t limit = 20;
  if (const std::string text = request.parameter("limit"); !text.empty()) {
    if (text.size() > 4 || text.find_first_not_of("0123456789") != std::string::npos || (limit = std::stoul(text)) < 1 || limit > 1000)
      return error_reply(400, "bad_request", "limit: found \"" + text.substr(0, 100) + "\", expected 1 to 1000");
  }
  auto revisions = services_.store.history(limit);
  if (!revisions) return error_reply(500, "internal", revisions.error().detail);
  json::array list;
  for (const store::Revision& revision : *revisions) {
    constexpr std::string_view kChanges[] = {"created", "changed", "removed"};
    json::array items;
    for (const store::Revision::Item& item : revision.items) {
      json::object change = to_json(item.key);
      change["change"] = kChanges[static_cast<size_t>(item.kind)];
      items.push_back(std::move(change));
    }
    list.push_back(json::object{{"revision", revision.number},
                                {"time", to_json(revision.time)},
                                {"cause", revision.cause},
                                {"author", revision.author},
                                {"changes", std::move(items)}});
  }
  return json_reply(json::object{{"revisions", std::move(list)}});
}

}  // namespace weft::api
