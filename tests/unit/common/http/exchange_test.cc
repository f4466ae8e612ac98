// A client codec and a server codec against each other through memory: one test body for HTTP/1 and HTTP/2.
#include "codec_peers.h"

#include <gtest/gtest.h>

namespace weft::http {
namespace {

class Exchanges : public testing::TestWithParam<Protocol> {
 protected:
  Exchanges() : client_events(pool), server_events(pool), to_server(pool), to_client(pool) { make(); }
  ~Exchanges() override {
    client->on_connection_lost();
    server->on_connection_lost();
  }

  void make() {
    Http1Options http1;
    http1.enable_trailers = true;
    http1.buffer = limits;
    Http2Options http2;
    http2.buffer = limits;
    http2.initial_stream_window = window;
    http2.max_concurrent_streams = 8;
    if (GetParam() == Protocol::kHttp2) {
      client = make_http2_client(client_events, http2, pool);
      server = make_http2_server(server_events, http2, pool);
    } else {
      client = make_http1_client(client_events, http1, pool);
      server = make_http1_server(server_events, http1, pool);
    }
  }
  bool http2() const { return GetParam() == Protocol::kHttp2; }

  // Carries what waits, in pieces of at most `piece` bytes, until nothing moves.
  void carry(size_t piece = SIZE_MAX) {
    for (int idle = 0; idle < 2;) {
      const bool moved =
          carry_one(*client, *server, to_server, server_events, piece) | carry_one(*server, *client, to_client, client_events, piece);
      idle = moved ? 0 : idle + 1;
    }
  }
  static bool carry_one(Codec& from, Codec& to, ReadBuffer& in, Events& events, size_t piece) {
    const std::string bytes = in.size() > 30000 && !to.wants_bytes() ? "" : take_output(from, std::min<size_t>(piece, 20000));
    if (bytes.empty() && !std::exchange(events.readable, false)) return false;
    if (!bytes.empty()) in.append(bytes);
    EXPECT_TRUE(to.receive(in));
    if (in.empty()) in.release();
    return true;
  }

  Stream& send(Recorder& to, std::string_view method, std::string_view path, bool end) {
    Stream& stream = client->open(to);
    to.stream = &stream;
    Head head(pool);
    head.set_method(method);
    head.set_path(path);
    head.set_scheme("http");
    head.set_authority("x.test");
    head.add("x-one", "1");
    stream.send_head(head, end);
    return stream;
  }

  // Outlives the codecs.
  Recorder& recorder() { return *recorders.emplace_back(std::make_unique<Recorder>(pool)); }

  SlabPool pool;
  std::vector<std::unique_ptr<Recorder>> recorders;
  BufferLimits limits;
  uint32_t window = 1 << 20;
  Events client_events, server_events;
  ReadBuffer to_server, to_client;
  std::unique_ptr<ClientCodec> client;
  std::unique_ptr<Codec> server;
};

TEST_P(Exchanges, HeadsOnly) {
  for (size_t piece : {SIZE_MAX, size_t{1}}) {
    Recorder& answer_to = recorder();
    send(answer_to, "GET", "/a?b", true);
    carry(piece);
    Recorder& request = *server_events.streams.back();
    EXPECT_EQ(request.lines, "GET /a?b\nhost: x.test\nx-one: 1\n");
    EXPECT_TRUE(request.ended);
    Head head(pool);
    head.set_status(204);
    head.add("x-two", "2");
    request.stream->send_head(head, true);
    carry(piece);
    EXPECT_EQ(answer_to.lines, "204\nx-two: 2\n");
    EXPECT_TRUE(answer_to.ended);
    EXPECT_EQ(client->active_streams() + server->active_streams(), 0u);
    EXPECT_GE(client->available_streams(), 1u);
  }
  EXPECT_EQ(client_events.over, 2);
  EXPECT_EQ(server_events.over, 2);
}

TEST_P(Exchanges, EchoesALargeBodyBothWays) {
  std::string text;
  for (int i = 0; i < 300000; ++i) text += static_cast<char>('a' + i % 1021 % 23);
  server_events.at_new = [this](Recorder& stream) {
    stream.at_head = [this, &stream] {
      Head head(pool);
      head.set_status(200);
      stream.stream->send_head(head, false);
    };
    stream.at_body = [&stream](Slice slice, bool end) { stream.stream->send_body(std::move(slice), end); };
  };
  Recorder& answer_to = recorder();
  Stream& stream = send(answer_to, "POST", "/", false);
  for (size_t at = 0; at < text.size(); at += 10000) stream.send_body(slice_of(pool, std::string_view(text).substr(at, 10000)), false);
  stream.send_body({}, true);
  carry();
  EXPECT_EQ(answer_to.body, text);
  EXPECT_TRUE(answer_to.ended);
  EXPECT_EQ(server->active_streams(), 0u);
}

TEST_P(Exchanges, TrailersAndInterimAnswers) {
  Recorder& answer_to = recorder();
  Stream& stream = send(answer_to, "POST", "/", false);
  stream.send_body(slice_of(pool, "abc"), false);
  Head trailers(pool);
  trailers.add("x-sum", "3");
  stream.send_trailers(trailers);
  carry();
  Recorder& request = *server_events.streams.back();
  EXPECT_EQ(request.body, "abc");
  EXPECT_EQ(request.trailer_lines, " \nx-sum: 3\n");
  Head head(pool);
  head.set_status(103);
  head.add("link", "</a>");
  request.stream->send_head(head, false);
  head.clear();
  head.set_status(200);
  request.stream->send_head(head, false);
  request.stream->send_body(slice_of(pool, "body"), false);
  request.stream->send_trailers(trailers);
  carry();
  ASSERT_FALSE(answer_to.notes.empty());
  EXPECT_EQ(answer_to.notes[0], "interim 103");
  EXPECT_EQ(answer_to.body, "body");
  EXPECT_EQ(answer_to.trailer_lines, " \nx-sum: 3\n");
  EXPECT_TRUE(answer_to.lines.starts_with("200\n"));
}

TEST_P(Exchanges, AnAnswerToHeadHasNoBody) {
  Recorder& answer_to = recorder();
  send(answer_to, "HEAD", "/", true);
  carry();
  answer(*server_events.streams.back(), pool, 200, "never sent");
  carry();
  EXPECT_EQ(answer_to.lines, "200\ncontent-length: 10\n");
  EXPECT_EQ(answer_to.body, "");
  EXPECT_TRUE(answer_to.ended);
  EXPECT_EQ(client->available_streams() > 0, true);
}

TEST_P(Exchanges, BackPressureHoldsTheSender) {
  limits = {50000, 20000};
  window = 65535;
  make();
  Recorder& answer_to = recorder();
  send(answer_to, "GET", "/", true);
  carry();
  Recorder& request = *server_events.streams.back();
  answer_to.at_head = [&answer_to] { answer_to.stream->pause(); };
  size_t sent = 0;
  const std::string block(10000, 'z');
  const auto send_more = [&] {
    while (request.stream->writable() && sent < 2000000) {
      request.stream->send_body(slice_of(pool, block), false);
      sent += block.size();
    }
  };
  Head head(pool);
  head.set_status(200);
  request.stream->send_head(head, false);
  request.at_drained = send_more;
  send_more();
  carry();
  EXPECT_LT(sent, 400000u) << "nobody reads, so nobody may go on sending";
  EXPECT_FALSE(request.stream->writable());
  answer_to.at_head = nullptr;
  answer_to.stream->resume();
  carry();
  EXPECT_EQ(sent, 2000000u);
  EXPECT_GT(request.drained, 1);
  request.stream->send_body({}, true);
  carry();
  EXPECT_EQ(answer_to.body.size(), sent);
  EXPECT_TRUE(answer_to.ended);
}

TEST_P(Exchanges, AResetReachesTheOtherSide) {
  Recorder& answer_to = recorder();
  Stream& stream = send(answer_to, "POST", "/", false);
  carry();
  Recorder& request = *server_events.streams.back();
  stream.reset(ResetReason::kLocal);
  carry();
  if (!http2()) {
    EXPECT_TRUE(client->wants_close());
    EXPECT_FALSE(server->on_peer_ended());
  }
  EXPECT_TRUE(request.was_reset);
  EXPECT_EQ(request.reset_reason, http2() ? ResetReason::kRemote : ResetReason::kConnectionClosed);
  EXPECT_FALSE(answer_to.was_reset) << "who resets is not told";
  EXPECT_EQ(server->active_streams() + client->active_streams(), 0u);
}

TEST_P(Exchanges, TheServerResetsInsideItsCalls) {
  server_events.at_new = [](Recorder& stream) { stream.at_head = [&stream] { stream.stream->reset(ResetReason::kLocalRefused); }; };
  Recorder& answer_to = recorder();
  send(answer_to, "GET", "/", true);
  carry();
  if (http2()) {
    EXPECT_TRUE(answer_to.was_reset);
    EXPECT_EQ(answer_to.reset_reason, ResetReason::kRemoteRefused);
    EXPECT_FALSE(client->wants_close());
  } else {
    EXPECT_TRUE(server->wants_close());
    EXPECT_FALSE(client->on_peer_ended());
    EXPECT_EQ(answer_to.reset_reason, ResetReason::kConnectionClosed);
  }
}

TEST_P(Exchanges, ALostConnectionIsNeverACleanEnd) {
  Recorder& answer_to = recorder();
  send(answer_to, "GET", "/", true);
  carry();
  Recorder& request = *server_events.streams.back();
  Head head(pool);
  head.set_status(200);
  head.add(HeaderId::kContentLength, "10");
  request.stream->send_head(head, false);
  request.stream->send_body(slice_of(pool, "12345"), false);
  carry();
  EXPECT_FALSE(client->on_peer_ended());
  EXPECT_FALSE(answer_to.ended);
  EXPECT_TRUE(answer_to.was_reset);
  EXPECT_EQ(answer_to.reset_reason, ResetReason::kConnectionClosed);
  EXPECT_TRUE(client->wants_close());
}

TEST_P(Exchanges, DrainLetsTheStreamEndAndNoOtherBegin) {
  Recorder& answer_to = recorder();
  send(answer_to, "GET", "/", true);
  carry();
  server->drain();
  carry();
  EXPECT_FALSE(server->wants_close());
  answer(*server_events.streams.back(), pool, 200, "last");
  carry();
  EXPECT_EQ(answer_to.body, "last");
  EXPECT_TRUE(server->wants_close());
  EXPECT_EQ(client_events.going_away, 1);
  EXPECT_EQ(client->available_streams(), 0u);
  EXPECT_TRUE(client->wants_close());
}

TEST_P(Exchanges, AnEarlyAnswerReachesTheClientWhole) {
  Recorder& answer_to = recorder();
  Stream& stream = send(answer_to, "POST", "/", false);
  stream.send_body(slice_of(pool, "part"), false);
  carry();
  Recorder& request = *server_events.streams.back();
  answer(request, pool, 403, std::string(30000, 'n'));
  request.stream->reset(ResetReason::kLocal);
  carry();
  EXPECT_EQ(answer_to.body.size(), 30000u);
  EXPECT_TRUE(answer_to.ended);
  EXPECT_EQ(server->active_streams(), 0u);
}

TEST_P(Exchanges, ManyMessagesLeaveNothingBehind) {
  server_events.at_new = [this](Recorder& stream) { stream.at_end = [this, &stream] { answer(stream, pool, 200, "0123456789"); }; };
  size_t most = 0;
  for (int i = 0; i < 500; ++i) {
    Recorder answer_to(pool);
    Stream& stream = send(answer_to, "POST", "/", false);
    stream.send_body(slice_of(pool, "question"), true);
    carry();
    ASSERT_EQ(answer_to.body, "0123456789");
    server_events.streams.clear();
    most = std::max(most, pool.in_use());
  }
  EXPECT_LE(most, 4u);
  EXPECT_EQ(client_events.over, 500);
  EXPECT_EQ(server_events.over, 500);
}

TEST_P(Exchanges, GivesAllMemoryBack) {
  Recorder& answer_to = recorder();
  Stream& stream = send(answer_to, "POST", "/", false);
  stream.send_body(slice_of(pool, std::string(50000, 'x')), false);
  carry();
  client->on_connection_lost();
  server->on_connection_lost();
  server_events.streams.clear();
  recorders.clear();
  to_client.release();
  to_server.release();
  client.reset();
  server.reset();
  EXPECT_EQ(pool.in_use(), 0u);
  make();
}

INSTANTIATE_TEST_SUITE_P(Protocols, Exchanges, testing::Values(Protocol::kHttp11, Protocol::kHttp2),
                         [](const auto& info) { return info.param == Protocol::kHttp2 ? "http2" : "http1"; });

}  // namespace
}  // namespace weft::http
