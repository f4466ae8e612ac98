// A small HTTP/1.1 client for the load generator and the services: GET with a deadline, idle connections kept per address.
// One thread.
#pragma once
#include "common/base/task.h"

#include <boost/asio/ip/tcp.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weft::demo {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct Answer {
  int status = 0;         // 0: none came, see `trouble`
  std::string served_by;  // header x-demo-served-by: "user-service v1 user-v1-1"; empty when a proxy answered
  std::string body, trouble;
};

class HttpClient {
 public:
  explicit HttpClient(Executor executor);
  ~HttpClient();

  Task<Answer> get(asio::ip::tcp::endpoint server, std::string host, std::string target, HeaderList headers, double seconds);

 private:
  struct Connection;
  Executor executor_;
  std::map<asio::ip::tcp::endpoint, std::vector<std::unique_ptr<Connection>>> idle_;
};

inline constexpr const char* kServedBy = "x-demo-served-by";

}  // namespace weft::demo
