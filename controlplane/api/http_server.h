// A small HTTP/1.1 server for people and scripts: bounded in connections, bytes and time, one thread, JSON in mind. It reads a request
// whole, asks a coroutine for the answer, and writes that. What the answers mean is Api's business.
//
// Whoever can reach the port is trusted, so a browser must not be made to speak for a stranger: names in Host that are not ours (DNS
// rebinding) and changes asked for by another site's page are refused here, before any handler.
#pragma once
#include "common/base/error.h"
#include "common/base/task.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weft::api {

struct Request {
  std::string method, path;                  // path: percent-decoded, without the query
  std::map<std::string, std::string> query;  // the last of a name stands
  std::string content_type;                  // lower case, without parameters
  std::string user_agent, host, origin, fetch_site, body;
  std::string user;  // who asks, as their weftctl says; for the history, not for trust

  // The query parameter, or empty.
  std::string parameter(const std::string& name) const;
};

struct Reply {
  int status = 200;
  std::string body, content_type = "application/json";
  std::string allow;  // of a 405
};
// {"error":{"code":"not_found","message":"..."}}
Reply error_reply(int status, std::string_view code, std::string_view message);

struct HttpOptions {
  std::string address = "127.0.0.1";
  unsigned short port = 0;
  size_t max_connections = 256;
  size_t max_body = 4 << 20;
  unsigned max_header = 16 << 10;
  std::chrono::milliseconds read_timeout{30'000};  // for a whole request, and for the next one on an idle connection
  std::chrono::milliseconds write_timeout{30'000};
  std::vector<std::string> names;  // hosts that clients may call us by, besides IP addresses and localhost
};

// Lives on the thread of its executor; address() may be asked from anywhere once listen() was called.
class HttpServer {
 public:
  using Handler = std::function<Task<Reply>(Request)>;
  HttpServer(Executor executor, Handler handler, HttpOptions options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Binds and listens; before the loop runs, or on its thread.
  Status listen();
  const std::string& address() const;  // "127.0.0.1:15014"
  // Closes the door and all connections. On the executor's thread, or after its loop has ended.
  void stop();

 private:
  struct State;
  struct Serving;
  std::shared_ptr<State> state_;  // shared with the coroutines, which end after stop()
};

// Splits a target such as "/v1/resources?kind=Gateway"; false if it is malformed.
bool parse_target(std::string_view target, Request& request);
// Why a browser's safety demands to refuse the request, or empty.
std::string refusal(const Request& request, const std::vector<std::string>& names);

}  // namespace weft::api
