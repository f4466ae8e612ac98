// The parts of the demo that compute: percentiles, shares asked, the table, flags, addresses, bootstraps.
#include "common/base/yaml.h"
#include "demo/addresses.h"
#include "demo/bootstrap.h"
#include "demo/expectation.h"
#include "demo/json_text.h"
#include "demo/options.h"
#include "demo/process.h"
#include "demo/service.h"
#include "demo/show.h"
#include "demo/statistics.h"
#include "demo/table.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace weft::demo {
namespace {

std::string config(const std::string& name) {
  std::ifstream in(std::string(WEFT_SOURCE_DIR) + "/config/" + name);
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

World world(std::initializer_list<const char*> files) {
  World result;
  for (const char* file : files) EXPECT_TRUE(result.add(config(file), file)) << file;
  return result;
}

Lane lane(const std::string& name) {
  for (const Lane& candidate : demo_lanes(1))
    if (candidate.route == name) return candidate;
  ADD_FAILURE() << "no lane " << name;
  return {};
}

TEST(JsonText, WritesPlainDigits) {
  const boost::json::object report{{"ok", true},       {"seconds", 73.1046},    {"many", 1e9},
                                   {"requests", 7885}, {"list", {0.5, "a\"b"}}, {"none", nullptr}};
  EXPECT_EQ(json_text(report),
            "{\n  \"ok\": true,\n  \"seconds\": 73.105,\n  \"many\": 1000000000,\n  \"requests\": 7885,\n"
            "  \"list\": [\n    0.5,\n    \"a\\\"b\"\n  ],\n  \"none\": null\n}");
}

TEST(Percentile, IsTheNearestRank) {
  std::vector<double> values{5, 1, 4, 2, 3};
  EXPECT_EQ(percentile(values, 0.5), 3);
  EXPECT_EQ(percentile(values, 0.99), 5);
  EXPECT_EQ(percentile(values, 0), 1);
  std::vector<double> none;
  EXPECT_EQ(percentile(none, 0.5), 0);
  std::vector<double> hundred;
  for (int i = 100; i >= 1; --i) hundred.push_back(i);
  EXPECT_EQ(percentile(hundred, 0.99), 99);
}

TEST(Statistics, SumsOnlyTheWindow) {
  Statistics statistics(2);
  const Clock::time_point start = Clock::now();
  statistics.add(0, {"v1", 1, false, start});
  for (int i = 1; i <= 9; ++i) statistics.add(0, {"v1", 2, false, start + std::chrono::seconds(1)});
  statistics.add(0, {"v2", 7, true, start + std::chrono::seconds(2)});
  statistics.add(1, {"v9", 7, true, start + std::chrono::seconds(2)});
  const auto sums = statistics.sums(0, start + std::chrono::milliseconds(500), start + std::chrono::milliseconds(2500));
  ASSERT_EQ(sums.size(), 2u);
  EXPECT_DOUBLE_EQ(sums.at("v1").share, 0.9);
  EXPECT_DOUBLE_EQ(sums.at("v1").per_second, 4.5);
  EXPECT_EQ(sums.at("v2").failed, 1u);
  EXPECT_EQ(sums.at("v2").p99, 7);
  EXPECT_EQ(statistics.total(), 12u);
}

TEST(Asked, WithoutRulesEachPodCountsAlike) {
  const World before = world({"demo/services.yaml"});
  EXPECT_EQ(asked(before, lane("users")), (Shares{{"v1", 50}, {"v2", 50}}));
  EXPECT_EQ(asked(before, lane("payments")), (Shares{{"v1", 100}}));
  EXPECT_EQ(asked(before, lane("orders, from outside")), std::nullopt);
}

TEST(Asked, FollowsTheCustomersFiles) {
  World rules = world({"demo/services.yaml", "customer/gateway.yaml"});
  EXPECT_EQ(asked(rules, lane("orders, from outside")), (Shares{{"404 no route", 100}}));
  for (const char* file :
       {"customer/virtualservice.yaml", "customer/canary.yaml", "customer/ab-testing.yaml", "customer/fault-injection.yaml"})
    ASSERT_TRUE(rules.add(config(file), file));
  // The subsets are named by nobody yet.
  EXPECT_EQ(asked(rules, lane("users")), (Shares{{"503 by proxy", 100}}));
  for (const char* file : {"demo/user-subsets.yaml", "demo/product-subsets.yaml"}) ASSERT_TRUE(rules.add(config(file), file));
  EXPECT_EQ(asked(rules, lane("users")), (Shares{{"v1", 95}, {"v2", 5}}));
  EXPECT_EQ(asked(rules, lane("users, canary: true")), (Shares{{"v2", 100}}));
  EXPECT_EQ(asked(rules, lane("products, premium")), (Shares{{"premium", 100}}));
  EXPECT_EQ(asked(rules, lane("products, standard")), (Shares{{"standard", 100}}));
  EXPECT_EQ(asked(rules, lane("payments")), (Shares{{"404 no route", 100}}));
  const Shares chaos = asked(rules, lane("payments, chaos-test")).value();
  EXPECT_NEAR(chaos.at("v1"), 72, 1e-9);
  EXPECT_NEAR(chaos.at("500 injected"), 10, 1e-9);
  EXPECT_NEAR(chaos.at("delayed 3 s"), 18, 1e-9);
  const Shares orders = asked(rules, lane("orders, from outside")).value();
  EXPECT_NEAR(orders.at("v1"), 90, 0.2);
  EXPECT_NEAR(orders.at("v2"), 10, 0.2);

  // A user's file of the same name takes the place of the customer's.
  ASSERT_TRUE(rules.add(config("demo/canary-half.yaml"), "canary-half.yaml"));
  EXPECT_EQ(asked(rules, lane("users")), (Shares{{"v1", 50}, {"v2", 50}}));
  ASSERT_TRUE(rules.add(config("demo/payments-for-all.yaml"), "payments-for-all.yaml"));
  EXPECT_EQ(asked(rules, lane("payments")), (Shares{{"v1", 100}}));
  rules.keep_only("VirtualService", {"default/canary-deployment"});
  EXPECT_EQ(asked(rules, lane("products, premium")), (Shares{{"premium", 50}, {"standard", 50}}));
}

TEST(Asked, SaysUnknownWhereItDoesNotUnderstand) {
  World rules = world({"demo/services.yaml"});
  ASSERT_TRUE(rules.add(R"(
kind: VirtualService
metadata: {name: x}
spec:
  hosts: [user-service]
  http:
  - match: [{uri: {regex: "/users/.*"}}]
    route: [{destination: {host: user-service}}]
)",
                        "x.yaml"));
  EXPECT_EQ(asked(rules, lane("users")), std::nullopt);
  EXPECT_FALSE(rules.add("a: [", "broken.yaml"));
}

TEST(Judge, TellsServicesFromProxies) {
  EXPECT_EQ(judge({200, "user-service v2 user-v2-1", "", ""}, 3).version, "v2");
  EXPECT_FALSE(judge({200, "user-service v2 user-v2-1", "", ""}, 3).failed);
  EXPECT_TRUE(judge({500, "payment-service v1 payment-5", "", ""}, 3).failed);
  EXPECT_EQ(judge({200, "payment-service v1 payment-1", "", ""}, 3002).version, "delayed 3 s");
  EXPECT_EQ(judge({500, "", "fault filter abort", ""}, 1).version, "500 injected");
  EXPECT_FALSE(judge({500, "", "fault filter abort", ""}, 1).failed);
  EXPECT_EQ(judge({404, "", "", ""}, 1).version, "404 no route");
  EXPECT_EQ(judge({503, "", "no healthy upstream", ""}, 1).version, "503 by proxy");
  EXPECT_EQ(judge({0, "", "", "connect: Connection refused"}, 1).version, "no answer");
}

TEST(Plausible, AllowsChanceOnly) {
  EXPECT_TRUE(plausible(5, 7, 200));
  EXPECT_FALSE(plausible(5, 30, 200));
  EXPECT_FALSE(plausible(95, 50, 500));
  EXPECT_TRUE(plausible(100, 100, 1));
  EXPECT_FALSE(plausible(100, 100, 0));
}

TEST(Table, AlignsColumnsAndNamesEachRouteOnce) {
  const std::vector<Row> rows{{"users", "v1", 95, 94.6, 38, 2.1, 8, 0, "3", "0", true},
                              {"", "v2", 5, 5.4, 2.2, 5.3, 3010, 50, "", "", true}};
  const std::string expected =
      "  ROUTE  ANSWERED BY  ASKED  MEASURED  REQ/S     P50     P99  FAILED  RETRIES  EJECTIONS\n"
      "> users  v1             95%       95%   38.0  2.1 ms  8.0 ms       -        3          0\n"
      ">        v2              5%        5%    2.2  5.3 ms   3.0 s     50%\n";
  EXPECT_EQ(render(rows, {false, false}), expected);
  EXPECT_EQ(render(rows, {false, true}).find('>'), std::string::npos);
  EXPECT_NE(render(rows, {true, true}).find("\033[31m"), std::string::npos);
  EXPECT_EQ(duration_text(0), "-");
  EXPECT_EQ(duration_text(12.4), "12 ms");
}

TEST(Options, NameWhatIsWrong) {
  EXPECT_EQ(parse_options({"--seconds=20", "--json", "--config", "/x"})->seconds, 20);
  EXPECT_EQ(parse_options({"--seconds", "no"}).error().detail, "--seconds: found \"no\", expected a number greater than 0");
  EXPECT_NE(parse_options({"--sconds"}).error().detail.find("--sconds"), std::string::npos);
}

TEST(Service, ArgumentsComeBack) {
  ServiceOptions options;
  options.name = "order-service";
  options.version = "v1";
  options.instance = "order-1";
  options.fail = true;
  options.outbound = "127.0.77.1:1";
  options.calls = {"a", "b"};
  const std::vector<std::string> arguments = to_arguments(options);
  ServiceOptions again;
  ASSERT_TRUE(parse_service({arguments.begin() + 1, arguments.end()}, again));
  EXPECT_EQ(to_arguments(again), arguments);
  EXPECT_FALSE(parse_service({"one"}, again));
}

TEST(Bootstrap, IsYamlThatNamesTheNode) {
  const std::string text = bootstrap_yaml({false, "127.0.77.2", "shop-1", "default", {{"app", "shop"}}, {{8080, 9000}}, {}},
                                          {"127.0.77.2", 15000}, {"127.0.0.1", 15010});
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  ASSERT_TRUE(yaml::parse(text, "bootstrap.yaml", documents, problem)) << problem.message << "\n" << text;
  const yaml::Node& node = *documents[0].root.find("node");
  EXPECT_EQ(node.find("id")->text, "sidecar~127.0.77.2~shop-1.default~default.svc.cluster.local");
  EXPECT_EQ(node.find("metadata")->find("APP_PORTS")->find("8080")->text, "9000");
}

TEST(Addresses, KeepClearOfTakenPorts) {
  const Result<Listening> taken = listen_on("127.0.0.1");
  ASSERT_TRUE(taken);
  EXPECT_FALSE(can_bind({"127.0.0.1", taken->port}));
  EXPECT_NE(common_port({"127.0.0.1"}, taken->port).value(), taken->port);
  close(taken->fd);
  EXPECT_TRUE(can_bind({"127.0.0.1", taken->port}));
}

TEST(RunFolder, SweepsWhatACrashLeft) {
  const std::string base = testing::TempDir() + "run-folder-test-" + std::to_string(getpid());
  std::filesystem::create_directories(base);
  setenv("TMPDIR", base.c_str(), 1);
  const std::string left = base + "/weft-demo-crashed";
  std::filesystem::create_directory(left);
  std::ofstream(left + "/lock") << "";
  std::string first;
  {
    RunFolder folder, second;
    ASSERT_TRUE(folder.open());
    EXPECT_EQ(folder.swept(), 1u);
    EXPECT_FALSE(std::filesystem::exists(left));
    first = folder.path();
    // Another demo that runs is left alone.
    ASSERT_TRUE(second.open());
    EXPECT_EQ(second.swept(), 0u);
    EXPECT_TRUE(std::filesystem::exists(first));
  }
  EXPECT_FALSE(std::filesystem::exists(first));
  unsetenv("TMPDIR");
  std::filesystem::remove_all(base);
}

TEST(Process, EndsAndTells) {
  const std::string log = testing::TempDir() + "process-test-" + std::to_string(getpid()) + ".log";
  Result<Process> missing = Process::start("none", {"/nonexistent/program"}, log);
  EXPECT_FALSE(missing);
  Result<Process> shell = Process::start("shell", {"/bin/sh", "-c", "echo last words; exit 3"}, log);
  ASSERT_TRUE(shell);
  while (shell->alive()) usleep(1000);
  EXPECT_EQ(shell->verdict(), "ended with code 3");
  EXPECT_NE(shell->tail().find("last words"), std::string::npos);
  Result<Process> sleeper = Process::start("sleep", {"/bin/sleep", "100"}, log);
  ASSERT_TRUE(sleeper);
  EXPECT_TRUE(sleeper->alive());
  sleeper->stop(5);
  EXPECT_FALSE(sleeper->alive());
  std::filesystem::remove(log);
}

}  // namespace
}  // namespace weft::demo
