// A directory look by look, without threads; and the watching thread on a real directory.
#include "controlplane/sources/file/file_source.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

using namespace weft;
using namespace weft::sources;
namespace fs = std::filesystem;

namespace {

std::string service(const std::string& name, int port = 80) {
  return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  ports: [{name: http, port: " + std::to_string(port) +
         "}]\n";
}

class Base : public ::testing::Test {
 protected:
  Base() {
    char name[] = "/tmp/weft-mesh-XXXXXX";
    path_ = mkdtemp(name);
    store_ = std::move(*store::Store::open(":memory:"));
  }
  ~Base() override { fs::remove_all(path_); }

  void put(const std::string& name, const std::string& text) {
    std::ofstream(path_ + "/.new") << text;
    fs::rename(path_ + "/.new", path_ + "/" + name);
  }
  // "a:80 b:81 @2": the services held and the revision.
  std::string held() const {
    std::string out;
    auto view = store_->view();
    for (const auto& r : view->resources())
      if (const auto* s = r->as<model::Service>()) out += r->key.name + ":" + std::to_string(s->ports.at(0).port) + " ";
    return out + "@" + std::to_string(view->revision());
  }

  std::string path_;
  std::unique_ptr<store::Store> store_;
};

class DirectoryTest : public Base {
 protected:
  // Looks, applies and returns the codes of the errors found.
  std::string look() {
    if (!directory_) directory_.emplace(path_, store_->owned(store::kOwnerFile));
    auto look = directory_->look();
    if (!look) return look.error().detail;
    cause_ = look->batch.cause;
    findings_ = look->findings;
    auto applied = store_->apply(look->batch, store::kOwnerFile);
    EXPECT_TRUE(applied);
    directory_->taken();
    std::string codes;
    for (const Diagnostic& f : look->findings)
      if (f.severity == Severity::kError) codes += (codes.empty() ? "" : " ") + f.code;
    return codes;
  }
  void restart() { directory_.reset(); }

  std::optional<Directory> directory_;
  Diagnostics findings_;
  std::string cause_;
};

}  // namespace

TEST_F(DirectoryTest, FilesComeChangeAndGo) {
  put("a.yaml", service("a"));
  put("b.json", R"({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"}, "spec": {"ports": [{"port": 80}]}})");
  put("ignored.txt", "{");
  put(".hidden.yaml", "{");
  EXPECT_EQ(look(), "");
  EXPECT_EQ(held(), "a:80 b:80 @1") << "one look is one revision";
  EXPECT_EQ(cause_, "first look at " + path_);
  put("a.yaml", service("a", 81));
  EXPECT_EQ(look(), "");
  EXPECT_EQ(held(), "a:81 b:80 @2");
  EXPECT_EQ(cause_, "file a.yaml changed");
  fs::remove(path_ + "/a.yaml");
  EXPECT_EQ(look(), "");
  EXPECT_EQ(held(), "b:80 @3");
  EXPECT_EQ(look(), "");
  EXPECT_EQ(held(), "b:80 @3");
}

TEST_F(DirectoryTest, ABadFileDisturbsNobodyNorItsOwnGoodContent) {
  put("a.yaml", service("a"));
  put("b.yaml", service("b"));
  look();
  put("a.yaml", service("a", 99999));
  put("b.yaml", service("b", 81));
  EXPECT_EQ(look(), "WEFT0108");
  EXPECT_EQ(held(), "a:80 b:81 @2");
  EXPECT_EQ(findings_.at(0).file, path_ + "/a.yaml");
  EXPECT_EQ(findings_.at(0).mark.line, 5);
  EXPECT_EQ(look(), "WEFT0108") << "it stands until it is mended";
  put("a.yaml", service("a", 82) + "---\n" + service("c") + "---\n{");
  EXPECT_EQ(look(), "WEFT0001") << "half a file is none";
  EXPECT_EQ(held(), "a:80 b:81 @2");
  put("a.yaml", service("a", 82));
  EXPECT_EQ(look(), "");
  EXPECT_EQ(held(), "a:82 b:81 @3");
}

TEST_F(DirectoryTest, AnObjectInTwoFilesStaysWithTheFirst) {
  put("b.yaml", service("x"));
  look();
  put("a.yaml", service("x", 81) + "---\n" + service("y1"));
  EXPECT_EQ(look(), "WEFT0301");
  EXPECT_EQ(held(), "x:80 @1");
  EXPECT_EQ(findings_.at(0).file, path_ + "/a.yaml");
  EXPECT_NE(findings_.at(0).message.find(path_ + "/b.yaml:1"), std::string::npos) << findings_.at(0).message;
  fs::remove(path_ + "/b.yaml");
  EXPECT_EQ(look(), "");
  EXPECT_EQ(held(), "x:81 y1:80 @2") << "the other file takes its place";
}

TEST_F(DirectoryTest, AnObjectMovesBetweenFiles) {
  put("a.yaml", service("x") + "---\n" + service("z"));
  put("b.yaml", service("b"));
  look();
  put("a.yaml", service("z"));
  put("b.yaml", service("b") + "---\n" + service("x"));
  EXPECT_EQ(look(), "");
  EXPECT_EQ(held(), "b:80 x:80 z:80 @1") << "what it says has not changed";
}

TEST_F(DirectoryTest, ARestartTakesUpWhereItWas) {
  put("a.yaml", service("a"));
  put("b.yaml", service("b"));
  look();
  restart();
  EXPECT_EQ(look(), "");
  EXPECT_EQ(held(), "a:80 b:80 @1");
  restart();
  fs::remove(path_ + "/a.yaml");
  put("b.yaml", "{");
  EXPECT_EQ(look(), "WEFT0001");
  EXPECT_EQ(held(), "b:80 @2") << "gone while away is removed; bad while away keeps what the store has";
  put("b.yaml", service("c"));
  EXPECT_EQ(look(), "");
  EXPECT_EQ(held(), "c:80 @3");
}

TEST_F(DirectoryTest, WhatTheApiAppliedStays) {
  put("a.yaml", service("a"));
  look();
  auto verdicts = std::vector<model::Change>{model::Change::upsert(*store_->view()->find({"Service", "default", "a"}))};
  verdicts[0].resource = [&] {
    auto copy = std::make_shared<model::Resource>(*verdicts[0].resource);
    copy->key.name = "api";
    return copy;
  }();
  verdicts[0].key.name = "api";
  ASSERT_TRUE(store_->apply({verdicts, "api"}, store::kOwnerApi));
  fs::remove(path_ + "/a.yaml");
  look();
  EXPECT_EQ(held(), "api:80 @3");
}

TEST_F(DirectoryTest, ARefusedBatchIsOfferedAgain) {
  put("a.yaml", service("a"));
  Directory directory(path_, {});
  EXPECT_EQ(directory.look()->batch.changes.size(), 1u);
  EXPECT_EQ(directory.look()->batch.changes.size(), 1u);
  directory.taken();
  EXPECT_EQ(directory.look()->batch.changes.size(), 0u);
}

TEST_F(DirectoryTest, AMissingDirectoryIsAnError) {
  fs::remove_all(path_);
  EXPECT_NE(look().find("cannot read the directory"), std::string::npos);
}

namespace {

class FileSourceTest : public Base {
 protected:
  void start() {
    source_ = std::make_unique<FileSource>(path_, store_->owned(store::kOwnerFile),
                                           Sinks{[this](const model::Batch& batch) { return store_->apply(batch, store::kOwnerFile); },
                                                 [this](const Diagnostics& findings) {
                                                   std::lock_guard lock(mutex_);
                                                   findings_ = findings;
                                                   looked_.notify_all();
                                                 }},
                                           std::chrono::milliseconds(20));
    Status started = source_->start();
    ASSERT_TRUE(started) << started.error().detail;
  }
  // Waits until the store holds `expected` after some look.
  void expect(const std::string& expected) {
    std::unique_lock lock(mutex_);
    looked_.wait_for(lock, std::chrono::seconds(20), [&] { return held() == expected; });
    EXPECT_EQ(held(), expected);
  }
  void expect_error(const std::string& code) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(looked_.wait_for(lock, std::chrono::seconds(20), [&] { return !findings_.empty() && findings_[0].code == code; }));
  }

  std::mutex mutex_;
  std::condition_variable looked_;
  Diagnostics findings_;
  std::unique_ptr<FileSource> source_;
};

}  // namespace

TEST_F(FileSourceTest, SeesRenamesWritesAndRemovals) {
  put("a.yaml", service("a"));
  start();
  EXPECT_EQ(held(), "a:80 @1") << "the first look is done when start() returns";
  put("b.yaml", service("b"));
  expect("a:80 b:80 @2");
  std::ofstream(path_ + "/a.yaml") << service("a", 81);
  expect("a:81 b:80 @3");
  put("b.yaml", "{");
  expect_error("WEFT0001");
  EXPECT_EQ(held(), "a:81 b:80 @3");
  fs::remove(path_ + "/b.yaml");
  expect("a:81 @4");
}

TEST_F(FileSourceTest, AHalfWrittenFileWaitsForItsWriter) {
  put("a.yaml", service("a") + "---\n" + service("b"));
  start();
  std::ofstream writer(path_ + "/a.yaml");  // truncates: taken now, it would remove both
  writer << service("a", 81) << std::flush;
  put("c.yaml", service("c"));
  writer << "---\n" << service("b", 82);
  writer.close();
  expect("a:81 b:82 c:80 @2");
}

TEST_F(FileSourceTest, AReplacedDirectoryIsWatchedAgain) {
  put("a.yaml", service("a"));
  start();
  fs::rename(path_, path_ + ".old");
  expect_error("WEFT0302");
  EXPECT_EQ(held(), "a:80 @1") << "an unmounted directory takes nothing away";
  fs::remove_all(path_ + ".old");
  fs::create_directory(path_);
  put("a.yaml", service("a", 81));
  expect("a:81 @2");
}

TEST_F(FileSourceTest, ADirectoryThatIsNotThereFailsTheStart) {
  FileSource source(path_ + "/no", {}, Sinks{});
  Status started = source.start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().detail.find(path_ + "/no"), std::string::npos);
}
