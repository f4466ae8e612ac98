// A byte stream and how a connection waits on it. TCP in the product, memory in tests; TLS joins them later. Reads and
// writes never block and never own a buffer, so an idle stream costs no memory.
#pragma once
#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/task.h"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string_view>

namespace weft::net {

using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Endpoint = asio::ip::tcp::endpoint;

// Told when a stream may be read or written again. Each wait is answered once, unless close() comes first.
class Ready {
 public:
  virtual void on_readable() = 0;
  virtual void on_writable() = 0;

 protected:
  ~Ready() = default;
};

// What a read or a write came to.
struct Transfer {
  enum class State : unsigned char {
    kDone,    // `bytes` were moved; for a read, `more` says whether the socket holds more
    kBlock,   // nothing now: wait
    kEnd,     // a read: the peer has sent its last byte
    kFailed,  // `error` is an errno value
  };
  State state = State::kDone;
  size_t bytes = 0;
  bool more = false;
  int error = 0;
};

class Stream {
 public:
  virtual ~Stream() = default;
  // Reads once into `in` (which it prepares).
  virtual Transfer try_read(ReadBuffer& in) = 0;
  virtual Transfer try_write(const iovec* vectors, int count) = 0;
  // One wait of each kind may be pending; asked again, it answers the last who asked. The edge is spent by a read that was not asked for
  // more: see Transfer::more.
  virtual void wait_readable(Ready& ready) = 0;
  virtual void wait_writable(Ready& ready) = 0;
  // Half-close: no more will be written.
  virtual void shutdown_write() = 0;
  // No wait is answered after this. With `reset`, the peer sees RST instead of FIN.
  virtual void close(bool reset = false) = 0;
  // The protocol that both ends agreed on while they set it up (ALPN): "h2", "http/1.1"; empty: nobody asked, as on plain TCP.
  virtual std::string_view alpn() const { return {}; }
  virtual const Endpoint& local_address() const = 0;
  virtual const Endpoint& peer_address() const = 0;
};

// Takes a connected socket over: no delay, not blocking.
std::unique_ptr<Stream> make_tcp_stream(Socket socket);

std::string to_string(const Endpoint& endpoint);  // "127.0.0.1:80", "[::1]:80"

}  // namespace weft::net
