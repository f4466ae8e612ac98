#include "common/net/connector.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace weft::net {

struct Connector::Attempt : std::enable_shared_from_this<Connector::Attempt> {
  Attempt(Loop& loop, Done done) : loop(loop), socket(loop.executor()), done(std::move(done)) {}

  void begin(const Endpoint& to, std::chrono::milliseconds patience, const std::optional<TcpKeepalive>& keepalive) {
    boost::system::error_code error;
    socket.open(to.protocol(), error);
    if (error) {  // out of descriptors: report as any failure, but later
      loop.post([self = shared_from_this(), code = error.value()] { self->finish(code); });
      return;
    }
    if (keepalive) {
      socket.set_option(asio::socket_base::keep_alive(true), error);
      const int fd = socket.native_handle();
      if (keepalive->probes) ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &keepalive->probes, sizeof(int));
      if (keepalive->time_s) ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive->time_s, sizeof(int));
      if (keepalive->interval_s) ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &keepalive->interval_s, sizeof(int));
    }
    loop.wheel().arm(deadline, patience);
    socket.async_connect(to, [self = shared_from_this()](boost::system::error_code failed) {
      self->finish(failed.value());
      self->loop.end_event();
    });
  }

  void finish(int error) {
    if (!done) return;
    deadline.disarm();
    // A connect to a free port of our own range may meet itself.
    boost::system::error_code ignored;
    if (error == 0 && socket.local_endpoint(ignored) == socket.remote_endpoint(ignored)) error = ECONNREFUSED;
    Done call = std::move(done);
    done = nullptr;
    call(error, std::move(socket));
  }

  void on_deadline() {
    auto self = shared_from_this();
    finish(ETIMEDOUT);
    give_up();
  }

  void give_up() {
    done = nullptr;
    deadline.disarm();
    boost::system::error_code ignored;
    socket.close(ignored);
  }

  Loop& loop;
  Socket socket;
  Done done;
  Timeout<Attempt, &Attempt::on_deadline> deadline{*this};
};

Connector::Connector(Loop& loop, const Endpoint& to, std::chrono::milliseconds deadline, const std::optional<TcpKeepalive>& keepalive,
                     Done done)
    : attempt_(std::make_shared<Attempt>(loop, std::move(done))) {
  attempt_->begin(to, deadline, keepalive);
}

Connector::~Connector() { attempt_->give_up(); }

}  // namespace weft::net
