#include "controlplane/api/http_server.h"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/rate_policy.hpp>
#include <boost/beast/http.hpp>

#include <set>

namespace weft::api {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;
using Acceptor = asio::basic_socket_acceptor<Tcp, Executor>;
using Socket = Tcp::socket::rebind_executor<Executor>::other;
using Stream = beast::basic_stream<Tcp, Executor, beast::unlimited_rate_policy>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

// A header that goes into the history: short, and nothing that would disturb a terminal.
std::string printable(std::string_view text) {
  std::string out(text.substr(0, 100));
  std::erase_if(out, [](unsigned char c) { return c <= ' ' || c >= 0x7f; });
  return out;
}

Request request_of(const http::request<http::string_body>& message) {
  Request request;
  request.method = std::string(message.method_string());
  std::string_view type = message[http::field::content_type];
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  request.content_type = lower_case(type);
  request.user_agent = std::string(message[http::field::user_agent]);
  request.user = printable(message["X-Weft-User"]);
  request.host = lower_case(message[http::field::host]);
  request.origin = lower_case(message[http::field::origin]);
  request.fetch_site = lower_case(message["Sec-Fetch-Site"]);
  return request;
}

}  // namespace

struct HttpServer::State {
  State(Executor executor, Handler h, HttpOptions o) : handler(std::move(h)), options(std::move(o)), acceptor(executor) {}
  Handler handler;
  HttpOptions options;
  Acceptor acceptor;
  std::string bound;
  bool stopped = false;
  std::set<Stream*> streams;
};

struct HttpServer::Serving {
  using StatePtr = std::shared_ptr<State>;

  static Task<void> accept(StatePtr state) {
    while (!state->stopped) {
      Socket socket(state->acceptor.get_executor());
      auto [error] = co_await state->acceptor.async_accept(socket, kAwait);
      if (state->stopped || error == asio::error::operation_aborted) co_return;
      if (error) {  // out of descriptors: give others time to close theirs
        Timer pause(state->acceptor.get_executor(), std::chrono::milliseconds(100));
        co_await pause.async_wait(kAwait);
        continue;
      }
      if (state->streams.size() >= state->options.max_connections) continue;  // closes it
      auto stream = std::make_unique<Stream>(std::move(socket));
      spawn(state->acceptor.get_executor(), "api connection", serve(state, std::move(stream)));
    }
  }

  // In the server's list for as long as its coroutine runs.
  struct Listed {
    State& state;
    Stream* stream;
    Listed(State& s, Stream* p) : state(s), stream(p) { state.streams.insert(p); }
    ~Listed() { state.streams.erase(stream); }
  };

  static Task<void> serve(StatePtr state, std::unique_ptr<Stream> stream) {
    Listed listed(*state, stream.get());
    beast::flat_buffer buffer;
    for (;;) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(state->options.max_body);
      parser.header_limit(state->options.max_header);
      stream->expires_after(state->options.read_timeout);
      auto [error, size] = co_await http::async_read_header(*stream, buffer, parser, kAwait);
      if (!error && lower_case(parser.get()[http::field::expect]) == "100-continue") {
        http::response<http::empty_body> go_on(http::status::continue_, parser.get().version());
        auto [failed, written] = co_await http::async_write(*stream, go_on, kAwait);
        if (failed) break;
      }
      if (!error) {
        auto [read_error, more] = co_await http::async_read(*stream, buffer, parser, kAwait);
        error = read_error;
      }
      if (state->stopped || error == http::error::end_of_stream) break;
      if (error) {
        Reply reply;
        if (error == http::error::body_limit) {
          reply = error_reply(413, "too_large", "the body is larger than " + std::to_string(state->options.max_body) + " bytes");
        } else if (error == http::error::header_limit) {
          reply = error_reply(431, "too_large", "the header is larger than " + std::to_string(state->options.max_header) + " bytes");
        } else if (error.category() == make_error_code(http::error::bad_method).category()) {
          reply = error_reply(400, "bad_request", error.message());
        } else {
          break;
        }
        bool closing = co_await write(*state, *stream, std::move(reply), 11, false, false);
        if (closing) co_await drain(*stream);
        break;
      }
      http::request<http::string_body> message = parser.release();
      Request request = request_of(message);
      const bool head = message.method() == http::verb::head, keep = message.keep_alive();
      Reply reply;
      if (!parse_target(message.target(), request)) {
        reply = error_reply(400, "bad_request", "the target is not a path");
      } else if (message.version() >= 11 && message.count(http::field::host) != 1) {
        reply = error_reply(400, "bad_request", "one Host header is required");
      } else if (std::string why = refusal(request, state->options.names); !why.empty()) {
        reply = error_reply(403, "forbidden", why);
      } else {
        request.body = std::move(message.body());
        if (head) request.method = "GET";
        reply = co_await state->handler(std::move(request));
      }
      bool written = co_await write(*state, *stream, std::move(reply), message.version(), keep && !state->stopped, head);
      if (!written || !keep || state->stopped) break;
    }
    beast::error_code ignored;
    stream->socket().shutdown(Tcp::socket::shutdown_send, ignored);
  }

  static Task<bool> write(State& state, Stream& stream, Reply reply, unsigned version, bool keep, bool head) {
    http::response<http::string_body> response;
    response.version(version);
    response.result(static_cast<unsigned>(reply.status));
    response.set(http::field::content_type, reply.content_type);
    response.set(http::field::cache_control, "no-store");
    response.set("X-Content-Type-Options", "nosniff");
    response.set(http::field::server, "weft-control");
    if (!reply.allow.empty()) response.set(http::field::allow, reply.allow);
    response.keep_alive(keep);
    response.content_length(reply.body.size());
    if (!head) response.body() = std::move(reply.body);
    stream.expires_after(state.options.write_timeout);
    auto [error, size] = co_await http::async_write(stream, response, kAwait);
    co_return !error;
  }

  // A client that is still sending would be reset before it reads our answer; it gets a moment.
  static Task<void> drain(Stream& stream) {
    beast::error_code ignored;
    stream.socket().shutdown(Tcp::socket::shutdown_send, ignored);
    stream.expires_after(std::chrono::seconds(1));
    std::string waste(16 << 10, '\0');
    for (int i = 0; i < 4096; ++i) {
      auto [error, size] = co_await stream.async_read_some(asio::buffer(waste), kAwait);
      if (error) co_return;
    }
  }
};

HttpServer::HttpServer(Executor executor, Handler handler, HttpOptions options)
    : state_(std::make_shared<State>(executor, std::move(handler), std::move(options))) {}

HttpServer::~HttpServer() { stop(); }

Status HttpServer::listen() {
  State& state = *state_;
  const std::string where = "HTTP API on " + state.options.address + ":" + std::to_string(state.options.port);
  beast::error_code error;
  const auto ip = asio::ip::make_address(state.options.address, error);
  if (error) return invalid(where + ": not an IP address");
  const Tcp::endpoint endpoint(ip, state.options.port);
  state.acceptor.open(endpoint.protocol(), error);
  if (!error) state.acceptor.set_option(Acceptor::reuse_address(true), error);
  if (!error) state.acceptor.bind(endpoint, error);
  if (!error) state.acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    beast::error_code ignored;
    state.acceptor.close(ignored);
    return Error{Error::Kind::kSystem, where + ": " + error.message()};
  }
  const Tcp::endpoint local = state.acceptor.local_endpoint(error);
  const std::string text = local.address().to_string();
  state.bound = (local.address().is_v6() ? "[" + text + "]" : text) + ":" + std::to_string(local.port());
  spawn(state.acceptor.get_executor(), "api accept", Serving::accept(state_));
  return {};
}

const std::string& HttpServer::address() const { return state_->bound; }

void HttpServer::stop() {
  if (state_->stopped) return;
  state_->stopped = true;
  beast::error_code ignored;
  state_->acceptor.close(ignored);
  for (Stream* stream : state_->streams) stream->socket().close(ignored);
}

}  // namespace weft::api
