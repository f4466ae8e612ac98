#include "proxy/telemetry/access_log.h"

#include "common/http/head.h"
#include "common/observe/shapes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>

namespace weft::telemetry {
namespace {

struct File {
  std::string path = testing::TempDir() + "weft_access_log_" + std::to_string(getpid()) + "_" +
                     testing::UnitTest::GetInstance()->current_test_info()->name();
  ~File() { unlink(path.c_str()); }
  std::string text(const std::string& of = "") const {
    std::ifstream in(of.empty() ? path : of);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

TEST(LogFile, KeepsEveryLineOfEveryThread) {
  File file;
  {
    LogWriter writer(3);
    auto log = *writer.open(file.path);
    EXPECT_EQ(*writer.open(file.path), log);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t)
      threads.emplace_back([&log, t] {
        std::string line = "thread " + std::to_string(t) + std::string(90, 'x') + "\n";
        for (int i = 0; i < 2000; ++i) log->write(t, line);
      });
    for (std::thread& thread : threads) thread.join();
    writer.flush();
    EXPECT_EQ(log->dropped(), 0u);
    std::string text = file.text();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 6000);
    log->write(0, "last\n");
  }  // what is left is written when the owners go
  std::string text = file.text();
  EXPECT_EQ(text.substr(text.size() - 5), "last\n");
}

TEST(LogFile, IsFlushedWithoutBeingAsked) {
  File file;
  LogWriter writer(1);
  auto log = *writer.open(file.path);
  log->write(0, "line\n");
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (file.text().empty() && std::chrono::steady_clock::now() < deadline) usleep(10'000);
  EXPECT_EQ(file.text(), "line\n");
}

TEST(LogFile, ReopensAfterARotation) {
  File file;
  LogWriter writer(1);
  auto log = *writer.open(file.path);
  log->write(0, "old\n");
  writer.flush();
  ASSERT_EQ(rename(file.path.c_str(), (file.path + ".1").c_str()), 0);
  writer.reopen();
  writer.flush();
  log->write(0, "new\n");
  writer.flush();
  EXPECT_EQ(file.text(), "new\n");
  EXPECT_EQ(file.text(file.path + ".1"), "old\n");
  unlink((file.path + ".1").c_str());
}

TEST(LogFile, CountsWhatCannotBeWritten) {
  observe::Cells stats(observe::kFilesystemShape);
  {
    LogWriter writer(1, &stats);
    auto bad = writer.open("/dev/null/x");
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().detail, "access log /dev/null/x: Not a directory");
    auto full = *writer.open("/dev/full");
    full->write(0, "line\n");
    writer.flush();
    EXPECT_EQ(full->dropped(), 1u);
  }
  EXPECT_EQ(stats.value(observe::FilesystemStat::kWriteFailed), 1);
}

struct Request {
  SlabPool pool;
  http::Head head{pool};
  format::RequestInfo info;
  Request() {
    head.set_method("GET");
    head.set_path("/");
    info.request = &head;
    info.response_code = 503;
    info.start = format::RequestInfo::Moment(std::chrono::seconds(5));
    info.end = info.start + std::chrono::milliseconds(250);
  }
};

TEST(AccessLog, WritesOneLinePerRequestThatPasses) {
  File file;
  LogWriter writer(2);
  LogFilter errors;
  errors.kind = LogFilter::Kind::kStatusCode;
  errors.compare = LogFilter::Compare::kAtLeast;
  errors.value = {500};
  AccessLog log(*writer.open(file.path), *format::Formatter::text("%REQ(:METHOD)% %REQ(USER-AGENT)% %RESPONSE_CODE%\n", {.escape = true}),
                errors);
  Request request;
  request.head.add("user-agent", "evil\r\nGET forged 200");
  log.log(1, request.info);
  request.info.response_code = 200;
  log.log(1, request.info);
  writer.flush();
  EXPECT_EQ(file.text(), "GET evil\\x0d\\x0aGET forged 200 503\n");
}

TEST(LogFilter, Decides) {
  Request request;
  LogFilter slow;
  slow.kind = LogFilter::Kind::kDuration;
  slow.compare = LogFilter::Compare::kAtLeast;
  slow.value = {250};
  EXPECT_TRUE(slow.passes(request.info));
  slow.value = {251};
  EXPECT_FALSE(slow.passes(request.info));

  LogFilter flag;
  flag.kind = LogFilter::Kind::kResponseFlag;
  EXPECT_FALSE(flag.passes(request.info));
  request.info.flags.set(observe::ResponseFlag::kUpstreamOverflow);
  EXPECT_TRUE(flag.passes(request.info));
  flag.flags.set(observe::ResponseFlag::kNoRouteFound);
  EXPECT_FALSE(flag.passes(request.info));

  LogFilter any;
  any.kind = LogFilter::Kind::kOr;
  any.filters = {slow, flag};
  EXPECT_FALSE(any.passes(request.info));
  any.filters.emplace_back();
  EXPECT_TRUE(any.passes(request.info));
  any.kind = LogFilter::Kind::kAnd;
  EXPECT_FALSE(any.passes(request.info));

  LogFilter header;
  header.kind = LogFilter::Kind::kHeader;
  header.header = [](const http::Head& head) { return head.method() == "GET"; };
  EXPECT_TRUE(header.passes(request.info));
  request.info.request = nullptr;
  EXPECT_FALSE(header.passes(request.info));

  LogFilter health;
  health.kind = LogFilter::Kind::kNotHealthCheck;
  EXPECT_TRUE(health.passes(request.info));
  request.info.health_check = true;
  EXPECT_FALSE(health.passes(request.info));
}

TEST(LogFilter, FractionIsTheSameForOneRequestId) {
  LogFilter half;
  half.kind = LogFilter::Kind::kFraction;
  half.value = {50};
  int passed = 0;
  for (int i = 0; i < 2000; ++i) {
    Request request;
    request.head.add("x-request-id", "51fe1a9d-eb11-47bb-b177-41a175cd" + std::to_string(1000 + i));
    bool first = half.passes(request.info);
    ASSERT_EQ(half.passes(request.info), first);
    passed += first;
  }
  EXPECT_GT(passed, 800);
  EXPECT_LT(passed, 1200);
  half.value = {0};
  EXPECT_FALSE(half.passes(Request().info));
}

}  // namespace
}  // namespace weft::telemetry
