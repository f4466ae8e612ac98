#include "controlplane/store/store.h"

#include "controlplane/store/database.h"
#include "controlplane/validation/validation.h"

namespace weft::store {
namespace {

Database::Row row_of(const model::Resource& resource, std::string_view owner) {
  return {resource.key,         std::string(owner), resource.origin.file, resource.origin.text ? *resource.origin.text : "",
          resource.origin.line, resource.created,   resource.revision};
}

bool same_origin(const model::Origin& a, const model::Origin& b) {
  return a.file == b.file && a.line == b.line && (a.text == b.text || (a.text && b.text && *a.text == *b.text));
}

// The object of a row, as it was when it was stored. Its marks count in its file again.
validation::Verdict revive(const Database::Row& row) {
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  const int before = std::max(0, row.line - 1);
  if (!yaml::parse(row.text, row.file, documents, problem)) {
    problem.mark.line += before;
    return {std::nullopt, {problem}};
  }
  if (documents.size() != 1) return {std::nullopt, {}};
  validation::Verdict verdict = validation::validate(documents.front());
  for (Diagnostic& finding : verdict.findings) finding.mark.line += before;
  if (verdict.resource) verdict.resource->origin.line += before;
  if (verdict.resource && verdict.resource->key != row.key) verdict.resource.reset();
  return verdict;
}

}  // namespace

// What a batch comes to, before anything changes.
struct Store::Plan {
  std::map<model::Key, Held> put;
  std::vector<model::Key> removed;
  std::vector<Revision::Item> items;  // empty: put changes origins and owners only
};

Result<std::unique_ptr<Store>> Store::open(const std::string& path, Observer observer) {
  std::unique_ptr<Store> store(new Store);
  store->observer_ = std::move(observer);
  auto database = Database::open(path);
  if (!database) return database.error();
  store->database_ = std::move(*database);
  auto revision = store->database_->revision();
  if (!revision) return revision.error();
  auto rows = store->database_->load();
  if (!rows) return rows.error();

  std::vector<model::ResourcePtr> resources;
  for (const Database::Row& row : *rows) {
    validation::Verdict verdict = revive(row);
    if (!verdict.resource) {
      store->refused_keys_.insert(row.key);
      Diagnostic finding;
      finding.code = "WEFT0310";
      finding.message = "stored at revision " + std::to_string(row.revision) + ", but refused by this version";
      finding.file = row.file;
      finding.object = row.key.to_string();
      finding.fix = "apply it again in a form that this version takes, or delete it";
      store->refused_.push_back(std::move(finding));
      for (Diagnostic& reason : verdict.findings)
        if (reason.severity == Severity::kError) store->refused_.push_back(std::move(reason));
      continue;
    }
    verdict.resource->created = row.created;
    verdict.resource->revision = row.revision;
    auto resource = std::make_shared<const model::Resource>(std::move(*verdict.resource));
    store->objects_[row.key] = {resource, row.owner};
    resources.push_back(std::move(resource));
  }
  store->view_ = model::View::build(*revision, std::move(resources));
  return store;
}

Store::Store() = default;
Store::~Store() = default;

Result<Store::Plan> Store::plan(const model::Batch& batch, std::string_view owner) const {
  Plan plan;
  const uint64_t next = view_->revision() + 1;
  std::map<model::Key, int> seen;
  for (const model::Change& change : batch.changes) {
    if (++seen[change.key] > 1) return invalid(change.key.to_string() + " stands twice in one batch");
    auto found = objects_.find(change.key);
    const Held* held = found == objects_.end() ? nullptr : &found->second;
    if (held && held->owner == kOwnerFile && owner != kOwnerFile)
      return Error{Error::Kind::kRefused, change.key.to_string() + " comes from the file " + held->resource->origin.file +
                                              " that weft-control watches; change that file"};

    if (change.kind == model::Change::Kind::kRemove) {
      if (!held) {
        if (refused_keys_.contains(change.key)) {
          plan.removed.push_back(change.key);
          plan.items.push_back({Revision::Item::Kind::kRemoved, change.key});
          continue;
        }
        if (owner == kOwnerFile) continue;
        return not_found(change.key.to_string() + " does not exist");
      }
      if (held->owner != owner) continue;  // the files let go of what the API took meanwhile
      plan.removed.push_back(change.key);
      plan.items.push_back({Revision::Item::Kind::kRemoved, change.key});
      continue;
    }
    if (!change.resource || !change.resource->spec) return invalid(change.key.to_string() + " was not validated");
    const bool same = held && held->resource->json == change.resource->json;
    if (same && held->owner == owner && same_origin(held->resource->origin, change.resource->origin)) continue;
    auto resource = std::make_shared<model::Resource>(*change.resource);
    resource->created = held ? held->resource->created : next;
    resource->revision = same ? held->resource->revision : next;
    plan.put[change.key] = {std::move(resource), std::string(owner)};
    if (!same) plan.items.push_back({held ? Revision::Item::Kind::kChanged : Revision::Item::Kind::kCreated, change.key});
  }
  return plan;
}

std::shared_ptr<const model::View> Store::publish(Plan& plan, uint64_t revision) {
  // Readers only look at objects_ under `reading_`, and only this thread writes.
  std::map<model::Key, Held> objects = objects_;
  for (const model::Key& key : plan.removed) {
    objects.erase(key);
    refused_keys_.erase(key);
  }
  for (auto& [key, held] : plan.put) objects[key] = std::move(held);
  std::vector<model::ResourcePtr> resources;
  resources.reserve(objects.size());
  for (const auto& [key, held] : objects) resources.push_back(held.resource);
  auto view = model::View::build(revision, std::move(resources), view_);
  std::lock_guard lock(reading_);
  objects_ = std::move(objects);
  view_ = view;
  return view;
}

Result<Applied> Store::apply(const model::Batch& batch, std::string_view owner) {
  std::lock_guard lock(writing_);
  return apply_locked(batch, owner);
}

Result<model::Batch> Store::way_back(uint64_t revision) const {
  std::lock_guard lock(writing_);
  return way_back_locked(revision);
}

Result<Applied> Store::roll_back(uint64_t revision, std::string cause, std::string author) {
  std::lock_guard lock(writing_);
  auto batch = way_back_locked(revision);
  if (!batch) return batch.error();
  batch->cause = std::move(cause);
  batch->author = std::move(author);
  return apply_locked(*batch, kOwnerApi);
}

Result<model::Batch> Store::way_back_locked(uint64_t revision) const {
  if (revision > view_->revision())
    return not_found("there is no revision " + std::to_string(revision) + "; the newest is " + std::to_string(view_->revision()));
  auto oldest = database_->oldest_state();
  if (!oldest) return oldest.error();
  if (revision < *oldest)
    return not_found("the objects of revision " + std::to_string(revision) + " are not kept any more; the oldest that are, are those of " +
                     std::to_string(*oldest));
  auto states = database_->states_at(revision);
  if (!states) return states.error();
  model::Batch batch;
  for (Database::State& state : *states) {
    auto found = objects_.find(state.row.key);
    const Held* held = found == objects_.end() ? nullptr : &found->second;
    const std::string name = state.row.key.to_string();
    std::optional<model::Resource> resource;
    if (state.there) {
      validation::Verdict verdict = revive(state.row);
      if (!verdict.resource) {
        std::string why = verdict.findings.empty() ? std::string() : ": " + verdict.findings.front().message;
        return invalid(name + " as it was at revision " + std::to_string(revision) + " is refused by this version" + why);
      }
      if (held && held->resource->json == verdict.resource->json) continue;
      resource = std::move(*verdict.resource);
    } else if (!held) {
      continue;
    }
    if (held && held->owner == kOwnerFile)
      return Error{Error::Kind::kRefused,
                   name + " comes from the file " + held->resource->origin.file + " that weft-control watches; change that file"};
    batch.changes.push_back(resource ? model::Change::upsert(std::move(*resource)) : model::Change::remove(state.row.key));
  }
  return batch;
}

Result<Applied> Store::apply_locked(const model::Batch& batch, std::string_view owner) {
  auto planned = plan(batch, owner);
  if (!planned) return planned.error();
  const std::shared_ptr<const model::View> before = view_;
  if (planned->put.empty() && planned->removed.empty()) return Applied{before->revision(), {}};

  Revision revision;
  revision.number = before->revision() + 1;
  revision.time = std::chrono::system_clock::now();
  revision.cause = batch.cause;
  revision.author = batch.author;
  revision.items = planned->items;
  Database::Commit commit;
  for (const auto& [key, held] : planned->put) commit.rows.push_back(row_of(*held.resource, held.owner));
  commit.removed = planned->removed;
  const bool changed = !revision.items.empty();
  if (changed) commit.revision = &revision;
  if (Status written = database_->commit(commit); !written) return written.error();

  auto view = publish(*planned, changed ? revision.number : before->revision());
  Applied applied{view->revision(), {}};
  for (const Revision::Item& item : revision.items) applied.changed.push_back(item.key);
  if (changed && observer_) observer_(view, model::difference(*before, *view));
  return applied;
}

std::shared_ptr<const model::View> Store::view() const {
  std::lock_guard lock(reading_);
  return view_;
}

std::vector<Owned> Store::owned(std::string_view owner) const {
  std::lock_guard lock(reading_);
  std::vector<Owned> owned;
  for (const auto& [key, held] : objects_)
    if (held.owner == owner) owned.push_back({key, held.resource->origin.file});
  return owned;
}

std::string Store::owner(const model::Key& key) const {
  std::lock_guard lock(reading_);
  auto found = objects_.find(key);
  return found == objects_.end() ? std::string() : found->second.owner;
}

Result<std::vector<Revision>> Store::history(size_t limit) const {
  std::lock_guard lock(writing_);
  return database_->history(limit);
}

const Diagnostics& Store::refused() const { return refused_; }

}  // namespace weft::store
