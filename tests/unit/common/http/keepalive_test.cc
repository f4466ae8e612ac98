// PINGs to a peer that answers, that says something else, and that is dead.
#include "common/http/keepalive.h"

#include "codec_peers.h"
#include "common/net/loop.h"

#include <gtest/gtest.h>

namespace weft::http {
namespace {

using std::chrono::milliseconds;

// A codec that counts the PINGs it is asked for.
struct Pinged final : Codec {
  explicit Pinged(SlabPool& pool) : Codec(pool) {}
  Status receive(ReadBuffer&) override { return {}; }
  bool on_peer_ended() override { return false; }
  void on_connection_lost() override {}
  void on_flushed() override {}
  bool wants_bytes() const override { return true; }
  bool wants_close() const override { return false; }
  void drain() override {}
  size_t active_streams() const override { return 0; }
  Protocol protocol() const override { return Protocol::kHttp2; }
  void send_ping() override {
    ++pings;
    if (at_ping) at_ping();
  }
  int pings = 0;
  std::function<void()> at_ping;
};

TEST(Keepalive, WhoDoesNotAnswerIsDead) {
  net::Loop loop(0);
  Pinged codec(loop.slabs());
  bool dead = false;
  Keepalive keepalive(loop, {.interval = milliseconds(10), .timeout = milliseconds(20)}, codec, [&] {
    dead = true;
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(dead);
  EXPECT_EQ(codec.pings, 1);
}

TEST(Keepalive, WhoAnswersIsAskedAgain) {
  net::Loop loop(0);
  Pinged codec(loop.slabs());
  Keepalive* self = nullptr;
  codec.at_ping = [&] { loop.post([&] { codec.pings < 3 ? self->on_answered() : (self->stop(), loop.stop()); }); };
  Keepalive keepalive(loop, {.interval = milliseconds(10), .timeout = milliseconds(5000)}, codec, [] { FAIL(); });
  self = &keepalive;
  loop.run();
  EXPECT_EQ(codec.pings, 3);
}

TEST(Keepalive, AStreamAfterALongSilenceAsksFirst) {
  net::Loop loop(0);
  Pinged codec(loop.slabs());
  bool dead = false;
  Keepalive keepalive(loop, {.timeout = milliseconds(10), .idle_interval = milliseconds(1)}, codec, [&] {
    dead = true;
    loop.stop();
  });
  keepalive.on_stream();
  EXPECT_EQ(codec.pings, 0);
  const auto born = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - born < milliseconds(5)) {
  }
  loop.post([&] {
    keepalive.on_stream();
    keepalive.on_stream();
  });
  loop.run();
  EXPECT_TRUE(dead);
  EXPECT_EQ(codec.pings, 1);
}

}  // namespace
}  // namespace weft::http
