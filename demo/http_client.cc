#include "demo/http_client.h"

#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>

namespace weft::demo {

namespace beast = boost::beast;
namespace http = beast::http;

struct HttpClient::Connection {
  explicit Connection(Executor executor) : stream(executor) {}
  beast::basic_stream<asio::ip::tcp, Executor> stream;
  beast::flat_buffer buffer;
};

HttpClient::HttpClient(Executor executor) : executor_(executor) {}
HttpClient::~HttpClient() = default;

Task<Answer> HttpClient::get(asio::ip::tcp::endpoint server, std::string host, std::string target, HeaderList headers, double seconds) {
  http::request<http::empty_body> request{http::verb::get, target, 11};
  request.set(http::field::host, host);
  for (const auto& [name, value] : headers) request.set(name, value);
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
  Answer answer;
  for (;;) {
    auto& idle = idle_[server];
    const bool reused = !idle.empty();
    std::unique_ptr<Connection> connection;
    if (reused) {
      connection = std::move(idle.back());
      idle.pop_back();
    } else {
      connection = std::make_unique<Connection>(executor_);
    }
    connection->stream.expires_at(deadline);
    boost::system::error_code error;
    if (!reused) {
      std::tie(error) = co_await connection->stream.async_connect(server, kAwait);
      if (error) {
        answer.trouble = "connect: " + error.message();
        co_return answer;
      }
      boost::system::error_code ignored;
      connection->stream.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    }
    size_t bytes = 0;
    std::tie(error, bytes) = co_await http::async_write(connection->stream, request, kAwait);
    http::response<http::string_body> response;
    if (!error) std::tie(error, bytes) = co_await http::async_read(connection->stream, connection->buffer, response, kAwait);
    if (error) {
      // A kept connection may have been closed meanwhile: that says nothing about the server.
      if (reused && error != beast::error::timeout) continue;
      answer.trouble = error.message();
      co_return answer;
    }
    answer.status = response.result_int();
    answer.served_by = std::string(response[kServedBy]);
    answer.body = std::move(response.body());
    connection->stream.expires_never();
    if (response.keep_alive()) idle_[server].push_back(std::move(connection));
    co_return answer;
  }
}

}  // namespace weft::demo
