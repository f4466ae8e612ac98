// What RFC 9113 forbids a client, each by its code, and what it allows though few clients do it.
#include "codec_peers.h"
#include "frames.h"

#include <gtest/gtest.h>

namespace weft::http {
namespace {

using namespace frames;

constexpr uint8_t kPadded = 8, kPriorityFields = 0x20;

class Http2Rules : public testing::Test {
 protected:
  Http2Rules() : events(pool), in(pool) { make(); }
  ~Http2Rules() override { codec->on_connection_lost(); }
  void make() {
    if (codec) codec->on_connection_lost();
    events.streams.clear();
    codec = make_http2_server(events, options, pool);
    said.clear();
  }
  // What the server said to it, a line for each frame.
  const std::string& feed(std::string_view bytes, size_t piece = 16384) {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), piece))) {
      in.append(bytes.substr(0, piece));
      alive = static_cast<bool>(codec->receive(in));
      in.release();
    }
    collect();
    return said;
  }
  void collect() {
    const std::string out = take_output(*codec);
    const auto byte = [&out](size_t i) { return static_cast<uint8_t>(out[i]); };
    for (size_t at = 0; at + 9 <= out.size();) {
      const size_t size = static_cast<size_t>(byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2));
      static constexpr const char* kTypes[] = {"data", "headers", "priority", "rst",    "settings",
                                               "push", "ping",    "goaway",   "window", "continuation"};
      const uint8_t type = byte(at + 3), flags = byte(at + 4);
      if (type != kSettings && !(type == kWindowUpdate && byte(at + 8) == 0)) {
        said += std::string(kTypes[type]) + " " + std::to_string(byte(at + 8));
        if (type == kRstStream) said += " code " + std::to_string(byte(at + 12));
        if (type == kGoAway) said += " code " + std::to_string(byte(at + 16));
        if (type == kData) said += " size " + std::to_string(size);
        if ((type == kData || type == kHeaders) && (flags & kEndStream)) said += " end";
        said += "\n";
      }
      at += 9 + size;
    }
  }

  SlabPool pool;
  Http2Options options;
  Events events;
  ReadBuffer in;
  std::unique_ptr<Codec> codec;
  std::string said;
  bool alive = true;
};

std::string setting(uint16_t identifier, uint32_t value) { return number(identifier, 2) + number(value, 4); }

TEST_F(Http2Rules, ConnectionErrorsByTheirCode) {
  struct Case {
    const char* what;
    std::string bytes;
    int code;
  };
  std::string many;
  for (int i = 0; i < 33; ++i) many += setting(0x99, 0);
  const Case cases[] = {
      {"push is a flag", frame(kSettings, 0, 0, setting(2, 2)), 1},
      {"a window is below 2^31", frame(kSettings, 0, 0, setting(4, 0x80000000)), 3},
      {"a frame is at least 2^14", frame(kSettings, 0, 0, setting(5, 100)), 1},
      {"and at most 2^24-1", frame(kSettings, 0, 0, setting(5, 1 << 24)), 1},
      {"connect is a flag", frame(kSettings, 0, 0, setting(8, 2)), 1},
      {"an acknowledgement is empty", frame(kSettings, 1, 0, setting(4, 1)), 6},
      {"and for something", frame(kSettings, 1, 0) + frame(kSettings, 1, 0), 1},
      {"settings are whole", frame(kSettings, 0, 0, "12345"), 6},
      {"and the connection's", frame(kSettings, 0, 1), 1},
      {"and few", frame(kSettings, 0, 0, many), 11},
      {"a ping has 8 bytes", frame(kPing, 0, 0, "1234567"), 6},
      {"and no stream", frame(kPing, 0, 1, "12345678"), 1},
      {"nor has a farewell", frame(kGoAway, 0, 1, number(0, 4) + number(0, 4)), 1},
      {"which has a code", frame(kGoAway, 0, 0, number(0, 4)), 6},
      {"and our streams", frame(kGoAway, 0, 0, number(1, 4) + number(0, 4)), 1},
      {"and never more of them", frame(kGoAway, 0, 0, number(2, 4) + number(0, 4)) + frame(kGoAway, 0, 0, number(4, 4) + number(0, 4)), 1},
      {"a window grows", frame(kWindowUpdate, 0, 0, number(0, 4)), 1},
      {"within bounds", frame(kWindowUpdate, 0, 0, number(0x7fffffff, 4)), 3},
      {"by 4 bytes", frame(kWindowUpdate, 0, 0, "123"), 6},
      {"of a stream that is there", frame(kWindowUpdate, 0, 1, number(1, 4)), 1},
      {"a reset is a stream's", frame(kRstStream, 0, 0, number(8, 4)), 1},
      {"that is there", frame(kRstStream, 0, 1, number(8, 4)), 1},
      {"and has 4 bytes", get(1, request()) + frame(kRstStream, 0, 1, "12345"), 6},
      {"priority has 5 bytes", frame(kPriority, 0, 1, "1234"), 6},
      {"and a stream", frame(kPriority, 0, 0, number(1, 4) + "x"), 1},
      {"and another one", frame(kPriority, 0, 3, number(3, 4) + "x"), 1},
      {"in a head, too", frame(kHeaders, kEndHeaders | kEndStream | kPriorityFields, 3, number(3, 4) + "x" + request()), 1},
      {"which has all of it", frame(kHeaders, kEndHeaders | kPriorityFields, 3, "abcd"), 6},
      {"clients promise nothing", frame(kPushPromise, kEndHeaders, 1, number(2, 4)), 1},
      {"their streams are odd", get(2, request()), 1},
      {"and not the connection", get(0, request()), 1},
      {"a block goes on in itself", frame(kHeaders, 0, 1, request()) + frame(kPing, 0, 0, "12345678"), 1},
      {"on its stream", frame(kHeaders, 0, 1, request()) + frame(kContinuation, kEndHeaders, 3), 1},
      {"without a stranger", frame(kHeaders, 0, 1, request()) + frame(0x77, 0, 1), 1},
      {"after its beginning", frame(kContinuation, kEndHeaders, 1, request()), 1},
      {"a block is one", frame(kHeaders, kEndHeaders | kEndStream, 1, "\xff"), 9},
      {"of any stream", get(1, request()) + frame(kRstStream, 0, 1, number(8, 4)) + get(3, "\x80"), 9},
      {"data are a stream's", frame(kData, 0, 0, "x"), 1},
      {"that is there", frame(kData, 0, 1, "x"), 1},
      {"and has not ended", get(1, request()) + frame(kData, 0, 1, "x"), 5},
      {"padding fits",
       frame(kHeaders, kEndHeaders, 1, request("/", "POST")) + frame(kData, kPadded, 1,
                                                                     "\x03"
                                                                     "ab"),
       1},
      {"and is there", frame(kHeaders, kEndHeaders, 1, request("/", "POST")) + frame(kData, kPadded, 1), 1},
      {"around heads, too",
       frame(kHeaders, kEndHeaders | kPadded, 1,
             "\x7f"
             "abc"),
       1},
      {"no frame is too large", frame(kPing, 0, 0, std::string(16385, 'x')), 6},
      {"of any kind", frame(0x77, 0, 0, std::string(16385, 'x')), 6},
      {"a stream has one head", get(1, request()) + get(1, request()), 5},
  };
  for (const auto& [what, bytes, code] : cases) {
    for (size_t piece : {16384, 1}) {
      make();
      feed(start() + bytes, piece);
      EXPECT_TRUE(said.ends_with(" code " + std::to_string(code) + "\n")) << what << "\n" << said;
      EXPECT_NE(said.find("goaway"), std::string::npos) << what;
      EXPECT_TRUE(codec->wants_close()) << what;
      for (const auto& stream : events.streams) EXPECT_TRUE(stream->was_reset) << what;
    }
  }
  make();
  feed("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kPing, 0, 0, "12345678"));
  EXPECT_EQ(said, "goaway 0 code 1\n") << "settings come first";
}

TEST_F(Http2Rules, WhatIsAllowed) {
  for (size_t piece : {16384, 1, 7}) {
    make();
    feed(start() + frame(0x77, 0xff, 5, "what nobody knows") + frame(kSettings, 0, 0, setting(0x99, 7) + setting(3, 0)) +
             frame(kHeaders, kPadded | kPriorityFields, 1, '\x03' + number(0, 4) + "x" + request("/", "POST").substr(0, 10) + "pad") +
             frame(kContinuation, 0, 1, request("/", "POST").substr(10, 1)) +
             frame(kContinuation, kEndHeaders, 1, request("/", "POST").substr(11)) + frame(kPriority, 0, 9, number(1, 4) + "x") +
             frame(kData, kPadded, 1,
                   "\x04"
                   "abc"
                   "xxxx") +
             frame(kData, 0, 1, "def") + frame(kHeaders, kEndHeaders | kEndStream, 1, field("x-sum", "1")) +
             frame(kRstStream, 0, 1, number(0, 4)),
         piece);
    EXPECT_TRUE(alive);
    ASSERT_EQ(events.streams.size(), 1u);
    EXPECT_EQ(events.streams[0]->body, "abcdef");
    EXPECT_EQ(events.streams[0]->trailer_lines, " \nx-sum: 1\n");
    EXPECT_EQ(said, "");
  }
}

TEST_F(Http2Rules, AStreamKeepsToItsWindow) {
  events.at_new = [](Recorder& stream) { stream.stream->pause(); };
  std::string bytes = start() + frame(kHeaders, kEndHeaders, 1, request("/", "POST"));
  for (int i = 0; i < 4; ++i) bytes += frame(kData, 0, 1, std::string(16384, 'x'));
  feed(bytes);  // one byte more than 65535
  EXPECT_EQ(said, "rst 1 code 3\n");
  EXPECT_TRUE(events.streams[0]->was_reset);
  EXPECT_EQ(events.streams[0]->body.size(), 3u * 16384);
  // Once the client has acknowledged them, our settings count.
  make();
  feed(start() + frame(kSettings, 1, 0) + bytes.substr(start().size()));
  EXPECT_EQ(said, "");
  EXPECT_EQ(events.streams[0]->body.size(), 4u * 16384);
}

TEST_F(Http2Rules, SettingsMoveTheWindowsOfStreamsThatAreThere) {
  feed(start() + get(1, request()) + get(3, request()));
  answer(*events.streams[0], pool, 200, std::string(65535, 'x'));
  collect();
  EXPECT_TRUE(said.ends_with(" end\n"));
  feed(frame(kSettings, 0, 0, setting(4, 10)));
  said.clear();
  answer(*events.streams[1], pool, 200, std::string(20, 'y'));
  collect();
  EXPECT_EQ(said, "headers 3\n") << "the connection's window is used up";
  said.clear();
  EXPECT_EQ(feed(frame(kWindowUpdate, 0, 0, number(100, 4))), "data 3 size 10\n");
  said.clear();
  EXPECT_EQ(feed(frame(kSettings, 0, 0, setting(4, 15))), "data 3 size 5\n");
  said.clear();
  // Less than what was sent: the window is below nothing.
  EXPECT_EQ(feed(frame(kSettings, 0, 0, setting(4, 3)) + frame(kWindowUpdate, 0, 3, number(12, 4))), "");
  EXPECT_EQ(feed(frame(kWindowUpdate, 0, 3, number(5, 4))), "data 3 size 5 end\n");
}

TEST_F(Http2Rules, StreamsTakeTurns) {
  feed(start() + frame(kSettings, 0, 0, setting(4, 0)) + get(1, request()) + get(3, request()));
  answer(*events.streams[0], pool, 200, std::string(40000, 'x'));
  answer(*events.streams[1], pool, 200, std::string(40000, 'y'));
  collect();
  said.clear();
  EXPECT_EQ(feed(frame(kSettings, 0, 0, setting(4, 50000))),
            "data 3 size 16384\ndata 1 size 16384\ndata 3 size 16384\ndata 1 size 16383\n");
}

TEST_F(Http2Rules, ALargeHeadGoesOn) {
  feed(start() + get(1, request()));
  Head head(pool);
  head.set_status(200);
  for (int i = 0; i < 10; ++i) head.add("x-large-" + std::to_string(i), std::string(6000, '~'));
  events.streams[0]->stream->send_head(head, true);
  collect();
  EXPECT_EQ(said, "headers 1 end\ncontinuation 1\ncontinuation 1\ncontinuation 1\n");
}

}  // namespace
}  // namespace weft::http
