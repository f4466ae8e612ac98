#include "codec_peers.h"

#include <gtest/gtest.h>

namespace weft::http {
namespace {

struct Outcome {
  std::string log;
  bool close = false, error = false;
  bool operator==(const Outcome&) const = default;
};

// One request is sent; `bytes` come back, cut as said; then the server ends if `ends`.
Outcome ask(std::string_view method, std::string_view bytes, bool ends = false, std::vector<size_t> cuts = {}) {
  SlabPool pool;
  Outcome outcome;
  {
    Events events(pool);
    Http1Options options;
    options.enable_trailers = true;
    auto codec = make_http1_client(events, options, pool);
    Recorder to(pool);
    Stream& stream = codec->open(to);
    Head head(pool);
    head.set_method(method);
    head.set_path("/");
    head.set_authority("x");
    stream.send_head(head, true);
    ReadBuffer in(pool);
    cuts.push_back(bytes.size());
    size_t from = 0;
    for (size_t cut : cuts) {
      while (from < cut) {
        const size_t n = std::min<size_t>(cut - from, 16 << 10);
        in.append(bytes.substr(from, n));
        from += n;
        outcome.error |= !codec->receive(in);
        if (in.empty()) in.release();
      }
    }
    if (ends) {
      EXPECT_FALSE(codec->on_peer_ended());
    }
    outcome.log = to.log();
    outcome.close = codec->wants_close();
    codec->on_connection_lost();
    in.release();
  }
  EXPECT_EQ(pool.in_use(), 0u);
  return outcome;
}

Outcome ask_all_ways(std::string_view method, std::string_view bytes, bool ends = false) {
  const Outcome whole = ask(method, bytes, ends);
  if (bytes.size() > 4000) return whole;
  std::vector<size_t> each;
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    EXPECT_EQ(whole, ask(method, bytes, ends, {cut})) << "cut at " << cut << "\n" << whole.log;
    each.push_back(cut);
  }
  EXPECT_EQ(whole, ask(method, bytes, ends, each)) << "byte by byte";
  return whole;
}

TEST(Http1Client, ReadsAnswers) {
  Outcome outcome = ask_all_ways("GET", "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok");
  EXPECT_EQ(outcome.log, "head\nend\n200\ncontent-length: 2\nx-a: b\n\nok\n");
  EXPECT_FALSE(outcome.close || outcome.error);
  EXPECT_EQ(ask_all_ways("GET", "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n").log, "head.\n200\ncontent-length: 0\n\n\n");
  outcome = ask_all_ways("GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n");
  EXPECT_EQ(outcome.log, "head\ntrailers\n200\ntransfer-encoding: chunked\n\nabc\n \nx-sum: 1\n");
  EXPECT_FALSE(outcome.close);
}

TEST(Http1Client, ABodyMayEndWithTheConnection) {
  EXPECT_EQ(ask_all_ways("GET", "HTTP/1.1 200 OK\r\n\r\nabc", true).log, "head\nend\n200\n\nabc\n");
  const Outcome outcome = ask_all_ways("GET", "HTTP/1.0 200 OK\r\n\r\n", true);
  EXPECT_EQ(outcome.log, "head\nend\n200\n\n\n");
  EXPECT_TRUE(outcome.close);
}

TEST(Http1Client, AnswersWithoutBody) {
  Outcome outcome = ask_all_ways("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  EXPECT_EQ(outcome.log, "head.\n200\ncontent-length: 5\n\n\n");
  EXPECT_FALSE(outcome.close);
  EXPECT_FALSE(ask_all_ways("HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").close);
  EXPECT_EQ(ask_all_ways("GET", "HTTP/1.1 204 No\r\n\r\n").log, "head.\n204\n\n\n");
  EXPECT_EQ(ask_all_ways("GET", "HTTP/1.1 304 No\r\ncontent-length: 5\r\n\r\n").log, "head.\n304\ncontent-length: 5\n\n\n");
}

TEST(Http1Client, InterimAnswersComeFirst) {
  EXPECT_EQ(
      ask_all_ways("GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").log,
      "interim 100\ninterim 103\nhead.\n200\ncontent-length: 0\n\n\n");
}

TEST(Http1Client, ClosesWhenToldTo) {
  EXPECT_TRUE(ask_all_ways("GET", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nConnection: x, Close\r\n\r\n").close);
  EXPECT_TRUE(ask_all_ways("GET", "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n").close);
  EXPECT_FALSE(ask_all_ways("GET", "HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n").close);
}

struct Bad {
  const char* name;
  std::string bytes;
};
class Http1BadAnswer : public testing::TestWithParam<Bad> {};

TEST_P(Http1BadAnswer, ResetsTheStreamAndTheConnection) {
  const Outcome outcome = ask_all_ways("GET", GetParam().bytes);
  EXPECT_NE(outcome.log.find("reset 5"), std::string::npos) << outcome.log;  // kProtocolError
  EXPECT_EQ(outcome.log.find("\nend"), std::string::npos) << outcome.log;
  EXPECT_TRUE(outcome.close);
}

std::string with(std::string_view lines, std::string_view body = "") {
  return "HTTP/1.1 200 OK\r\n" + std::string(lines) + "\r\n\r\n" + std::string(body);
}

INSTANTIATE_TEST_SUITE_P(
    Answers, Http1BadAnswer,
    testing::Values(Bad{"both_framings", with("content-length: 3\r\ntransfer-encoding: chunked", "0\r\n\r\n")},
                    Bad{"two_lengths", with("content-length: 3\r\ncontent-length: 4", "abcd")}, Bad{"negative", with("content-length: -5")},
                    Bad{"gzip", with("transfer-encoding: gzip")}, Bad{"nul", with(std::string("x: a\0b", 6))},
                    Bad{"fold", with("x: a\r\n b")}, Bad{"bare_lf", "HTTP/1.1 200 OK\ncontent-length: 0\n\n"},
                    Bad{"switching", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"}, Bad{"version", "HTTP/2.0 200 OK\r\n\r\n"},
                    Bad{"status_short", "HTTP/1.1 20 OK\r\n\r\n"}, Bad{"status_low", "HTTP/1.1 099 OK\r\n\r\n"},
                    Bad{"status_long", "HTTP/1.1 2000 OK\r\n\r\n"}, Bad{"status_text", "HTTP/1.1 abc OK\r\n\r\n"},
                    Bad{"icy", "ICY 200 OK\r\n\r\n"}, Bad{"no_content_length", "HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\nhello"},
                    Bad{"no_content_chunked", "HTTP/1.1 204 No\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"},
                    Bad{"http10_chunked", "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"},
                    Bad{"chunk", with("transfer-encoding: chunked", "zz\r\n")}, Bad{"too_large", with("x: " + std::string(70000, 'x'))}),
    [](const auto& info) { return info.param.name; });

TEST(Http1Client, AFloodOfInterimAnswersEnds) {
  std::string bytes;
  for (int i = 0; i < 5000; ++i) bytes += "HTTP/1.1 103 Early Hints\r\n\r\n";
  const Outcome outcome = ask("GET", bytes);
  EXPECT_NE(outcome.log.find("reset 6 http1.too_many_interim_responses"), std::string::npos);
  EXPECT_TRUE(outcome.close);
}

TEST(Http1Client, WhatIsCutIsNotWhole) {
  for (const char* bytes :
       {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", "HTTP/1.1 200 OK\r\nx: y", "HTTP", ""}) {
    const Outcome outcome = ask_all_ways("GET", bytes, true);
    EXPECT_NE(outcome.log.find("reset 4 connection_termination"), std::string::npos) << bytes << outcome.log;
    EXPECT_TRUE(outcome.close);
  }
}

TEST(Http1Client, BytesThatNobodyAskedForEndTheConnection) {
  const Outcome outcome =
      ask_all_ways("GET", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
  EXPECT_EQ(outcome.log, "head\nend\n200\ncontent-length: 2\n\nok\n");
  EXPECT_TRUE(outcome.error);
  EXPECT_TRUE(outcome.close);
  SlabPool pool;
  Events events(pool);
  auto codec = make_http1_client(events, {}, pool);
  ReadBuffer in(pool);
  in.append("H");
  EXPECT_FALSE(codec->receive(in));
  EXPECT_EQ(codec->available_streams(), 0u);
  EXPECT_TRUE(codec->wants_close());
}

// Two answers in one read, and somebody who waits for the connection: the second answer is not his.
TEST(Http1Client, ASecondAnswerIsNotTheNextRequests) {
  SlabPool pool;
  Events events(pool);
  auto codec = make_http1_client(events, Http1Options(), pool);
  Recorder first(pool), second(pool);
  Head head(pool);
  head.set_method("GET");
  head.set_path("/");
  head.set_authority("x");
  bool lent = false;
  events.at_over = [&] {
    if (lent || codec->available_streams() == 0) return;
    lent = true;
    codec->open(second).send_head(head, true);
  };
  codec->open(first).send_head(head, true);
  ReadBuffer in(pool);
  in.append("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison");
  EXPECT_FALSE(codec->receive(in));
  EXPECT_EQ(first.body, "ok");
  EXPECT_EQ(second.body, "");
  EXPECT_TRUE(codec->wants_close());
  codec->on_connection_lost();
  in.release();
}

TEST(Http1Client, AnAnswerBeforeTheRequestIsNoAnswer) {
  SlabPool pool;
  Events events(pool);
  auto codec = make_http1_client(events, {}, pool);
  Recorder to(pool);
  codec->open(to);
  ReadBuffer in(pool);
  in.append("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  (void)codec->receive(in);
  EXPECT_TRUE(to.was_reset);
  EXPECT_FALSE(to.has_head);
}

std::string written(std::string_view method, std::vector<std::pair<HeaderId, std::string>> lines, bool end,
                    const Http1Options& options = {}) {
  SlabPool pool;
  Events events(pool);
  auto codec = make_http1_client(events, options, pool);
  Recorder to(pool);
  Stream& stream = codec->open(to);
  Head head(pool);
  head.set_method(method);
  head.set_path("/p");
  head.set_authority("x");
  for (const auto& [id, value] : lines) head.add(id, value);
  stream.send_head(head, end);
  if (!end) {
    stream.send_body(slice_of(pool, "ab"), false);
    stream.send_body(slice_of(pool, "c"), true);
  }
  const std::string bytes = take_output(*codec);
  codec->on_connection_lost();
  return bytes;
}

TEST(Http1Client, WritesItsOwnFraming) {
  EXPECT_EQ(written("GET", {}, true), "GET /p HTTP/1.1\r\nhost: x\r\n\r\n");
  EXPECT_EQ(written("POST", {}, true), "POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(written("POST", {{HeaderId::kTransferEncoding, "gzip"}}, false),
            "POST /p HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  EXPECT_EQ(written("POST", {{HeaderId::kContentLength, "3"}}, false), "POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc");
  EXPECT_EQ(written("POST", {{HeaderId::kContentLength, "2"}}, false), "POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab")
      << "what is beyond the promised length could become another request";
  Http1Options options;
  options.close_after_request = true;
  EXPECT_EQ(written("GET", {}, true, options), "GET /p HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
}

TEST(Http1Client, WritesNamesAndTargetsAsTold) {
  Http1Options options;
  options.names = NameFormat::kProperCase;
  EXPECT_EQ(written("POST", {}, true, options), "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  options = {};
  options.send_fully_qualified_url = true;
  EXPECT_EQ(written("GET", {}, true, options), "GET http://x/p HTTP/1.1\r\nhost: x\r\n\r\n");
}

TEST(Http1Client, APromiseThatIsNotKeptEndsTheConnection) {
  SlabPool pool;
  Events events(pool);
  auto codec = make_http1_client(events, {}, pool);
  Recorder to(pool);
  Stream& stream = codec->open(to);
  Head head(pool);
  head.set_method("POST");
  head.set_path("/");
  head.add(HeaderId::kContentLength, "10");
  stream.send_head(head, false);
  stream.send_body(slice_of(pool, "abc"), true);
  EXPECT_TRUE(to.was_reset);
  EXPECT_TRUE(codec->wants_close());
}

}  // namespace
}  // namespace weft::http
