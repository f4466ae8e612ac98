// The SQLite file of a store: rows in and out, nothing about meshes. Used by one thread at a time.
#pragma once
#include "controlplane/store/store.h"

struct sqlite3;

namespace weft::store {

class Database {
 public:
  struct Row {
    model::Key key;
    std::string owner, file, text;
    int line = 1;
    uint64_t created = 0, revision = 0;
  };
  struct State {
    Row row;
    bool there = false;  // otherwise only row.key counts
  };
  struct Commit {
    std::vector<Row> rows;  // to insert or replace
    std::vector<model::Key> removed;
    const Revision* revision = nullptr;  // null: origins and owners only
  };

  static Result<std::unique_ptr<Database>> open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Result<std::vector<Row>> load();
  Result<uint64_t> revision();
  Status commit(const Commit& commit);  // all or nothing
  Result<std::vector<Revision>> history(size_t limit);
  // Of each object that changed after `revision`: what it was then.
  Result<std::vector<State>> states_at(uint64_t revision);
  Result<uint64_t> oldest_state();  // the oldest revision whose objects are known

 private:
  Database(sqlite3* connection, std::string path) : connection_(connection), path_(std::move(path)) {}
  Status prepare_schema();
  Status forget(uint64_t last);  // revisions up to `last`
  Status execute(const char* sql);
  Error failure(int code, const char* doing) const;

  sqlite3* connection_;
  std::string path_;
};

}  // namespace weft::store
