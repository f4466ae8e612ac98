#include "ctl/server.h"

#include "common/base/utf8.h"
#include "common/base/yaml.h"
#include "ctl/exit_code.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace weft::ctl {
namespace {

void write_pretty(const json::value& value, const std::string& indent, std::string& out) {
  const std::string inner = indent + "  ";
  if (const json::object* object = value.if_object(); object != nullptr && !object->empty()) {
    out += "{\n";
    size_t left = object->size();
    for (const auto& entry : *object) {
      out += inner + json::serialize(entry.key()) + ": ";
      write_pretty(entry.value(), inner, out);
      out += --left > 0 ? ",\n" : "\n";
    }
    out += indent + "}";
  } else if (const json::array* array = value.if_array(); array != nullptr && !array->empty()) {
    out += "[\n";
    for (size_t i = 0; i < array->size(); ++i) {
      out += inner;
      write_pretty((*array)[i], inner, out);
      out += i + 1 < array->size() ? ",\n" : "\n";
    }
    out += indent + "]";
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::optional<Answer> Server::ask(const std::string& method, const std::string& target, const std::string& body,
                                  const std::string& content_type, std::chrono::milliseconds timeout) {
  const auto start = std::chrono::steady_clock::now();
  auto reply = http_request(url_, method, target, body, content_type, timeout);
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  const std::string what = method + " " + url_.text() + url_.path + target;
  if (!reply) {
    const bool late = reply.error().kind == Error::Kind::kTimeout;
    console_.error("the server cannot be reached: " + reply.error().detail);
    if (!late) console_.say("  fix: start weft-control, or name it with --server URL or WEFT_SERVER");
    exit_code_ = late ? kTimedOut : kNotReachable;
    return std::nullopt;
  }
  console_.verbose(what + " -> " + std::to_string(reply->status) + ", " + std::to_string(passed.count()) + " ms");
  Answer answer{reply->status, {}, std::move(reply->body)};
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 512;
  answer.body = json::parse(answer.text, error, {}, options);
  if (error) answer.body = nullptr;
  return answer;
}

int Server::complain(const Answer& answer) {
  const json::value& error = at(answer.body, "error");
  std::string message = text_at(error, "message");
  if (message.empty()) message = url_.text() + " answered HTTP " + std::to_string(answer.status) + "; is it weft-control?";
  console_.error(message);
  const bool input = answer.status == 400 || answer.status == 413 || answer.status == 415 || answer.status == 422;
  return exit_code_ = answer.status == 504 ? kTimedOut : input ? kBadInput : kFailed;
}

std::optional<json::value> Server::get(const std::string& target, std::chrono::milliseconds timeout) {
  std::optional<Answer> answer = ask("GET", target, {}, {}, timeout);
  if (!answer) return std::nullopt;
  if (answer->status == 200 && answer->body.is_object()) return std::move(answer->body);
  complain(*answer);
  return std::nullopt;
}

const json::value& at(const json::value& object, std::string_view name) {
  static const json::value kNull;
  const json::object* map = object.if_object();
  const json::value* found = map == nullptr ? nullptr : map->if_contains(name);
  return found == nullptr ? kNull : *found;
}

std::string text_at(const json::value& object, std::string_view name) {
  const json::string* text = at(object, name).if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

double number_at(const json::value& object, std::string_view name, double otherwise) {
  const json::value& value = at(object, name);
  return value.is_number() ? value.to_number<double>() : otherwise;
}

bool flag_at(const json::value& object, std::string_view name) {
  const bool* flag = at(object, name).if_bool();
  return flag != nullptr && *flag;
}

const json::array& list_at(const json::value& object, std::string_view name) {
  static const json::array kNone;
  const json::array* list = at(object, name).if_array();
  return list == nullptr ? kNone : *list;
}

std::string whole_at(const json::value& object, std::string_view name) {
  const json::value& value = at(object, name);
  return value.is_number() ? std::to_string(value.to_number<long long>()) : text_at(object, name);
}

Diagnostics findings_at(const json::value& object, std::string_view name) {
  Diagnostics findings;
  for (const json::value& item : list_at(object, name)) {
    Diagnostic finding;
    const std::string severity = text_at(item, "severity");
    finding.severity = severity == "warning" ? Severity::kWarning : severity == "info" ? Severity::kInfo : Severity::kError;
    finding.code = text_at(item, "code");
    finding.alias = text_at(item, "alias");
    finding.message = text_at(item, "message");
    finding.file = text_at(item, "file");
    finding.mark.line = static_cast<int>(number_at(item, "line"));
    finding.mark.column = static_cast<int>(number_at(item, "column"));
    finding.field = text_at(item, "field");
    finding.object = text_at(item, "object");
    finding.source_line = text_at(item, "source_line");
    finding.fix = text_at(item, "fix");
    findings.push_back(std::move(finding));
  }
  return findings;
}

std::string pretty(const json::value& value) {
  std::string out;
  write_pretty(value, "", out);
  return repair_utf8(std::move(out)) + "\n";
}

std::string yaml_of(const json::value& value) {
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  yaml::Limits limits;
  limits.bytes = 512u << 20;
  limits.nodes = 50'000'000;
  limits.depth = 512;
  if (!yaml::parse(json::serialize(value), "", documents, problem, limits) || documents.empty()) return pretty(value);
  std::string text = yaml::to_yaml(documents.front().root);
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

bool print_whole(const json::value& value, const std::string& format, std::ostream& out) {
  if (format == "json") out << pretty(value);
  if (format == "yaml") out << yaml_of(value);
  return format == "json" || format == "yaml";
}

}  // namespace weft::ctl
