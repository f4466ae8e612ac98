// Listening sockets: one per worker on the same address, so that the kernel spreads connections and no thread hands them on. Where
// several sockets cannot share an address (a Unix socket; reuse_port off) there is one, and every worker accepts from it.
// They are opened together and outlive the configuration, since closing one of several resets what queues in it.
#pragma once
#include "common/net/loop.h"
#include "common/net/stream.h"

#include <boost/asio/basic_socket_acceptor.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft::net {

// envoy.config.core.v3.SocketOption: any option that the system knows.
struct ListeningOption {
  enum class State : uint8_t { kPrebind, kBound, kListening };
  int level = 0;
  int name = 0;
  std::string value;  // as setsockopt takes it
  State state = State::kPrebind;
  bool operator==(const ListeningOption&) const = default;
};

// Where to listen, and how.
struct ListeningPlace {
  Endpoint endpoint;         // port 0: the kernel's choice
  std::string path = {};     // in its place, a Unix socket's, or "@name" of one without a file
  uint32_t mode = 0;         // of that file; 0: as the system makes it
  bool ipv4_too = false;     // an IPv6 socket takes IPv4 as well (ipv4_compat)
  bool reuse_port = true;    // a socket per worker
  bool transparent = false;  // may be for any address, whoever has it
  bool freebind = false;     // may be bound to an address that nobody has yet
  int fast_open_queue = -1;  // TCP Fast Open; -1: as the system has it
  std::vector<ListeningOption> options = {};
  bool operator==(const ListeningPlace&) const = default;
  bool same_address(const ListeningPlace& other) const { return path == other.path && (!path.empty() || endpoint == other.endpoint); }
};
std::string to_string(const ListeningPlace& place);  // "127.0.0.1:80", "/run/x.sock", "@name"

struct ListeningSockets {
  Endpoint address;      // with the kernel's port where 0 was asked for
  std::vector<int> fds;  // one for each that accepts; the caller owns them
  ListeningPlace place = {};
};

// Binds `count` sockets to `place`; nobody can connect yet. The first is bound without SO_REUSEPORT, which would hide that another
// process has the port and share its connections; `beside`: with it, for we hold the place ourselves. Errors name the address:
// "127.0.0.1:80: Address already in use".
Result<ListeningSockets> bind_listeners(const ListeningPlace& place, unsigned count, bool beside = false);
// From now on clients can connect. On failure the sockets are closed.
Status start_listening(const ListeningSockets& sockets, int backlog);
// Both in one.
Result<ListeningSockets> open_listeners(const Endpoint& address, unsigned count, int backlog);
void close_sockets(const ListeningSockets& sockets);

// One of them on its worker: accepts as long as it lives. Out of descriptors it pauses and tries again.
class Acceptor {
 public:
  using OnAccept = std::function<void(Socket)>;
  struct Options {
    bool v6 = false;
    int per_event = 64;                            // accepts per event, so that a storm does not starve the requests that are there
    std::function<void(int count)> on_event = {};  // told how many came; may be unset
  };
  Acceptor(Loop& loop, int fd, Options options, OnAccept on_accept);
  Acceptor(Loop& loop, int fd, bool v6, OnAccept on_accept) : Acceptor(loop, fd, Options{v6}, std::move(on_accept)) {}
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
