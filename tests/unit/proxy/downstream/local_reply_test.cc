#include "proxy/downstream/local_reply.h"

#include <gtest/gtest.h>

namespace weft::downstream {
namespace {

TEST(LocalReply, PlainTextWithLength) {
  SlabPool slabs;
  http::Head head(slabs);
  filters::LocalReply reply{503, "no healthy upstream", "no_healthy_upstream", std::nullopt, {}};
  EXPECT_EQ(make_local_reply(head, reply, {}), "no healthy upstream");
  EXPECT_EQ(head.status(), 503);
  EXPECT_EQ(head.value(http::HeaderId::kContentLength), "19");
  EXPECT_EQ(head.value(http::HeaderId::kContentType), "text/plain");
}

TEST(LocalReply, EmptyBodyHasNoContentType) {
  SlabPool slabs;
  http::Head head(slabs);
  filters::LocalReply reply{301, "", "direct_response", std::nullopt, {{"location", "http://a/"}}};
  EXPECT_EQ(make_local_reply(head, reply, {}), "");
  EXPECT_EQ(head.value("location"), "http://a/");
  EXPECT_FALSE(head.has(http::HeaderId::kContentType));
}

TEST(LocalReply, GrpcGetsTheStatusInTheHead) {
  SlabPool slabs;
  http::Head head(slabs);
  filters::LocalReply reply{503, "50% \n", "x", std::nullopt, {}};
  EXPECT_EQ(make_local_reply(head, reply, {true, false}), "");
  EXPECT_EQ(head.status(), 200);
  EXPECT_EQ(head.value(http::HeaderId::kGrpcStatus), "14");
  EXPECT_EQ(head.value(http::HeaderId::kGrpcMessage), "50%25 %0A");
}

TEST(LocalReply, GrpcStatusOfHttpStatus) {
  for (auto [status, expected] : {std::pair{400, "13"}, {401, "16"}, {403, "7"}, {404, "12"}, {429, "14"}, {504, "14"}, {500, "2"}}) {
    SlabPool slabs;
    http::Head head(slabs);
    make_local_reply(head, {status, "", "x", std::nullopt, {}}, {true, false});
    EXPECT_EQ(head.value(http::HeaderId::kGrpcStatus), expected) << status;
  }
}

TEST(LocalReply, DateIsImfFixdate) {
  const std::string_view date = http_date();
  EXPECT_EQ(date.size(), 29u);
  EXPECT_TRUE(date.ends_with(" GMT"));
}

}  // namespace
}  // namespace weft::downstream
