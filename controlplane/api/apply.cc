// Changing the world: apply, validate and delete. A text is validated whole before the store sees any of it, and the store takes a batch
// whole or not at all, so a refused request has changed nothing.
#include "controlplane/api/api.h"
#include "controlplane/api/diff.h"
#include "controlplane/api/json.h"
#include "controlplane/validation/kinds.h"
#include "controlplane/validation/validation.h"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <set>

namespace weft::api {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;  // name, text

// The texts of a body: {"files":[{"name":"a.yaml","text":"..."}]}, or the YAML or JSON of the objects themselves.
std::variant<Files, Reply> files_of(const Request& request) {
  if (request.content_type == "application/x-www-form-urlencoded" || request.content_type == "multipart/form-data")
    return error_reply(
        415, "unsupported_media_type",
        "found Content-Type " + request.content_type +
            ", expected application/yaml or application/json (with curl: -H 'Content-Type: application/yaml' --data-binary @FILE)");
  if (request.content_type == "application/json") {
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = 128;
    const json::value value = json::parse(request.body, error, {}, options);
    const json::object* object = error ? nullptr : value.if_object();
    if (object != nullptr && object->contains("files") && !object->contains("kind")) {
      Files files;
      const json::array* list = object->at("files").if_array();
      if (list == nullptr) return error_reply(400, "bad_request", "files: expected a list of {\"name\", \"text\"}");
      for (size_t i = 0; i < list->size(); ++i) {
        const json::object* file = (*list)[i].if_object();
        const json::value* name = file == nullptr ? nullptr : file->if_contains("name");
        const json::value* text = file == nullptr ? nullptr : file->if_contains("text");
        if (name == nullptr || text == nullptr || !name->is_string() || !text->is_string())
          return error_reply(400, "bad_request", "files[" + std::to_string(i) + "]: expected {\"name\": string, \"text\": string}");
        files.emplace_back(name->get_string(), text->get_string());
      }
      return files;
    }
  }
  return Files{{request.parameter("name"), request.body}};
}

std::string cause_of(const Request& request, const Files& files, std::string_view what) {
  const std::string agent = request.user_agent.substr(0, std::min<size_t>(request.user_agent.find('/'), 80));
  std::string cause = std::string(what) + " by " + (agent.empty() ? "the HTTP API" : agent);
  size_t shown = 0;
  for (const auto& [name, text] : files) {
    if (name.empty()) continue;
    if (shown == 3) return cause + " and more";
    cause += (shown++ ? ", " : ": ") + name.substr(0, 200);
  }
  return cause;
}

struct Split {
  Diagnostics errors, warnings;
};
Split split(Diagnostics findings) {
  Split out;
  for (Diagnostic& finding : findings) (finding.severity == Severity::kError ? out.errors : out.warnings).push_back(std::move(finding));
  return out;
}

// What the references of `after` say about the objects that were applied, or did not say before.
Diagnostics new_references(const model::View& before, const model::View& after, const std::set<model::Key>& applied) {
  std::set<std::string> names, known;
  for (const model::Key& key : applied) names.insert(key.to_string());
  for (const Diagnostic& finding : validation::check_references(before)) known.insert(render_short(finding));
  Diagnostics news;
  for (Diagnostic& finding : validation::check_references(after))
    if (names.contains(finding.object) || !known.contains(render_short(finding))) news.push_back(std::move(finding));
  return news;
}

// The view as it would be, under the same number.
std::shared_ptr<const model::View> with(const std::shared_ptr<const model::View>& view, const std::vector<model::Resource>& resources,
                                        const std::set<model::Key>& gone = {}) {
  std::map<model::Key, model::ResourcePtr> objects;
  for (const model::ResourcePtr& resource : view->resources())
    if (!gone.contains(resource->key)) objects[resource->key] = resource;
  for (const model::Resource& resource : resources) {
    auto copy = std::make_shared<model::Resource>(resource);
    auto held = objects.find(resource.key);
    copy->created = held == objects.end() ? view->revision() + 1 : held->second->created;
    copy->revision = view->revision() + 1;
    objects[resource.key] = std::move(copy);
  }
  std::vector<model::ResourcePtr> all;
  for (auto& [key, resource] : objects) all.push_back(std::move(resource));
  return model::View::build(view->revision(), std::move(all), view);
}

json::array changes_of(const model::View& before, const std::vector<model::Key>& keys) {
  json::array changes;
  for (const model::Key& key : keys) {
    json::object change = to_json(key);
    change["change"] = before.find(key) == nullptr ? "created" : "changed";
    changes.push_back(std::move(change));
  }
  return changes;
}

Reply refused(int status, std::string_view code, const std::string& message, const Diagnostics& errors, const Diagnostics& warnings) {
  json::object answer;
  answer["error"] = json::object{{"code", code}, {"message", message}};
  answer["errors"] = to_json(errors);
  answer["warnings"] = to_json(warnings);
  return json_reply(answer, status);
}

std::string counted(size_t count, const char* one, const char* many) { return std::to_string(count) + " " + (count == 1 ? one : many); }

Reply store_error(const Error& error, const Diagnostics& warnings = {}) {
  using Kind = Error::Kind;
  const bool conflict = error.kind == Kind::kRefused, absent = error.kind == Kind::kNotFound, bad = error.kind == Kind::kInvalid;
  const int status = conflict ? 409 : absent ? 404 : bad ? 422 : 500;
  const std::string_view code = conflict ? "conflict" : absent ? "not_found" : bad ? "invalid" : "internal";
  Diagnostic finding;
  finding.code = conflict ? "WEFT0401" : absent ? "WEFT0402" : "WEFT0403";
  finding.message = error.detail;
  return refused(status, code, error.detail, {finding}, warnings);
}

}  // namespace

Reply Api::apply(const Request& request) {
  auto body = files_of(request);
  if (auto* reply = std::get_if<Reply>(&body)) return std::move(*reply);
  const Files& files = std::get<Files>(body);
  const std::string dry = request.parameter("dry_run");
  if (!dry.empty() && dry != "true" && dry != "false")
    return error_reply(400, "bad_request", "dry_run: found \"" + dry + "\", expected true or false");

  validation::Verdicts verdicts = validation::validate_texts(files);
  Split findings = split(std::move(verdicts.findings));
  if (!findings.errors.empty()) {
    services_.registry.add("galley_validation_failed");
    return refused(422, "invalid", counted(findings.errors.size(), "error", "errors") + "; nothing was changed", findings.errors,
                   findings.warnings);
  }
  services_.registry.add("galley_validation_passed");
  if (verdicts.resources.empty()) return error_reply(422, "invalid", "found no object in the text");

  const std::shared_ptr<const model::View> before = services_.store.view();
  std::set<model::Key> keys;
  for (const model::Resource& resource : verdicts.resources) keys.insert(resource.key);
  std::shared_ptr<const model::View> after;
  std::vector<model::Key> changed;
  uint64_t revision = before->revision();
  if (dry == "true") {
    for (const model::Resource& resource : verdicts.resources) {
      const model::Resource* held = before->find(resource.key);
      if (services_.store.owner(resource.key) == store::kOwnerFile)
        return store_error({Error::Kind::kRefused, resource.key.to_string() + " comes from the file " + (held ? held->origin.file : "") +
                                                       " that weft-control watches; change that file"},
                           findings.warnings);
      if (held == nullptr || held->json != resource.json) changed.push_back(resource.key);
    }
    after = with(before, verdicts.resources);
  } else {
    model::Batch batch;
    batch.cause = cause_of(request, files, "apply");
    batch.author = request.user;
    for (model::Resource& resource : verdicts.resources) batch.changes.push_back(model::Change::upsert(std::move(resource)));
    auto applied = services_.store.apply(batch, store::kOwnerApi);
    if (!applied) return store_error(applied.error(), findings.warnings);
    revision = applied->revision;
    changed = std::move(applied->changed);
    after = services_.store.view();
  }
  for (Diagnostic& finding : new_references(*before, *after, keys)) findings.warnings.push_back(std::move(finding));
  for (const model::Key& key : changed) keys.erase(key);

  json::object answer;
  answer["revision"] = revision;
  answer["dry_run"] = dry == "true";
  answer["changed"] = changes_of(*before, changed);
  json::array& unchanged = answer["unchanged"].emplace_array();
  for (const model::Key& key : keys) unchanged.push_back(to_json(key));
  answer["warnings"] = to_json(findings.warnings);
  answer["errors"] = json::array();
  return json_reply(answer);
}

// What stands and what would stand after the text, compared.
Reply Api::diff(const Request& request) {
  auto body = files_of(request);
  if (auto* reply = std::get_if<Reply>(&body)) return std::move(*reply);
  validation::Verdicts verdicts = validation::validate_texts(std::get<Files>(body));
  Split findings = split(std::move(verdicts.findings));
  if (!findings.errors.empty())
    return refused(422, "invalid", counted(findings.errors.size(), "error", "errors"), findings.errors, findings.warnings);
  if (verdicts.resources.empty()) return error_reply(422, "invalid", "found no object in the text");
  const std::shared_ptr<const model::View> before = services_.store.view();
  std::set<model::Key> keys;
  for (const model::Resource& resource : verdicts.resources) keys.insert(resource.key);
  const auto after = with(before, verdicts.resources);
  for (Diagnostic& finding : new_references(*before, *after, keys)) findings.warnings.push_back(std::move(finding));
  json::object answer = difference_json(before, after, services_.acks, request.parameter("detail") == "true");
  answer["revision"] = before->revision();
  answer["warnings"] = to_json(findings.warnings);
  return json_reply(answer);
}

Reply Api::roll_back(const Request& request) {
  const std::string text = request.parameter("to"), dry = request.parameter("dry_run");
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos)
    return error_reply(400, "bad_request", "to: found \"" + text.substr(0, 100) + "\", expected the number of a revision");
  if (!dry.empty() && dry != "true" && dry != "false")
    return error_reply(400, "bad_request", "dry_run: found \"" + dry + "\", expected true or false");
  const uint64_t to = std::stoull(text);
  const std::shared_ptr<const model::View> before = services_.store.view();
  auto batch = services_.store.way_back(to);
  if (!batch) return store_error(batch.error());
  std::vector<model::Resource> put;
  std::set<model::Key> keys, gone;
  for (const model::Change& change : batch->changes) {
    keys.insert(change.key);
    if (change.resource) {
      put.push_back(*change.resource);
    } else {
      gone.insert(change.key);
    }
  }
  std::shared_ptr<const model::View> after = with(before, put, gone);
  json::object answer;
  if (dry == "true") {
    answer = difference_json(before, after, services_.acks, request.parameter("detail") == "true");
    answer["revision"] = before->revision();
  } else {
    auto applied = services_.store.roll_back(to, "rollback to revision " + text + cause_of(request, {}, ""), request.user);
    if (!applied) return store_error(applied.error());
    after = services_.store.view();
    answer["revision"] = applied->revision;
    json::array& changed = answer["changed"].emplace_array();
    for (const model::Key& key : applied->changed) {
      json::object change = to_json(key);
      change["change"] = after->find(key) == nullptr ? "removed" : before->find(key) == nullptr ? "created" : "changed";
      changed.push_back(std::move(change));
    }
  }
  answer["dry_run"] = dry == "true";
  answer["warnings"] = to_json(new_references(*before, *after, keys));
  return json_reply(answer);
}

Reply Api::analyze(const Request&) {
  const std::shared_ptr<const model::View> view = services_.store.view();
  Diagnostics findings = services_.store.refused();
  for (Diagnostic& finding : validation::check_references(*view)) findings.push_back(std::move(finding));
  Split halves = split(std::move(findings));
  return json_reply(json::object{{"revision", view->revision()},
                                 {"objects", view->resources().size()},
                                 {"errors", to_json(halves.errors)},
                                 {"warnings", to_json(halves.warnings)}});
}

Reply Api::validate(const Request& request) {
  auto body = files_of(request);
  if (auto* reply = std::get_if<Reply>(&body)) return std::move(*reply);
  validation::Verdicts verdicts = validation::validate_texts(std::get<Files>(body));
  const bool good = verdicts.ok();
  std::set<model::Key> keys;
  for (const model::Resource& resource : verdicts.resources) keys.insert(resource.key);
  const std::shared_ptr<const model::View> before = services_.store.view();
  for (Diagnostic& finding : new_references(*before, *with(before, verdicts.resources), keys))
    verdicts.findings.push_back(std::move(finding));

  Split findings = split(std::move(verdicts.findings));
  json::object answer;
  answer["valid"] = good;
  json::array& objects = answer["objects"].emplace_array();
  for (const model::Key& key : keys) objects.push_back(to_json(key));
  answer["warnings"] = to_json(findings.warnings);
  answer["errors"] = to_json(findings.errors);
  return json_reply(answer);
}

Reply Api::remove_many(const Request& request) {
  auto body = files_of(request);
  if (auto* reply = std::get_if<Reply>(&body)) return std::move(*reply);
  const Files& files = std::get<Files>(body);
  model::Batch batch;
  batch.cause = cause_of(request, files, "delete");
  batch.author = request.user;
  Diagnostics errors;
  // Only the names count: what is to go need not be valid any more.
  for (const auto& [file, text] : files) {
    std::vector<yaml::Document> documents;
    Diagnostic problem;
    if (!yaml::parse(text, file, documents, problem)) {
      errors.push_back(std::move(problem));
      continue;
    }
    for (const yaml::Document& document : documents) {
      const yaml::Node* kind = document.root.find("kind");
      const yaml::Node* metadata = document.root.find("metadata");
      const yaml::Node* name = metadata == nullptr ? nullptr : metadata->find("name");
      const yaml::Node* ns = metadata == nullptr ? nullptr : metadata->find("namespace");
      if (kind == nullptr || name == nullptr || !kind->is_scalar() || !name->is_scalar()) {
        errors.push_back(document.at(document.root.mark, "WEFT0404", "found no kind and metadata.name, which name the object to delete"));
        continue;
      }
      const yaml::Node* api = document.root.find("apiVersion");
      const std::string version = api != nullptr && api->is_scalar() ? api->text : "";
      const validation::Kind* known = validation::kind_named(kind->text, version.substr(0, version.find('/')));
      const bool cluster_wide = known != nullptr && !known->namespaced;
      model::Key key{known != nullptr ? std::string(known->key()) : kind->text,
                     cluster_wide                                            ? ""
                     : ns != nullptr && ns->is_scalar() && !ns->text.empty() ? ns->text
                                                                             : "default",
                     name->text};
      const bool twice =
          std::any_of(batch.changes.begin(), batch.changes.end(), [&](const model::Change& change) { return change.key == key; });
      if (!twice) batch.changes.push_back(model::Change::remove(std::move(key)));
    }
  }
  if (!errors.empty()) return refused(422, "invalid", counted(errors.size(), "error", "errors") + "; nothing was changed", errors, {});
  if (batch.changes.empty()) return error_reply(422, "invalid", "found no object in the text");
  auto applied = services_.store.apply(batch, store::kOwnerApi);
  if (!applied) return store_error(applied.error());
  json::object answer;
  answer["revision"] = applied->revision;
  json::array& removed = answer["changed"].emplace_array();
  for (const model::Key& key : applied->changed) {
    json::object change = to_json(key);
    change["change"] = "removed";
    removed.push_back(std::move(change));
  }
  return json_reply(answer);
}

Reply Api::remove(const Request& request) {
  auto key = key_of_path(request.path);
  if (!key) return error_reply(404, "not_found", "expected /v1/resources/KIND/NAMESPACE/NAME (NAMESPACE - for kinds without one)");
  model::Batch batch;
  batch.cause = cause_of(request, {}, "delete");
  batch.author = request.user;
  batch.changes.push_back(model::Change::remove(*key));
  auto applied = services_.store.apply(batch, store::kOwnerApi);
  if (!applied) return store_error(applied.error());
  json::object answer;
  answer["revision"] = applied->revision;
  json::object change = to_json(*key);
  change["change"] = "removed";
  answer["changed"] = json::array{change};
  return json_reply(answer);
}

}  // namespace weft::api
