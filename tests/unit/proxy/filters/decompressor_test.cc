#include "proxy/filters/http/decompressor/filter.h"

#include "envoy/extensions/compression/gzip/decompressor/v3/gzip.pb.h"
#include "envoy/extensions/filters/http/decompressor/v3/decompressor.pb.h"
#include "fake_context.h"

namespace weft::filters {
namespace {

using DecompressorProto = envoy::extensions::filters::http::decompressor::v3::Decompressor;
using observe::DecompressorStat;

class DecompressorTest : public testing::Test {
 protected:
  DecompressorTest() {
    proto_.mutable_decompressor_library()->set_name("text");
    proto_.mutable_decompressor_library()->mutable_typed_config()->PackFrom(envoy::extensions::compression::gzip::decompressor::v3::Gzip());
  }
  void start() {
    factory_ = factory_of(decompressor_type(), proto_, &registry_);
    filter_ = std::make_unique<MadeFilter>(*factory_);
  }
  Body packed(std::string_view text) {
    Body out;
    while (!text.empty()) {
      out.slices.push_back(copy_to_slice(context_.pool, text));
      text.remove_prefix(out.slices.back().size);
    }
    compress_gzip({})->compress(out, true, context_.pool);
    return out;
  }
  static std::string text(const Body& body) {
    std::string out;
    for (const Slice& slice : body.slices) out += slice.view();
    return out;
  }
  int64_t counted(const char* direction, unsigned metric) {
    return observe::decompressor_scope(registry_, "main", "text", "gzip", direction)->sum(metric);
  }

  observe::Registry registry_{1};
  DecompressorProto proto_;
  FakeContext context_;
  std::unique_ptr<const FilterFactory> factory_;
  std::unique_ptr<MadeFilter> filter_;
};

TEST_F(DecompressorTest, UnpacksARequest) {
  start();
  context_.request_.add("content-encoding", "gzip");
  context_.request_.add("content-length", "123");
  EXPECT_EQ((*filter_)->on_request_head(context_, false), Verdict::kContinue);
  EXPECT_EQ(context_.request_.find("content-encoding"), nullptr);
  EXPECT_EQ(context_.request_.find("content-length"), nullptr);
  EXPECT_EQ(context_.request_.value("accept-encoding"), "gzip");
  Body body = packed("hello hello");
  const auto size = static_cast<int64_t>(body.size());
  (*filter_)->on_request_body(context_, body, true);
  EXPECT_EQ(text(body), "hello hello");
  EXPECT_EQ(counted("request", DecompressorStat::kDecompressed), 1);
  EXPECT_EQ(counted("request", DecompressorStat::kTotalCompressedBytes), size);
  EXPECT_EQ(counted("request", DecompressorStat::kTotalUncompressedBytes), 11);
}

TEST_F(DecompressorTest, TakesOffTheOutermostCoding) {
  start();
  context_.response_.add("content-encoding", "br, gzip");
  (*filter_)->on_response_head(context_, false);
  EXPECT_EQ(context_.response_.value("content-encoding"), "br");
  Body body = packed("x");
  (*filter_)->on_response_body(context_, body, true);
  EXPECT_EQ(text(body), "x");
}

TEST_F(DecompressorTest, LeavesAlone) {
  for (const auto& [name, value] :
       {std::pair{"content-encoding", "br"}, std::pair{"content-encoding", "gzip, br"}, std::pair{"content-type", "text/plain"}}) {
    start();
    context_.response_.clear();
    context_.response_.add(name, value);
    (*filter_)->on_response_head(context_, false);
    Body body = packed("x");
    const std::string before = text(body);
    (*filter_)->on_response_body(context_, body, true);
    EXPECT_EQ(text(body), before) << value;
  }
  EXPECT_EQ(counted("response", DecompressorStat::kNotDecompressed), 3);
  start();
  context_.response_.clear();
  context_.response_.add("content-encoding", "gzip");
  context_.response_.add("cache-control", "public, no-transform");
  (*filter_)->on_response_head(context_, false);
  EXPECT_EQ(context_.response_.value("content-encoding"), "gzip");
  proto_.mutable_response_direction_config()->mutable_common_config()->set_ignore_no_transform_header(true);
  start();
  (*filter_)->on_response_head(context_, false);
  EXPECT_EQ(context_.response_.find("content-encoding"), nullptr);
}

TEST_F(DecompressorTest, TellsUpstreamsOnce) {
  start();
  context_.request_.add("accept-encoding", "br, gzip");
  (*filter_)->on_request_head(context_, true);
  EXPECT_EQ(context_.request_.value("accept-encoding"), "br,gzip");
  proto_.mutable_request_direction_config()->mutable_advertise_accept_encoding()->set_value(false);
  start();
  context_.request_.clear();
  (*filter_)->on_request_head(context_, true);
  EXPECT_EQ(context_.request_.find("accept-encoding"), nullptr);
}

TEST_F(DecompressorTest, ABrokenRequestIsRefusedAndABrokenAnswerIsCut) {
  start();
  context_.request_.add("content-encoding", "gzip");
  context_.response_.add("content-encoding", "gzip");
  (*filter_)->on_request_head(context_, false);
  (*filter_)->on_response_head(context_, false);
  Body body;
  body.slices.push_back(copy_to_slice(context_.pool, "no gzip at all"));
  Body same = body;
  (*filter_)->on_request_body(context_, body, true);
  ASSERT_TRUE(context_.replied.has_value());
  EXPECT_EQ(context_.replied->status, 400);
  EXPECT_EQ(body.size(), 0u);
  (*filter_)->on_response_body(context_, same, true);
  EXPECT_EQ(context_.abandoned, "decompressor_malformed_response");
  EXPECT_EQ(observe::gzip_library_scope(registry_, "main", "text")->sum(observe::GzipLibraryStat::kZlibDataError), 2);
}

}  // namespace
}  // namespace weft::filters
