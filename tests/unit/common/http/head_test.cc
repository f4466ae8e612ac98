#include "common/http/codec.h"
#include "common/http/syntax.h"

#include <gtest/gtest.h>

namespace weft::http {
namespace {

std::string text(const Head& head) {
  std::string all;
  for (const Header& header : head.headers()) {
    if (!header.removed) all += std::string(header.line, header.line_size);
  }
  return all;
}

TEST(Head, InternsEveryKnownName) {
  for (size_t i = 1; i < kHeaderIds; ++i) {
    const auto id = static_cast<HeaderId>(i);
    EXPECT_EQ(intern(name_of(id)), id) << name_of(id);
    std::string other(name_of(id));
    other.back() = '_';
    EXPECT_EQ(intern(other), HeaderId::kOther);
  }
  EXPECT_EQ(intern(""), HeaderId::kOther);
  EXPECT_EQ(intern("x"), HeaderId::kOther);
}

TEST(Head, FindsSetsAndRemoves) {
  SlabPool pool;
  Head head(pool);
  head.add(HeaderId::kHost, "a");
  head.add("x-one", "1");
  head.add("x-two", "2");
  head.add("x-one", "3");
  head.add(HeaderId::kAccept, "text/html");
  head.add(HeaderId::kAccept, "text/plain");
  std::string scratch;
  EXPECT_EQ(head.value("x-one"), "1");
  EXPECT_EQ(head.joined("x-one", scratch), "1,3");
  EXPECT_EQ(head.joined("accept", scratch), "text/html,text/plain");
  EXPECT_EQ(head.joined("x-two", scratch), "2");
  EXPECT_EQ(head.joined("x-none", scratch), "");
  head.set("x-one", "4");
  EXPECT_EQ(text(head), "host: a\r\nx-one: 4\r\nx-two: 2\r\naccept: text/html\r\naccept: text/plain\r\n");
  head.remove("x-two");
  head.set_authority("b");
  head.append(HeaderId::kAccept, "image/png");
  EXPECT_EQ(text(head), "host: b\r\nx-one: 4\r\naccept: text/html\r\naccept: text/plain,image/png\r\n");
  EXPECT_EQ(head.count(), 4u);
  EXPECT_EQ(head.byte_size(), text(head).size());
  head.remove_if([](const Header& header) { return header.value() == "text/html"; });
  EXPECT_EQ(head.value(HeaderId::kAccept), "text/plain,image/png");
  head.remove(HeaderId::kAccept);
  EXPECT_FALSE(head.has(HeaderId::kAccept));
  head.append(HeaderId::kAccept, "again");
  EXPECT_EQ(head.value(HeaderId::kAccept), "again");
}

TEST(Head, RemovingTheFirstOfSeveralFindsTheNext) {
  SlabPool pool;
  Head head(pool);
  for (const char* value : {"1", "2", "3"}) head.add(HeaderId::kVia, value);
  head.remove_if([](const Header& header) { return header.value() != "3"; });
  EXPECT_EQ(head.value(HeaderId::kVia), "3");
  head.remove_if([](const Header&) { return true; });
  EXPECT_EQ(head.find(HeaderId::kVia), nullptr);
}

TEST(Head, GivesItsMemoryBack) {
  SlabPool pool;
  Head head(pool);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 200; ++i) head.add("x-header", std::string(1000, 'x'));
    head.append(HeaderId::kVia, "a");
    head.set_path(std::string(50000, 'p'));
    EXPECT_GT(pool.in_use(), 10u);
    head.clear();
    EXPECT_EQ(pool.in_use(), 0u);
    EXPECT_EQ(head.count(), 0u);
    EXPECT_FALSE(head.has(HeaderId::kVia));
  }
}

TEST(Head, ALineThatCannotGrowIsFollowedByAnother) {
  SlabPool pool;
  Head head(pool);
  head.add(HeaderId::kXForwardedFor, std::string(65000, '1'));
  head.append(HeaderId::kXForwardedFor, std::string(1000, '2'));
  EXPECT_EQ(head.count(), 2u);
  EXPECT_EQ(head.value(HeaderId::kXForwardedFor).size(), 65000u);
}

TEST(Head, HopByHopFieldsAreRemoved) {
  SlabPool pool;
  Head head(pool);
  head.add(HeaderId::kHost, "a");
  head.add(HeaderId::kConnection, "X-Secret, host,Content-Length");
  head.add(HeaderId::kConnection, "x-other");
  head.add("x-secret", "1");
  head.add("x-other", "1");
  head.add("x-kept", "1");
  head.add(HeaderId::kContentLength, "0");
  head.add(HeaderId::kKeepAlive, "timeout=5");
  head.add(HeaderId::kProxyConnection, "close");
  head.add(HeaderId::kUpgrade, "h2c");
  head.add(HeaderId::kHttp2Settings, "AAMAAABkAAQAAP__");
  head.add(HeaderId::kTe, "gzip, Trailers");
  head.add(HeaderId::kTrailer, "x-sum");
  remove_hop_by_hop(head);
  EXPECT_EQ(text(head), "host: a\r\nx-kept: 1\r\ncontent-length: 0\r\nte: trailers\r\ntrailer: x-sum\r\n");
}

TEST(Head, ReasonPhrases) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(reason_phrase(599), "Unknown");
}

TEST(Syntax, Lengths) {
  EXPECT_EQ(parse_length("0"), 0u);
  EXPECT_EQ(parse_length("00012"), 12u);
  EXPECT_EQ(parse_length("900000000000000000"), 900000000000000000u);
  for (const char* bad : {"", "+5", "-5", " 5", "5 ", "0x5", "5,5", "18446744073709551621", "99999999999999999999"}) {
    EXPECT_FALSE(parse_length(bad)) << bad;
  }
}

TEST(Syntax, Authorities) {
  for (const char* good : {"a", "a.test", "a.test:80", "a.test:", "[::1]", "[::1]:80", "127.0.0.1:1", "a_b", "%41"})
    EXPECT_TRUE(is_authority(good)) << good;
  for (const char* bad :
       {"", ":", ":80", "a:b", "a:80:81", "[::1", "::1", "[::1]80", "[]", "[a]]", "a]", "a[b]", "[[::1]]", "a b", "a@b", "a/b", "[::1]:x"})
    EXPECT_FALSE(is_authority(bad)) << bad;
}

TEST(Syntax, TellsThePrefaceFromAnythingElse) {
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (size_t n = 0; n < preface.size(); ++n) EXPECT_EQ(is_http2_preface(preface.substr(0, n)), std::nullopt);
  EXPECT_EQ(is_http2_preface(preface + "more"), true);
  EXPECT_EQ(is_http2_preface("P"), std::nullopt);
  EXPECT_EQ(is_http2_preface("PO"), false);
  EXPECT_EQ(is_http2_preface("GET / HTTP/1.1\r\n\r\n"), false);
}

}  // namespace
}  // namespace weft::http
