#include "ctl/http_client.h"

#include "common/base/task.h"
#include "ctl/options.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/rate_policy.hpp>
#include <boost/beast/http.hpp>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>

namespace weft::ctl {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;
using Stream = beast::basic_stream<Tcp, Executor, beast::unlimited_rate_policy>;
using Resolver = asio::ip::basic_resolver<Tcp, Executor>;
using Message = http::request<http::string_body>;

constexpr std::chrono::seconds kConnectTimeout{5};
constexpr size_t kMaxAnswer = 512u << 20;  // configuration of a large mesh

// Inlined, it makes g++ 12 take the coroutine frame\'s delete for another one than its new.
[[gnu::noinline]] Task<void> exchange(Executor executor, Url url, Message message, std::chrono::milliseconds timeout,
                                      std::optional<Result<HttpReply>>& out) {
  const auto fail = [&](Error::Kind kind, const std::string& why) { out = Error{kind, url.text() + ": " + why}; };
  Resolver resolver(executor);
  auto [not_found, endpoints] = co_await resolver.async_resolve(url.host, url.port, kAwait);
  if (not_found) co_return fail(Error::Kind::kUnavailable, not_found.message());
  Stream stream(executor);
  stream.expires_after(kConnectTimeout);
  auto [refused, endpoint] = co_await stream.async_connect(endpoints, kAwait);
  if (refused) co_return fail(Error::Kind::kUnavailable, refused == beast::error::timeout ? "no connection within 5 s" : refused.message());
  stream.expires_after(timeout);
  auto [unsent, sent] = co_await http::async_write(stream, message, kAwait);
  // A server may refuse a large body before it has read it all: its answer is worth reading.
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswer);
  auto [unread, size] = co_await http::async_read(stream, buffer, parser, kAwait);
  if (unread == beast::error::timeout || unsent == beast::error::timeout) {
    fail(Error::Kind::kTimeout, "no answer within " + std::to_string(timeout.count() / 1000) + " s");
  } else if (unread) {
    fail(Error::Kind::kUnavailable, unread == http::error::end_of_stream ? "closed the connection without an answer" : unread.message());
  } else {
    out = HttpReply{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
  }
}

}  // namespace

std::string Url::text() const { return "http://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port; }

Result<Url> parse_url(const std::string& text) {
  const std::string expected = "\"" + text + "\": expected a URL such as http://127.0.0.1:15014";
  if (text.starts_with("https://")) return invalid("\"" + text + "\": https is not supported, use http to a loopback address or a tunnel");
  if (!text.starts_with("http://")) return invalid(expected);
  Url url;
  std::string rest = text.substr(7);
  if (const size_t slash = rest.find('/'); slash != std::string::npos) {
    url.path = rest.substr(slash);
    rest.resize(slash);
    while (url.path.ends_with('/')) url.path.pop_back();
  }
  if (url.path.find_first_of("?#") != std::string::npos || rest.find('@') != std::string::npos) return invalid(expected);
  size_t colon = rest.rfind(':');
  if (rest.starts_with('[')) {
    const size_t end = rest.find(']');
    if (end == std::string::npos) return invalid(expected);
    url.host = rest.substr(1, end - 1);
    colon = end + 1 < rest.size() ? end + 1 : std::string::npos;
    if (colon != std::string::npos && rest[colon] != ':') return invalid(expected);
  } else {
    url.host = rest.substr(0, colon);
  }
  if (colon != std::string::npos) url.port = rest.substr(colon + 1);
  if (url.host.empty() || url.port.empty() || url.port.size() > 5 || url.port.find_first_not_of("0123456789") != std::string::npos)
    return invalid(expected);
  return url;
}

// "ada@laptop", for the server's history.
std::string user_name() {
  const char* user = std::getenv("USER");
  char host[256] = "";
  if (gethostname(host, sizeof host - 1) != 0) host[0] = 0;
  std::string name = user == nullptr ? std::to_string(getuid()) : user;
  if (host[0] != 0) name += "@" + std::string(host);
  std::erase_if(name, [](unsigned char c) { return c <= ' ' || c >= 0x7f; });
  return name.substr(0, 100);
}

Result<HttpReply> http_request(const Url& url, const std::string& method, const std::string& target, const std::string& body,
                               const std::string& content_type, std::chrono::milliseconds timeout) {
  Message message;
  message.method_string(method);
  message.target(url.path + target);
  message.version(11);
  message.set(http::field::host, url.text().substr(7));
  message.set(http::field::user_agent, std::string("weftctl/") + kVersion);
  if (const std::string user = user_name(); !user.empty()) message.set("X-Weft-User", user);
  message.set(http::field::connection, "close");
  if (!content_type.empty()) message.set(http::field::content_type, content_type);
  if (!body.empty() || method == "POST") {
    message.body() = body;
    message.prepare_payload();
  }
  asio::io_context context(1);
  std::optional<Result<HttpReply>> out;
  spawn(context.get_executor(), "request", exchange(context.get_executor(), url, std::move(message), timeout, out));
  context.run();
  if (!out) return Error{Error::Kind::kUnavailable, url.text() + ": no answer"};
  return std::move(*out);
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' || c == '~';
    char code[8];
    snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
    out += plain ? std::string(1, c) : code;
  }
  return out;
}

}  // namespace weft::ctl
