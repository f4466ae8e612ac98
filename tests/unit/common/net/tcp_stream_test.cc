#include "common/net/stream.h"

#include <gtest/gtest.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

namespace weft::net {
namespace {

// Reads until the peer ends, echoing nothing; remembers what came.
struct Reader final : Ready {
  explicit Reader(Stream& stream, SlabPool& pool) : stream(stream), in(pool) { stream.wait_readable(*this); }
  void on_readable() override {
    for (;;) {
      Transfer t = stream.try_read(in);
      if (t.state == Transfer::State::kBlock) break;
      if (t.state != Transfer::State::kDone) {
        state = t.state;
        return;
      }
      text.append(in.view());
      in.consume(in.size());
      in.release();
      if (!t.more) break;
    }
    stream.wait_readable(*this);
  }
  void on_writable() override {}
  Stream& stream;
  ReadBuffer in;
  std::string text;
  Transfer::State state = Transfer::State::kDone;
};

struct Pair {
  asio::io_context io{1};
  SlabPool pool;
  asio::ip::tcp::socket peer{io};
  std::unique_ptr<Stream> stream;
  Pair() {
    asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
    peer.connect(acceptor.local_endpoint());
    Socket accepted(io.get_executor());
    acceptor.accept(accepted);
    stream = make_tcp_stream(std::move(accepted));
  }
};

TEST(TcpStream, SeesDataAndTheEndThatCameWithIt) {
  Pair pair;
  Reader reader(*pair.stream, pair.pool);
  pair.io.poll();
  asio::write(pair.peer, asio::buffer(std::string(100'000, 'a')));
  pair.peer.shutdown(asio::ip::tcp::socket::shutdown_send);
  pair.io.run();  // ends when no wait is pending any more
  EXPECT_EQ(reader.text.size(), 100'000u);
  EXPECT_EQ(reader.state, Transfer::State::kEnd);
}

// The few bytes leave room in the buffer, and no edge follows that of the FIN.
TEST(TcpStream, SeesAnEndThatCameWithItsFirstBytes) {
  Pair pair;
  asio::write(pair.peer, asio::buffer(std::string("last words")));
  pair.peer.shutdown(asio::ip::tcp::socket::shutdown_send);
  Reader reader(*pair.stream, pair.pool);
  pair.io.run();
  EXPECT_EQ(reader.text, "last words");
  EXPECT_EQ(reader.state, Transfer::State::kEnd);
}

// Asio registers the socket anew for its first blocked write, and must not forget about the FIN.
TEST(TcpStream, SeesTheEndAfterABlockedWrite) {
  Pair pair;
  struct Writer final : Ready {
    void on_readable() override {}
    void on_writable() override {}
  } writer;
  std::string block(8 << 20, 'x');
  iovec v{block.data(), block.size()};
  while (pair.stream->try_write(&v, 1).state != Transfer::State::kBlock) {
  }
  pair.stream->wait_writable(writer);
  Reader reader(*pair.stream, pair.pool);
  pair.io.poll();
  asio::write(pair.peer, asio::buffer(std::string("last words")));
  pair.peer.shutdown(asio::ip::tcp::socket::shutdown_send);
  std::string all(1 << 20, 0);
  boost::system::error_code error;
  while (!error && reader.state == Transfer::State::kDone) {
    pair.peer.non_blocking(true);
    pair.peer.read_some(asio::buffer(all), error);
    if (error == asio::error::would_block) error = {};
    pair.io.poll();
  }
  EXPECT_EQ(reader.text, "last words");
  EXPECT_EQ(reader.state, Transfer::State::kEnd);
}

TEST(TcpStream, CloseWithAPendingWaitIsSilent) {
  Pair pair;
  {
    Reader reader(*pair.stream, pair.pool);
    pair.io.poll();
    pair.stream->close();
    pair.stream.reset();
    EXPECT_TRUE(reader.text.empty());
  }
  pair.io.run();
}

TEST(TcpStream, ResetIsSeenAsFailure) {
  Pair pair;
  Reader reader(*pair.stream, pair.pool);
  pair.io.poll();
  pair.peer.set_option(asio::socket_base::linger(true, 0));
  pair.peer.close();
  pair.io.run();
  EXPECT_EQ(reader.state, Transfer::State::kFailed);
}

TEST(TcpStream, BlockedWriteResumes) {
  Pair pair;
  std::string block(1 << 20, 'x');
  size_t written = 0;
  struct Writer final : Ready {
    std::function<void()> then;
    void on_readable() override {}
    void on_writable() override { then(); }
  } writer;
  constexpr size_t kTotal = 16 << 20;
  bool blocked = false;
  writer.then = [&] {
    while (written < kTotal) {
      iovec v{block.data(), std::min(block.size(), kTotal - written)};
      Transfer t = pair.stream->try_write(&v, 1);
      if (t.state == Transfer::State::kBlock) {
        blocked = true;
        return pair.stream->wait_writable(writer);
      }
      ASSERT_EQ(t.state, Transfer::State::kDone);
      written += t.bytes;
    }
    pair.stream->shutdown_write();
  };
  writer.then();
  EXPECT_TRUE(blocked);
  size_t received = 0;
  std::string chunk(1 << 16, 0);
  std::function<void()> read = [&] {
    pair.peer.async_read_some(asio::buffer(chunk), [&](boost::system::error_code e, size_t n) {
      received += n;
      if (!e) read();
    });
  };
  read();
  pair.io.run();
  EXPECT_EQ(received, kTotal);
}

}  // namespace
}  // namespace weft::net
