// The way back: what objects were at each revision, kept, found, and put back whole.
#include "controlplane/store/store.h"
#include "controlplane/validation/validation.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>

namespace weft::store {
namespace {

std::string service(const std::string& name, int port) {
  return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  ports: [{name: http, port: " + std::to_string(port) +
         "}]\n";
}

class Rollback : public testing::Test {
 protected:
  Rollback() {
    char name[] = "/tmp/weft-rollback-XXXXXX";
    directory_ = mkdtemp(name);
    open();
  }
  ~Rollback() override {
    store_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::string path() const { return directory_ + "/store.db"; }
  void open() {
    store_.reset();
    auto opened = Store::open(path());
    ASSERT_TRUE(opened) << opened.error().detail;
    store_ = std::move(*opened);
  }
  void apply(const std::string& text, std::string_view owner = kOwnerApi) {
    validation::Verdicts verdicts = validation::validate_text(text, "f.yaml");
    model::Batch batch;
    for (model::Resource& resource : verdicts.resources) batch.changes.push_back(model::Change::upsert(std::move(resource)));
    auto applied = store_->apply(batch, owner);
    ASSERT_TRUE(applied) << applied.error().detail;
  }
  void remove(const std::string& name) {
    ASSERT_TRUE(store_->apply({{model::Change::remove({"Service", "default", name})}, "remove", ""}, kOwnerApi));
  }
  // "a:80 b:81", or why not.
  std::string back_to(uint64_t revision) {
    auto applied = store_->roll_back(revision, "back", "ada");
    return applied ? now() : applied.error().detail;
  }
  std::string now() {
    std::string out;
    for (const auto& service : store_->view()->resources())
      out += (out.empty() ? "" : " ") + service->key.name + ":" + std::to_string(service->as<model::Service>()->ports[0].port);
    return out;
  }

  std::string directory_;
  std::unique_ptr<Store> store_;
};

TEST_F(Rollback, PutsEverythingBack) {
  apply(service("a", 80));
  apply(service("a", 81) + "---\n" + service("b", 90));
  remove("a");
  apply(service("c", 70));
  EXPECT_EQ(back_to(2), "a:81 b:90");
  EXPECT_EQ(store_->view()->revision(), 5u);
  EXPECT_EQ(back_to(1), "a:80");
  EXPECT_EQ(back_to(4), "b:90 c:70");
  EXPECT_EQ(back_to(0), "");
  open();
  EXPECT_EQ(now(), "");
  EXPECT_EQ(back_to(2), "a:81 b:90") << "over a restart";
  auto history = store_->history(1);
  ASSERT_TRUE(history);
  EXPECT_EQ(history->at(0).cause, "back");
  EXPECT_EQ(history->at(0).author, "ada");
  EXPECT_EQ(back_to(99), "there is no revision 99; the newest is 9");
}

TEST_F(Rollback, WhatAFileOwnsStandsInTheWayOfAll) {
  apply(service("a", 80));
  apply(service("a", 81) + "---\n" + service("b", 90));
  apply(service("a", 82), kOwnerFile);
  EXPECT_NE(back_to(1).find("a comes from the file f.yaml that weft-control watches"), std::string::npos);
  EXPECT_EQ(now(), "a:82 b:90") << "all or nothing";
  EXPECT_EQ(store_->view()->revision(), 3u);
}

TEST_F(Rollback, AStoreOfTheFirstFormatLearnsTheWayBackFromThenOn) {
  apply(service("a", 80));
  apply(service("a", 81));
  store_.reset();
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(path().c_str(), &connection), SQLITE_OK);
  ASSERT_EQ(
      sqlite3_exec(connection, "DROP TABLE state; DROP TABLE oldest_state; ALTER TABLE revision DROP COLUMN author; PRAGMA user_version=1;",
                   nullptr, nullptr, nullptr),
      SQLITE_OK)
      << sqlite3_errmsg(connection);
  sqlite3_close(connection);
  open();
  EXPECT_EQ(now(), "a:81");
  apply(service("a", 82));
  EXPECT_EQ(back_to(2), "a:81");
  EXPECT_EQ(back_to(1), "the objects of revision 1 are not kept any more; the oldest that are, are those of 2");
}

}  // namespace
}  // namespace weft::store
