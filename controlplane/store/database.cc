#include "controlplane/store/database.h"

#include <sqlite3.h>

namespace weft::store {
namespace {

constexpr int kApplication = 0x57454654;  // "WEFT": tells our files from other programs' databases
constexpr int kVersion = 2;
constexpr uint64_t kKeptRevisions = 10'000, kForgetEvery = 100;

constexpr const char* kSchema =
    "CREATE TABLE object(kind TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL, file TEXT NOT NULL, line INTEGER "
    "NOT NULL,"
    " text TEXT NOT NULL, created INTEGER NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY(kind, ns, name));"
    "CREATE TABLE revision(number INTEGER PRIMARY KEY, time INTEGER NOT NULL, cause TEXT NOT NULL);"
    "CREATE TABLE revision_item(revision INTEGER NOT NULL, action INTEGER NOT NULL, kind TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT "
    "NULL);"
    "CREATE INDEX revision_item_by_revision ON revision_item(revision);";

// Format 2 keeps what each object was at each of its changes (`there` is 0 for a removal), and who made a change.
constexpr const char* kSecondFormat =
    "ALTER TABLE revision ADD COLUMN author TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE state(kind TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL, there INTEGER NOT NULL, owner "
    "TEXT NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY(kind, ns, name, revision)) WITHOUT ROWID;"
    "CREATE INDEX state_by_revision ON state(revision);"
    "CREATE TABLE oldest_state(revision INTEGER NOT NULL);"
    "INSERT INTO state SELECT kind, ns, name, revision, 1, owner, file, line, text FROM object;"
    "INSERT INTO oldest_state SELECT coalesce(max(number), 0) FROM revision;";

// One prepared statement; values are bound and columns read in order.
class Statement {
 public:
  Statement(sqlite3* connection, const char* sql) { code_ = sqlite3_prepare_v2(connection, sql, -1, &statement_, nullptr); }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(std::string_view text) {
    if (statement_) sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind(uint64_t number) {
    if (statement_) sqlite3_bind_int64(statement_, ++bound_, static_cast<sqlite3_int64>(number));
    return *this;
  }
  Statement& bind(const model::Key& key) { return bind(key.kind).bind(key.ns).bind(key.name); }

  bool row() {
    column_ = 0;
    if (statement_) code_ = sqlite3_step(statement_);
    return code_ == SQLITE_ROW;
  }
  bool done() { return !row() && code_ == SQLITE_DONE; }
  void again() {
    if (statement_) sqlite3_reset(statement_);
    bound_ = 0;
  }
  int code() const { return code_; }

  std::string text() {
    const unsigned char* value = sqlite3_column_text(statement_, column_);
    const int size = sqlite3_column_bytes(statement_, column_++);
    return value ? std::string(reinterpret_cast<const char*>(value), static_cast<size_t>(size)) : std::string();
  }
  uint64_t number() { return static_cast<uint64_t>(sqlite3_column_int64(statement_, column_++)); }
  model::Key key() {
    model::Key key;
    key.kind = text();
    key.ns = text();
    key.name = text();
    return key;
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int code_ = SQLITE_OK;
  int bound_ = 0;
  int column_ = 0;
};

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& path) {
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(connection, path));
  if (code != SQLITE_OK) return database->failure(code, "open");
  if (Status ready = database->prepare_schema(); !ready) return ready.error();
  return database;
}

Database::~Database() { sqlite3_close(connection_); }

Error Database::failure(int code, const char* doing) const {
  std::string what = "store " + path_ + ": cannot " + doing + ": ";
  if (code == SQLITE_NOTADB) return {Error::Kind::kInvalid, what + "the file is not a database; move it away to begin with an empty store"};
  if (code == SQLITE_CORRUPT)
    return {Error::Kind::kInvalid, what + "the file is damaged; restore a copy, or move it away to begin with an empty store"};
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) return {Error::Kind::kUnavailable, what + "another process holds it"};
  return {Error::Kind::kSystem, what + (connection_ ? sqlite3_errmsg(connection_) : "out of memory")};
}

Status Database::execute(const char* sql) {
  const int code = sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(code & 0xff, "write");
  return {};
}

Status Database::prepare_schema() {
  auto number = [&](const char* sql, uint64_t& value) -> Status {
    Statement statement(connection_, sql);
    if (!statement.row()) return failure(statement.code() & 0xff, "read");
    value = statement.number();
    return {};
  };
  // Looked at first: what is not ours must not be written to, not even by a pragma.
  uint64_t application = 0, version = 0, tables = 0;
  if (Status s = number("PRAGMA application_id", application); !s) return s;
  if (Status s = number("PRAGMA user_version", version); !s) return s;
  if (Status s = number("SELECT count(*) FROM sqlite_master", tables); !s) return s;
  const bool fresh = application == 0 && tables == 0;
  if (!fresh && application != kApplication)
    return Error{Error::Kind::kInvalid,
                 "store " + path_ + ": found the database of another program, expected one that weft-control made; name another file"};
  if (version > kVersion)
    return Error{Error::Kind::kInvalid, "store " + path_ + ": found format " + std::to_string(version) +
                                            ", which a newer weft-control wrote; this one reads up to " + std::to_string(kVersion)};
  // One process owns the file for as long as it runs; FULL makes a commit survive a power cut too.
  for (const char* pragma : {"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"})
    if (Status s = execute(pragma); !s) return s;
  if (fresh) {
    const std::string sql = std::string("BEGIN IMMEDIATE;") + kSchema + kSecondFormat +
                            "PRAGMA application_id=" + std::to_string(kApplication) + ";PRAGMA user_version=" + std::to_string(kVersion) +
                            ";COMMIT;";
    return execute(sql.c_str());
  }
  Statement check(connection_, "PRAGMA quick_check(1)");
  if (!check.row()) return failure(check.code() & 0xff, "read");
  if (check.text() != "ok") return failure(SQLITE_CORRUPT, "read");
  if (version < 2) {
    const std::string sql =
        std::string("BEGIN IMMEDIATE;") + kSecondFormat + "PRAGMA user_version=" + std::to_string(kVersion) + ";COMMIT;";
    if (Status s = execute(sql.c_str()); !s) {
      sqlite3_exec(connection_, "ROLLBACK", nullptr, nullptr, nullptr);
      return s;
    }
  }
  // Takes the exclusive lock now, rather than at the first change.
  return execute("BEGIN EXCLUSIVE; COMMIT;");
}

Result<std::vector<Database::Row>> Database::load() {
  std::vector<Row> rows;
  Statement select(connection_, "SELECT kind, ns, name, owner, file, text, line, created, revision FROM object ORDER BY kind, ns, name");
  while (select.row()) {
    Row& row = rows.emplace_back();
    row.key = select.key();
    row.owner = select.text();
    row.file = select.text();
    row.text = select.text();
    row.line = static_cast<int>(select.number());
    row.created = select.number();
    row.revision = select.number();
  }
  if (select.code() != SQLITE_DONE) return failure(select.code() & 0xff, "read");
  return rows;
}

Result<uint64_t> Database::revision() {
  Statement select(connection_, "SELECT coalesce(max(number), 0) FROM revision");
  if (!select.row()) return failure(select.code() & 0xff, "read");
  return select.number();
}

Status Database::commit(const Commit& commit) {
  if (Status s = execute("BEGIN IMMEDIATE"); !s) return s;
  auto write = [&]() -> Status {
    auto run = [&](Statement& statement) -> Status {
      if (!statement.done()) return failure(statement.code() & 0xff, "write");
      statement.again();
      return {};
    };
    Statement insert(connection_,
                     "INSERT OR REPLACE INTO object(kind, ns, name, owner, file, text, line, created, revision) VALUES(?,?,?,?,?,?,?,?,?)");
    for (const Row& row : commit.rows) {
      insert.bind(row.key)
          .bind(row.owner)
          .bind(row.file)
          .bind(row.text)
          .bind(static_cast<uint64_t>(row.line))
          .bind(row.created)
          .bind(row.revision);
      if (Status s = run(insert); !s) return s;
    }
    Statement remove(connection_, "DELETE FROM object WHERE kind=? AND ns=? AND name=?");
    for (const model::Key& key : commit.removed)
      if (Status s = run(remove.bind(key)); !s) return s;
    if (!commit.revision) return {};
    const Revision& revision = *commit.revision;
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(revision.time.time_since_epoch()).count();
    Statement number(connection_, "INSERT INTO revision(number, time, cause, author) VALUES(?,?,?,?)");
    number.bind(revision.number).bind(static_cast<uint64_t>(time)).bind(revision.cause).bind(revision.author);
    if (Status s = run(number); !s) return s;
    Statement item(connection_, "INSERT INTO revision_item(revision, action, kind, ns, name) VALUES(?,?,?,?,?)");
    for (const Revision::Item& i : revision.items)
      if (Status s = run(item.bind(revision.number).bind(static_cast<uint64_t>(i.kind)).bind(i.key)); !s) return s;
    Statement state(connection_,
                    "INSERT OR REPLACE INTO state(kind, ns, name, revision, there, owner, file, line, text) VALUES(?,?,?,?,?,?,?,?,?)");
    for (const Row& row : commit.rows) {
      if (row.revision != revision.number) continue;  // only its origin changed
      state.bind(row.key).bind(revision.number).bind(uint64_t{1}).bind(row.owner).bind(row.file).bind(static_cast<uint64_t>(row.line));
      if (Status s = run(state.bind(row.text)); !s) return s;
    }
    for (const model::Key& key : commit.removed) {
      state.bind(key).bind(revision.number).bind(uint64_t{0}).bind("").bind("").bind(uint64_t{0}).bind("");
      if (Status s = run(state); !s) return s;
    }
    if (revision.number <= kKeptRevisions || revision.number % kForgetEvery != 0) return {};
    return forget(revision.number - kKeptRevisions);
  };
  Status written = write();
  if (written) written = execute("COMMIT");
  if (!written) sqlite3_exec(connection_, "ROLLBACK", nullptr, nullptr, nullptr);
  return written;
}

Status Database::forget(uint64_t last) {
  // The newest state up to `last` of each object stays: it is what the revisions after it begin with.
  for (const char* sql : {"DELETE FROM revision WHERE number <= ?", "DELETE FROM revision_item WHERE revision <= ?",
                          "DELETE FROM state WHERE revision < ?1 AND EXISTS(SELECT 1 FROM state AS later WHERE later.kind = state.kind AND "
                          "later.ns = state.ns AND later.name = state.name AND later.revision > state.revision AND later.revision <= ?1)",
                          "UPDATE oldest_state SET revision = ?"}) {
    Statement statement(connection_, sql);
    if (!statement.bind(last).done()) return failure(statement.code() & 0xff, "write");
  }
  return {};
}

Result<uint64_t> Database::oldest_state() {
  Statement select(connection_, "SELECT revision FROM oldest_state");
  if (!select.row()) return failure(select.code() & 0xff, "read");
  return select.number();
}

Result<std::vector<Database::State>> Database::states_at(uint64_t revision) {
  std::vector<State> states;
  Statement keys(connection_, "SELECT DISTINCT kind, ns, name FROM state WHERE revision > ? ORDER BY kind, ns, name");
  Statement then(connection_,
                 "SELECT there, owner, file, line, text, revision FROM state WHERE kind=? AND ns=? AND name=? AND revision<=? ORDER BY "
                 "revision DESC LIMIT 1");
  keys.bind(revision);
  while (keys.row()) {
    State& state = states.emplace_back();
    state.row.key = keys.key();
    then.again();
    then.bind(state.row.key).bind(revision);
    if (then.row()) {
      state.there = then.number() != 0;
      state.row.owner = then.text();
      state.row.file = then.text();
      state.row.line = static_cast<int>(then.number());
      state.row.text = then.text();
      state.row.revision = then.number();
    } else if (then.code() != SQLITE_DONE) {
      return failure(then.code() & 0xff, "read");
    }
  }
  if (keys.code() != SQLITE_DONE) return failure(keys.code() & 0xff, "read");
  return states;
}

Result<std::vector<Revision>> Database::history(size_t limit) {
  std::vector<Revision> revisions;
  Statement select(connection_, "SELECT number, time, cause, author FROM revision ORDER BY number DESC LIMIT ?");
  Statement items(connection_, "SELECT action, kind, ns, name FROM revision_item WHERE revision=? ORDER BY rowid");
  select.bind(limit);
  while (select.row()) {
    Revision& revision = revisions.emplace_back();
    revision.number = select.number();
    revision.time = std::chrono::system_clock::time_point(std::chrono::milliseconds(select.number()));
    revision.cause = select.text();
    revision.author = select.text();
    items.again();
    items.bind(revision.number);
    while (items.row()) {
      const auto kind = static_cast<Revision::Item::Kind>(items.number());
      revision.items.push_back({kind, items.key()});
    }
    if (items.code() != SQLITE_DONE) return failure(items.code() & 0xff, "read");
  }
  if (select.code() != SQLITE_DONE) return failure(select.code() & 0xff, "read");
  return revisions;
}

}  // namespace weft::store
