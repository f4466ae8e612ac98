// Listening sockets: one per worker on the same address, so that the kernel spreads connections and no thread hands them on.
// They are opened together and outlive the configuration, since closing one of several resets what queues in it.
#pragma once
#include "common/net/loop.h"
#include "common/net/stream.h"

#include <boost/asio/basic_socket_acceptor.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace weft::net {

struct ListeningSockets {
  Endpoint address;      // with the kernel's port where 0 was asked for
  std::vector<int> fds;  // `count` of them; the caller owns them
};

// Binds `count` sockets to `address`; nobody can connect yet. The first is bound without SO_REUSEPORT, which would hide that another
// process has the port and share its connections. Errors name the address: "127.0.0.1:80: Address already in use".
Result<ListeningSockets> bind_listeners(const Endpoint& address, unsigned count);
// From now on clients can connect. On failure the sockets are closed.
Status start_listening(const ListeningSockets& sockets, int backlog);
// Both in one.
Result<ListeningSockets> open_listeners(const Endpoint& address, unsigned count, int backlog);
void close_sockets(const ListeningSockets& sockets);

// One of them on its worker: accepts as long as it lives. Out of descriptors it pauses and tries again.
class Acceptor {
 public:
  using OnAccept = std::function<void(Socket)>;
  Acceptor(Loop& loop, int fd, bool v6, OnAccept on_accept);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  // Takes what is queued, then closes the socket: nothing that the kernel has accepted for us is reset.
  void drain_and_close();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace weft::net
