#include "common/net/listener_socket.h"

#include "common/net/original_destination.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weft::net {
namespace {

int option_of(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}
std::string as_bytes(int value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

TEST(ListenerSocket, OneSocketForAllWhereTheAddressCannotBeShared) {
  ListeningPlace place{{asio::ip::address_v4::loopback(), 0}};
  place.reuse_port = false;
  auto bound = bind_listeners(place, 3);
  ASSERT_TRUE(bound) << bound.error().detail;
  ASSERT_EQ(bound->fds.size(), 3u);
  EXPECT_NE(bound->address.port(), 0);
  for (int fd : bound->fds) EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_REUSEPORT), 0);
  EXPECT_TRUE(start_listening(*bound, 4));
  close_sockets(*bound);
}

TEST(ListenerSocket, OptionsInTheirStates) {
  using State = ListeningOption::State;
  ListeningPlace place{{asio::ip::address_v4::loopback(), 0}};
  place.options = {{SOL_SOCKET, SO_KEEPALIVE, as_bytes(1), State::kPrebind},
                   {SOL_SOCKET, SO_RCVLOWAT, as_bytes(7), State::kBound},
                   {SOL_SOCKET, SO_PRIORITY, as_bytes(3), State::kListening}};
  auto bound = bind_listeners(place, 1);
  ASSERT_TRUE(bound) << bound.error().detail;
  EXPECT_EQ(option_of(bound->fds[0], SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option_of(bound->fds[0], SOL_SOCKET, SO_RCVLOWAT), 7);
  EXPECT_EQ(option_of(bound->fds[0], SOL_SOCKET, SO_PRIORITY), 0);
  ASSERT_TRUE(start_listening(*bound, 4));
  EXPECT_EQ(option_of(bound->fds[0], SOL_SOCKET, SO_PRIORITY), 3);
  close_sockets(*bound);
}

TEST(ListenerSocket, AnOptionThatTheSystemRefusesNamesThePlace) {
  ListeningPlace place{{asio::ip::address_v4::loopback(), 0}};
  place.options = {{SOL_SOCKET, 9999, as_bytes(1)}};
  auto bound = bind_listeners(place, 1);
  ASSERT_FALSE(bound);
  EXPECT_NE(bound.error().detail.find("cannot set the socket options of 127.0.0.1:0: "), std::string::npos) << bound.error().detail;
}

TEST(ListenerSocket, UnixSockets) {
  ListeningPlace place;
  place.path = "/tmp/weft-listener-" + std::to_string(::getpid()) + ".sock";
  place.mode = 0640;
  auto bound = bind_listeners(place, 2);
  ASSERT_TRUE(bound) << bound.error().detail;
  ASSERT_TRUE(start_listening(*bound, 4));
  struct stat found {};
  ASSERT_EQ(::stat(place.path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0640u);
  auto taken = bind_listeners(place, 1);
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().detail.find("cannot bind " + place.path + ": Address already in use"), std::string::npos) << taken.error().detail;
  close_sockets(*bound);
  auto again = bind_listeners(place, 1);  // nobody listens there any more
  ASSERT_TRUE(again) << again.error().detail;
  close_sockets(*again);
  ::unlink(place.path.c_str());
  place.path = "@weft-listener-" + std::to_string(::getpid());
  auto abstract = bind_listeners(place, 1);
  ASSERT_TRUE(abstract) << abstract.error().detail;
  close_sockets(*abstract);
}

TEST(ListenerSocket, OursStayBesideOnesThatDrain) {
  auto first = open_listeners({asio::ip::address_v4::loopback(), 0}, 2, 16);
  ASSERT_TRUE(first);
  const ListeningPlace place{first->address};
  EXPECT_FALSE(bind_listeners(place, 2));
  auto beside = bind_listeners(place, 2, true);
  ASSERT_TRUE(beside) << beside.error().detail;
  close_sockets(*beside);
  close_sockets(*first);
}

TEST(OriginalDestination, MappedAddressesAreThemselves) {
  EXPECT_EQ(to_string(unmapped({asio::ip::make_address("::ffff:10.1.2.3"), 80})), "10.1.2.3:80");
  EXPECT_EQ(to_string(unmapped({asio::ip::make_address("2001:db8::1"), 80})), "[2001:db8::1]:80");
}

}  // namespace
}  // namespace weft::net
