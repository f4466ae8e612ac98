// One HTTP request from the thread that shows the demo, with a deadline: to weft-control's API and to the proxies' admin pages.
#pragma once
#include "common/base/error.h"

#include <string>

namespace weft::demo {

struct Address {
  std::string ip;
  unsigned short port = 0;
  std::string text() const { return ip + ":" + std::to_string(port); }
};

struct Reply {
  int status = 0;
  std::string body;
};

Result<Reply> http_request(const Address& server, const std::string& method, const std::string& target, const std::string& body = {},
                           const std::string& content_type = {}, double seconds = 5);

}  // namespace weft::demo
