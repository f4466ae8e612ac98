// Connecting over loopback: the addresses of one host by turns, and what is done to a socket before.
#include "common/net/connector.h"

#include "common/net/listener_socket.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <optional>

namespace weft::net {
namespace {

using std::chrono::milliseconds;

class ConnectorTest : public testing::Test {
 protected:
  ConnectorTest() : listening_(*open_listeners({asio::ip::address_v4::loopback(), 0}, 1, 16)), there_(listening_.address) {
    // A port that nobody can connect to, for as long as this lives.
    const auto bound = bind_listeners({asio::ip::make_address("127.0.0.3"), 0}, 1);
    refusing_ = *bound;
  }
  ~ConnectorTest() override {
    connector_.reset();
    socket_.reset();
    close_sockets(listening_);
    close_sockets(refusing_);
    loop_.stop();
    loop_.run();
  }
  int connect(const Addresses& addresses, const ConnectOptions& options = {}) {
    std::optional<int> result;
    auto all = addresses.size() > 1 ? std::make_shared<const Addresses>(addresses) : nullptr;
    connector_ = std::make_unique<Connector>(loop_, addresses.front(), all, milliseconds(5000), options, [&](int error, Socket socket) {
      result = error;
      socket_.emplace(std::move(socket));
    });
    EXPECT_FALSE(result);  // never from inside
    const auto last = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!result && std::chrono::steady_clock::now() < last) loop_.io().run_one_for(milliseconds(50));
    return result.value_or(-1);
  }

  Loop loop_{0};
  ListeningSockets listening_, refusing_;
  const Endpoint there_;
  std::unique_ptr<Connector> connector_;
  std::optional<Socket> socket_;
};

TEST_F(ConnectorTest, OneAddress) {
  EXPECT_EQ(connect({there_}), 0);
  EXPECT_EQ(socket_->remote_endpoint(), there_);
  EXPECT_EQ(connect({refusing_.address}), ECONNREFUSED);
  EXPECT_EQ(connector_->local_failure(), "");
}

TEST_F(ConnectorTest, TheNextAddressWhenOneFails) {
  EXPECT_EQ(connect({refusing_.address, there_}), 0);
  EXPECT_EQ(socket_->remote_endpoint(), there_);
  EXPECT_EQ(connect({there_, refusing_.address}), 0);
  EXPECT_EQ(connect({refusing_.address, refusing_.address}), ECONNREFUSED);
}

TEST_F(ConnectorTest, FromAnAddressOfOurs) {
  ConnectOptions options;
  options.bind.emplace();
  options.bind->sources.push_back({Endpoint(asio::ip::make_address("127.0.0.9"), 0), {}});
  EXPECT_EQ(connect({there_}, options), 0);
  EXPECT_EQ(socket_->local_endpoint().address().to_string(), "127.0.0.9");
  EXPECT_NE(socket_->local_endpoint().port(), 0);
}

TEST_F(ConnectorTest, WhatFailsAtOurEndIsTold) {
  ConnectOptions options;
  options.bind.emplace();
  options.bind->sources.push_back({Endpoint(asio::ip::make_address("192.0.2.1"), 0), {}});
  EXPECT_NE(connect({there_}, options), 0);
  EXPECT_EQ(connector_->local_failure(), "failed to bind to 192.0.2.1:0: Cannot assign requested address");
  EXPECT_NE(connect({there_, there_}, options), 0);
  options.bind->sources.clear();
  options.bind->options.push_back({SOL_SOCKET, 99999, "abcd"});
  EXPECT_NE(connect({there_}, options), 0);
  EXPECT_EQ(connector_->local_failure(), "failed to set socket options: Protocol not available");
  options.bind->options[0].family = SocketOption::Family::kV6;  // not for this one
  EXPECT_EQ(connect({there_}, options), 0);
}

TEST_F(ConnectorTest, KeepaliveAsItIsSet) {
  ConnectOptions options;
  options.keepalive = TcpKeepalive{3, 40, {}};
  ASSERT_EQ(connect({there_}, options), 0);
  const auto value = [&](int level, int name) {
    int number = 0;
    socklen_t size = sizeof number;
    ::getsockopt(socket_->native_handle(), level, name, &number, &size);
    return number;
  };
  EXPECT_EQ(value(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(value(IPPROTO_TCP, TCP_KEEPCNT), 3);
  EXPECT_EQ(value(IPPROTO_TCP, TCP_KEEPIDLE), 40);
}

}  // namespace
}  // namespace weft::net
