// grpc_web, grpc_http1_bridge and grpc_stats without an exchange: what they make of heads, bodies and trailers.
#include "envoy/extensions/filters/http/grpc_http1_bridge/v3/config.pb.h"
#include "envoy/extensions/filters/http/grpc_stats/v3/config.pb.h"
#include "envoy/extensions/filters/http/grpc_web/v3/grpc_web.pb.h"
#include "fake_context.h"
#include "proxy/filters/http/grpc_http1_bridge/filter.h"
#include "proxy/filters/http/grpc_stats/filter.h"
#include "proxy/filters/http/grpc_web/filter.h"
#include "proxy/format/filter_state.h"

namespace weft::filters {
namespace {

namespace v3 = envoy::extensions::filters::http;
using http::HeaderId;
using observe::GrpcCallStat;

Body body_of(FakeContext& context, std::string_view text) {
  Body body;
  if (!text.empty()) body.slices.push_back(copy_to_slice(context.pool, text));
  return body;
}

std::string text_of(const Body& body) {
  std::string text;
  for (const Slice& slice : body.slices) text.append(slice.data, slice.size);
  return text;
}

std::string frame_of(std::string_view message) {
  return std::string({0, 0, 0, 0, static_cast<char>(message.size())}) + std::string(message);
}

TEST(GrpcFilters, Base64) {
  for (std::string_view text : {"", "a", "ab", "abc", "abcd", "\xff\xfe\xfd"}) {
    std::string back;
    EXPECT_TRUE(decode_base64(encode_base64(text), back));
    EXPECT_EQ(back, text);
  }
  std::string joined;
  EXPECT_TRUE(decode_base64("YQ==YmM=", joined));
  EXPECT_EQ(joined, "abc");
  for (std::string_view bad : {"abc", "ab=c", "a===", "====", "a b=", "YR=="}) {
    std::string out;
    EXPECT_FALSE(decode_base64(bad, out)) << bad;
  }
}

TEST(GrpcFilters, MessagesAreCountedHoweverTheyAreCut) {
  FakeContext context;
  const std::string bytes = frame_of("first") + frame_of("") + frame_of("second");
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    GrpcMessages messages;
    uint64_t n = messages.count(body_of(context, bytes.substr(0, cut)));
    n += messages.count(body_of(context, bytes.substr(cut)));
    EXPECT_EQ(n, 3u) << cut;
  }
}

TEST(GrpcFilters, MethodOfAPath) {
  EXPECT_EQ(grpc_method_of("/a.B/C?x=1").service, "a.B");
  EXPECT_EQ(grpc_method_of("/a.B/C?x=1").method, "C");
  for (std::string_view path : {"", "/", "/a", "/a/", "//b", "/a/b/c", "a/b"}) EXPECT_FALSE(grpc_method_of(path)) << path;
}

TEST(GrpcFilters, WebRequestsBecomeGrpc) {
  FakeContext context;
  auto factory = factory_of(grpc_web_type(), v3::grpc_web::v3::GrpcWeb());
  MadeFilter filter(*factory);
  context.request_.set_path("/a.B/C");
  context.request_.set(HeaderId::kContentType, "application/grpc-web-text");
  context.request_.set(HeaderId::kContentLength, "12");
  EXPECT_EQ(filter->on_request_head(context, false), Verdict::kContinue);
  EXPECT_EQ(context.request_.value(HeaderId::kContentType), "application/grpc");
  EXPECT_EQ(context.request_.value(HeaderId::kTe), "trailers");
  EXPECT_FALSE(context.request_.has(HeaderId::kContentLength));
  Body body = body_of(context, "YWJ");
  filter->on_request_body(context, body, false);
  EXPECT_EQ(text_of(body), "");
  body = body_of(context, "jZGVm");
  filter->on_request_body(context, body, true);
  EXPECT_EQ(text_of(body), "abcdef");
  body = body_of(context, "?");
  filter->on_request_body(context, body, true);
  ASSERT_TRUE(context.replied);
  EXPECT_EQ(context.replied->status, 400);
}

TEST(GrpcFilters, WebTextIsEncodedFrameByFrame) {
  FakeContext context;
  auto factory = factory_of(grpc_web_type(), v3::grpc_web::v3::GrpcWeb());
  const std::string first = frame_of("first"), second = frame_of("second");
  const std::string bytes = first + second;
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    MadeFilter filter(*factory);
    context.request_.set(HeaderId::kContentType, "application/grpc-web-text");
    context.request_.set(HeaderId::kAccept, "application/grpc-web-text");
    context.response_.clear();
    context.response_.set_status(200);
    context.response_.set(HeaderId::kContentType, "application/grpc");
    filter->on_request_head(context, true);
    filter->on_response_head(context, false);
    Body one = body_of(context, bytes.substr(0, cut)), two = body_of(context, bytes.substr(cut));
    filter->on_response_body(context, one, false);
    filter->on_response_body(context, two, true);
    EXPECT_EQ(text_of(one) + text_of(two), encode_base64(first) + encode_base64(second)) << cut;
  }
  MadeFilter filter(*factory);
  context.request_.set(HeaderId::kContentType, "application/grpc-web-text");
  context.response_.set(HeaderId::kContentType, "application/grpc");
  filter->on_request_head(context, true);
  filter->on_response_head(context, false);
  std::string large({0, 0, 4, 0, 0});
  large += std::string(4 << 16, 'x');
  std::string out;
  for (size_t at = 0; at < large.size(); at += 16000) {
    Body body = body_of(context, std::string_view(large).substr(at, 16000));
    filter->on_response_body(context, body, false);
    out += text_of(body);
  }
  EXPECT_EQ(out, encode_base64(large));
}

TEST(GrpcFilters, OthersAreLeftAlone) {
  FakeContext context;
  auto factory = factory_of(grpc_web_type(), v3::grpc_web::v3::GrpcWeb());
  MadeFilter filter(*factory);
  context.request_.set(HeaderId::kContentType, "application/grpc");
  filter->on_request_head(context, false);
  context.response_.set_status(503);
  EXPECT_EQ(filter->on_response_head(context, false), Verdict::kContinue);
  EXPECT_FALSE(context.response_.has(HeaderId::kGrpcStatus));
}

TEST(GrpcFilters, ForeignAnswersBecomeAStatus) {
  FakeContext context;
  auto factory = factory_of(grpc_web_type(), v3::grpc_web::v3::GrpcWeb());
  MadeFilter filter(*factory);
  context.request_.set(HeaderId::kContentType, "application/grpc-web+proto");
  filter->on_request_head(context, false);
  context.response_.set_status(429);
  context.response_.set(HeaderId::kContentType, "text/plain");
  EXPECT_EQ(filter->on_response_head(context, false), Verdict::kWait);
  Body body = body_of(context, "slow\ndown");
  filter->on_whole_response(context, body);
  EXPECT_TRUE(body.slices.empty());
  EXPECT_EQ(context.response_.value(HeaderId::kGrpcStatus), "14");
  EXPECT_EQ(context.response_.value(HeaderId::kGrpcMessage), "slow%0Adown");
  EXPECT_EQ(context.response_.value(HeaderId::kContentType), "application/grpc-web+proto");
}

TEST(GrpcFilters, TheBridgeMakesOneMessageOfABody) {
  FakeContext context;
  v3::grpc_http1_bridge::v3::Config config;
  config.set_upgrade_protobuf_to_grpc(true);
  config.set_ignore_query_parameters(true);
  auto factory = factory_of(grpc_http1_bridge_type(), config);
  MadeFilter filter(*factory);
  context.info_.protocol = "HTTP/1.1";
  context.request_.set_path("/a.B/C?x=1");
  context.request_.set(HeaderId::kContentType, "application/x-protobuf");
  context.request_.set(HeaderId::kContentLength, "6");
  filter->on_request_head(context, false);
  EXPECT_EQ(context.request_.path(), "/a.B/C");
  EXPECT_EQ(context.request_.value(HeaderId::kContentType), "application/grpc");
  Body body = body_of(context, "abc");
  filter->on_request_body(context, body, false);
  EXPECT_EQ(text_of(body), "");
  body = body_of(context, "def");
  filter->on_request_body(context, body, true);
  EXPECT_EQ(text_of(body), frame_of("abcdef"));
  context.response_.set_status(200);
  EXPECT_EQ(filter->on_response_head(context, false), Verdict::kWait);
  body = body_of(context, frame_of("answer"));
  filter->on_whole_response(context, body);  // without trailers it stays as it came
  EXPECT_EQ(text_of(body), frame_of("answer"));
}

TEST(GrpcFilters, StatsByMethod) {
  FakeContext context;
  observe::Registry registry(1);
  v3::grpc_stats::v3::FilterConfig config;
  auto* service = config.mutable_individual_method_stats_allowlist()->add_services();
  service->set_name("a.B");
  service->add_method_names("Listed");
  config.set_replace_dots_in_grpc_service_name(true);
  auto factory = factory_of(grpc_stats_type(), config, &registry);
  context.info_.upstream_cluster = "up";
  for (std::string_view path : {"/a.B/Listed", "/a.B/Other", "/no-method"}) {
    MadeFilter filter(*factory);
    context.request_.clear();
    context.response_.clear();
    context.request_.set_path(path);
    context.request_.set(HeaderId::kContentType, "application/grpc");
    filter->on_request_head(context, false);
    Body body = body_of(context, frame_of("x"));
    filter->on_request_body(context, body, true);
    context.response_.set(HeaderId::kContentType, "application/grpc");
    filter->on_response_head(context, false);
    http::Head trailers(context.pool);
    trailers.set(HeaderId::kGrpcStatus, "5");
    filter->on_response_trailers(context, trailers);
  }
  auto listed = registry.scope(observe::kGrpcCallShape, "cluster.up.grpc.a_B.Listed.");
  auto others = registry.scope(observe::kGrpcCallShape, "cluster.up.grpc.");
  for (const auto& scope : {listed, others}) {
    EXPECT_EQ(scope->sum(GrpcCallStat::kTotal), 1);
    EXPECT_EQ(scope->sum(GrpcCallStat::kFailure), 1);
    EXPECT_EQ(scope->sum(GrpcCallStat::kStatus5), 1);
    EXPECT_EQ(scope->sum(GrpcCallStat::kRequestMessages), 1);
  }
}

TEST(GrpcFilters, StatsAreToldToLogs) {  // (envoy)
  FakeContext context;
  observe::Registry registry(1);
  v3::grpc_stats::v3::FilterConfig config;
  config.set_emit_filter_state(true);
  auto factory = factory_of(grpc_stats_type(), config, &registry);
  context.info_.upstream_cluster = "up";
  context.request_.set_path("/a.B/C");
  context.request_.set(HeaderId::kContentType, "application/grpc");
  context.response_.set(HeaderId::kContentType, "application/grpc");
  MadeFilter filter(*factory);
  const auto told = [&] { return context.info_.filter_state->find("envoy.filters.http.grpc_stats"); };
  filter->on_request_head(context, false);
  EXPECT_EQ(context.info_.filter_state, nullptr);
  Body body = body_of(context, frame_of("x"));
  filter->on_request_body(context, body, true);
  ASSERT_NE(context.info_.filter_state, nullptr);
  EXPECT_EQ(told()->text, "1,0");
  EXPECT_EQ(told()->json, R"({"requestMessageCount":"1"})");
  filter->on_response_head(context, false);
  body = body_of(context, frame_of("x") + frame_of("y"));
  filter->on_response_body(context, body, true);
  EXPECT_EQ(told()->text, "1,2");
  EXPECT_EQ(told()->json, R"({"requestMessageCount":"1","responseMessageCount":"2"})");
}

}  // namespace
}  // namespace weft::filters
