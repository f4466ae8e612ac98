#include "controlplane/store/store.h"

#include "controlplane/validation/validation.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace weft;
using namespace weft::store;

namespace {

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    char name[] = "/tmp/weft-store-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/store.db";
  }
  ~StoreTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Store> open(Store::Observer observer = {}) {
    auto store = Store::open(path_, std::move(observer));
    EXPECT_TRUE(store) << (store ? "" : store.error().detail);
    return store ? std::move(*store) : nullptr;
  }
  std::string open_error() {
    auto store = Store::open(path_);
    return store ? "opened" : store.error().detail;
  }
  void sql(const std::string& text) {
    sqlite3* connection = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &connection), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(connection, text.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(connection);
    sqlite3_close(connection);
  }

  std::string directory_, path_;
};

std::string service(const std::string& name, int port = 80) {
  return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  ports: [{name: http, port: " + std::to_string(port) +
         "}]\n";
}
model::Batch batch(const std::string& text, std::string cause = "test", const std::string& file = "f.yaml") {
  validation::Verdicts verdicts = validation::validate_text(text, file);
  EXPECT_TRUE(verdicts.ok()) << render(verdicts.findings);
  model::Batch batch;
  for (model::Resource& resource : verdicts.resources) batch.changes.push_back(model::Change::upsert(std::move(resource)));
  batch.cause = std::move(cause);
  return batch;
}
model::Batch removal(const std::string& name) { return {{model::Change::remove({"Service", "default", name})}, "remove " + name, {}}; }
std::string error_of(const Result<Applied>& result) { return result ? "applied" : result.error().detail; }

}  // namespace

TEST_F(StoreTest, RevisionsAreNumberedAndTold) {
  std::vector<std::string> told;
  auto store = open([&](std::shared_ptr<const model::View> view, const model::Changes& changes) {
    std::string services;
    for (const std::string& s : changes.services) services += " " + s;
    told.push_back(std::to_string(changes.from) + ">" + std::to_string(view->revision()) + services);
  });
  EXPECT_EQ(store->view()->revision(), 0u);
  auto applied = store->apply(batch(service("a"), "first"), kOwnerApi);
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->revision, 1u);
  ASSERT_EQ(applied->changed.size(), 1u);
  EXPECT_EQ(store->apply(batch(service("b")), kOwnerApi)->revision, 2u);
  EXPECT_EQ(store->apply(removal("a"), kOwnerApi)->revision, 3u);
  EXPECT_EQ(told, (std::vector<std::string>{"0>1 a.default.svc.cluster.local", "1>2 b.default.svc.cluster.local",
                                            "2>3 a.default.svc.cluster.local"}));
  auto history = store->history(2);
  ASSERT_TRUE(history);
  ASSERT_EQ(history->size(), 2u);
  EXPECT_EQ((*history)[0].number, 3u);
  EXPECT_EQ((*history)[0].cause, "remove a");
  EXPECT_EQ((*history)[0].items.at(0).kind, Revision::Item::Kind::kRemoved);
  EXPECT_EQ((*history)[1].items.at(0).kind, Revision::Item::Kind::kCreated);
  EXPECT_LT(std::chrono::system_clock::now() - (*history)[0].time, std::chrono::hours(1));
}

TEST_F(StoreTest, ABatchThatChangesNothingIsNoRevision) {
  int told = 0;
  auto store = open([&](auto, const auto&) { ++told; });
  ASSERT_TRUE(store->apply(batch(service("a")), kOwnerApi));
  auto again = store->apply(batch("# moved down\n" + service("a")), kOwnerApi);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->revision, 1u);
  EXPECT_TRUE(again->changed.empty());
  EXPECT_EQ(told, 1);
  // Yet findings point at the new line.
  const model::Resource* held = store->view()->find({"Service", "default", "a"});
  EXPECT_EQ(held->finding(Severity::kWarning, "X", "m", "metadata.name").mark.line, 4);
  EXPECT_EQ(store->apply({}, kOwnerApi)->revision, 1u);
}

TEST_F(StoreTest, AllOrNone) {
  auto store = open();
  ASSERT_TRUE(store->apply(batch(service("a")), kOwnerApi));
  model::Batch mixed = batch(service("b") + "---\n" + service("a", 81));
  mixed.changes.push_back(model::Change::remove({"Service", "default", "nobody"}));
  EXPECT_EQ(error_of(store->apply(mixed, kOwnerApi)), "Service default/nobody does not exist");
  EXPECT_EQ(store->view()->revision(), 1u);
  EXPECT_EQ(store->view()->resources().size(), 1u);
  model::Batch twice = batch(service("b"));
  twice.changes.push_back(twice.changes[0]);
  EXPECT_EQ(error_of(store->apply(twice, kOwnerApi)), "Service default/b stands twice in one batch");
  EXPECT_EQ(store->history(10)->size(), 1u);
}

TEST_F(StoreTest, ARestartComesBackTheSame) {
  std::string shown;
  auto show = [](const model::View& view) {
    std::string out = std::to_string(view.revision());
    for (const auto& r : view.resources())
      out += "\n" + r->key.to_string() + " " + std::to_string(r->created) + " " + std::to_string(r->revision) + " " + r->origin.file + ":" +
             std::to_string(r->origin.line) + ":" + std::to_string(r->finding(Severity::kWarning, "X", "m", "metadata.name").mark.line) +
             " " + r->json;
    return out;
  };
  {
    auto store = open();
    ASSERT_TRUE(store->apply(batch(service("old") + "---\n# comment\n" + service("other")), kOwnerApi));
    ASSERT_TRUE(store->apply(batch(service("new")), kOwnerFile));
    ASSERT_TRUE(store->apply(batch(service("old", 81)), kOwnerApi));
    ASSERT_TRUE(store->apply(batch("apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: listed\n "
                                   " spec: {ports: [{port: 1}]}\n"
                                   "- {apiVersion: v1, kind: Namespace, metadata: {name: flow}}\n"),
                             kOwnerApi));
    shown = show(*store->view());
    EXPECT_NE(shown.find("Service default/old 1 3 "), std::string::npos) << "a change keeps the age\n" << shown;
  }
  int told = 0;
  auto store = open([&](auto, const auto&) { ++told; });
  EXPECT_EQ(show(*store->view()), shown);
  EXPECT_TRUE(store->refused().empty());
  EXPECT_EQ(told, 0);
  EXPECT_EQ(store->owner({"Service", "default", "new"}), "file");
  ASSERT_EQ(store->owned(kOwnerFile).size(), 1u);
  EXPECT_EQ(store->owned(kOwnerFile)[0].file, "f.yaml");
  EXPECT_EQ(store->apply(batch(service("new")), kOwnerFile)->revision, 4u) << "nothing changed";
  EXPECT_EQ(store->history(1)->at(0).number, 4u);
}

TEST_F(StoreTest, WhatAFileOwnsOnlyTheFileChanges) {
  auto store = open();
  ASSERT_TRUE(store->apply(batch(service("a"), "x", "mesh/a.yaml"), kOwnerFile));
  EXPECT_EQ(error_of(store->apply(batch(service("a", 81)), kOwnerApi)),
            "Service default/a comes from the file mesh/a.yaml that weft-control watches; change that file");
  EXPECT_EQ(error_of(store->apply(removal("a"), kOwnerApi)),
            "Service default/a comes from the file mesh/a.yaml that weft-control watches; change that file");
  ASSERT_TRUE(store->apply(batch(service("b")), kOwnerApi));
  EXPECT_EQ(store->apply(removal("b"), kOwnerFile)->revision, 2u) << "the API's stays";
  EXPECT_TRUE(store->apply(batch(service("b")), kOwnerFile)) << "a file takes over";
  EXPECT_EQ(store->owner({"Service", "default", "b"}), "file");
  EXPECT_EQ(store->view()->revision(), 2u);
  EXPECT_TRUE(store->apply(removal("nobody"), kOwnerFile));
}

TEST_F(StoreTest, ARemovedObjectThatComesBackIsYoung) {
  auto store = open();
  ASSERT_TRUE(store->apply(batch(service("a")), kOwnerApi));
  ASSERT_TRUE(store->apply(removal("a"), kOwnerApi));
  ASSERT_TRUE(store->apply(batch(service("a")), kOwnerApi));
  EXPECT_EQ(store->view()->find({"Service", "default", "a"})->created, 3u);
}

TEST_F(StoreTest, InMemory) {
  auto store = Store::open(":memory:");
  ASSERT_TRUE(store) << store.error().detail;
  EXPECT_EQ((*store)->apply(batch(service("a")), kOwnerApi)->revision, 1u);
}

TEST_F(StoreTest, FilesThatAreNotOursAreNamedAndLeftAlone) {
  {
    std::ofstream(path_) << "this is no database, but a text that is long enough to look like one, if one looks at its size only "
                            "............................";
  }
  EXPECT_NE(open_error().find("the file is not a database"), std::string::npos) << open_error();
  std::filesystem::remove(path_);
  sql("CREATE TABLE theirs(x)");
  auto bytes = [&] {
    std::ifstream in(path_, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string before = bytes();
  EXPECT_NE(open_error().find("found the database of another program"), std::string::npos) << open_error();
  EXPECT_EQ(bytes(), before);
  std::filesystem::remove(path_);
  { auto store = open(); }
  sql("PRAGMA user_version=9");
  EXPECT_NE(open_error().find("found format 9, which a newer weft-control wrote; this one reads up to 2"), std::string::npos)
      << open_error();
  path_ = directory_ + "/no/such/store.db";
  EXPECT_NE(open_error().find("cannot open"), std::string::npos) << open_error();
}

TEST_F(StoreTest, ADamagedFileIsNamed) {
  {
    auto store = open();
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(store->apply(batch(service("s" + std::to_string(i))), kOwnerApi));
  }
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    for (int i = 0; i < 4096; ++i) file.put('\x5a');
  }
  EXPECT_NE(open_error().find("the file is damaged"), std::string::npos) << open_error();
}

TEST_F(StoreTest, OneProcessAtATime) {
  auto store = open();
  EXPECT_NE(open_error().find("another process holds it"), std::string::npos) << open_error();
}

TEST_F(StoreTest, AStoredObjectThatThisVersionRefusesIsLeftOutAndNamed) {
  {
    auto store = open();
    ASSERT_TRUE(store->apply(batch(service("a") + "---\n" + service("b")), kOwnerApi));
  }
  sql("UPDATE object SET text='apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: ExternalName}\n' WHERE name='a'");
  auto store = open();
  EXPECT_EQ(store->view()->revision(), 1u);
  EXPECT_EQ(store->view()->resources().size(), 1u);
  ASSERT_FALSE(store->refused().empty());
  EXPECT_EQ(store->refused()[0].object, "Service default/a");
  EXPECT_EQ(store->apply(removal("a"), kOwnerApi)->revision, 2u) << "and can be removed";
  EXPECT_EQ(error_of(store->apply(removal("a"), kOwnerApi)), "Service default/a does not exist");
}
