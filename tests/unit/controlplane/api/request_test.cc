#include "controlplane/api/http_server.h"
#include "controlplane/api/json.h"

#include <gtest/gtest.h>

namespace weft::api {
namespace {

TEST(ParseTarget, DecodesPathAndQuery) {
  Request request;
  ASSERT_TRUE(parse_target("/v1/resources/Gateway/a%20b/c?kind=Virtual%53ervice&x=a+b&x=last&flag&=none", request));
  EXPECT_EQ(request.path, "/v1/resources/Gateway/a b/c");
  EXPECT_EQ(request.parameter("kind"), "VirtualService");
  EXPECT_EQ(request.parameter("x"), "last");
  EXPECT_EQ(request.query.count("flag"), 1u);
  EXPECT_EQ(request.query.size(), 3u);
  for (const char* bad : {"", "v1", "http://a/b", "/%", "/%2", "/%zz", "/%00", "/a?b=%", "*"}) {
    Request other;
    EXPECT_FALSE(parse_target(bad, other)) << bad;
  }
}

std::string refused(const std::string& method, const std::string& host, const std::string& origin = "", const std::string& site = "") {
  Request request;
  request.method = method;
  request.host = host;
  request.origin = origin;
  request.fetch_site = site;
  return refusal(request, {"weft-control.weft-system"});
}

TEST(Refusal, TakesOnlyHostsThatCannotBeRebound) {
  for (const char* good : {"127.0.0.1:15014", "localhost", "localhost:1", "[::1]:15014", "10.0.0.1", "weft-control.weft-system:15014"})
    EXPECT_EQ(refused("GET", good), "") << good;
  for (const char* bad :
       {"evil.example:15014", "localhost.evil.example", "127.0.0.1.evil.example", "[evil]:1", "[", "127.0.0.1@evil.example"})
    EXPECT_NE(refused("GET", bad), "") << bad;
}

TEST(Refusal, TakesChangesOnlyFromItsOwnPages) {
  EXPECT_EQ(refused("POST", "127.0.0.1:1"), "");
  EXPECT_EQ(refused("POST", "127.0.0.1:1", "http://127.0.0.1:1", "same-origin"), "");
  EXPECT_NE(refused("POST", "127.0.0.1:1", "http://evil.example"), "");
  EXPECT_NE(refused("DELETE", "127.0.0.1:1", "http://127.0.0.1:2"), "") << "another port is another site's page";
  EXPECT_NE(refused("DELETE", "127.0.0.1:1", "null"), "");
  EXPECT_NE(refused("POST", "127.0.0.1:1", "", "cross-site"), "");
  EXPECT_EQ(refused("GET", "127.0.0.1:1", "http://evil.example", "cross-site"), "") << "reading across sites is what browsers prevent";
}

TEST(ReadDuration, TakesUnitsAndSeconds) {
  using std::chrono::milliseconds;
  EXPECT_EQ(read_duration("10s"), milliseconds(10'000));
  EXPECT_EQ(read_duration("250ms"), milliseconds(250));
  EXPECT_EQ(read_duration("1m30s"), milliseconds(90'000));
  EXPECT_EQ(read_duration("7"), milliseconds(7'000));
  for (const char* bad : {"", "s", "-1s", "10x", "999999999999999999999"}) EXPECT_FALSE(read_duration(bad)) << bad;
}

TEST(ToJson, FindingsKeepEverythingThatStands) {
  Diagnostic finding;
  finding.code = "WEFT0101";
  finding.alias = "IST0106";
  finding.message = "what";
  finding.file = "a.yaml";
  finding.mark = {3, 5};
  finding.source_line = "    x: 1";
  const json::object object = to_json(finding);
  EXPECT_EQ(object.at("severity"), "error");
  EXPECT_EQ(object.at("line"), 3);
  EXPECT_EQ(std::string(object.at("rendered").as_string()), render(finding));
  EXPECT_FALSE(object.contains("fix"));
  EXPECT_EQ(to_json(std::chrono::system_clock::time_point(std::chrono::milliseconds(1'767'225'600'007))), "2026-01-01T00:00:00.007Z");
  EXPECT_TRUE(to_json(std::chrono::system_clock::time_point{}).is_null());
}

}  // namespace
}  // namespace weft::api
