#include "demo/control.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace weft::demo {
namespace {

namespace json = boost::json;

// A finding as one line: "WEFT0201 IST0101: what (file:line)".
std::string finding_line(const json::value& finding) {
  if (finding.is_string()) return std::string(finding.get_string());
  if (!finding.is_object()) return json::serialize(finding);
  const json::object& object = finding.get_object();
  const auto text = [&](const char* key) {
    const json::value* value = object.if_contains(key);
    return value == nullptr ? std::string() : value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
  };
  std::string line = text("message");
  if (const std::string code = text("code"), alias = text("alias"); !code.empty())
    line = code + (alias.empty() ? "" : " (" + alias + ")") + ": " + line;
  if (const std::string file = text("file"); !file.empty()) line += " (" + file + (text("line").empty() ? "" : ":" + text("line")) + ")";
  return line;
}

}  // namespace

std::vector<std::string> control_command(const std::string& program, const std::string& folder, const Address& api, const Address& xds) {
  return {program, "--store", folder + "/weft.db", "--http-address", api.text(), "--xds-address", xds.text()};
}

bool Control::ready() const {
  const Result<Reply> reply = http_request(api_, "GET", "/ready", "", "", 1);
  return reply && reply->status == 200;
}

Applied Control::apply(const std::vector<NamedText>& files) const {
  json::array list;
  for (const NamedText& file : files) list.push_back(json::object{{"name", file.name}, {"text", file.text}});
  Applied applied;
  const Result<Reply> reply =
      http_request(api_, "POST", "/v1/apply", json::serialize(json::object{{"files", std::move(list)}}), "application/json", 10);
  if (!reply) {
    applied.errors.push_back(reply.error().detail);
    return applied;
  }
  applied.ok = reply->status == 200;
  boost::system::error_code error;
  const json::value answer = json::parse(reply->body, error);
  if (error || !answer.is_object()) {
    if (!applied.ok) applied.errors.push_back("HTTP " + std::to_string(reply->status) + ": " + reply->body.substr(0, 500));
    return applied;
  }
  const json::object& object = answer.get_object();
  if (const json::value* revision = object.if_contains("revision")) applied.revision = json::serialize(*revision);
  for (auto [key, lines] : {std::pair{"errors", &applied.errors}, std::pair{"warnings", &applied.warnings}}) {
    const json::value* findings = object.if_contains(key);
    if (findings == nullptr || !findings->is_array()) continue;
    for (const json::value& finding : findings->get_array()) lines->push_back(finding_line(finding));
  }
  if (!applied.ok && applied.errors.empty())
    applied.errors.push_back("HTTP " + std::to_string(reply->status) + ": " + reply->body.substr(0, 500));
  return applied;
}

Result<std::vector<json::object>> Control::objects(const std::vector<std::string>& kinds) const {
  std::vector<json::object> objects;
  for (const std::string& kind : kinds) {
    const Result<Reply> reply = http_request(api_, "GET", "/v1/resources?kind=" + kind, "", "", 5);
    if (!reply) return reply.error();
    boost::system::error_code error;
    const json::value answer = json::parse(reply->body, error);
    const json::value* items = !error && answer.is_object() ? answer.get_object().if_contains("items") : nullptr;
    if (reply->status != 200 || items == nullptr || !items->is_array())
      return invalid("unexpected answer of weft-control: HTTP " + std::to_string(reply->status));
    for (const json::value& item : items->get_array())
      if (item.is_object()) objects.push_back(item.get_object());
  }
  return objects;
}

}  // namespace weft::demo
