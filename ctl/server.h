// weft-control as weftctl sees it: requests out, JSON in, and the exit code where that fails.
#pragma once
#include "ctl/console.h"
#include "ctl/http_client.h"

#include <boost/json/value.hpp>

#include <optional>

namespace weft::ctl {

namespace json = boost::json;

struct Answer {
  int status = 0;
  json::value body;  // null when it was no JSON
  std::string text;
};

class Server {
 public:
  Server(Url url, const Console& console) : url_(std::move(url)), console_(console) {}
  const Url& url() const { return url_; }

  // Nothing: there was no answer; the reason is on the console, and exit_code() says what to exit with.
  std::optional<Answer> ask(const std::string& method, const std::string& target, const std::string& body = {},
                            const std::string& content_type = {}, std::chrono::milliseconds timeout = std::chrono::seconds(30));
  // As ask(), for what must be answered with 200; else the server's message is on the console.
  std::optional<json::value> get(const std::string& target, std::chrono::milliseconds timeout = std::chrono::seconds(30));
  int exit_code() const { return exit_code_; }
  // Tells the server's own words for an answer that is no success, and what to exit with.
  int complain(const Answer& answer);

 private:
  Url url_;
  const Console& console_;
  int exit_code_ = 0;
};

// Reading what came: absent or of another type is empty.
std::string text_at(const json::value& object, std::string_view name);
double number_at(const json::value& object, std::string_view name, double otherwise = 0);
bool flag_at(const json::value& object, std::string_view name);
const json::value& at(const json::value& object, std::string_view name);  // null when absent
const json::array& list_at(const json::value& object, std::string_view name);
std::string whole_at(const json::value& object, std::string_view name);  // a number without a point
Diagnostics findings_at(const json::value& object, std::string_view name);

// For -o json and -o yaml.
std::string pretty(const json::value& value);
std::string yaml_of(const json::value& value);
// Whether `format` is one of those; writes the value if it is.
bool print_whole(const json::value& value, const std::string& format, std::ostream& out);

}  // namespace weft::ctl
