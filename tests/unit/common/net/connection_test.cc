#include "common/net/connection.h"

#include "common/net/listener_socket.h"

#include <gtest/gtest.h>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <thread>

namespace weft::net {
namespace {

// Sends back what it gets; may be told to want nothing for a while.
class Echo final : public Connection {
 public:
  Echo(Loop& loop, Socket socket, std::unique_ptr<Echo>& owner)
      : Connection(loop, make_tcp_stream(std::move(socket))), out_(loop.slabs()), owner_(owner) {}
  void begin() { start(); }
  void want(bool bytes) {
    wants_ = bytes;
    if (bytes) resume_reading();
  }
  void say(std::string_view text) {
    out_.append(text);
    mark_dirty();
  }
  size_t buffered() const { return in_.size(); }
  bool gathering = false;
  int flushes = 0;
  bool ended = false;
  int closed_by = -1;

 private:
  void on_bytes() override {
    if (!wants_) return;
    while (!in_.empty()) out_.append(in_.take(in_.size()));
    mark_dirty();
  }
  void on_peer_ended() override {
    ended = true;
    close_gently(std::chrono::seconds(1));
  }
  void on_closed(int error) override {
    closed_by = error;
    loop().stop();
    loop().retire(std::move(owner_));
  }
  Output& output() override { return out_; }
  void on_flushed() override { ++flushes; }
  bool gathers() const override { return gathering; }
  bool wants_bytes() const override { return wants_; }
  Output out_;
  std::unique_ptr<Echo>& owner_;
  bool wants_ = true;
};

struct Fixture {
  Loop loop{1};
  ListeningSockets sockets = open_listeners({asio::ip::address_v4::loopback(), 0}, 1, 128).value();
  std::unique_ptr<Echo> echo;
  std::unique_ptr<Acceptor> acceptor;
  std::function<void()> accepted = [] {};
  Fixture() {
    acceptor = std::make_unique<Acceptor>(loop, sockets.fds[0], false, [this](Socket socket) {
      echo = std::make_unique<Echo>(loop, std::move(socket), echo);
      echo->begin();
      accepted();
      acceptor.reset();
    });
  }
};

TEST(Connection, EchoesAndEndsGently) {
  Fixture f;
  std::string received;
  std::thread client([&] {
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    socket.connect(f.sockets.address);
    std::string text(3'000'000, 'z');
    std::thread writer([&] {
      asio::write(socket, asio::buffer(text));
      socket.shutdown(asio::ip::tcp::socket::shutdown_send);
    });
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(received), error);
    writer.join();
  });
  f.loop.run();
  client.join();
  EXPECT_EQ(received.size(), 3'000'000u);
  EXPECT_EQ(f.loop.slabs().in_use(), 0u);
}

// What several events in a row have for it leaves with the end of each, or, when it gathers, with the last of those that were ready.
class FlushedOnce : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Connection, FlushedOnce, ::testing::Bool());
TEST_P(FlushedOnce, ForAllThatIsReady) {
  Fixture f;
  int flushes = 0;
  f.accepted = [&] {
    f.echo->gathering = GetParam();
    for (const char* word : {"one ", "two ", "three"}) f.loop.post([&, word] { f.echo->say(word); });
    f.loop.post([&] { flushes = f.echo->flushes; });
    f.loop.post([&] { f.loop.post([&] { flushes = f.echo->flushes; }); });
  };
  std::string received(13, ' ');
  std::thread client([&] {
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    socket.connect(f.sockets.address);
    asio::read(socket, asio::buffer(received));
  });
  f.loop.run();  // until the client has left
  client.join();
  EXPECT_EQ(received, "one two three");
  EXPECT_EQ(flushes, GetParam() ? 1 : 3);
}

// A connection that is closed while it still gathers is not flushed any more.
TEST(Connection, ClosesWhileItGathers) {
  Fixture f;
  f.accepted = [&] {
    f.echo->gathering = true;
    f.loop.post([&] {
      f.echo->say("never");
      f.echo->close();
      f.loop.retire(std::move(f.echo));
      f.loop.stop();
    });
  };
  std::string received;
  std::thread client([&] {
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    socket.connect(f.sockets.address);
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(received), error);
  });
  f.loop.run();
  client.join();
  EXPECT_EQ(received, "");
}

TEST(Connection, UnwantedBytesAreBoundedAndNotLost) {
  Fixture f;
  size_t most = 0;
  f.accepted = [&] {
    f.echo->want(false);
    for (int i = 0; i < 50; ++i) f.loop.post([&] { most = f.echo ? std::max(most, f.echo->buffered()) : most; });
    f.loop.post([&] {
      struct Later final : TimeoutNode {
        std::function<void()> then;
        void on_timeout() override { then(); }
      };
      auto* later = new Later;
      later->then = [&, later] {
        most = std::max(most, f.echo->buffered());
        f.echo->want(true);
        delete later;
      };
      f.loop.wheel().arm(*later, std::chrono::milliseconds(50));
    });
  };
  std::string received;
  std::thread client([&] {
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    socket.connect(f.sockets.address);
    std::thread writer([&] {
      asio::write(socket, asio::buffer(std::string(1'000'000, 'w')));
      socket.shutdown(asio::ip::tcp::socket::shutdown_send);
    });
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(received), error);
    writer.join();
  });
  f.loop.run();
  client.join();
  EXPECT_EQ(received.size(), 1'000'000u);
  EXPECT_LE(most, 70'000u);
}

// The echo of what a client sends before it half-closes; the client takes nothing of it.
TEST(Connection, AGentleCloseGivesUpAPeerThatReadsNothing) {
  Fixture f;
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  std::thread client([&] {
    socket.open(asio::ip::tcp::v4());
    socket.set_option(asio::socket_base::receive_buffer_size(4096));
    socket.connect(f.sockets.address);
    boost::system::error_code error;
    asio::write(socket, asio::buffer(std::string(16'000'000, 'w')), error);
    socket.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  });
  f.loop.run();  // until on_closed()
  client.join();
  EXPECT_FALSE(f.echo);
  EXPECT_EQ(f.loop.slabs().in_use(), 0u);
}

TEST(Listeners, PortClashIsNamedDespiteReusePort) {
  auto first = open_listeners({asio::ip::address_v4::loopback(), 0}, 2, 16);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->fds.size(), 2u);
  auto second = open_listeners(first->address, 2, 16);
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().detail.find(to_string(first->address)), std::string::npos);
  EXPECT_NE(second.error().detail.find("Address already in use"), std::string::npos);
  for (int fd : first->fds) ::close(fd);
}

}  // namespace
}  // namespace weft::net
