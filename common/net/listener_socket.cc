#include "common/net/listener_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <boost/asio/basic_waitable_timer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace weft::net {
namespace {

#ifndef IPV6_FREEBIND
constexpr int IPV6_FREEBIND = 78;
#endif

constexpr std::chrono::milliseconds kPauseWithoutDescriptors{100};

int set_option(int fd, int level, int name, int value) { return ::setsockopt(fd, level, name, &value, sizeof value); }

Error failure(const std::string& address, const char* call) { return system_error("cannot " + std::string(call) + " " + address, errno); }

// Those of one state, in their order. The first that the system refuses ends it.
bool set_options(int fd, const ListeningPlace& place, ListeningOption::State state) {
  for (const ListeningOption& option : place.options) {
    if (option.state != state) continue;
    if (::setsockopt(fd, option.level, option.name, option.value.data(), static_cast<socklen_t>(option.value.size())) != 0) return false;
  }
  return true;
}

sockaddr_un unix_address(const std::string& path, socklen_t& size) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t length = std::min(path.size(), sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.data(), length);
  const bool abstract = path.front() == '@';
  if (abstract) address.sun_path[0] = 0;
  size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
  return address;
}

int bind_unix(int fd, const ListeningPlace& place) {
  socklen_t size = 0;
  const sockaddr_un address = unix_address(place.path, size);
  if (place.path.front() != '@') {
    // A file that a process has left behind is in nobody's way; one that somebody listens at is.
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const bool alive = probe >= 0 && (::connect(probe, reinterpret_cast<const sockaddr*>(&address), size) == 0 || errno == EAGAIN);
    if (probe >= 0) ::close(probe);
    if (alive) return errno = EADDRINUSE, -1;
    struct stat found {};
    if (::stat(place.path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode)) ::unlink(place.path.c_str());
  }
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0) return -1;
  return place.mode != 0 && place.path.front() != '@' ? ::chmod(place.path.c_str(), place.mode) : 0;
}

// What must be said before the address is taken.
bool prepare(int fd, const ListeningPlace& place) {
  const bool v6 = place.endpoint.address().is_v6();
  if (place.path.empty()) {
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (v6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, place.ipv4_too ? 0 : 1);
    const int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
    if (place.transparent && set_option(fd, level, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1) != 0) return false;
    if (place.freebind && set_option(fd, level, v6 ? IPV6_FREEBIND : IP_FREEBIND, 1) != 0) return false;
  }
  return set_options(fd, place, ListeningOption::State::kPrebind);
}

}  // namespace

std::string to_string(const ListeningPlace& place) { return place.path.empty() ? to_string(place.endpoint) : place.path; }

Result<ListeningSockets> bind_listeners(const ListeningPlace& place, unsigned count, bool beside) {
  ListeningSockets opened{place.endpoint, {}, place};
  auto give_up = [&](const char* call) {
    Error error = failure(place.path.empty() ? to_string(opened.address) : place.path, call);
    close_sockets(opened);
    return error;
  };
  const bool is_unix = !place.path.empty(), shared = is_unix || !place.reuse_port;
  for (unsigned i = 0; i < count; ++i) {
    if (i > 0 && shared) {
      const int fd = ::fcntl(opened.fds.front(), F_DUPFD_CLOEXEC, 0);
      if (fd < 0) return give_up("share the socket of");
      opened.fds.push_back(fd);
      continue;
    }
    const int fd = ::socket(is_unix ? AF_UNIX : place.endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return give_up("open a socket for");
    opened.fds.push_back(fd);
    if (!prepare(fd, place)) return give_up("set the socket options of");
    if (is_unix) {
      if (bind_unix(fd, place) != 0) return give_up("bind");
    } else {
      if ((i > 0 || beside) && !shared) set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
      if (::bind(fd, opened.address.data(), static_cast<socklen_t>(opened.address.size())) != 0) return give_up("bind");
      if (i == 0) {
        if (!shared) set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        socklen_t size = static_cast<socklen_t>(opened.address.capacity());
        ::getsockname(fd, opened.address.data(), &size);
      }
    }
    if (!set_options(fd, place, ListeningOption::State::kBound)) return give_up("set the socket options of");
  }
  return opened;
}

Status start_listening(const ListeningSockets& sockets, int backlog) {
  auto give_up = [&](const char* call) {
    Error error = failure(sockets.place.path.empty() ? to_string(sockets.address) : sockets.place.path, call);
    close_sockets(sockets);
    return error;
  };
  for (int fd : sockets.fds) {
    if (sockets.place.fast_open_queue >= 0 && set_option(fd, IPPROTO_TCP, TCP_FASTOPEN, sockets.place.fast_open_queue) != 0)
      return give_up("set TCP Fast Open of");
    if (::listen(fd, backlog) != 0) return give_up("listen on");
    if (!set_options(fd, sockets.place, ListeningOption::State::kListening)) return give_up("set the socket options of");
  }
  return {};
}

Result<ListeningSockets> open_listeners(const Endpoint& address, unsigned count, int backlog) {
  auto bound = bind_listeners(ListeningPlace{address}, count);
  if (!bound) return bound;
  if (Status listening = start_listening(*bound, backlog); !listening) return listening.error();
  return bound;
}

void close_sockets(const ListeningSockets& sockets) {
  for (int fd : sockets.fds) ::close(fd);
}

class Acceptor::Impl : public std::enable_shared_from_this<Acceptor::Impl> {
 public:
  Impl(Loop& loop, int fd, Options options, OnAccept on_accept)
      : loop_(loop),
        acceptor_(loop.executor(), options.v6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), fd),
        pause_(loop.executor()),
        options_(std::move(options)),
        on_accept_(std::move(on_accept)) {
    acceptor_.non_blocking(true);
  }

  void wait() {
    acceptor_.async_wait(asio::socket_base::wait_read, [self = shared_from_this()](boost::system::error_code error) {
      if (error || self->closed_) return;
      self->accept_queued(self->options_.per_event, true);
      self->loop_.end_event();
    });
  }

  void close(bool take_queued) {
    if (closed_) return;
    if (take_queued) accept_queued(1 << 20, false);
    closed_ = true;
    boost::system::error_code ignored;
    pause_.cancel();
    acceptor_.close(ignored);
  }

 private:
  void accept_queued(int limit, bool go_on) {
    int n = 0;  // those that came; a peer that left while queueing spends a try
    const auto tell = [&] {
      if (n > 0 && options_.on_event) options_.on_event(n);
    };
    for (int tries = 0; tries < limit; ++tries) {
      Socket socket(loop_.executor());
      boost::system::error_code error;
      acceptor_.accept(socket, error);
      if (error == asio::error::would_block || error == asio::error::try_again) break;
      if (error == asio::error::no_descriptors || error.value() == ENFILE || error.value() == ENOBUFS || error.value() == ENOMEM) {
        tell();
        return pause(error);
      }
      if (error) continue;
      ++n;
      on_accept_(std::move(socket));
      if (closed_) return;
    }
    tell();
    if (go_on) wait();
  }

  void pause(const boost::system::error_code& error) {
    if (!warned_) spdlog::warn("accepting paused: {}", error.message());
    warned_ = true;
    pause_.expires_after(kPauseWithoutDescriptors);
    pause_.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
      if (!cancelled && !self->closed_) self->wait();
    });
  }

  using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
  Loop& loop_;
  asio::basic_socket_acceptor<asio::ip::tcp, Executor> acceptor_;
  Timer pause_;
  const Options options_;
  OnAccept on_accept_;
  bool closed_ = false, warned_ = false;
};

Acceptor::Acceptor(Loop& loop, int fd, Options options, OnAccept on_accept)
    : impl_(std::make_shared<Impl>(loop, fd, std::move(options), std::move(on_accept))) {
  impl_->wait();
}
Acceptor::~Acceptor() { impl_->close(false); }
void Acceptor::drain_and_close() { impl_->close(true); }

}  // namespace weft::net
