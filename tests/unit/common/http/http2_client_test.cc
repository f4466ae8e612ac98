// An HTTP/2 client against a server that resets, leaves and lies, with frames built by hand.
#include "codec_peers.h"
#include "frames.h"

#include <gtest/gtest.h>

namespace weft::http {
namespace {

using namespace frames;

class Http2Client : public testing::Test {
 protected:
  Http2Client() : events(pool), in(pool) { make(); }
  ~Http2Client() override { codec->on_connection_lost(); }
  void make() {
    codec = make_http2_client(events, {}, pool);
    recorders.clear();
  }
  Recorder& ask(bool end = true) {
    Recorder& to = *recorders.emplace_back(std::make_unique<Recorder>(pool));
    to.stream = &codec->open(to);
    Head head(pool);
    head.set_method(end ? "GET" : "POST");
    head.set_path("/");
    head.set_scheme("http");
    head.set_authority("x");
    to.stream->send_head(head, end);
    take_output(*codec);
    return to;
  }
  bool feed(std::string_view bytes) {
    in.append(bytes);
    const bool alive = static_cast<bool>(codec->receive(in));
    in.release();
    take_output(*codec);
    return alive;
  }
  static std::string respond(uint32_t stream, std::string_view fields, bool end = true) {
    return frame(kHeaders, kEndHeaders | (end ? kEndStream : 0), stream, fields);
  }

  SlabPool pool;
  std::vector<std::unique_ptr<Recorder>> recorders;
  Events events;
  ReadBuffer in;
  std::unique_ptr<ClientCodec> codec;
};

TEST_F(Http2Client, StreamsAboveAGoAwayAreSafeToRetry) {
  Recorder& first = ask();
  Recorder& second = ask();
  ASSERT_TRUE(feed(frame(kSettings, 0, 0) + frame(kGoAway, 0, 0, number(1, 4) + number(0, 4))));
  EXPECT_TRUE(second.was_reset);
  EXPECT_EQ(second.reset_reason, ResetReason::kRemoteRefused);
  EXPECT_EQ(events.going_away, 1);
  EXPECT_EQ(codec->available_streams(), 0u);
  EXPECT_FALSE(codec->wants_close());
  ASSERT_TRUE(feed(respond(1, field(":status", "200"))));
  EXPECT_TRUE(first.ended);
  EXPECT_TRUE(codec->wants_close());
}

TEST_F(Http2Client, ResetsAreToldApart) {
  Recorder& refused = ask();
  Recorder& cancelled = ask();
  Recorder& cut = ask();
  ASSERT_TRUE(feed(frame(kSettings, 0, 0) + frame(kRstStream, 0, 1, number(7, 4)) + frame(kRstStream, 0, 3, number(8, 4)) +
                   respond(5, field(":status", "200"), false) + frame(kData, 0, 5, "part") + frame(kRstStream, 0, 5, number(2, 4))));
  EXPECT_EQ(refused.reset_reason, ResetReason::kRemoteRefused);
  EXPECT_EQ(cancelled.reset_reason, ResetReason::kRemote);
  EXPECT_EQ(cut.body, "part");
  EXPECT_FALSE(cut.ended);
  EXPECT_TRUE(cut.was_reset);
  EXPECT_EQ(codec->active_streams(), 0u);
}

TEST_F(Http2Client, TheirLimitOfStreamsHolds) {
  ASSERT_TRUE(feed(frame(kSettings, 0, 0, number(3, 2) + number(2, 4))));
  EXPECT_EQ(codec->available_streams(), 2u);
  ask();
  EXPECT_EQ(codec->available_streams(), 1u);
  ask();
  EXPECT_EQ(codec->available_streams(), 0u);
  ASSERT_TRUE(feed(respond(1, field(":status", "204"))));
  EXPECT_EQ(codec->available_streams(), 1u);
  ASSERT_TRUE(feed(frame(kSettings, 0, 0, number(3, 2) + number(0, 4))));
  EXPECT_EQ(codec->available_streams(), 0u);
}

TEST_F(Http2Client, AServerThatAnswersAndLeavesLeaksNothing) {
  for (int i = 0; i < 300; ++i) {
    make();
    Recorder& to = ask(false);
    feed(frame(kSettings, 0, 0) + respond(1, field(":status", "200"), false) + frame(kRstStream, 0, 1, number(0, 4)) +
         frame(kGoAway, 0, 0, number(1, 4) + number(0, 4)) + frame(kSettings, 0, 0, number(3, 2) + number(0, 4)));
    EXPECT_TRUE(to.was_reset);
    EXPECT_EQ(codec->active_streams(), 0u);
    ASSERT_LE(pool.in_use(), 3u) << i;
  }
}

TEST_F(Http2Client, MalformedAnswersResetTheStream) {
  for (const std::string& fields :
       {field("x", "no status"), field(":status", "20"), field(":status", "abc"), field(":status", "200") + field(":status", "200"),
        field(":status", "200") + field("connection", "close"), field(":status", "200") + field("X", "1"), field(":status", "101"),
        field(":status", "200") + field("x", "a\rb"), field(":status", "200") + field("content-length", "5"), field(":method", "GET")}) {
    make();
    Recorder& to = ask();
    feed(frame(kSettings, 0, 0) + respond(1, fields));
    EXPECT_TRUE(to.was_reset) << testing::PrintToString(fields);
    EXPECT_FALSE(to.ended);
  }
}

TEST_F(Http2Client, AResetInsideTheHeadCallEndsAllCalls) {
  Recorder& to = ask();
  to.at_head = [&to] { to.stream->reset(ResetReason::kLocal); };
  ASSERT_TRUE(feed(frame(kSettings, 0, 0) + respond(1, field(":status", "200"), false) + frame(kData, 0, 1, "x") +
                   frame(kData, kEndStream, 1, "y")));
  EXPECT_EQ(to.body_calls, 0);
  EXPECT_FALSE(to.was_reset);
  EXPECT_EQ(events.over, 1);
}

TEST_F(Http2Client, APausedStreamGetsNoMoreWindow) {
  Http2Options options;
  options.initial_stream_window = 65535;
  codec = make_http2_client(events, options, pool);
  Recorder& to = ask();
  to.stream->pause();
  ASSERT_TRUE(feed(frame(kSettings, 0, 0) + respond(1, field(":status", "200"), false)));
  const auto updates = [](std::string_view out, uint32_t stream) {
    int found = 0;
    for (size_t at = 0; at + 9 <= out.size();) {
      const auto byte = [&](size_t i) { return static_cast<uint8_t>(out[at + i]); };
      if (byte(3) == kWindowUpdate && byte(8) == stream) ++found;
      at += 9 + (byte(0) << 16 | byte(1) << 8 | byte(2));
    }
    return found;
  };
  for (int i = 0; i < 4; ++i) {
    in.append(frame(kData, 0, 1, std::string(15000, 'x')));
    ASSERT_TRUE(codec->receive(in));
    in.release();
  }
  EXPECT_EQ(updates(take_output(*codec), 1), 0);
  to.stream->resume();
  EXPECT_EQ(updates(take_output(*codec), 1), 1);
  EXPECT_EQ(to.body.size(), 60000u);
}

}  // namespace
}  // namespace weft::http
