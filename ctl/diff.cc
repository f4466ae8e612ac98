// Words about change over time: what a change would do, and the way back.
#include "ctl/commands.h"
#include "ctl/exit_code.h"
#include "ctl/kind_names.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <ostream>

namespace weft::ctl {
namespace {

constexpr size_t kShown = 6;  // names of changed resources per proxy and type

std::string names_of(const json::value& change, bool whole) {
  std::string text;
  size_t count = 0, left = 0;
  for (const auto& [list, mark] : {std::pair{"added", '+'}, {"changed", '~'}, {"removed", '-'}}) {
    for (const json::value& name : list_at(change, list)) {
      if (!whole && count == kShown) {
        ++left;
        continue;
      }
      text += (count++ ? " " : "") + std::string(1, mark) + std::string(name.is_string() ? std::string_view(name.get_string()) : "");
    }
  }
  if (left > 0) text += " and " + std::to_string(left) + " more";
  return text;
}

// The diffs of objects, then who is sent what. Whether there is any change.
bool print_difference(const json::value& answer, const Options& options, const Console& console) {
  std::ostream& out = console.data();
  const bool wide = options.output == "wide";
  for (const json::value& object : list_at(answer, "objects")) {
    out << text_at(object, "change") << " " << text_at(object, "kind") << " " << text_at(object, "namespace") << "/"
        << text_at(object, "name") << "\n"
        << text_at(object, "diff");
  }
  for (const json::value& resource : list_at(answer, "resources"))
    out << text_at(resource, "type") << " " << text_at(resource, "name") << "\n" << text_at(resource, "diff");
  const json::array& proxies = list_at(answer, "proxies");
  const bool any = !list_at(answer, "objects").empty();
  if (!any) {
    console.say("nothing would change");
    return false;
  }
  const std::string all = whole_at(answer, "connected");
  out << proxies.size() << " of " << all << (all == "1" ? " proxy is" : " proxies are") << " sent something"
      << (proxies.empty() ? "" : ": + added, ~ changed, - removed") << "\n";
  for (const json::value& proxy : proxies) {
    out << "  " << text_at(proxy, "name") << "." << text_at(proxy, "namespace") << "\n";
    for (const char* type : {"clusters", "endpoints", "listeners", "routes"})
      if (const json::value& change = at(at(proxy, "changes"), type); change.is_object())
        out << "    " << type << "  " << names_of(change, wide) << "\n";
  }
  return true;
}

}  // namespace

int diff(const Options& options, Server& server, const Console& console) {
  auto files = read_files(options.files, options.recursive, console.input());
  if (!files) {
    console.error(files.error().detail);
    return kBadInput;
  }
  const std::string target = std::string("/v1/diff") + (options.output.empty() ? "" : "?detail=true");
  const std::optional<Answer> answer = server.ask("POST", target, body_of(*files), "application/json");
  if (!answer) return server.exit_code();
  if (answer->status != 200) return refused(*answer, options, server, console);
  console.findings(findings_at(answer->body, "warnings"));
  const bool any = !list_at(answer->body, "objects").empty();
  if (!print_whole(answer->body, options.output, console.data())) print_difference(answer->body, options, console);
  return any ? kFailed : kOk;  // kubectl's habit: 1 says that there is a difference
}

int rollback(const Options& options, Server& server, const Console& console) {
  std::string target = "/v1/rollback?to=" + std::to_string(options.revision);
  if (options.dry_run) target += "&dry_run=true";
  if (!options.output.empty()) target += "&detail=true";
  const std::optional<Answer> answer = server.ask("POST", target, "", "application/json");
  if (!answer) return server.exit_code();
  if (answer->status != 200) return refused(*answer, options, server, console);
  console.findings(findings_at(answer->body, "warnings"));
  const std::string revision = whole_at(answer->body, "revision");
  if (print_whole(answer->body, options.output, console.data())) {
    // told
  } else if (options.dry_run) {
    print_difference(answer->body, options, console);
  } else {
    for (const json::value& object : list_at(answer->body, "changed"))
      console.data() << lower_case(text_at(object, "kind")) << "/" << text_at(object, "name") << " " << text_at(object, "change") << "\n";
    console.data().flush();
    console.say(list_at(answer->body, "changed").empty()
                    ? "revision " + revision + " stands; nothing differs"
                    : "revision " + revision + " has the objects of " + std::to_string(options.revision));
  }
  if (!options.wait || options.dry_run) return kOk;
  return wait_for_proxies(static_cast<uint64_t>(number_at(answer->body, "revision")), options, server, console);
}

}  // namespace weft::ctl
