#include "proxy/admin/admin_server.h"

#include "common/observe/shapes.h"
#include "proxy/admin/admin_source.h"
#include "proxy/admin/page.h"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/rate_policy.hpp>
#include <boost/beast/http.hpp>

#include <ctime>
#include <set>

namespace weft::admin {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;
using Acceptor = asio::basic_socket_acceptor<Tcp, Executor>;
using Stream = beast::basic_stream<Tcp, Executor, beast::unlimited_rate_policy>;
using observe::HttpStat;
using observe::ListenerStat;

constexpr unsigned kControlThread = 0;

std::string http_date() {
  char text[64];
  time_t now = time(nullptr);
  tm broken{};
  gmtime_r(&now, &broken);
  return {text, strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &broken)};
}

std::string text_of(const Tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

}  // namespace

struct AdminServer::State {
  State(Executor executor, AdminSource& source, observe::Registry& registry, AdminOptions options)
      : context{source, registry},
        options(std::move(options)),
        acceptor(executor),
        http(observe::http_scope(registry, "admin")),
        listener(observe::admin_listener_scope(registry)),
        listener_http(observe::admin_listener_http_scope(registry)) {}
  PageContext context;
  AdminOptions options;
  Acceptor acceptor;
  std::string bound;
  bool stopped = false;
  std::set<Stream*> streams;
  std::shared_ptr<observe::Scope> http, listener, listener_http;
};

// The coroutines: templates only because State is private to AdminServer.
struct Serving {
  template <class S>
  static Task<void> accept(std::shared_ptr<S> state) {
    while (!state->stopped) {
      Tcp::socket::rebind_executor<Executor>::other socket(state->acceptor.get_executor());
      auto [error] = co_await state->acceptor.async_accept(socket, kAwait);
      if (state->stopped || error == asio::error::operation_aborted) co_return;
      if (error) {  // out of descriptors: give others time to close theirs
        asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor> pause(
            state->acceptor.get_executor(), std::chrono::milliseconds(100));
        co_await pause.async_wait(kAwait);
        continue;
      }
      observe::Cells& cells = state->listener->cells(kControlThread);
      if (state->streams.size() >= state->options.max_connections) {
        cells.add(ListenerStat::kDownstreamCxOverflow);
        continue;  // closes it
      }
      cells.add(ListenerStat::kDownstreamCxTotal);
      auto stream = std::make_unique<Stream>(std::move(socket));
      spawn(state->acceptor.get_executor(), "admin connection", serve(state, std::move(stream)));
    }
  }

  template <class S>
  struct Entered {
    S& state;
    Stream* stream;
    Entered(S& s, Stream* p) : state(s), stream(p) {
      state.streams.insert(stream);
      state.listener->cells(kControlThread).add(ListenerStat::kDownstreamCxActive);
      state.http->cells(kControlThread).add(HttpStat::kDownstreamCxTotal);
      state.http->cells(kControlThread).add(HttpStat::kDownstreamCxActive);
      state.http->cells(kControlThread).add(HttpStat::kDownstreamCxHttp1Total);
      state.http->cells(kControlThread).add(HttpStat::kDownstreamCxHttp1Active);
    }
    ~Entered() {
      state.streams.erase(stream);
      state.listener->cells(kControlThread).sub(ListenerStat::kDownstreamCxActive);
      state.listener->cells(kControlThread).add(ListenerStat::kDownstreamCxDestroy);
      state.http->cells(kControlThread).sub(HttpStat::kDownstreamCxActive);
      state.http->cells(kControlThread).sub(HttpStat::kDownstreamCxHttp1Active);
      state.http->cells(kControlThread).add(HttpStat::kDownstreamCxDestroy);
    }
  };

  template <class S>
  static Task<void> serve(std::shared_ptr<S> state, std::unique_ptr<Stream> stream) {
    Entered<S> entered(*state, stream.get());
    beast::flat_buffer buffer;
    for (;;) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(state->options.max_body);
      parser.header_limit(16 << 10);
      stream->expires_after(state->options.timeout);
      auto [error, n] = co_await http::async_read(*stream, buffer, parser, kAwait);
      state->http->cells(kControlThread).add(HttpStat::kDownstreamCxRxBytesTotal, static_cast<int64_t>(n));
      if (state->stopped || error == http::error::end_of_stream) break;
      if (error == http::error::body_limit || error == http::error::header_limit ||
          error.category() == make_error_code(http::error::bad_method).category()) {
        Page page{error == http::error::body_limit ? 413 : error == http::error::header_limit ? 431 : 400, error.message() + "\n"};
        co_await write(*state, *stream, page, 11, false, false);
        break;
      }
      if (error) break;
      const auto& message = parser.get();
      if (message.version() >= 11 && message.find(http::field::host) == message.end()) {  // RFC 9112 3.2
        Page refusal{400, "missing Host header\n"};
        co_await write(*state, *stream, refusal, 11, false, false);
        break;
      }
      const auto began = std::chrono::steady_clock::now();
      PageRequest request = parse_target(std::string(message.method_string()), std::string(message.target()));
      if (message[http::field::content_type] == "application/x-www-form-urlencoded") parse_parameters(message.body(), request);
      Page page = answer(state->context, request);
      bool keep = message.keep_alive();
      bool sent = co_await write(*state, *stream, page, message.version(), keep, message.method() == http::verb::head);
      if (state->stopped) break;  // what the page came from is gone
      note(*state, *stream, message, page, began);
      if (page.after) page.after();
      if (!sent || !keep || state->stopped) break;
    }
    beast::error_code ignored;
    stream->socket().shutdown(Tcp::socket::shutdown_send, ignored);
  }

  template <class S>
  static Task<bool> write(S& state, Stream& stream, const Page& page, unsigned version, bool keep, bool head_only) {
    count(state, page.status);
    http::response<http::string_body> response;
    response.version(version);
    response.result(static_cast<unsigned>(page.status));
    response.set(http::field::content_type, page.content_type);
    response.set(http::field::cache_control, "no-cache, max-age=0");
    response.set("x-content-type-options", "nosniff");
    response.set(http::field::date, http_date());
    response.set(http::field::server, "envoy");
    response.keep_alive(keep);
    response.content_length(page.body.size());
    if (!head_only) response.body() = page.body;
    stream.expires_after(state.options.timeout);
    auto [error, n] = co_await http::async_write(stream, response, kAwait);
    state.http->cells(kControlThread).add(HttpStat::kDownstreamCxTxBytesTotal, static_cast<int64_t>(n));
    co_return !error;
  }

  template <class S>
  static void note(S& state, Stream& stream, const http::request<http::string_body>& message, const Page& page,
                   std::chrono::steady_clock::time_point began) {
    ServedRequest served;
    const beast::string_view method = message.method_string(), target = message.target();
    served.method = {method.data(), method.size()};
    served.target = {target.data(), target.size()};
    served.protocol = message.version() >= 11 ? "HTTP/1.1" : "HTTP/1.0";
    for (const auto& field : message) {
      const beast::string_view name = field.name_string(), value = field.value();
      served.headers.emplace_back(std::string_view(name.data(), name.size()), std::string_view(value.data(), value.size()));
    }
    beast::error_code ignored;
    served.client = text_of(stream.socket().remote_endpoint(ignored));
    served.local = text_of(stream.socket().local_endpoint(ignored));
    served.status = page.status;
    served.body_received = message.body().size();
    served.body_sent = message.method() == http::verb::head ? 0 : page.body.size();
    served.began = began;
    state.context.source.note_request(served);
  }

  template <class S>
  static void count(S& state, int status) {
    observe::Cells& cells = state.http->cells(kControlThread);
    cells.add(HttpStat::kDownstreamRqTotal);
    cells.add(HttpStat::kDownstreamRqHttp1Total);
    cells.add(HttpStat::kDownstreamRqCompleted);
    cells.add(observe::class_index(HttpStat::kDownstreamRq1xx, status));
    observe::Cells& by_listener = state.listener_http->cells(kControlThread);
    by_listener.add(observe::class_index(observe::ListenerHttpStat::kDownstreamRq1xx, status));
    by_listener.add(observe::ListenerHttpStat::kDownstreamRqCompleted);
  }
};

AdminServer::AdminServer(Executor executor, AdminSource& source, observe::Registry& registry, AdminOptions options)
    : state_(std::make_shared<State>(executor, source, registry, std::move(options))) {}

AdminServer::~AdminServer() { stop(); }

Status AdminServer::listen() {
  State& state = *state_;
  std::string where = "admin listener " + state.options.address + ":" + std::to_string(state.options.port);
  beast::error_code error;
  auto ip = asio::ip::make_address(state.options.address, error);
  if (error) return invalid(where + ": '" + state.options.address + "' is no IP address");
  Tcp::endpoint endpoint(ip, state.options.port);
  state.acceptor.open(endpoint.protocol(), error);
  if (!error) state.acceptor.set_option(Acceptor::reuse_address(true), error);
  if (!error) state.acceptor.bind(endpoint, error);
  if (!error) state.acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    beast::error_code ignored;
    state.acceptor.close(ignored);
    return Error{Error::Kind::kSystem, where + ": " + error.message()};
  }
  Tcp::endpoint local = state.acceptor.local_endpoint(error);
  state.bound = text_of(local);
  spawn(state.acceptor.get_executor(), "admin accept", Serving::accept(state_));
  return {};
}

std::string AdminServer::address() const { return state_->bound; }

void AdminServer::stop() {
  if (state_->stopped) return;
  state_->stopped = true;
  beast::error_code ignored;
  state_->acceptor.close(ignored);
  for (Stream* stream : state_->streams) stream->socket().close(ignored);
}

}  // namespace weft::admin
