#include "demo/blocking_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <chrono>

namespace weft::demo {
namespace {

namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

bool wait_for(int fd, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd poll_for{fd, events, 0};
    const int ready = poll(&poll_for, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace

Result<Reply> http_request(const Address& server, const std::string& method, const std::string& target, const std::string& body,
                           const std::string& content_type, double seconds) {
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  const std::string where = server.text() + target;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port);
  if (inet_pton(AF_INET, server.ip.c_str(), &address.sin_addr) != 1) return invalid("not an IPv4 address: " + server.ip);
  Descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (socket.fd < 0) return system_error("socket", errno);
  if (connect(socket.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS)
    return system_error(where, errno);
  int failure = 0;
  socklen_t size = sizeof failure;
  if (!wait_for(socket.fd, POLLOUT, deadline)) return Error{Error::Kind::kTimeout, where + ": no connection in time"};
  getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &failure, &size);
  if (failure != 0) return system_error(where, failure);

  std::string request = method + " " + target + " HTTP/1.1\r\nhost: " + server.text() + "\r\nconnection: close\r\n";
  if (!content_type.empty()) request += "content-type: " + content_type + "\r\n";
  if (method != "GET") request += "content-length: " + std::to_string(body.size()) + "\r\n";
  request += "\r\n" + body;
  for (size_t sent = 0; sent < request.size();) {
    const ssize_t n = send(socket.fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (n > 0)
      sent += static_cast<size_t>(n);
    else if (errno != EAGAIN && errno != EINTR)
      return system_error(where, errno);
    else if (!wait_for(socket.fd, POLLOUT, deadline))
      return Error{Error::Kind::kTimeout, where + ": does not read"};
  }
  http::response_parser<http::string_body> parser;
  parser.body_limit(64 << 20);
  parser.eager(true);
  std::string pending;
  char chunk[65536];
  while (!parser.is_done()) {
    if (!wait_for(socket.fd, POLLIN, deadline)) return Error{Error::Kind::kTimeout, where + ": no answer in time"};
    const ssize_t n = recv(socket.fd, chunk, sizeof chunk, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n < 0) return system_error(where, errno);
    boost::system::error_code error;
    if (n == 0) {
      if (!parser.got_some()) return Error{Error::Kind::kClosed, where + ": closed without an answer"};
      parser.put_eof(error);
      if (error) return Error{Error::Kind::kClosed, where + ": " + error.message()};
      break;
    }
    pending.append(chunk, static_cast<size_t>(n));
    const size_t used = parser.put(boost::asio::buffer(pending), error);
    pending.erase(0, used);
    if (error && error != http::error::need_more) return invalid(where + ": " + error.message());
  }
  return Reply{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

}  // namespace weft::demo
