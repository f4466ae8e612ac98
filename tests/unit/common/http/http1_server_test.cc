#include "codec_peers.h"

#include <gtest/gtest.h>

namespace weft::http {
namespace {

struct Outcome {
  std::string log, output;
  bool close = false;
  bool operator==(const Outcome&) const = default;
};

// Feeds `bytes` in the pieces that `cuts` says (whole if none); every request gets an answer when it is whole or invalid.
Outcome serve(std::string_view bytes, std::vector<size_t> cuts = {}, const Http1Options& options = {}) {
  SlabPool pool;
  Outcome outcome;
  {
    Events events(pool);
    events.at_new = [&pool](Recorder& stream) {
      stream.at_end = [&stream, &pool] { answer(stream, pool, 200, "ok"); };
      stream.at_head = [&stream, &pool] {
        if (stream.ended) answer(stream, pool, 200, "ok");
      };
      stream.at_invalid = [&stream, &pool](int status) {
        if (stream.has_head)
          stream.stream->reset(ResetReason::kLocal);
        else
          answer(stream, pool, status);
      };
    };
    auto codec = make_http1_server(events, options, pool);
    ReadBuffer in(pool);
    cuts.push_back(bytes.size());
    size_t from = 0;
    for (size_t cut : cuts) {
      while (from < cut) {  // as much as a read takes
        const size_t n = std::min<size_t>(cut - from, 16 << 10);
        in.append(bytes.substr(from, n));
        from += n;
        EXPECT_TRUE(codec->receive(in));
      }
      if (in.empty()) in.release();
    }
    for (const auto& stream : events.streams) outcome.log += stream->log() + "--\n";
    outcome.output = take_output(*codec);
    outcome.close = codec->wants_close();
    codec->on_connection_lost();
    in.release();
  }
  EXPECT_EQ(pool.in_use(), 0u);
  return outcome;
}

// However the bytes are cut, the outcome is the same.
Outcome serve_all_ways(std::string_view bytes, const Http1Options& options = {}) {
  const Outcome whole = serve(bytes, {}, options);
  if (bytes.size() < 4000) {
    for (size_t cut = 1; cut < bytes.size(); ++cut) {
      const Outcome split = serve(bytes, {cut}, options);
      EXPECT_EQ(whole, split) << "cut at " << cut << "\n" << whole.log << "\n--- split ---\n" << split.log;
      if (whole != split) break;
    }
    std::vector<size_t> each;
    for (size_t i = 1; i < bytes.size(); ++i) each.push_back(i);
    EXPECT_EQ(whole, serve(bytes, each, options)) << "byte by byte";
  }
  return whole;
}

TEST(Http1Server, ServesARequestAndStaysOpen) {
  const Outcome outcome = serve_all_ways("GET /a?b=c HTTP/1.1\r\nHost: x.test\r\nUSER-Agent:  curl \r\nX-Empty:\r\n\r\n");
  EXPECT_EQ(outcome.log, "head.\nGET /a?b=c\nhost: x.test\nuser-agent: curl\nx-empty: \n\n\n--\n");
  EXPECT_EQ(outcome.output, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  EXPECT_FALSE(outcome.close);
}

TEST(Http1Server, ReadsBodiesByLengthAndByChunks) {
  EXPECT_EQ(serve_all_ways("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello").log,
            "head\nend\nPOST /\nhost: x\ncontent-length: 5\n\nhello\n--\n");
  EXPECT_EQ(serve_all_ways("POST / HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: CHUNKED\r\n\r\n3;a=b\r\nhel\r\n002\r\nlo\r\n0\r\n\r\n").log,
            "head\nend\nPOST /\nhost: x\ntransfer-encoding: CHUNKED\n\nhello\n--\n");
  EXPECT_EQ(serve_all_ways("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").log,
            "head.\nPOST /\nhost: x\ncontent-length: 0\n\n\n--\n");
}

TEST(Http1Server, ALengthBesideChunksIsRemovedIfItIsAllowed) {
  Http1Options options;
  options.allow_chunked_length = true;
  const auto with_length = [](const std::string& length) {
    return "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: " + length + "\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
  };
  for (const char* length : {"0", "1", "50"})
    EXPECT_EQ(serve_all_ways(with_length(length), options).log, "head\nend\nPOST /\nhost: x\ntransfer-encoding: chunked\n\nx\n--\n");
  for (const char* length : {"x", "-1", "1, 1", ""})
    EXPECT_EQ(serve_all_ways(with_length(length), options).log.find("POST"), std::string::npos);
}

TEST(Http1Server, TrailersAreDroppedUnlessWanted) {
  const std::string_view bytes =
      "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\nContent-Length: 50\r\nHost: evil\r\n\r\n";
  EXPECT_EQ(serve_all_ways(bytes).log, "head\nend\nPOST /\nhost: x\ntransfer-encoding: chunked\n\nx\n--\n");
  Http1Options options;
  options.enable_trailers = true;
  EXPECT_EQ(serve_all_ways(bytes, options).log, "head\ntrailers\nPOST /\nhost: x\ntransfer-encoding: chunked\n\nx\n \nx-sum: 1\n--\n");
}

TEST(Http1Server, PipelinedRequestsAreAnsweredInOrder) {
  const Outcome outcome = serve_all_ways(
      "GET /1 HTTP/1.1\r\nhost: x\r\n\r\nPOST /2 HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nb\r\nGET /3 HTTP/1.1\r\nhost: x\r\n"
      "connection: close\r\n\r\nGET /never HTTP/1.1\r\nhost: x\r\n\r\n");
  EXPECT_EQ(outcome.log,
            "head.\nGET /1\nhost: x\n\n\n--\nhead\nend\nPOST /2\nhost: x\ncontent-length: 1\n\nb\n--\n"
            "head.\nGET /3\nhost: x\nconnection: close\n\n\n--\n");
  EXPECT_TRUE(outcome.close);
  EXPECT_TRUE(outcome.output.ends_with("content-length: 2\r\nconnection: close\r\n\r\nok")) << outcome.output;
}

TEST(Http1Server, APipelinedRequestWaitsForTheAnswer) {
  SlabPool pool;
  Events events(pool);
  auto codec = make_http1_server(events, {}, pool);
  ReadBuffer in(pool);
  in.append("GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\n");
  ASSERT_TRUE(codec->receive(in));
  ASSERT_EQ(events.streams.size(), 1u);
  EXPECT_FALSE(codec->wants_bytes());
  EXPECT_FALSE(in.empty());
  EXPECT_FALSE(events.readable);
  answer(*events.streams[0], pool, 200);
  EXPECT_TRUE(events.readable);
  EXPECT_EQ(events.over, 1);
  ASSERT_TRUE(codec->receive(in));
  ASSERT_EQ(events.streams.size(), 2u);
  EXPECT_EQ(events.streams[1]->head.path(), "/2");
  EXPECT_EQ(events.streams[1]->stream->id(), 2u);
  // The peer has ended, but its last request is still answered.
  EXPECT_TRUE(codec->on_peer_ended());
  answer(*events.streams[1], pool, 204);
  EXPECT_TRUE(codec->wants_close());
}

TEST(Http1Server, PauseHoldsTheBodyBack) {
  SlabPool pool;
  Events events(pool);
  auto codec = make_http1_server(events, {}, pool);
  ReadBuffer in(pool);
  events.at_new = [](Recorder& stream) { stream.at_head = [&stream] { stream.stream->pause(); }; };
  in.append("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab");
  ASSERT_TRUE(codec->receive(in));
  EXPECT_EQ(in.size(), 2u);
  EXPECT_FALSE(codec->wants_bytes());
  EXPECT_EQ(events.streams[0]->body, "");
  events.streams[0]->stream->resume();
  EXPECT_TRUE(events.readable);
  in.append("cd");
  ASSERT_TRUE(codec->receive(in));
  EXPECT_EQ(events.streams[0]->body, "abcd");
  EXPECT_TRUE(events.streams[0]->ended);
  codec->on_connection_lost();
  EXPECT_TRUE(events.streams[0]->was_reset);
}

TEST(Http1Server, TellsWhenItsBufferIsAboveAndBelowTheMarks) {
  SlabPool pool;
  Events events(pool);
  Http1Options options;
  options.buffer = {10000, 4000};
  auto codec = make_http1_server(events, options, pool);
  ReadBuffer in(pool);
  in.append("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  ASSERT_TRUE(codec->receive(in));
  Recorder& stream = *events.streams[0];
  Head head(pool);
  head.set_status(200);
  stream.stream->send_head(head, false);
  EXPECT_TRUE(stream.stream->writable());
  for (int i = 0; i < 5; ++i) stream.stream->send_body(slice_of(pool, std::string(2000, 'x')), false);
  EXPECT_FALSE(stream.stream->writable());
  take_output(*codec, 3000);
  EXPECT_EQ(stream.drained, 0);
  take_output(*codec, 4000);
  EXPECT_EQ(stream.drained, 1);
  EXPECT_TRUE(stream.stream->writable());
  stream.stream->send_body({}, true);
  EXPECT_TRUE(take_output(*codec).ends_with("\r\n0\r\n\r\n"));
  EXPECT_EQ(codec->active_streams(), 0u);
}

TEST(Http1Server, ClosesAfterAnAnswerThatOvertookItsRequest) {
  SlabPool pool;
  Events events(pool);
  auto codec = make_http1_server(events, {}, pool);
  ReadBuffer in(pool);
  events.at_new = [&pool](Recorder& stream) { stream.at_head = [&] { answer(stream, pool, 403); }; };
  in.append("POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 40\r\n\r\nGET /late HTTP/1.1\r\nhost: x\r\n\r\n");
  ASSERT_TRUE(codec->receive(in));
  EXPECT_EQ(take_output(*codec), "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(events.streams.size(), 1u);
  events.streams[0]->stream->reset(ResetReason::kLocal);
  EXPECT_TRUE(codec->wants_close());
  EXPECT_FALSE(codec->wants_reset());
}

TEST(Http1Server, Http10) {
  Http1Options options;
  EXPECT_TRUE(serve_all_ways("GET / HTTP/1.0\r\nhost: x\r\n\r\n").log.starts_with("invalid 426 low_version"));
  options.accept_http_10 = true;
  Outcome outcome = serve_all_ways("GET / HTTP/1.0\r\nhost: x\r\n\r\n", options);
  EXPECT_EQ(outcome.output, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
  EXPECT_TRUE(outcome.close);
  outcome = serve_all_ways("GET / HTTP/1.0\r\nhost: x\r\nConnection: Keep-Alive\r\n\r\n", options);
  EXPECT_EQ(outcome.output, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok");
  EXPECT_FALSE(outcome.close);
  EXPECT_TRUE(serve_all_ways("GET / HTTP/1.0\r\n\r\n", options).log.starts_with("invalid 400"));
  options.default_host_for_http_10 = "default.test";
  EXPECT_NE(serve_all_ways("GET / HTTP/1.0\r\n\r\n", options).log.find("host: default.test"), std::string::npos);
}

TEST(Http1Server, AnswersToHttp10AreNeverChunked) {
  SlabPool pool;
  Events events(pool);
  Http1Options options;
  options.accept_http_10 = true;
  auto codec = make_http1_server(events, options, pool);
  ReadBuffer in(pool);
  in.append("GET / HTTP/1.0\r\nhost: x\r\nconnection: keep-alive\r\n\r\n");
  ASSERT_TRUE(codec->receive(in));
  Stream& stream = *events.streams[0]->stream;
  EXPECT_EQ(stream.protocol(), Protocol::kHttp10);
  Head head(pool);
  head.set_status(200);
  stream.send_head(head, false);
  stream.send_body(slice_of(pool, "abc"), false);
  EXPECT_EQ(take_output(*codec), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc");
  stream.reset(ResetReason::kRemote);
  EXPECT_TRUE(codec->wants_close());
  EXPECT_TRUE(codec->wants_reset()) << "a cut answer must not look whole";
}

TEST(Http1Server, AbsoluteFormAndItsKin) {
  EXPECT_EQ(serve_all_ways("GET http://a.test/x?y HTTP/1.1\r\nhost: b.test\r\n\r\n").log, "head.\nGET /x?y\nhost: a.test\n\n\n--\n");
  EXPECT_EQ(serve_all_ways("GET HTTPS://a.test:1?y HTTP/1.1\r\nhost: b.test\r\n\r\n").log, "head.\nGET /?y\nhost: a.test:1\n\n\n--\n");
  EXPECT_EQ(serve_all_ways("GET http://a.test HTTP/1.1\r\nhost: b.test\r\n\r\n").log, "head.\nGET /\nhost: a.test\n\n\n--\n");
  EXPECT_EQ(serve_all_ways("OPTIONS * HTTP/1.1\r\nhost: b.test\r\n\r\n").log, "head.\nOPTIONS *\nhost: b.test\n\n\n--\n");
  EXPECT_EQ(serve_all_ways("CONNECT a.test:443 HTTP/1.1\r\nhost: b.test\r\n\r\n").log, "head\nCONNECT \nhost: a.test:443\n\n\n--\n");
}

TEST(Http1Server, DrainClosesAfterTheAnswer) {
  SlabPool pool;
  Events events(pool);
  auto codec = make_http1_server(events, {}, pool);
  ReadBuffer in(pool);
  in.append("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  ASSERT_TRUE(codec->receive(in));
  codec->drain();
  EXPECT_FALSE(codec->wants_close());
  answer(*events.streams[0], pool, 200);
  EXPECT_NE(take_output(*codec).find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(codec->wants_close());
  auto idle = make_http1_server(events, {}, pool);
  idle->drain();
  EXPECT_TRUE(idle->wants_close());
}

// A client that pipelines and reads nothing is asked to wait, not remembered without bound.
TEST(Http1Server, AnswersThatNobodyReadsHoldTheNextRequestsBack) {
  SlabPool pool;
  Events events(pool);
  events.at_new = [&](Recorder& stream) { stream.at_head = [&] { answer(stream, pool, 200, std::string(1000, 'x')); }; };
  Http1Options options;
  options.buffer = {10000, 5000};
  auto codec = make_http1_server(events, options, pool);
  ReadBuffer in(pool);
  for (int i = 0; i < 100; ++i) in.append("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  ASSERT_TRUE(codec->receive(in));
  EXPECT_LT(events.streams.size(), 12u);
  EXPECT_FALSE(codec->wants_bytes());
  EXPECT_FALSE(in.empty());
  take_output(*codec, 1000);
  EXPECT_FALSE(events.readable);
  while (!in.empty()) {
    take_output(*codec);
    ASSERT_TRUE(std::exchange(events.readable, false));
    ASSERT_TRUE(codec->receive(in));
  }
  EXPECT_EQ(events.streams.size(), 100u);
  EXPECT_TRUE(codec->wants_bytes() || !codec->output().empty());
}

struct Malformed {
  const char* name;
  std::string bytes;
  int status = 400;
};

class Http1Malformed : public testing::TestWithParam<Malformed> {};

TEST_P(Http1Malformed, IsRefusedAndCloses) {
  const std::string smuggled = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
  const Outcome outcome = serve_all_ways(GetParam().bytes + smuggled);
  EXPECT_NE(outcome.log.find("invalid " + std::to_string(GetParam().status)), std::string::npos) << outcome.log;
  EXPECT_EQ(outcome.log.find("smuggled"), std::string::npos) << outcome.log;
  EXPECT_EQ(outcome.log.find("\nend"), std::string::npos) << outcome.log;
  EXPECT_TRUE(outcome.close);
}

std::string with(std::string_view line, std::string_view body = "") {
  return "POST / HTTP/1.1\r\nhost: x\r\n" + std::string(line) + "\r\n\r\n" + std::string(body);
}
std::string in_chunks(std::string_view body) { return with("transfer-encoding: chunked", body); }

INSTANTIATE_TEST_SUITE_P(
    Requests, Http1Malformed,
    testing::Values(
        Malformed{"both_framings", with("content-length: 6\r\ntransfer-encoding: chunked", "0\r\n\r\nG")},
        Malformed{"both_framings_reversed", with("transfer-encoding: chunked\r\ncontent-length: 6", "0\r\n\r\nG")},
        Malformed{"xchunked", with("transfer-encoding: xchunked"), 501},
        Malformed{"two_codings", with("transfer-encoding: gzip, chunked"), 501},
        Malformed{"coding_parameter", with("transfer-encoding: chunked;q=1"), 501},
        Malformed{"identity", with("transfer-encoding: identity"), 501}, Malformed{"coding_empty", with("transfer-encoding:"), 501},
        Malformed{"coding_quoted", with("transfer-encoding: \"chunked\""), 501},
        Malformed{"coding_twice", with("transfer-encoding: chunked\r\ntransfer-encoding: chunked"), 501},
        Malformed{"coding_vertical_tab", with("transfer-encoding: \x0b"
                                              "chunked")},
        Malformed{"coding_nul", with(std::string("transfer-encoding: chunked") + '\0')},
        Malformed{"coding_high_byte", with("transfer-encoding: chunked\xa0"), 501},
        Malformed{"space_before_colon", with("transfer-encoding : chunked")}, Malformed{"tab_before_colon", with("content-length\t: 5")},
        Malformed{"fold", with("transfer-encoding:\r\n chunked")}, Malformed{"fold_hidden", with("x: a\r\n transfer-encoding: chunked")},
        Malformed{"fold_first", with(" x: a")}, Malformed{"bare_lf", with("x: b\ntransfer-encoding: chunked")},
        Malformed{"bare_cr", with("x: a\rcontent-length: 5")}, Malformed{"all_lf", "GET / HTTP/1.1\nhost: x\n\n"},
        Malformed{"length_twice", with("content-length: 5\r\ncontent-length: 5", "hello")},
        Malformed{"lengths_differ", with("content-length: 5\r\ncontent-length: 6", "hello")},
        Malformed{"length_list", with("content-length: 5, 5", "hello")}, Malformed{"length_plus", with("content-length: +5", "hello")},
        Malformed{"length_minus", with("content-length: -5")}, Malformed{"length_hex", with("content-length: 0x5")},
        Malformed{"length_empty", with("content-length:")}, Malformed{"length_overflow", with("content-length: 18446744073709551621")},
        Malformed{"length_full_width", with("content-length: \xef\xbc\x95")}, Malformed{"length_inner_space", with("content-length: 5 5")},
        Malformed{"nameless", with(": z")}, Malformed{"no_colon", with("what is this")}, Malformed{"name_space", with("x y: 1")},
        Malformed{"name_high_byte", with("x\xe9: 1")}, Malformed{"value_nul", with(std::string("x: a\0b", 6))},
        Malformed{"value_del", with("x: a\x7f")}, Malformed{"no_host", "GET / HTTP/1.1\r\n\r\n"},
        Malformed{"host_empty", "GET / HTTP/1.1\r\nhost:\r\n\r\n"}, Malformed{"host_twice", "GET / HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n"},
        Malformed{"host_slash", "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n"}, Malformed{"host_user", "GET / HTTP/1.1\r\nhost: a@b\r\n\r\n"},
        Malformed{"host_space", "GET / HTTP/1.1\r\nhost: a b\r\n\r\n"}, Malformed{"http_09", "GET /\r\n", 426},
        Malformed{"http_20", "GET / HTTP/2.0\r\nhost: x\r\n\r\n"}, Malformed{"http_12", "GET / HTTP/1.2\r\nhost: x\r\n\r\n", 426},
        Malformed{"http_lower", "GET / http/1.1\r\nhost: x\r\n\r\n"}, Malformed{"preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        Malformed{"method_odd", "GE(T / HTTP/1.1\r\nhost: x\r\n\r\n"}, Malformed{"method_empty", " / HTTP/1.1\r\nhost: x\r\n\r\n"},
        Malformed{"method_long", std::string(70000, 'G') + " / HTTP/1.1\r\nhost: x\r\n\r\n", 431},
        Malformed{"target_empty", "GET  HTTP/1.1\r\nhost: x\r\n\r\n"}, Malformed{"target_space", "GET /a b HTTP/1.1\r\nhost: x\r\n\r\n"},
        Malformed{"target_control", "GET /\x01 HTTP/1.1\r\nhost: x\r\n\r\n"},
        Malformed{"target_high", "GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n"},
        Malformed{"target_fragment", "GET /a#b HTTP/1.1\r\nhost: x\r\n\r\n"},
        Malformed{"target_relative", "GET a HTTP/1.1\r\nhost: x\r\n\r\n"}, Malformed{"star_get", "GET * HTTP/1.1\r\nhost: x\r\n\r\n"},
        Malformed{"absolute_user", "GET http://u@h/ HTTP/1.1\r\nhost: h\r\n\r\n"},
        Malformed{"absolute_ftp", "GET ftp://h/ HTTP/1.1\r\nhost: h\r\n\r\n"},
        Malformed{"absolute_no_host", "GET http:/// HTTP/1.1\r\nhost: h\r\n\r\n"},
        Malformed{"connect_no_port", "CONNECT h HTTP/1.1\r\nhost: h\r\n\r\n"},
        Malformed{"connect_body", "CONNECT h:1 HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc"},
        Malformed{"tls", std::string("\x16\x03\x01\0\xa5\x01", 6)},
        Malformed{"too_many", with([] {
                    std::string lines = "a: b";
                    for (int i = 0; i < 100; ++i) lines += "\r\na: b";
                    return lines;
                  }()),
                  431},
        Malformed{"too_large", with("x: " + std::string(70000, 'x')), 431},
        Malformed{"chunk_quote_left_open", in_chunks("5;a=\"\r\nhello\r\n0\r\n\r\n\"\r\n0\r\n\r\n")},
        Malformed{"chunk_0x", in_chunks("0x5\r\nhello\r\n0\r\n\r\n")}, Malformed{"chunk_plus", in_chunks("+5\r\nhello\r\n0\r\n\r\n")},
        Malformed{"chunk_space", in_chunks(" 5\r\nhello\r\n0\r\n\r\n")},
        Malformed{"chunk_space_after", in_chunks("5 \r\nhello\r\n0\r\n\r\n")},
        Malformed{"chunk_underscore", in_chunks("5_0\r\nhello\r\n0\r\n\r\n")},
        Malformed{"chunk_empty", in_chunks("\r\nhello\r\n0\r\n\r\n")},
        Malformed{"chunk_overflow", in_chunks("10000000000000005\r\nhello\r\n0\r\n\r\n")},
        Malformed{"chunk_nul", in_chunks(std::string("5\0\r\nhello\r\n0\r\n\r\n", 17))},
        Malformed{"chunk_lf", in_chunks("5\nhello\r\n0\r\n\r\n")}, Malformed{"chunk_data_lf", in_chunks("5\r\nhello\n0\r\n\r\n")},
        Malformed{"chunk_data_long", in_chunks("5\r\nhello!\r\n0\r\n\r\n")},
        Malformed{"extension_lf", in_chunks("2;\nxx\r\n34\r\n0\r\n\r\n")},
        Malformed{"extension_cr", in_chunks("2;a\rb\r\nxx\r\n0\r\n\r\n")}, Malformed{"extension_flood", in_chunks([] {
                                                                                       std::string body;
                                                                                       for (int i = 0; i < 40; ++i)
                                                                                         body +=
                                                                                             "1;" + std::string(1024, 'x') + "\r\nz\r\n";
                                                                                       return body + "0\r\n\r\n";
                                                                                     }())},
        Malformed{"trailer_nameless", in_chunks("0\r\n: x\r\n\r\n")}, Malformed{"trailer_space", in_chunks("0\r\nx : y\r\n\r\n")},
        Malformed{"trailer_lf", in_chunks("0\r\nx: y\n\r\n")},
        Malformed{"trailer_flood", in_chunks("0\r\nx: " + std::string(70000, 'x')), 431}),
    [](const auto& info) { return info.param.name; });

TEST(Http1Server, HoldsNoMemoryOfManyMessages) {
  SlabPool pool;
  Events events(pool);
  events.at_new = [&pool](Recorder& stream) { stream.at_head = [&] { answer(stream, pool, 200, "ok"); }; };
  auto codec = make_http1_server(events, {}, pool);
  ReadBuffer in(pool);
  for (int i = 0; i < 1000; ++i) {
    in.append("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    ASSERT_TRUE(codec->receive(in));
    take_output(*codec);
    events.streams.clear();
    ASSERT_LE(pool.in_use(), 1u);
  }
  EXPECT_EQ(events.over, 1000);
}

}  // namespace
}  // namespace weft::http
