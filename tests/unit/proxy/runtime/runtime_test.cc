#include "proxy/runtime/runtime.h"

#include "proxy/runtime/disk_layer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace weft::runtime {
namespace {

TEST(Setting, ATextMeansWhatItCan) {
  EXPECT_EQ(read_setting("7").number, 7u);
  EXPECT_EQ(read_setting("7").share, (Share{7, 100}));
  EXPECT_EQ(read_setting("7").flag, true);
  EXPECT_EQ(read_setting("0").flag, false);
  EXPECT_EQ(read_setting("250").share, (Share{100, 100}));
  EXPECT_EQ(read_setting("  13").number, 13u);
  EXPECT_FALSE(read_setting("1.5").number.has_value());
  EXPECT_EQ(read_setting("1.5").real, 1.5);
  EXPECT_FALSE(read_setting("-2").share.has_value());
  EXPECT_EQ(read_setting("true").flag, true);
  EXPECT_FALSE(read_setting("true").number.has_value());
  EXPECT_FALSE(read_setting("\"true\"").flag.has_value());
  EXPECT_EQ(read_setting("numerator: 5\ndenominator: MILLION").share, (Share{5, 1'000'000}));
  EXPECT_EQ(read_setting("{\"numerator\": 5}").share, (Share{5, 100}));
  EXPECT_FALSE(read_setting("{numerator: 5, denominator: TEN}").share.has_value());
  EXPECT_FALSE(read_setting("{numerator: -5}").share.has_value());
  const Setting text = read_setting("5/100 {[");
  EXPECT_EQ(text.text, "5/100 {[");
  EXPECT_FALSE(text.number || text.real || text.flag || text.share);
  EXPECT_FALSE(text_setting("true").flag.has_value());
  EXPECT_FALSE(text_setting("inf").real.has_value());
  EXPECT_FALSE(text_setting("18446744073709551616").number.has_value());
}

TEST(Runtime, LaterLayersWin) {
  Runtime runtime;
  runtime.add_layer("base", {{"a", read_setting("1")}, {"b", read_setting("2")}});
  const size_t top = runtime.add_layer("top", {{"b", read_setting("3")}});
  EXPECT_EQ(runtime.value("a")->number(), 1u);
  EXPECT_EQ(runtime.value("b")->number(), 3u);
  const auto entries = runtime.entries();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[1].by_layer, (std::vector<std::string>{"2", "3"}));
  EXPECT_EQ(entries[1].text, "3");
  runtime.replace(top, {});
  EXPECT_EQ(runtime.value("b")->number(), 2u);
}

TEST(Runtime, WhoHoldsAKeyFollowsIt) {
  Runtime runtime;
  const size_t admin = runtime.add_layer("admin", {});
  const Number number = runtime.number("n", 5);
  const Flag flag = runtime.flag("f", true);
  const Real real = runtime.real("r", 1.0);
  EXPECT_EQ(number.get(), 5u);
  EXPECT_TRUE(flag.on());
  runtime.modify(admin, {{"n", "9"}, {"f", "false"}, {"r", "0.5"}});
  EXPECT_EQ(number.get(), 9u);
  EXPECT_FALSE(flag.on());
  EXPECT_EQ(real.get(), 0.5);
  runtime.modify(admin, {{"n", ""}, {"f", "perhaps"}, {"r", ""}});
  EXPECT_EQ(number.get(), 5u);
  EXPECT_TRUE(flag.on()) << "a text is no flag";
  EXPECT_EQ(real.get(), 1.0);
}

TEST(Runtime, NoKeyNoValue) {
  Runtime runtime;
  EXPECT_EQ(runtime.value(""), nullptr);
  EXPECT_EQ(runtime.number("", 3).get(), 3u);
}

TEST(Runtime, OneValueForAllWhoNameTheKey) {
  Runtime runtime;
  const Key one = runtime.value("k");
  EXPECT_EQ(one, runtime.value("k"));
}

TEST(Runtime, AnAbsentLayerIsNotShown) {
  Runtime runtime;
  const size_t disk = runtime.add_layer("disk", {}, true);
  runtime.add_layer("admin", {});
  EXPECT_EQ(runtime.layer_names(), (std::vector<std::string>{"admin"}));
  runtime.replace(disk, {{"a", read_setting("1")}});
  EXPECT_EQ(runtime.layer_names(), (std::vector<std::string>{"disk", "admin"}));
  EXPECT_EQ(runtime.entries().at(0).by_layer, (std::vector<std::string>{"1", ""}));
}

class DiskLayer : public testing::Test {
 protected:
  DiskLayer() {
    char name[] = "/tmp/weft-runtime-XXXXXX";
    root_ = mkdtemp(name);
  }
  ~DiskLayer() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::filesystem::path root_;
};

TEST_F(DiskLayer, FilesAreKeys) {
  write("a", "7\n");
  write("health/check/interval", "# in seconds\n# or not\n13 \n\n");
  write("..data/hidden", "1");
  auto layer = read_disk_layer(root_);
  ASSERT_TRUE(layer && *layer);
  ASSERT_EQ((*layer)->size(), 2u);
  EXPECT_EQ((*layer)->at("a").number, 7u);
  EXPECT_EQ((*layer)->at("health.check.interval").text, "13");
}

TEST_F(DiskLayer, NoFolderIsNoLayer) {
  auto layer = read_disk_layer(root_ / "nothing");
  ASSERT_TRUE(layer);
  EXPECT_FALSE(layer->has_value());
}

TEST_F(DiskLayer, FoldersWithoutEndAreRefused) {
  std::string path;
  for (int i = 0; i < 20; ++i) path += "d/";
  write(path + "f", "1");
  auto layer = read_disk_layer(root_);
  ASSERT_FALSE(layer);
  EXPECT_NE(layer.error().detail.find("more than 16 folders deep"), std::string::npos);
}

TEST_F(DiskLayer, AHugeFileIsRefused) {
  write("f", std::string(100'000, '1'));
  EXPECT_FALSE(read_disk_layer(root_));
}

}  // namespace
}  // namespace weft::runtime
