#include "controlplane/api/json.h"

#include "common/base/utf8.h"
#include "controlplane/validation/schema.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <ctime>

namespace weft::api {

Reply json_reply(const json::value& value, int status) {
  Reply reply;
  reply.status = status;
  reply.body = repair_utf8(json::serialize(value)) + "\n";  // findings quote files, and files may hold anything
  return reply;
}

Reply error_reply(int status, std::string_view code, std::string_view message) {
  return json_reply(json::object{{"error", json::object{{"code", code}, {"message", message}}}}, status);
}

json::object to_json(const Diagnostic& finding) {
  constexpr std::string_view kSeverities[] = {"error", "warning", "info"};
  json::object object{{"severity", kSeverities[static_cast<size_t>(finding.severity)]}, {"code", finding.code}};
  const auto text = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) object[name] = value;
  };
  text("alias", finding.alias);
  object["message"] = finding.message;
  text("file", finding.file);
  if (finding.mark.line > 0) {
    object["line"] = finding.mark.line;
    object["column"] = finding.mark.column;
  }
  text("field", finding.field);
  text("object", finding.object);
  text("source_line", finding.source_line);
  text("fix", finding.fix);
  object["rendered"] = render(finding);
  return object;
}

json::array to_json(const Diagnostics& findings) {
  json::array array;
  for (const Diagnostic& finding : findings) array.push_back(to_json(finding));
  return array;
}

json::object to_json(const model::Key& key) { return {{"kind", key.kind}, {"namespace", key.ns}, {"name", key.name}}; }

json::value to_json(std::chrono::system_clock::time_point time) {
  if (time == std::chrono::system_clock::time_point{}) return nullptr;
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const time_t seconds = static_cast<time_t>(since / 1000);
  tm broken{};
  gmtime_r(&seconds, &broken);
  char text[40], whole[64];
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &broken);
  snprintf(whole, sizeof whole, "%s.%03dZ", text, static_cast<int>(since % 1000));
  return json::value(std::string_view(whole));
}

json::value parsed(std::string_view text) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 256;
  json::value value = json::parse(text, error, {}, options);
  return error ? json::value(text) : value;
}

std::optional<std::chrono::milliseconds> read_duration(const std::string& text) {
  using std::chrono::milliseconds;
  const bool plain = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos && text.size() < 9;
  std::string problem;
  const auto found = validation::parse_duration(plain ? text + "s" : text, problem);
  if (!found || found->count() < 0) return std::nullopt;
  return std::chrono::duration_cast<milliseconds>(*found);
}

}  // namespace weft::api
