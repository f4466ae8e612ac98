#include "common/net/alarm.h"

#include "common/net/connector.h"
#include "common/net/listener_socket.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>

namespace weft::net {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(Alarm, RingsOnceForTheLastSetting) {
  Loop loop(1);
  int rings = 0;
  Alarm alarm(loop, [&] { ++rings, loop.stop(); });
  alarm.set(std::chrono::hours(1));
  alarm.set(microseconds(500));
  loop.run();
  EXPECT_EQ(rings, 1);
}

TEST(Alarm, CancelledOrDestroyedItIsSilent) {
  Loop loop(1);
  int rings = 0;
  Alarm cancelled(loop, [&] { ++rings; });
  cancelled.set(microseconds(0));
  cancelled.cancel();
  {
    Alarm gone(loop, [&] { ++rings; });
    gone.set(microseconds(0));
  }
  Alarm last(loop, [&] { loop.stop(); });
  last.set(milliseconds(5));
  loop.run();
  EXPECT_EQ(rings, 0);
}

TEST(Connector, ReportsRefusalAndSuccess) {
  auto sockets = open_listeners({asio::ip::address_v4::loopback(), 0}, 1, 16);
  ASSERT_TRUE(sockets.has_value());
  const Endpoint there = sockets->address;
  int good = -1, bad = -1;
  {
    Loop loop(1);
    Connector connector(loop, there, nullptr, milliseconds(2000), {.keepalive = TcpKeepalive{1, 2, 3}},
                        [&](int error, Socket) { good = error, loop.stop(); });
    loop.run();
  }
  close_sockets(*sockets);
  {
    Loop loop(1);
    Connector connector(loop, there, nullptr, milliseconds(2000), {}, [&](int error, Socket) { bad = error, loop.stop(); });
    loop.run();
  }
  EXPECT_EQ(good, 0);
  EXPECT_EQ(bad, ECONNREFUSED);
}

TEST(Connector, DestroyedItIsSilent) {
  Loop loop(1);
  bool called = false;
  {
    Connector connector(loop, {asio::ip::address_v4::loopback(), 9}, nullptr, milliseconds(10), {}, [&](int, Socket) { called = true; });
  }
  loop.stop();
  loop.run();
  EXPECT_FALSE(called);
}

TEST(Loop, BuriesAtTheEndOfTheEventAndRunsHooks) {
  Loop loop(1);
  bool died = false;
  int hooks = 0;
  struct Dying final : Retirable {
    bool& died;
    explicit Dying(bool& flag) : died(flag) {}
    ~Dying() override { died = true; }
  };
  loop.at_event_end([&] { ++hooks; });
  loop.post([&] {
    loop.retire(std::make_unique<Dying>(died));
    EXPECT_FALSE(died);
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(died);
  EXPECT_GE(hooks, 1);
}

}  // namespace
}  // namespace weft::net
