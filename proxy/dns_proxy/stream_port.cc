#include "proxy/dns_proxy/in_event.h"
#include "proxy/dns_proxy/ports.h"

#include <set>

namespace weft::dns_proxy {
namespace {

constexpr size_t kMaxConnections = 128;
constexpr size_t kMaxUnanswered = 32;      // of one connection; more wait in its socket
constexpr size_t kMaxUnsent = 256 * 1024;  // bytes of answers that a client does not read
constexpr std::chrono::seconds kIdle{10};

size_t length_of(std::string_view bytes) {
  return static_cast<size_t>(static_cast<unsigned char>(bytes[0])) << 8 | static_cast<unsigned char>(bytes[1]);
}

}  // namespace

class StreamPort::Impl : public std::enable_shared_from_this<StreamPort::Impl> {
 public:
  class Client;
  Impl(net::Loop& loop, QueryService& service) : loop(loop), service(service) {}
  void accept(net::Socket socket);
  void close();

  net::Loop& loop;
  QueryService& service;
  std::unique_ptr<net::Acceptor> acceptor;
  std::set<std::shared_ptr<Client>> clients;
};

class StreamPort::Impl::Client : public std::enable_shared_from_this<Client> {
 public:
  Client(std::shared_ptr<Impl> port, net::Socket socket) : port_(std::move(port)), socket_(std::move(socket)) {}

  void begin() {
    note_life();
    go_on();
  }

  void close() {
    if (closed_) return;
    closed_ = true;
    idle_.disarm();
    boost::system::error_code ignored;
    socket_.close(ignored);
    port_->clients.erase(shared_from_this());  // the caller holds it, too
  }

 private:
  void note_life() { port_->loop.wheel().arm(idle_, kIdle); }

  // Whoever waits for an answer is not idle; whoever does not read it is.
  void on_idle() {
    const auto self = shared_from_this();
    unanswered_ > 0 && unsent() == 0 ? note_life() : close();
  }

  // Takes what is there, then reads more while there is room for it.
  void go_on() {
    while (!closed_ && !full() && in_.size() >= 2 && in_.size() >= 2 + length_of(in_)) {
      const std::string query = in_.substr(2, length_of(in_));
      in_.erase(0, 2 + query.size());
      ++unanswered_;
      port_->service.take_stream(query, [weak = weak_from_this()](const std::string& answer) {
        if (const auto self = weak.lock()) self->answer(answer);
      });
    }
    if (!closed_ && !full() && !reading_) read();
  }

  bool full() const { return unanswered_ >= kMaxUnanswered || unsent() >= kMaxUnsent; }

  void read() {
    reading_ = true;
    socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](boost::system::error_code error, size_t size) {
      if (self->closed_) return;
      const InEvent event(self->port_->loop);
      self->reading_ = false;
      if (error) return self->end();
      self->note_life();
      self->in_.append(self->buffer_, size);
      self->go_on();
    });
  }

  // The client will say no more; it may still want its answers.
  void end() {
    ended_ = reading_ = true;
    if (unanswered_ == 0 && unsent() == 0) close();
  }

  void answer(const std::string& message) {
    if (closed_) return;
    --unanswered_;
    if (message.empty()) return close();  // no DNS
    out_ += static_cast<char>(message.size() >> 8);
    out_ += static_cast<char>(message.size() & 255);
    out_ += message;
    if (!writing_) write();
  }

  void write() {
    if (sending_.empty()) sending_.swap(out_);
    writing_ = true;
    socket_.async_write_some(asio::buffer(sending_), [self = shared_from_this()](boost::system::error_code error, size_t size) {
      if (self->closed_) return;
      const InEvent event(self->port_->loop);
      self->writing_ = false;
      if (error) return self->close();
      self->note_life();
      self->sending_.erase(0, size);
      if (self->unsent() > 0) return self->write();
      self->ended_ && self->unanswered_ == 0 ? self->close() : self->go_on();
    });
  }

  size_t unsent() const { return out_.size() + sending_.size(); }

  const std::shared_ptr<Impl> port_;
  net::Socket socket_;
  Timeout<Client, &Client::on_idle> idle_{*this};
  std::string in_, out_, sending_;
  char buffer_[4096];
  size_t unanswered_ = 0;
  bool reading_ = false, writing_ = false, ended_ = false, closed_ = false;
};

void StreamPort::Impl::accept(net::Socket socket) {
  if (clients.size() >= kMaxConnections) return;  // closed at once: it may come back
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  const auto client = std::make_shared<Client>(shared_from_this(), std::move(socket));
  clients.insert(client);
  client->begin();
}

void StreamPort::Impl::close() {
  acceptor.reset();
  const auto leaving = clients;
  for (const auto& client : leaving) client->close();
}

StreamPort::StreamPort(net::Loop& loop, QueryService& service, const BoundPorts& ports) : impl_(std::make_shared<Impl>(loop, service)) {
  impl_->acceptor = std::make_unique<net::Acceptor>(loop, ports.streams.fds.front(), ports.address.address().is_v6(),
                                                    [impl = impl_.get()](net::Socket socket) { impl->accept(std::move(socket)); });
}
StreamPort::~StreamPort() { impl_->close(); }

}  // namespace weft::dns_proxy
