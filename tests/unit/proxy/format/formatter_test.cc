#include "proxy/format/formatter.h"

#include "proxy/format/filter_state.h"

#include "common/http/head.h"
#include "proxy/format/operation.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace weft::format {
namespace {

using namespace std::chrono_literals;

struct Request {
  SlabPool pool;
  http::Head head{pool}, answer{pool}, trailers{pool};
  RequestInfo info;
  Request() {
    head.set_method("GET");
    head.set_path("/a?a=b&c=d");
    head.set_scheme("http");
    head.set_authority("shop:8080");
    head.add("user-agent", "curl/7.88.1");
    head.add("x", "abcdef");
    answer.set_status(200);
    answer.add("x-envoy-upstream-service-time", "3");
    info.request = &head;
    info.response = &answer;
    info.start_time = std::chrono::system_clock::time_point(1795259581820144us);
    info.start = RequestInfo::Moment(100s);
    info.request_end = info.start + 1ms;
    info.upstream_response_begin = info.start + 4ms;
    info.response_end = info.start + 6ms;
    info.end = info.start + 7629us;
    info.protocol = "HTTP/1.1";
    info.bytes_sent = 5;
    info.response_code = 200;
    info.response_code_details = "via_upstream";
    info.connection_id = 2;
    info.attempt_count = 1;
    info.upstream_host = "127.0.0.1:18080";
    info.downstream_remote_address = "[2001:db8::17]:4711";
    info.downstream_local_address = "127.0.0.1:43303";
    info.log_type = AccessLogType::kDownstreamEnd;
  }
  std::string print(std::string_view format, FormatOptions options = {}) {
    auto formatter = Formatter::text(format, options);
    if (!formatter) return "error: " + formatter.error().detail;
    std::string out;
    formatter->append(out, info);
    return out;
  }
};

TEST(Formatter, PrintsEnvoysDefaultLine) {
  Request r;
  EXPECT_EQ(r.print(default_access_log_format()),
            "[2026-11-21T11:13:01.820Z] \"GET /a?a=b&c=d HTTP/1.1\" 200 - 0 5 7 3 \"-\" \"curl/7.88.1\" \"-\" \"shop:8080\" "
            "\"127.0.0.1:18080\"\n");
}

TEST(Formatter, PrintsWhatEnvoyPrinted) {
  Request r;  // the right-hand sides are from a running Envoy 1.40
  EXPECT_EQ(r.print("%REQ(USER-AGENT)%|%REQ(x):3%|%REQ(:PATH)%|%RESPONSE_FLAGS_LONG%|%RESPONSE_CODE_DETAILS%"),
            "curl/7.88.1|abc|/a?a=b&c=d|-|via_upstream");
  EXPECT_EQ(r.print("%DOWNSTREAM_TLS_VERSION%|%ACCESS_LOG_TYPE%|%PATH(NQ:PATH)%|%QUERY_PARAM(a)%|%CONNECTION_ID%|%TRACE_ID%|%GRPC_STATUS%"),
            "-|DownstreamEnd|/a|b|2|-|-");
  EXPECT_EQ(r.print("%UPSTREAM_REQUEST_ATTEMPT_COUNT%|%VIRTUAL_CLUSTER_NAME%|%REQUESTED_SERVER_NAME%|%DOWNSTREAM_LOCAL_PORT%|%%"),
            "1|-|-|43303|%");
  EXPECT_EQ(r.print("%START_TIME(%s.%3f %6f %9f %d)%"), "1795259581.820 820144 820144000 21");
  EXPECT_EQ(r.print("%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%"), "6000");
  EXPECT_EQ(r.print("%RESPONSE_DURATION% %RESPONSE_TX_DURATION% %REQUEST_DURATION% %ROUNDTRIP_DURATION%"), "4 2 1 -");
}

TEST(Formatter, TakesTheAlternativeAndDropsTheQuery) {
  Request r;
  EXPECT_EQ(r.print("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"), "/a?a=b&c=d");
  r.head.add("x-envoy-original-path", "/first?q");
  EXPECT_EQ(r.print("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH)% %PATH(NQ)% %PATH(WQ:PATH)%"),
            "/first?q /first /first /a?a=b&c=d");
}

TEST(Formatter, CutsAddresses) {
  Request r;
  EXPECT_EQ(r.print("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%"),
            "[2001:db8::17]:4711 2001:db8::17 4711");
  EXPECT_EQ(r.print("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(8)% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(32)%"),
            "127.0.0.0/8 2001:db8::/32");
  EXPECT_EQ(r.print("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(x)%"), "error: DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: 'x' is no prefix length");
}

TEST(Formatter, PrintsFlags) {
  Request r;
  r.info.flags.set(observe::ResponseFlag::kUpstreamRetryLimitExceeded);
  r.info.flags.set(observe::ResponseFlag::kUpstreamConnectionFailure);
  EXPECT_EQ(r.print("%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%"), "UF,URX UpstreamConnectionFailure,UpstreamRetryLimitExceeded");
}

TEST(Formatter, PrintsGrpcStatus) {
  Request r;
  r.head.add("content-type", "application/grpc+proto");
  EXPECT_EQ(r.print("%GRPC_STATUS% %GRPC_STATUS(NUMBER)%"), "OK 0");  // from the HTTP status
  r.trailers.add("grpc-status", "5");
  r.info.trailers = &r.trailers;
  EXPECT_EQ(r.print("%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER%"), "NotFound NOT_FOUND 5");
}

TEST(Formatter, RefusesAsEnvoyDoes) {
  Request r;
  EXPECT_EQ(r.print("%BOGUS%"), "error: Not supported field in StreamInfo: BOGUS");
  EXPECT_EQ(r.print("%REQ%"), "error: REQ requires parameters");
  EXPECT_EQ(r.print("%REQ()%"), "error: REQ requires parameters");
  EXPECT_EQ(r.print("%REQ(x"), "error: Incorrect configuration: %REQ(x. Couldn't find valid command at position 0");
  EXPECT_EQ(r.print("%REQ(x):z%"), "error: Incorrect configuration: %REQ(x):z%. Couldn't find valid command at position 0");
  EXPECT_EQ(r.print("%REQ(x)y%"), "error: Incorrect configuration: %REQ(x)y%. Couldn't find valid command at position 0");
  EXPECT_EQ(r.print("a % b"), "error: Incorrect configuration: a % b. Couldn't find valid command at position 2");
  EXPECT_EQ(r.print("%RESPONSE_FLAGS(a)%"), "error: RESPONSE_FLAGS does not take any parameters or length");
  EXPECT_EQ(r.print("%PROTOCOL:5%"), "error: PROTOCOL does not take any parameters or length");
  EXPECT_EQ(r.print("%REQ(a?b?c)%"), "error: More than 1 alternative header specified in token: a?b?c");
  EXPECT_EQ(r.print("%GRPC_STATUS(FOO)%"), "error: GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER. Got: FOO");
  EXPECT_EQ(r.print("%PATH(A:B)%"), "error: Invalid PATH option: 'A', only 'WQ'/'NQ' are allowed");
  EXPECT_EQ(r.print("%DURATION()%"), "7");
  EXPECT_EQ(r.print("%UPSTREAM_FILTER_STATE(a)%"),
            "error: %UPSTREAM_FILTER_STATE% is not supported: this proxy gives no access to the upstream's filter state");
  EXPECT_EQ(r.print("%FILTER_STATE(a:FIELD:b)%"), "error: %FILTER_STATE(a:FIELD:b)% is not supported: the form is PLAIN or TYPED");
}

// As Envoy 1.40 printed an envoy.string.
TEST(Formatter, FilterState) {
  Request r;
  EXPECT_EQ(r.print("%FILTER_STATE(a)%|%FILTER_STATE(a:PLAIN)%"), "-|-");
  filter_state_of(r.info).set("a", {"abc\"d"});
  EXPECT_EQ(r.print("%FILTER_STATE(a)%|%FILTER_STATE(a:TYPED):4%"), "\"abc\\\"d\"|\"abc");
  EXPECT_EQ(r.print("%FILTER_STATE(a:PLAIN)%|%FILTER_STATE(a:PLAIN):3%|%FILTER_STATE(b)%"), "abc\"d|abc|-");
}

TEST(FilterState, TheLastOneCounts) {
  FilterState state;
  state.set("a", {"1"});
  state.set("a", {"2", true});
  EXPECT_EQ(state.find("a")->text, "2");
  EXPECT_TRUE(state.find("a")->hashable);
  EXPECT_EQ(state.find("b"), nullptr);
}

TEST(Formatter, OmitsEmptyForHeaderValues) {
  Request r;
  EXPECT_EQ(r.print("%REQ(nope)%", {.omit_empty = true}), "");
  EXPECT_EQ(r.print("a%REQ(nope)%b", {.omit_empty = true}), "ab");
  EXPECT_TRUE(Formatter::text("plain %% text")->constant());
  EXPECT_FALSE(Formatter::text("%PROTOCOL%")->constant());
}

TEST(Formatter, OneRequestIsOneLine) {
  Request r;
  r.head.set("user-agent", "a\"b\\c\r\nforged \x1b[31m\x7f");
  EXPECT_EQ(r.print("%REQ(USER-AGENT)%\n", {.escape = true}), "a\\\"b\\\\c\\x0d\\x0aforged \\x1b[31m\\x7f\n");
  EXPECT_EQ(r.print("%REQ(x)%", {.escape = true, .max_value = 2}), "ab");
}

JsonTemplate format(std::string text) { return {JsonTemplate::Kind::kFormat, false, 0, std::move(text), {}}; }

TEST(JsonFormatter, PrintsTypedValuesSortedAsEnvoyDoes) {
  Request r;
  JsonTemplate nested{JsonTemplate::Kind::kObject, false, 0, "", {{"b", format("%DURATION%")}, {"a", format("x%RESPONSE_CODE%y")}}};
  JsonTemplate list{
      JsonTemplate::Kind::kList, false, 0, "", {{"", format("%PROTOCOL%")}, {"", {JsonTemplate::Kind::kNumber, false, 2, "", {}}}}};
  JsonTemplate object{JsonTemplate::Kind::kObject,
                      false,
                      0,
                      "",
                      {{"zz", format("%RESPONSE_CODE%")},
                       {"aa", format("%REQ(user-agent)%")},
                       {"nn", nested},
                       {"st", format("%START_TIME(%s.%3f %6f %9f %d)%")},
                       {"none", format("%REQ(nope)%")},
                       {"num", {JsonTemplate::Kind::kNumber, false, 3, "", {}}},
                       {"flag", {JsonTemplate::Kind::kBool, true, 0, "", {}}},
                       {"l", list}}};
  auto formatter = Formatter::json(object);
  ASSERT_TRUE(formatter) << formatter.error().detail;
  std::string out;
  formatter->append(out, r.info);
  EXPECT_EQ(out,
            "{\"aa\":\"curl/7.88.1\",\"flag\":true,\"l\":[\"HTTP/1.1\",2],\"nn\":{\"a\":\"x200y\",\"b\":7},\"none\":null,\"num\":3,"
            "\"st\":\"1795259581.820 820144 820144000 21\",\"zz\":200}\n");

  auto brief =
      Formatter::json({JsonTemplate::Kind::kObject,
                       false,
                       0,
                       "",
                       {{"none", format("%REQ(nope)%")}, {"ip", format("%UPSTREAM_CONNECTION_ID%")}, {"code", format("%RESPONSE_CODE%")}}},
                      {.omit_empty = true});
  out.clear();
  brief->append(out, r.info);
  EXPECT_EQ(out, "{\"code\":200}\n");
}

TEST(JsonFormatter, StaysValidWhateverThePeerSends) {
  Request r;
  r.head.set("user-agent", "\"\\\r\n\x1b\xff\xc3\xa9\xed\xa0\x80");
  auto formatter = Formatter::json({JsonTemplate::Kind::kObject, false, 0, "", {{"k\"", format("%REQ(USER-AGENT)%")}}});
  std::string out;
  formatter->append(out, r.info);
  EXPECT_EQ(out, "{\"k\\\"\":\"\\\"\\\\\\r\\n\\u001b\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}\n");
}

TEST(JsonFormatter, NamesTheKeyOfAFault) {
  JsonTemplate inner{JsonTemplate::Kind::kObject, false, 0, "", {{"b", format("%BOGUS%")}}};
  auto formatter = Formatter::json({JsonTemplate::Kind::kObject, false, 0, "", {{"a", inner}}});
  ASSERT_FALSE(formatter);
  EXPECT_EQ(formatter.error().detail, "a.b: Not supported field in StreamInfo: BOGUS");
}

TEST(Operators, EachPrintsAnUntouchedRequest) {
  RequestInfo empty;  // no head, no addresses: nothing may be dereferenced
  for (std::string_view name : operator_names()) {
    std::string argument = name == "COMMON_DURATION" ? "(DS_RX_BEG:DS_TX_END:ms)" : name == "METADATA" ? "(DYNAMIC:x)" : "";
    Result<Formatter> formatter = Formatter::text("%" + std::string(name) + argument + "%");
    if (!formatter) formatter = Formatter::text("%" + std::string(name) + "(x)%");
    ASSERT_TRUE(formatter) << name << ": " << formatter.error().detail;
    std::string out;
    formatter->append(out, empty);
    EXPECT_FALSE(out.empty()) << name;
  }
}

}  // namespace
}  // namespace weft::format
