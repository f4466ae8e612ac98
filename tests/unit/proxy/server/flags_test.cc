#include "proxy/server/flags.h"

#include <gtest/gtest.h>

namespace weft::server {
namespace {

ParsedFlags parse(std::vector<const char*> words) {
  words.insert(words.begin(), "weft-proxy");
  return parse_flags(static_cast<int>(words.size()), words.data());
}

TEST(Flags, TakesEnvoysNames) {
  const ParsedFlags parsed =
      parse({"-c", "boot.yaml", "--concurrency", "3", "-l", "debug", "--component-log-level", "pool:trace", "--service-node", "n",
             "--service-cluster", "c", "--admin-address-path", "/a", "--drain-time-s", "7", "--shutdown-grace-s", "2"});
  ASSERT_TRUE(parsed.run) << parsed.text;
  EXPECT_EQ(parsed.flags.sources.path, "boot.yaml");
  EXPECT_EQ(parsed.flags.concurrency, 3u);
  EXPECT_EQ(parsed.flags.log_level, "debug");
  EXPECT_EQ(parsed.flags.sources.service_node, "n");
  EXPECT_EQ(parsed.flags.drain_time.count(), 7);
  EXPECT_EQ(parsed.flags.shutdown_grace.count(), 2);
}

TEST(Flags, AcceptsWhatHasNoMeaningHere) {
  EXPECT_TRUE(parse({"-c", "b", "--base-id", "1", "--disable-hot-restart", "--use-dynamic-base-id", "--restart-epoch", "0",
                     "--drain-strategy", "gradual"})
                  .run);
}

TEST(Flags, RefusesWithAReason) {
  EXPECT_EQ(parse({}).exit_code, 1);
  EXPECT_NE(parse({}).text.find("-c FILE"), std::string::npos);
  const ParsedFlags unknown = parse({"-c", "b", "--no-such-flag"});
  EXPECT_FALSE(unknown.run);
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_NE(unknown.text.find("--no-such-flag"), std::string::npos);
  EXPECT_FALSE(parse({"-c", "b", "--mode", "dream"}).run);
  EXPECT_FALSE(parse({"-c", "b", "--drain-time-s", "-1"}).run);
  EXPECT_NE(parse({"-c", "b", "--stats-tag", "a:b"}).text.find("--stats-tag: not implemented"), std::string::npos);
}

TEST(Flags, ConcurrencyAndDrainStrategyAsEnvoy) {
  EXPECT_EQ(parse({"-c", "b", "--concurrency", "0"}).flags.concurrency, 1u);
  EXPECT_EQ(parse({"-c", "b", "--concurrency", "3"}).flags.concurrency, 3u);
  EXPECT_GE(parse({"-c", "b"}).flags.concurrency, 1u);
  EXPECT_TRUE(parse({"-c", "b", "--drain-strategy", "immediate"}).run);
  EXPECT_FALSE(parse({"-c", "b", "--drain-strategy", "dream"}).run);
}

TEST(Flags, ModeValidateAndVersion) {
  EXPECT_EQ(parse({"-c", "b", "--mode", "validate"}).flags.mode, Flags::Mode::kValidate);
  const ParsedFlags version = parse({"--version"});
  EXPECT_FALSE(version.run);
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_NE(version.text.find("version"), std::string::npos);
}

}  // namespace
}  // namespace weft::server
