// An HTTP/2 server fed with frames built by hand: what no client library would send.
#include "codec_peers.h"
#include "common/observe/shapes.h"
#include "frames.h"

#include <gtest/gtest.h>

namespace weft::http {
namespace {

using namespace frames;
using observe::Http2Stat;

class Http2Frames : public testing::Test {
 protected:
  Http2Frames() : events(pool), in(pool) { make(); }
  ~Http2Frames() override { codec->on_connection_lost(); }
  void make() { codec = make_http2_server(events, options, pool, &cells); }
  int64_t count(Http2Stat::Index stat) const { return cells.value(stat); }

  // False: the connection is over.
  bool feed(std::string_view bytes, bool reads = true) {
    bool alive = true;
    while (!bytes.empty()) {
      const size_t n = std::min<size_t>(bytes.size(), 16 << 10);
      in.append(bytes.substr(0, n));
      bytes.remove_prefix(n);
      alive &= static_cast<bool>(codec->receive(in));
      EXPECT_TRUE(in.empty());
      in.release();
      if (reads)
        collect();
      else
        codec->on_flushed();  // nothing could leave
    }
    return alive && !codec->wants_close();
  }
  void collect() {
    out += take_output(*codec);
    while (out.size() >= 9) {
      const auto byte = [this](size_t i) { return static_cast<uint8_t>(out[i]); };
      const size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
      if (out.size() < 9 + size) break;
      const uint32_t stream = byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8);
      const auto code = [&](size_t at) { return byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3); };
      if (byte(3) == kRstStream) seen += "rst " + std::to_string(stream) + " " + std::to_string(code(9)) + "\n";
      if (byte(3) == kGoAway) {
        seen += "goaway " + std::to_string(code(13)) + "\n";
        last_taken = static_cast<uint32_t>(code(9));
      }
      if (byte(3) == kPing && !(byte(4) & 1)) ping = out.substr(9, 8);
      if (byte(3) == kHeaders) seen += "headers " + std::to_string(stream) + (byte(4) & kEndStream ? " end" : "") + "\n";
      if (byte(3) == kData)
        seen += "data " + std::to_string(stream) + " " + std::to_string(size) + (byte(4) & kEndStream ? " end" : "") + "\n";
      out.erase(0, 9 + size);
    }
  }
  std::string all() const {
    std::string text;
    for (const auto& stream : events.streams) text += stream->log() + "--\n";
    return text;
  }

  observe::Cells cells{observe::kHttp2Shape};
  SlabPool pool;
  Http2Options options;
  Events events;
  ReadBuffer in;
  std::unique_ptr<Codec> codec;
  std::string out, seen, ping;
  uint32_t last_taken = 0;  // of the last GOAWAY
};

TEST_F(Http2Frames, ARequestBecomesAHead) {
  ASSERT_TRUE(feed(start() + get(1, request("/a?b") + field("cookie", "a=1") + field("x-one", "1") + field("cookie", "b=2"))));
  EXPECT_EQ(all(), "head.\nGET /a?b\nhost: x.test\nx-one: 1\ncookie: a=1; b=2\n\n\n--\n");
  EXPECT_EQ(events.streams[0]->head.scheme(), "http");
  answer(*events.streams[0], pool, 200, "ok");
  collect();
  EXPECT_EQ(seen, "headers 1\ndata 1 2 end\n");
}

TEST_F(Http2Frames, ByteByByteIsTheSame) {
  const std::string bytes =
      start() + frame(kHeaders, kEndHeaders, 1, request("/", "POST")) + frame(kData, 0, 1, "abc") + frame(kData, kEndStream, 1, "def");
  for (char c : bytes) ASSERT_TRUE(feed({&c, 1}));
  EXPECT_EQ(all(), "head\nend\nPOST /\nhost: x.test\n\nabcdef\n--\n");
}

TEST_F(Http2Frames, HostAndAuthority) {
  const std::string bare = field(":method", "GET") + field(":scheme", "http") + field(":path", "/");
  ASSERT_TRUE(feed(start() + get(1, bare + field("host", "only.test")) + get(3, request() + field("host", "x.test"))));
  EXPECT_EQ(events.streams[0]->lines, "GET /\nhost: only.test\n");
  EXPECT_EQ(events.streams[1]->lines, "GET /\nhost: x.test\n");
  feed(get(5, request() + field("host", "evil.test")));
  EXPECT_EQ(events.streams[2]->invalid, 400);
  EXPECT_FALSE(events.streams[2]->has_head);
}

// None of these may reach anybody as a request.
TEST_F(Http2Frames, MalformedRequestsAreNotRequests) {
  const std::string bad[] = {request("/a#b"),
                             request("a"),
                             request("/a b"),
                             request("/a\x01"),
                             request("*"),
                             request("/\xff"),
                             request("/", "GE T"),
                             request("/", ""),
                             request() + field(":path", "/again"),
                             request() + field("x", "y") + field(":late", "1"),
                             request() + field("X-Upper", "1"),
                             request() + field("connection", "close"),
                             request() + field("transfer-encoding", "chunked"),
                             request() + field("upgrade", "h2c"),
                             request() + field("te", "gzip"),
                             request() + field("x", "a\r\nb: c"),
                             request() + field("x", std::string("a\0b", 3)),
                             request() + field("x y", "1"),
                             request() + field("", "1"),
                             request() + field("content-length", "5"),
                             request() + field("content-length", "-1"),
                             request() + field("content-length", "0") + field("content-length", "0"),
                             request() + field("keep-alive", "1"),
                             request() + field("proxy-connection", "1"),
                             field(":method", "GET") + field(":scheme", "http") + field(":path", "/"),
                             field(":method", "GET") + field(":scheme", "javascript") + field(":path", "/") + field(":authority", "x"),
                             field(":method", "GET") + field(":path", "/") + field(":authority", "x"),
                             field(":scheme", "http") + field(":path", "/") + field(":authority", "x"),
                             field(":method", "GET") + field(":scheme", "http") + field(":path", "/") + field(":authority", "u@x"),
                             field(":method", "GET") + field(":scheme", "http") + field(":path", "/") + field(":authority", "x/y"),
                             field(":method", "CONNECT") + field(":protocol", "websocket") + field(":scheme", "http") +
                                 field(":path", "/") + field(":authority", "x"),
                             field(":status", "200"),
                             request() + field(":unknown", "1")};
  for (const std::string& fields : bad) {
    events.streams.clear();
    make();
    seen.clear();
    feed(start() + get(1, fields));
    for (const auto& stream : events.streams) {
      EXPECT_FALSE(stream->ended || stream->has_head) << testing::PrintToString(fields) << stream->log();
      EXPECT_TRUE(stream->was_reset || stream->invalid == 400) << testing::PrintToString(fields);
    }
    codec->on_connection_lost();
  }
}

TEST_F(Http2Frames, ABodyMustKeepItsLength) {
  options.stream_error_on_invalid_message = true;
  make();
  feed(start() + frame(kHeaders, kEndHeaders, 1, request("/", "POST") + field("content-length", "5")) + frame(kData, kEndStream, 1, "abc"));
  EXPECT_TRUE(events.streams[0]->was_reset);
  EXPECT_FALSE(events.streams[0]->ended);
  EXPECT_EQ(seen, "rst 1 1\n");
  EXPECT_TRUE(feed(get(3, request())));
}

// As Envoy without override_stream_error_on_invalid_http_message; and nothing behind it is read.
TEST_F(Http2Frames, AMalformedMessageEndsItsConnection) {
  EXPECT_FALSE(feed(start() + get(1, request()) + get(3, request() + field("connection", "close")) + get(5, request("/hidden"))));
  ASSERT_EQ(events.streams.size(), 2u);
  EXPECT_TRUE(events.streams[0]->was_reset);
  EXPECT_TRUE(events.streams[1]->was_reset);
  EXPECT_FALSE(events.streams[1]->has_head);
  EXPECT_EQ(count(Http2Stat::kRxMessagingError), 1);
  EXPECT_EQ(count(Http2Stat::kGoawaySent), 1);
  EXPECT_NE(seen.find("goaway 1\n"), std::string::npos) << seen;
}

// RFC 9113 5.1: whoever has ended a stream sends no more on it.
TEST_F(Http2Frames, FramesOfAStreamThatItsClientEnded) {
  ASSERT_TRUE(feed(start() + get(1, request())));
  answer(*events.streams[0], pool, 204);
  collect();
  EXPECT_FALSE(feed(get(1, request())));
  EXPECT_TRUE(seen.ends_with("goaway 5\n")) << seen;
  EXPECT_EQ(events.streams.size(), 1u);
  make();
  ASSERT_TRUE(feed(start() + get(1, request())));
  answer(*events.streams.back(), pool, 204);
  collect();
  EXPECT_FALSE(feed(frame(kData, 0, 1, "late")));
  EXPECT_TRUE(seen.ends_with("goaway 5\n")) << seen;
  make();
  ASSERT_TRUE(feed(start() + frame(kHeaders, kEndHeaders, 1, request()) + frame(kRstStream, 0, 1, number(8, 4))));
  EXPECT_FALSE(feed(frame(kHeaders, kEndHeaders | kEndStream, 1, field("x", "late"))));
  make();
  ASSERT_TRUE(feed(start() + get(9, request())));
  EXPECT_FALSE(feed(get(7, request())));  // never used, and below one that was
}

// What was on its way when we reset the stream is nobody's fault.
TEST_F(Http2Frames, FramesOfAStreamThatWeEnded) {
  ASSERT_TRUE(feed(start() + frame(kHeaders, kEndHeaders, 1, request("/", "POST"))));
  events.streams[0]->stream->reset(ResetReason::kLocal);
  collect();
  seen.clear();
  EXPECT_TRUE(feed(frame(kData, 0, 1, "late") + frame(kHeaders, kEndStream | kEndHeaders, 1, field("x", "late"))));
  EXPECT_EQ(seen, "");
  options.max_concurrent_streams = 1;
  make();
  ASSERT_TRUE(feed(start() + get(1, request())));
  EXPECT_TRUE(feed(frame(kHeaders, kEndHeaders, 3, request("/", "POST")) + frame(kData, 0, 3, "late")));
  EXPECT_EQ(seen, "rst 3 7\n");
  EXPECT_EQ(count(Http2Stat::kStreamRefusedErrors), 1);
}

TEST_F(Http2Frames, TooLargeAHeadIsAnsweredWith431) {
  std::string many = request();
  for (int i = 0; i < 101; ++i) many += field("x", "1");
  feed(start() + get(1, many));
  EXPECT_EQ(events.streams[0]->invalid, 431);
  answer(*events.streams[0], pool, 431);
  collect();
  EXPECT_EQ(seen, "headers 1 end\n");
  EXPECT_EQ(codec->active_streams(), 0u);
  EXPECT_TRUE(feed(get(3, request())));
  EXPECT_TRUE(events.streams[1]->has_head);
}

TEST_F(Http2Frames, AnHpackBombIsBoundedByItsDecodedSize) {
  for (const char* name : {"x-bomb", "cookie"}) {
    events.streams.clear();
    make();
    // One indexed field of 3 KiB, then references to it: 62 is the first entry of the dynamic table.
    std::string fields = request() + '\x40' + integer(std::string_view(name).size(), 7) + name + integer(3000, 7) + std::string(3000, 'b');
    fields += std::string(12000, '\xbe');
    feed(start() + get(1, fields));
    ASSERT_EQ(events.streams.size(), 1u);
    EXPECT_TRUE(events.streams[0]->invalid == 431 || events.streams[0]->was_reset);
    EXPECT_FALSE(events.streams[0]->has_head);
    EXPECT_LT(pool.in_use(), 40u);
    codec->on_connection_lost();
  }
}

TEST_F(Http2Frames, AContinuationFloodEnds) {
  feed(start() + frame(kHeaders, 0, 1, request()));
  int frames = 0;
  while (frames < 100000 && feed(frame(kContinuation, 0, 1, frames % 2 ? "" : field("x", "1")))) ++frames;
  EXPECT_LT(frames, 100);
  EXPECT_LT(pool.in_use(), 20u);
}

TEST_F(Http2Frames, RapidResetEnds) {
  feed(start());
  int streams = 0;
  while (streams < 10000 && feed(get(1 + 2 * streams, request()) + frame(kRstStream, 0, 1 + 2 * streams, number(8, 4)))) {
    ++streams;
    events.streams.clear();
  }
  EXPECT_EQ(streams, 250);
  EXPECT_EQ(count(Http2Stat::kRxReset), 251);
  EXPECT_NE(seen.find("goaway 11"), std::string::npos) << seen;
  EXPECT_EQ(codec->active_streams(), 0u);
}

TEST_F(Http2Frames, ResetsThatWeAreMadeToSendCountToo) {
  feed(start());
  int streams = 0;
  // A window update of 0 makes the server reset the stream.
  while (streams < 10000 && feed(get(1 + 2 * streams, request()) + frame(kWindowUpdate, 0, 1 + 2 * streams, number(0, 4)))) {
    ++streams;
    events.streams.clear();
  }
  EXPECT_LE(streams, 250);
}

TEST_F(Http2Frames, AnsweredStreamsPayForResets) {
  feed(start());
  for (uint32_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(feed(get(1 + 4 * i, request()) + frame(kRstStream, 0, 1 + 4 * i, number(8, 4)))) << i;
    ASSERT_TRUE(feed(get(3 + 4 * i, request())));
    answer(*events.streams.back(), pool, 204);
    collect();
    events.streams.clear();
  }
}

// Unanswered for long is the upstream's fault, not an attack.
TEST_F(Http2Frames, OldStreamsMayBeResetAtWill) {
  feed(start());
  events.at_new = [](Recorder& stream) { stream.recent = false; };
  for (uint32_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(feed(get(1 + 2 * i, request()) + frame(kRstStream, 0, 1 + 2 * i, number(8, 4)))) << i;
    events.streams.clear();
  }
}

TEST_F(Http2Frames, PingsThatNobodyReadsTheAnswersOfEnd) {
  feed(start());
  int pings = 0;
  while (pings < 1000000 && feed(frame(kPing, 0, 0, "12345678"), false)) ++pings;
  EXPECT_LE(pings, 1001);
  EXPECT_EQ(count(Http2Stat::kOutboundControlFlood), 1);
  EXPECT_LT(codec->output().size(), 1u << 20);
}

TEST_F(Http2Frames, AnswersThatNobodyReadsEnd) {
  options.max_outbound_frames = 100;
  options.max_concurrent_streams = 1000;
  make();
  feed(start());
  collect();
  uint32_t streams = 0;
  for (bool alive = true; alive && streams < 1000; ++streams) {
    if (!(alive = feed(get(1 + 2 * streams, request()), false))) break;
    answer(*events.streams.back(), pool, 204);
  }
  EXPECT_LT(streams, 110u);
  EXPECT_EQ(count(Http2Stat::kOutboundFlood), 1);
  EXPECT_GT(count(Http2Stat::kOutboundFramesActive), 100);
  collect();
  EXPECT_EQ(count(Http2Stat::kOutboundFramesActive), 0);
}

// A reader that is slow, but reads, is no attacker.
TEST_F(Http2Frames, SlowReadersAreServed) {
  options.max_outbound_frames = 10;
  make();
  feed(start());
  collect();
  for (uint32_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(feed(get(1 + 2 * i, request()), false)) << i;
    answer(*events.streams.back(), pool, 200, std::string(100, 'x'));
    while (codec->output().size() > 300) out += take_output(*codec, 100);
  }
}

TEST_F(Http2Frames, EmptyDataFloodsEnd) {
  feed(start() + frame(kHeaders, kEndHeaders, 1, request("/", "POST")));
  int frames = 0;
  while (frames < 10000 && feed(frame(kData, 0, 1))) ++frames;
  EXPECT_LE(frames, 1);
  EXPECT_NE(seen.find("goaway 11"), std::string::npos);
}

TEST_F(Http2Frames, PriorityAndWindowUpdateFloodsEnd) {
  feed(start() + get(1, request()));
  int frames = 0;
  while (frames < 10000 && feed(frame(kPriority, 0, 1, number(0, 4) + '\x10'))) ++frames;
  EXPECT_LE(frames, 200);
  events.streams.clear();
  make();
  feed(start() + get(1, request()));
  frames = 0;
  while (frames < 10000 && feed(frame(kWindowUpdate, 0, 0, number(1, 4)))) ++frames;
  EXPECT_LE(frames, 10);
}

TEST_F(Http2Frames, LimitsAreOptions) {
  options.max_inbound_window_updates_per_data_frame = 1;
  options.max_inbound_priority_frames_per_stream = 2;
  make();
  ASSERT_TRUE(feed(start() + get(1, request())));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(feed(frame(kPriority, 0, 1, number(0, 4) + '\x10'))) << i;
  EXPECT_FALSE(feed(frame(kPriority, 0, 1, number(0, 4) + '\x10')));
  EXPECT_EQ(count(Http2Stat::kInboundPriorityFramesFlood), 1);
  events.streams.clear();
  make();
  ASSERT_TRUE(feed(start() + get(1, request())));
  answer(*events.streams[0], pool, 200, "one DATA frame");
  collect();
  for (int i = 0; i < 5 + 2 * (1 + 1); ++i) EXPECT_TRUE(feed(frame(kWindowUpdate, 0, 0, number(1, 4)))) << i;
  EXPECT_FALSE(feed(frame(kWindowUpdate, 0, 0, number(1, 4))));
  EXPECT_EQ(count(Http2Stat::kInboundWindowUpdateFramesFlood), 1);
}

TEST_F(Http2Frames, AConnectionErrorTellsEveryStream) {
  ASSERT_TRUE(feed(start() + get(1, request()) + get(3, request())));
  EXPECT_FALSE(feed(frame(kData, 0, 0, "x") + frame(kPing, 0, 0, "short")));
  EXPECT_TRUE(events.streams[0]->was_reset);
  EXPECT_TRUE(events.streams[1]->was_reset);
  EXPECT_EQ(events.streams[0]->reset_reason, ResetReason::kProtocolError);
  EXPECT_EQ(codec->active_streams(), 0u);
  EXPECT_NE(seen.find("goaway 1\n"), std::string::npos) << seen;
  EXPECT_TRUE(feed("anything") == false);
}

TEST_F(Http2Frames, NoPrefaceNoService) {
  EXPECT_FALSE(feed("GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
  EXPECT_TRUE(events.streams.empty());
}

TEST_F(Http2Frames, AStalledWindowHoldsTheSender) {
  options.buffer = {100000, 50000};
  make();
  // SETTINGS_INITIAL_WINDOW_SIZE 0: nothing of a body may leave.
  ASSERT_TRUE(feed(start() + frame(kSettings, 0, 0, number(4, 2) + number(0, 4)) + get(1, request())));
  Recorder& stream = *events.streams[0];
  Head head(pool);
  head.set_status(200);
  stream.stream->send_head(head, false);
  int blocks = 0;
  while (stream.stream->writable() && blocks < 1000) {
    stream.stream->send_body(slice_of(pool, std::string(10000, 'x')), false);
    ++blocks;
  }
  EXPECT_EQ(blocks, 10);
  collect();
  EXPECT_EQ(seen, "headers 1\n");
  seen.clear();
  ASSERT_TRUE(feed(frame(kWindowUpdate, 0, 1, number(5, 4))));
  EXPECT_EQ(seen, "data 1 5\n");
  EXPECT_EQ(stream.drained, 0);
  ASSERT_TRUE(feed(frame(kWindowUpdate, 0, 1, number(60000, 4))));
  EXPECT_EQ(stream.drained, 1);
  EXPECT_TRUE(stream.stream->writable());
  stream.stream->reset(ResetReason::kLocal);
  collect();
  EXPECT_TRUE(seen.ends_with("rst 1 2\n")) << seen;
}

// RFC 9113 6.8: a request that was on its way when the server began to drain is answered, and the client learns which it was.
TEST_F(Http2Frames, ADrainServesWhatIsOnItsWay) {
  ASSERT_TRUE(feed(start() + get(1, request())));
  codec->drain();
  collect();
  EXPECT_EQ(last_taken, 0x7fffffffu);
  EXPECT_FALSE(codec->wants_close());
  answer(*events.streams[0], pool, 200);
  collect();
  EXPECT_FALSE(codec->wants_close()) << "idle, but the client may have sent one more";
  ASSERT_TRUE(feed(get(3, request("/late"))));
  ASSERT_EQ(events.streams.size(), 2u);
  EXPECT_TRUE(feed(frame(kPing, 1, 0, "whatever")));
  EXPECT_EQ(last_taken, 0x7fffffffu);
  feed(frame(kPing, 1, 0, ping));
  EXPECT_EQ(last_taken, 3u);
  EXPECT_FALSE(codec->wants_close());
  answer(*events.streams[1], pool, 200);
  collect();
  EXPECT_TRUE(codec->wants_close());
}

TEST_F(Http2Frames, ADrainThatTheClientIgnoresEndsAtTheSecondCall) {
  ASSERT_TRUE(feed(start() + get(1, request())));
  answer(*events.streams[0], pool, 200);
  codec->drain();
  collect();
  EXPECT_FALSE(codec->wants_close());
  codec->drain();
  // The final GOAWAY waits in the codec or the socket: what comes now was refused by it, and nobody may see it.
  feed(get(3, request("/late")), false);
  EXPECT_EQ(events.streams.size(), 1u);
  collect();
  EXPECT_EQ(last_taken, 1u);
  EXPECT_TRUE(codec->wants_close());
}

// A client that grants no window holds answers in the codec long after the exchange is over.
TEST_F(Http2Frames, AnAnswerThatNobodyTakesIsDropped) {
  ASSERT_TRUE(feed(start() + frame(kSettings, 0, 0, number(4, 2) + number(0, 4)) + get(1, request()) + get(3, request())));
  const size_t before = pool.in_use();
  answer(*events.streams[0], pool, 200, std::string(30000, 'x'));
  answer(*events.streams[1], pool, 200, std::string(30000, 'y'));
  EXPECT_EQ(codec->active_streams(), 0u);
  EXPECT_EQ(codec->lingering_streams(), 2u);
  codec->drop_stalled();
  ASSERT_TRUE(feed(frame(kWindowUpdate, 0, 3, number(5, 4))));
  seen.clear();
  codec->drop_stalled();
  collect();
  EXPECT_EQ(seen, "rst 1 8\n") << "the other one has moved since";
  EXPECT_EQ(codec->lingering_streams(), 1u);
  codec->drop_stalled();
  collect();
  EXPECT_EQ(codec->lingering_streams(), 0u);
  EXPECT_LE(pool.in_use(), before);
}

TEST_F(Http2Frames, TrailersCannotCarryFraming) {
  ASSERT_TRUE(feed(start() + frame(kHeaders, kEndHeaders, 1, request("/", "POST")) + frame(kData, 0, 1, "a") +
                   get(1, field("x-sum", "1") + field("host", "evil") + field("authorization", "x"))));
  EXPECT_EQ(events.streams[0]->trailer_lines, " \nx-sum: 1\n");
}

TEST_F(Http2Frames, MoreStreamsThanAllowedAreRefused) {
  options.max_concurrent_streams = 2;
  make();
  feed(start() + get(1, request()) + get(3, request()) + get(5, request()));
  EXPECT_EQ(events.streams.size(), 2u);
  EXPECT_EQ(codec->active_streams(), 2u);
  EXPECT_NE(seen.find("rst 5 7"), std::string::npos) << seen;
}

TEST_F(Http2Frames, AnAnswerOvertakesItsRequest) {
  ASSERT_TRUE(feed(start() + frame(kHeaders, kEndHeaders, 1, request("/", "POST"))));
  Recorder& stream = *events.streams[0];
  answer(stream, pool, 403, "no");
  stream.stream->reset(ResetReason::kLocal);
  collect();
  EXPECT_EQ(seen, "headers 1\ndata 1 2 end\nrst 1 0\n");
  EXPECT_TRUE(feed(frame(kData, kEndStream, 1, "late")));
}

}  // namespace
}  // namespace weft::http
