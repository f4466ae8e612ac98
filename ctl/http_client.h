// One HTTP/1.1 request with a deadline, from the thread that asks.
#pragma once
#include "common/base/error.h"

#include <chrono>
#include <string>

namespace weft::ctl {

struct Url {
  std::string host, port = "80", path;  // path: "" or "/prefix"
  std::string text() const;             // without the path
};
// "http://127.0.0.1:15014"; https is refused by name.
Result<Url> parse_url(const std::string& text);

struct HttpReply {
  int status = 0;
  std::string body;
};

// Nobody there: kUnavailable. Nobody answering in time: kTimeout.
Result<HttpReply> http_request(const Url& url, const std::string& method, const std::string& target, const std::string& body = {},
                               const std::string& content_type = {}, std::chrono::milliseconds timeout = std::chrono::seconds(30));

// For a part of a path or a query.
std::string percent_encode(std::string_view text);

}  // namespace weft::ctl
