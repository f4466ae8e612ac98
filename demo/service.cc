#include "demo/service.h"

#include "demo/http_client.h"

#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <random>

namespace weft::demo {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using Stream = beast::basic_stream<tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

// What a call carries on from the request that caused it, so that the mesh's rules reach through.
constexpr const char* kForwarded[] = {"canary", "user-segment", "chaos-test", "x-request-id", "traceparent"};

struct Service {
  const ServiceOptions& options;
  Executor executor;
  HttpClient client;
  tcp::endpoint outbound;
  std::mt19937 random{std::random_device{}()};
};

Task<void> converse(Service& service, tcp::socket::rebind_executor<Executor>::other socket) {
  Stream stream(std::move(socket));
  beast::flat_buffer buffer;
  Timer timer(service.executor);
  for (;;) {
    http::request<http::string_body> request;
    auto [error, bytes] = co_await http::async_read(stream, buffer, request, kAwait);
    if (error) co_return;
    boost::json::object body{
        {"service", service.options.name}, {"version", service.options.version}, {"instance", service.options.instance}};
    boost::json::array calls;
    for (const std::string& host : service.options.calls) {
      HeaderList headers;
      for (const char* name : kForwarded)
        if (auto found = request.find(name); found != request.end()) headers.emplace_back(name, std::string(found->value()));
      std::string target = "/";
      const Answer answer = co_await service.client.get(service.outbound, host, target, std::move(headers), 5);
      calls.push_back(boost::json::object{{"host", host}, {"status", answer.status}, {"served_by", answer.served_by}});
    }
    if (!calls.empty()) body["calls"] = std::move(calls);
    std::exponential_distribution<double> work(1.0 / service.options.work_milliseconds);
    timer.expires_after(
        std::chrono::microseconds(static_cast<int>(1000 * std::min(work(service.random), 10 * service.options.work_milliseconds))));
    (void)co_await timer.async_wait(kAwait);
    http::response<http::string_body> response{service.options.fail ? http::status::internal_server_error : http::status::ok, 11};
    response.set(http::field::content_type, "application/json");
    response.set(kServedBy, service.options.name + " " + service.options.version + " " + service.options.instance);
    if (service.options.fail) body["error"] = "this instance is the demo's planted fault";
    response.body() = boost::json::serialize(body) + "\n";
    response.keep_alive(request.keep_alive());
    response.prepare_payload();
    std::tie(error, bytes) = co_await http::async_write(stream, response, kAwait);
    if (error || !response.keep_alive()) co_return;
  }
}

Task<void> accept_all(Service& service, asio::basic_socket_acceptor<tcp, Executor>& acceptor) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(kAwait);
    if (error == asio::error::operation_aborted) co_return;
    if (error) continue;
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    spawn(service.executor, "demo service connection", converse(service, std::move(socket)));
  }
}

tcp::endpoint parse_endpoint(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return {};
  return {asio::ip::make_address(text.substr(0, colon)), static_cast<unsigned short>(std::stoi(text.substr(colon + 1)))};
}

}  // namespace

int serve(const ServiceOptions& options) {
  asio::io_context io(1);
  Service service{options, io.get_executor(), HttpClient(io.get_executor()), parse_endpoint(options.outbound)};
  asio::basic_socket_acceptor<tcp, Executor> acceptor(io.get_executor(), tcp::v4(), options.listening);
  asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&](auto, int) { io.stop(); });
  spawn(io.get_executor(), "demo service", accept_all(service, acceptor));
  io.run();
  return 0;
}

std::vector<std::string> to_arguments(const ServiceOptions& options) {
  std::vector<std::string> arguments{"service", options.name, options.version, options.instance, std::to_string(options.work_milliseconds)};
  if (options.fail) arguments.push_back("--fail");
  if (!options.outbound.empty()) arguments.push_back("--outbound=" + options.outbound);
  for (const std::string& host : options.calls) arguments.push_back("--call=" + host);
  return arguments;
}

bool parse_service(const std::vector<std::string>& arguments, ServiceOptions& options) {
  if (arguments.size() < 4) return false;
  options.name = arguments[0];
  options.version = arguments[1];
  options.instance = arguments[2];
  options.work_milliseconds = std::max(0.01, std::atof(arguments[3].c_str()));
  for (size_t i = 4; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--fail")
      options.fail = true;
    else if (word.starts_with("--outbound="))
      options.outbound = word.substr(11);
    else if (word.starts_with("--call="))
      options.calls.push_back(word.substr(7));
    else
      return false;
  }
  return true;
}

}  // namespace weft::demo
