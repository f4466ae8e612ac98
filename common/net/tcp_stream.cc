// TCP on asio's reactor. Its own async_wait costs an epoll_ctl a time; asio has already registered the socket for both edges,
// so this file queues its own operation on the reactor instead: no system call to wait, no buffer while idle. It is the one
// file that includes asio/detail, which is why Boost is pinned. A read that leaves room has emptied the socket, and the next edge
// tells of more; but when the last bytes and a FIN or a reset arrive together there is no next one. So each socket is registered for
// EPOLLRDHUP as well, and the edge's own events tell.
#include "common/net/original_destination.h"
#include "common/net/stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace weft::net {
namespace {

namespace detail = asio::detail;

// The epoll events of a descriptor's last edge, which asio keeps where it passes them to itself.
struct EdgeEvents : detail::operation {
  static unsigned of(detail::reactor::per_descriptor_data descriptor) {
    return (detail::operation*)(descriptor)->*(&EdgeEvents::task_result_);  // the base is private: no other cast reaches it
  }
};

// Asio keeps these two to itself; naming a private member is allowed where a template is instantiated.
template <class Tag, typename Tag::Type pointer>
struct Expose {
  friend typename Tag::Type member(Tag) { return pointer; }
};
struct EpollFile {
  using Type = int detail::epoll_reactor::*;
  friend Type member(EpollFile);
};
struct RegisteredEvents {
  using Type = uint32_t detail::epoll_reactor::descriptor_state::*;
  friend Type member(RegisteredEvents);
};
template struct Expose<EpollFile, &detail::epoll_reactor::epoll_fd_>;
template struct Expose<RegisteredEvents, &detail::epoll_reactor::descriptor_state::registered_events_>;

// Asio allocates a small record per descriptor when it needs one more than ever before, and keeps it until the loop ends. Between the
// objects of connections, each would hold a page of theirs back from the system after they have gone; so records are made in runs.
class DescriptorRecords final : public asio::execution_context::service {
 public:
  using key_type = DescriptorRecords;
  static asio::execution_context::id id;

  explicit DescriptorRecords(asio::execution_context& context) : service(context), reactor_(asio::use_service<detail::reactor>(context)) {}

  void taken() {
    if (++used_ < made_) return;
    std::vector<detail::reactor::per_descriptor_data> run(std::clamp<size_t>(used_ / 2, 64, 2048));
    made_ = used_ + run.size();
    // A file that epoll refuses is registered without a system call's consequence.
    const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    for (auto& record : run) reactor_.register_descriptor(file, record);
    for (auto& record : run) {
      reactor_.deregister_descriptor(file, record, false);
      reactor_.cleanup_descriptor_data(record);
    }
    ::close(file);
  }
  void given_back() { --used_; }
  detail::reactor& reactor() { return reactor_; }
  // Has the peer's FIN told by edges too. False: it is not.
  bool watch_peers_end(int file, detail::reactor::per_descriptor_data descriptor) {
    uint32_t& events = descriptor->*member(RegisteredEvents{});
    epoll_event event{events | EPOLLRDHUP, {.ptr = descriptor}};
    if (::epoll_ctl(reactor_.*member(EpollFile{}), EPOLL_CTL_MOD, file, &event) != 0) return false;
    events |= EPOLLRDHUP;
    return true;
  }

 private:
  void shutdown() override {}
  detail::reactor& reactor_;
  size_t used_ = 0, made_ = 0;
};
asio::execution_context::id DescriptorRecords::id;

class TcpStream final : public Stream {
 public:
  explicit TcpStream(Socket socket) : records_(asio::use_service<DescriptorRecords>(socket.get_executor().context())) {
    boost::system::error_code ignored;
    local_ = own_address(socket.local_endpoint(ignored));
    peer_ = own_address(socket.remote_endpoint(ignored));
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
    fd_ = socket.release(ignored);
    tells_end_ = records_.reactor().register_descriptor(fd_, data_) == 0 && records_.watch_peers_end(fd_, data_);
    records_.taken();
  }
  ~TcpStream() override { close(false); }

  Transfer try_read(ReadBuffer& in) override {
    in.prepare();
    const size_t room = in.room();
    const ssize_t n = ::recv(fd_, in.end(), room, MSG_DONTWAIT);
    if (n < 0) return failure();
    if (n == 0) return {Transfer::State::kEnd};
    const auto bytes = static_cast<size_t>(n);
    in.filled(bytes);
    return {Transfer::State::kDone, bytes, bytes == room || read_->last_edge || !tells_end_};
  }

  Transfer try_write(const iovec* vectors, int count) override {
    ssize_t n;
    if (count == 1) {
      n = ::send(fd_, vectors->iov_base, vectors->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(vectors);
      message.msg_iovlen = static_cast<size_t>(count);
      n = ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (n < 0) return failure();
    return {Transfer::State::kDone, static_cast<size_t>(n)};
  }

  void wait_readable(Ready& ready) override { start(*read_, detail::reactor::read_op, ready); }
  void wait_writable(Ready& ready) override { start(*write_, detail::reactor::write_op, ready); }
  void shutdown_write() override { ::shutdown(fd_, SHUT_WR); }

  void close(bool reset) override {
    if (fd_ < 0) return;
    if (reset) {
      const linger hard{1, 0};
      ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    // What is pending is delivered as aborted after this object is gone: it then belongs to itself.
    read_.release()->abandon();
    write_.release()->abandon();
    records_.reactor().deregister_descriptor(fd_, data_, false);
    records_.reactor().cleanup_descriptor_data(data_);
    records_.given_back();
    ::close(fd_);
    fd_ = -1;
  }

  const Endpoint& local_address() const override { return local_; }
  const Endpoint& peer_address() const override { return peer_; }

 private:
  // A queued wait. Asio owns it while `pending`, the stream at all other times.
  struct Operation : detail::reactor_op {
    explicit Operation(bool write) : reactor_op({}, &Operation::perform, &Operation::complete), write(write) {}
    static status perform(reactor_op* base) {
      auto* self = static_cast<Operation*>(base);
      if (EdgeEvents::of(self->descriptor) & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) self->last_edge = true;
      return done_and_exhausted;
    }
    static void complete(void* owner, detail::operation* base, const boost::system::error_code&, size_t) {
      auto* self = static_cast<Operation*>(base);
      self->pending = false;
      if (self->abandoned) return delete self;
      if (!owner) return;  // the io_context dies
      self->write ? self->ready->on_writable() : self->ready->on_readable();
    }
    void abandon() {
      abandoned = true;
      if (!pending) delete this;
    }
    Ready* ready = nullptr;
    detail::reactor::per_descriptor_data descriptor{};
    const bool write;
    bool pending = false, abandoned = false;
    bool last_edge = false;  // the peer has ended or reset the connection: no edge will tell once more
  };

  // A Unix socket has no address of this kind: 0.0.0.0:0 then.
  static Endpoint own_address(const Endpoint& endpoint) {
    const int family = endpoint.data()->sa_family;
    return family == AF_INET ? endpoint : family == AF_INET6 ? unmapped(endpoint) : Endpoint();
  }
  static Transfer failure() {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {Transfer::State::kBlock};
    return {Transfer::State::kFailed, 0, false, errno};
  }
  void start(Operation& operation, int kind, Ready& ready) {
    operation.ready = &ready;
    if (operation.pending) return;  // who waited before has handed the stream on
    operation.descriptor = data_;
    operation.ec_ = {};
    operation.pending = true;
    records_.reactor().start_op(kind, fd_, data_, &operation, false, true);
  }

  DescriptorRecords& records_;
  detail::reactor::per_descriptor_data data_{};
  std::unique_ptr<Operation> read_ = std::make_unique<Operation>(false), write_ = std::make_unique<Operation>(true);
  Endpoint local_, peer_;
  int fd_ = -1;
  bool tells_end_ = false;  // edges tell of the peer's FIN
};

}  // namespace

std::unique_ptr<Stream> make_tcp_stream(Socket socket) { return std::make_unique<TcpStream>(std::move(socket)); }

std::string to_string(const Endpoint& endpoint) {
  const auto address = endpoint.address();
  const std::string port = ":" + std::to_string(endpoint.port());
  return address.is_v6() ? "[" + address.to_string() + "]" + port : address.to_string() + port;
}

}  // namespace weft::net
