// `route test`: which rule takes a request, and why those before it do not.
#include "ctl/commands.h"
#include "ctl/exit_code.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <ostream>

namespace weft::ctl {
namespace {

std::string place_of(const json::value& rule) {
  if (!rule.is_object()) return "";
  const std::string file = text_at(rule, "file"), line = whole_at(rule, "line");
  std::string object = text_at(rule, "kind") + " " + text_at(rule, "namespace") + "/" + text_at(rule, "name");
  return (file.empty() ? object + " line " + line : file + ":" + line) + "  " + (file.empty() ? "" : object + "  ") +
         text_at(rule, "field");
}

std::string share(const json::value& destination) {
  char text[32];
  std::snprintf(text, sizeof text, "%g %%", number_at(destination, "percent"));
  return text;
}

void print_destination(std::ostream& out, const json::value& to, const char* word) {
  out << "  " << word << " ";
  if (text_at(to, "host").empty()) {
    out << text_at(to, "cluster");
  } else {
    out << text_at(to, "host") << ":" << text_at(to, "port");
    if (!text_at(to, "subset").empty()) out << " subset " << text_at(to, "subset");
  }
  out << "  " << share(to);
  if (!flag_at(to, "exists"))
    out << "  no such cluster: 503 NC";
  else if (!at(to, "healthy_endpoints").is_null())
    out << "  " << whole_at(to, "healthy_endpoints") << " healthy endpoints" << (number_at(to, "healthy_endpoints") == 0 ? ": 503 UH" : "");
  out << "\n";
}

void print_action(std::ostream& out, const json::value& answer) {
  const json::value& action = at(answer, "action");
  const std::string kind = text_at(action, "kind");
  if (kind == "none") {
    out << (text_at(answer, "virtual_host").empty() ? "no virtual host takes the host: 404\n" : "no route takes it: 404\n");
    return;
  }
  if (kind == "redirect") out << "  redirect " << whole_at(action, "status") << " to " << text_at(action, "location") << "\n";
  if (kind == "respond") out << "  answer " << whole_at(action, "status") << " " << text_at(action, "body") << "\n";
  for (const json::value& to : list_at(action, "destinations")) print_destination(out, to, "to");
  for (const json::value& to : list_at(action, "mirrors")) print_destination(out, to, "mirrored to");
  const json::value& request = at(answer, "request");
  if (kind == "forward" && text_at(action, "path") != text_at(request, "path")) out << "  path " << text_at(action, "path") << "\n";
  if (kind == "forward" && text_at(action, "authority") != text_at(request, "authority"))
    out << "  authority " << text_at(action, "authority") << "\n";
  for (const json::value& setting : list_at(action, "settings"))
    if (setting.is_string()) out << "  " << std::string_view(setting.get_string()) << "\n";
}

}  // namespace

int route_test(const Options& options, Server& server, const Console& console) {
  json::array headers;
  for (const std::string& header : options.headers) {
    const size_t colon = header.find(':', 1);
    if (colon == std::string::npos) {
      console.error("-H: found \"" + header + "\", expected NAME: VALUE");
      return kUsage;
    }
    size_t value = colon + 1;
    while (value < header.size() && header[value] == ' ') ++value;
    headers.push_back(json::array{json::value(header.substr(0, colon)), json::value(header.substr(value))});
  }
  const json::object question{{"from", options.from}, {"method", options.method}, {"url", options.url}, {"headers", std::move(headers)}};
  const std::optional<Answer> answer = server.ask("POST", "/v1/route-test", json::serialize(question), "application/json");
  if (!answer) return server.exit_code();
  if (answer->status != 200) return server.complain(*answer);
  if (print_whole(answer->body, options.output, console.data())) return kOk;

  std::ostream& out = console.data();
  out << options.method << " " << options.url << " from " << text_at(answer->body, "node") << ", revision "
      << whole_at(answer->body, "revision") << "\n";
  for (const json::value& note : list_at(answer->body, "notes"))
    if (note.is_string()) out << "note: " << std::string_view(note.get_string()) << "\n";
  if (!text_at(answer->body, "virtual_host").empty())
    out << "virtual host " << text_at(answer->body, "virtual_host") << " (by " << text_at(answer->body, "domain") << ")\n";
  for (const json::value& route : list_at(answer->body, "routes")) {
    const bool matches = flag_at(route, "matches");
    const std::string name = text_at(route, "name"), place = place_of(at(route, "rule"));
    out << (matches ? "+ " : "- ") << (name.empty() ? "(no name)" : name) << (place.empty() ? "" : "  " + place) << "\n";
    for (const json::value& condition : list_at(route, "conditions")) {
      const bool holds = flag_at(condition, "holds");
      if (holds && !matches) continue;  // only what stands in the way
      out << "    " << (holds ? "yes" : "no ") << "  " << text_at(condition, "text")
          << (holds ? "" : "; it is " + text_at(condition, "found")) << (flag_at(condition, "certain") ? "" : " (not decided here)")
          << "\n";
    }
  }
  print_action(out, answer->body);
  return kOk;
}

}  // namespace weft::ctl
