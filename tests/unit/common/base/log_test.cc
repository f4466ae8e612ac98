#include "common/base/log.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace weft::log {
namespace {

std::string slurp(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Log, ComponentsChangeAllOrNothing) {
  set_all(Level::kInfo);
  auto status = set_components("pool:debug,bogus:info");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().detail, "error: unknown logger name 'bogus'");
  EXPECT_EQ(level_of(Logger::kPool), Level::kInfo);
  EXPECT_FALSE(set_components("pool"));
  EXPECT_FALSE(set_components("pool:loud"));
  ASSERT_TRUE(set_components("pool:debug,http:warn"));
  EXPECT_EQ(level_of(Logger::kPool), Level::kDebug);
  EXPECT_EQ(level_of(Logger::kHttp), Level::kWarning);
  EXPECT_EQ(to_string(level_of(Logger::kHttp)), "warning");
  for (unsigned i = 0; i < static_cast<unsigned>(Logger::kCount); ++i)
    EXPECT_EQ(logger(name_of(static_cast<Logger>(i))), static_cast<Logger>(i));
  set_all(Level::kInfo);
}

TEST(Log, WritesToAFileInItsFormatAndReopensIt) {
  std::string path = testing::TempDir() + "weft_log_test_" + std::to_string(getpid());
  ASSERT_TRUE(set_format("[%l][%n] %v"));
  ASSERT_TRUE(set_path(path));
  get(Logger::kUpstream).info("one {}", 1);
  get(Logger::kUpstream).debug("not shown");
  get(Logger::kUpstream).flush();
  EXPECT_EQ(slurp(path), "[info][upstream] one 1\n");
  ASSERT_EQ(rename(path.c_str(), (path + ".1").c_str()), 0);
  ASSERT_TRUE(reopen());
  get(Logger::kMain).warn("two");
  EXPECT_EQ(slurp(path), "[warning][main] two\n");
  EXPECT_FALSE(set_path("/dev/null/file"));
  ASSERT_TRUE(set_path(""));
  ASSERT_TRUE(set_format(default_format()));
  unlink(path.c_str());
  unlink((path + ".1").c_str());
}

}  // namespace
}  // namespace weft::log
