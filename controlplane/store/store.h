// The numbered revisions of all resources, in one SQLite file (WAL): what is committed survives a crash, and a restart comes back
// with the same revision, the same order of age, and the same view.
//
// Threads: apply() may be called from any thread and is taken one at a time; the observer runs inside it, so revisions arrive in
// order. view() never waits for a writer.
#pragma once
#include "controlplane/model/changes.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace weft::store {

inline constexpr std::string_view kOwnerFile = "file";
inline constexpr std::string_view kOwnerApi = "api";

struct Applied {
  uint64_t revision = 0;            // the current one, also when nothing changed
  std::vector<model::Key> changed;  // empty: the batch changed nothing, and there is no new revision
};

struct Revision {
  struct Item {
    enum class Kind : unsigned char { kCreated, kChanged, kRemoved };
    Kind kind = Kind::kCreated;
    model::Key key;
  };
  uint64_t number = 0;
  std::chrono::system_clock::time_point time;
  std::string cause, author;
  std::vector<Item> items;
};

struct Owned {
  model::Key key;
  std::string file;
};

class Database;

class Store {
 public:
  // Called once per new revision, after it is on disk.
  using Observer = std::function<void(std::shared_ptr<const model::View> view, const model::Changes& changes)>;

  // `path` may be ":memory:". A file that is damaged, not ours, or of a newer version is an error that says so; it is left as it is.
  static Result<std::unique_ptr<Store>> open(const std::string& path, Observer observer = {});
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // All changes or none. An object that `file` owns is refused to others (the file would bring it back); `file` takes over any.
  // Removing what is not there is an error for `api`, and nothing for `file`.
  Result<Applied> apply(const model::Batch& batch, std::string_view owner);

  // What leads back to how the objects were after `revision`; empty where nothing differs. An object that a file owns, or that this
  // version would refuse, stands in the way of all.
  Result<model::Batch> way_back(uint64_t revision) const;
  // Goes that way, as a new revision.
  Result<Applied> roll_back(uint64_t revision, std::string cause, std::string author);

  std::shared_ptr<const model::View> view() const;
  std::vector<Owned> owned(std::string_view owner) const;
  std::string owner(const model::Key& key) const;  // empty: no such object
  // Newest first.
  Result<std::vector<Revision>> history(size_t limit) const;
  // Stored objects that this version refuses, found while opening; they stay in the file but not in the view.
  const Diagnostics& refused() const;

 private:
  struct Held {
    model::ResourcePtr resource;
    std::string owner;
  };
  struct Plan;
  Store();
  Result<Plan> plan(const model::Batch& batch, std::string_view owner) const;
  Result<Applied> apply_locked(const model::Batch& batch, std::string_view owner);
  Result<model::Batch> way_back_locked(uint64_t revision) const;
  std::shared_ptr<const model::View> publish(Plan& plan, uint64_t revision);

  mutable std::mutex writing_;  // held for a whole apply()
  mutable std::mutex reading_;  // guards what follows, for moments
  std::map<model::Key, Held> objects_;
  std::shared_ptr<const model::View> view_;

  std::unique_ptr<Database> database_;
  Observer observer_;
  Diagnostics refused_;
  std::set<model::Key> refused_keys_;
};

}  // namespace weft::store
