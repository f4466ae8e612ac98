#include "common/net/listener_socket.h"

#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/asio/basic_waitable_timer.hpp>

namespace weft::net {
namespace {

// Accepts per event, so that a storm of connections does not starve the requests of those that are there.
constexpr int kAcceptsPerEvent = 64;
constexpr std::chrono::milliseconds kPauseWithoutDescriptors{100};

int set_option(int fd, int level, int name, int value) { return ::setsockopt(fd, level, name, &value, sizeof value); }

Error failure(const Endpoint& address, const char* call) {
  return system_error("cannot " + std::string(call) + " " + to_string(address), errno);
}

}  // namespace

Result<ListeningSockets> bind_listeners(const Endpoint& address, unsigned count) {
  ListeningSockets opened{address, {}};
  auto give_up = [&](const char* call) {
    Error error = failure(opened.address, call);
    close_sockets(opened);
    return error;
  };
  for (unsigned i = 0; i < count; ++i) {
    const int fd = ::socket(address.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return give_up("open a socket for");
    opened.fds.push_back(fd);
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (address.address().is_v6()) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (i > 0) set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (::bind(fd, opened.address.data(), static_cast<socklen_t>(opened.address.size())) != 0) return give_up("bind");
    if (i == 0) {
      set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
      socklen_t size = static_cast<socklen_t>(opened.address.capacity());
      ::getsockname(fd, opened.address.data(), &size);
    }
  }
  return opened;
}

Status start_listening(const ListeningSockets& sockets, int backlog) {
  for (int fd : sockets.fds) {
    if (::listen(fd, backlog) == 0) continue;
    Error error = failure(sockets.address, "listen on");
    close_sockets(sockets);
    return error;
  }
  return {};
}

Result<ListeningSockets> open_listeners(const Endpoint& address, unsigned count, int backlog) {
  auto bound = bind_listeners(address, count);
  if (!bound) return bound;
  if (Status listening = start_listening(*bound, backlog); !listening) return listening.error();
  return bound;
}

void close_sockets(const ListeningSockets& sockets) {
  for (int fd : sockets.fds) ::close(fd);
}

class Acceptor::Impl : public std::enable_shared_from_this<Acceptor::Impl> {
 public:
  Impl(Loop& loop, int fd, bool v6, OnAccept on_accept)
      : loop_(loop),
        acceptor_(loop.executor(), v6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), fd),
        pause_(loop.executor()),
        on_accept_(std::move(on_accept)) {
    acceptor_.non_blocking(true);
  }

  void wait() {
    acceptor_.async_wait(asio::socket_base::wait_read, [self = shared_from_this()](boost::system::error_code error) {
      if (error || self->closed_) return;
      self->accept_queued(kAcceptsPerEvent);
      self->loop_.end_event();
    });
  }

  void close(bool take_queued) {
    if (closed_) return;
    if (take_queued) accept_queued(1 << 20);
    closed_ = true;
    boost::system::error_code ignored;
    pause_.cancel();
    acceptor_.close(ignored);
  }

 private:
  void accept_queued(int limit) {
    for (int n = 0; n < limit; ++n) {
      Socket socket(loop_.executor());
      boost::system::error_code error;
      acceptor_.accept(socket, error);
      if (error == asio::error::would_block || error == asio::error::try_again) break;
      if (error == asio::error::no_descriptors || error.value() == ENFILE || error.value() == ENOBUFS || error.value() == ENOMEM)
        return pause(error);
      if (error) continue;  // the peer left while queueing
      on_accept_(std::move(socket));
      if (closed_) return;
    }
    if (limit == kAcceptsPerEvent) wait();
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
  OnAccept on_accept_;
  bool closed_ = false, warned_ = false;
};

Acceptor::Acceptor(Loop& loop, int fd, bool v6, OnAccept on_accept) : impl_(std::make_shared<Impl>(loop, fd, v6, std::move(on_accept))) {
  impl_->wait();
}
Acceptor::~Acceptor() { impl_->close(false); }
void Acceptor::drain_and_close() { impl_->close(true); }

}  // namespace weft::net
