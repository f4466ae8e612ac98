#include "proxy/dns_proxy/in_event.h"
#include "proxy/dns_proxy/ports.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

namespace weft::dns_proxy {
namespace {

constexpr int kReadsPerEvent = 64;  // a storm of queries leaves room for answers
constexpr int kBacklog = 128;

Error bind_failure(const Resolver& address) {
  std::ostringstream text;
  text << "DNS proxy: cannot bind " << address;
  return system_error(text.str(), errno);
}

}  // namespace

Result<BoundPorts> bind_ports(const Resolver& wanted) {
  BoundPorts bound;
  // The streams' port first: where the kernel chooses it, it chooses one for both.
  auto streams = net::open_listeners({wanted.address(), wanted.port()}, 1, kBacklog);
  if (!streams) return Error{streams.error().kind, "DNS proxy: " + streams.error().detail};
  bound.streams = std::move(*streams);
  bound.address = Resolver(wanted.address(), bound.streams.address.port());
  bound.datagrams = ::socket(wanted.protocol().family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (bound.datagrams >= 0 && wanted.address().is_v6()) ::setsockopt(bound.datagrams, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bound.datagrams < 0 || ::bind(bound.datagrams, bound.address.data(), static_cast<socklen_t>(bound.address.size())) != 0) {
    Error error = bind_failure(bound.address);
    close_ports(bound);
    return error;
  }
  return bound;
}

void close_ports(const BoundPorts& ports) {
  net::close_sockets(ports.streams);
  if (ports.datagrams >= 0) ::close(ports.datagrams);
}

class DatagramPort::Impl : public std::enable_shared_from_this<DatagramPort::Impl> {
 public:
  Impl(net::Loop& loop, QueryService& service, const BoundPorts& ports)
      : loop_(loop), service_(service), socket_(loop.executor(), ports.address.protocol(), ports.datagrams) {
    boost::system::error_code ignored;
    socket_.non_blocking(true, ignored);
  }

  void wait() {
    socket_.async_wait(asio::socket_base::wait_read, [self = shared_from_this()](boost::system::error_code error) {
      const InEvent event(self->loop_);
      if (error || !self->socket_.is_open()) return;
      self->read();
      self->wait();
    });
  }

  void close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

 private:
  void read() {
    for (int n = 0; n < kReadsPerEvent; ++n) {
      boost::system::error_code error;
      Resolver from;
      const size_t size = socket_.receive_from(asio::buffer(buffer_), from, 0, error);
      if (error == asio::error::would_block || error == asio::error::try_again) return;
      if (error) continue;  // of an answer that was sent before
      service_.take_datagram(std::string_view(buffer_).substr(0, size), from.port(),
                             [weak = weak_from_this(), from](const std::string& out) {
                               const auto self = weak.lock();
                               if (!self || out.empty() || !self->socket_.is_open()) return;
                               boost::system::error_code lost;  // who asked asks again
                               self->socket_.send_to(asio::buffer(out), from, 0, lost);
                             });
    }
  }

  net::Loop& loop_;
  QueryService& service_;
  asio::basic_datagram_socket<asio::ip::udp, Executor> socket_;
  std::string buffer_ = std::string(dns::kMaxMessage, '\0');
};

DatagramPort::DatagramPort(net::Loop& loop, QueryService& service, const BoundPorts& ports)
    : impl_(std::make_shared<Impl>(loop, service, ports)) {
  impl_->wait();
}
DatagramPort::~DatagramPort() { impl_->close(); }

}  // namespace weft::dns_proxy
