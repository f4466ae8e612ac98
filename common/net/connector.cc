#include "common/net/connector.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace weft::net {

struct Connector::Attempt : std::enable_shared_from_this<Connector::Attempt> {
  Attempt(Loop& loop, const Endpoint& to, std::shared_ptr<const Addresses> all, const ConnectOptions& options, Done done)
      : loop(loop), to(to), all(std::move(all)), options(options), done(std::move(done)) {}

  void begin(std::chrono::milliseconds patience) {
    loop.wheel().arm(deadline, patience);
    try_next();
  }

  size_t count() const { return all ? all->size() : 1; }

  void try_next() {
    pace.disarm();
    const Endpoint& address = all ? (*all)[next] : to;
    ++next;
    auto socket = std::make_unique<Socket>(loop.executor());
    boost::system::error_code error;
    socket->open(address.protocol(), error);
    if (!error) {
      local_failure = prepare_socket(socket->native_handle(), address, options);
      if (!local_failure.empty()) error.assign(EADDRNOTAVAIL, boost::system::system_category());
    }
    ++running;
    if (error) {  // out of descriptors, or no such source: reported as any failure, but later
      loop.post([self = shared_from_this(), code = error.value()] { self->on_failed(code); });
      return;
    }
    Socket* tried = socket.get();
    tries.push_back(std::move(socket));
    tried->async_connect(address, [self = shared_from_this(), tried](boost::system::error_code failed) {
      self->loop.begin_event();
      self->on_tried(*tried, failed.value());
      self->loop.end_event();
    });
    if (next < count()) loop.wheel().arm(pace, kPace);
  }

  void on_tried(Socket& socket, int error) {
    if (!done) return;
    boost::system::error_code ignored;
    // A connect to a free port of our own range may meet itself.
    if (error == 0 && socket.local_endpoint(ignored) == socket.remote_endpoint(ignored)) error = ECONNREFUSED;
    if (error != 0) return on_failed(error);
    local_failure.clear();
    finish(0, std::move(socket));
  }

  void on_failed(int error) {
    if (!done) return;
    --running;
    if (next < count()) return try_next();
    if (running == 0) finish(error, Socket(loop.executor()));
  }

  void finish(int error, Socket socket) {
    deadline.disarm();
    pace.disarm();
    std::exchange(done, nullptr)(error, std::move(socket));
    close_all();
  }

  void on_deadline() {
    auto self = shared_from_this();
    local_failure.clear();
    finish(ETIMEDOUT, Socket(loop.executor()));
  }
  void on_pace() { try_next(); }

  void give_up() {
    done = nullptr;
    deadline.disarm();
    pace.disarm();
    close_all();
  }

  void close_all() {
    boost::system::error_code ignored;
    for (auto& socket : tries) socket->close(ignored);
  }

  Loop& loop;
  const Endpoint to;
  const std::shared_ptr<const Addresses> all;
  const ConnectOptions options;
  Done done;
  std::string local_failure;
  std::vector<std::unique_ptr<Socket>> tries;
  size_t next = 0;     // the address whose turn it is
  size_t running = 0;  // tries that have not failed
  Timeout<Attempt, &Attempt::on_deadline> deadline{*this};
  Timeout<Attempt, &Attempt::on_pace> pace{*this};
};

Connector::Connector(Loop& loop, const Endpoint& to, std::shared_ptr<const Addresses> all, std::chrono::milliseconds deadline,
                     const ConnectOptions& options, Done done)
    : attempt_(std::make_shared<Attempt>(loop, to, std::move(all), options, std::move(done))) {
  attempt_->begin(deadline);
}

Connector::~Connector() { attempt_->give_up(); }

const std::string& Connector::local_failure() const { return attempt_->local_failure; }

}  // namespace weft::net
