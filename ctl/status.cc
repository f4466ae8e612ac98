// Words about the programs: status and version.
#include "ctl/commands.h"
#include "ctl/exit_code.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <map>
#include <ostream>

namespace weft::ctl {
namespace {

std::string coloured(const std::string& state, bool colour) {
  if (!colour) return state;
  return std::string(state == "SYNCED" ? "\x1b[32m" : state == "NACK" ? "\x1b[31m" : "\x1b[33m") + state + "\x1b[0m";
}

// "1 x envoy 1.40.0" for each software, by name.
std::map<std::string, size_t> software_of(const json::array& proxies) {
  std::map<std::string, size_t> counts;
  for (const json::value& proxy : proxies) {
    const std::string software = text_at(proxy, "software");
    ++counts[software.empty() ? "unknown" : software];
  }
  return counts;
}

}  // namespace

int status(const Options& options, Server& server, const Console& console) {
  const std::optional<json::value> answer = server.get("/v1/status");
  if (!answer) return server.exit_code();
  json::array chosen;
  for (const json::value& proxy : list_at(*answer, "proxies")) {
    const std::string full = text_at(proxy, "name") + "." + text_at(proxy, "namespace");
    if (options.name.empty() || options.name == text_at(proxy, "node") || options.name == text_at(proxy, "name") || options.name == full)
      chosen.push_back(proxy);
  }
  if (!options.name.empty() && chosen.empty()) {
    console.error("no proxy " + options.name + " is connected");
    return kFailed;
  }
  json::object out = answer->get_object();
  out["proxies"] = chosen;
  if (print_whole(out, options.output, console.data())) return kOk;

  const size_t objects = at(*answer, "objects").is_number() ? static_cast<size_t>(number_at(*answer, "objects")) : 0;
  const size_t proxies = list_at(*answer, "proxies").size();
  const std::string revision = whole_at(*answer, "revision");
  console.say("weft-control " + text_at(*answer, "version") + " at " + server.url().text() + ": revision " + revision + ", " +
              std::to_string(objects) + (objects == 1 ? " object, " : " objects, ") + std::to_string(proxies) +
              (proxies == 1 ? " proxy" : " proxies"));
  for (const json::value& source : list_at(*answer, "sources"))
    for (const Diagnostic& finding : findings_at(source, "findings"))
      if (finding.severity == Severity::kError) console.warn(render_short(finding));

  const bool wide = options.output == "wide";
  std::vector<std::string> head = {"NAME", "TYPE", "REVISION", "ACK AGE", "STATE"};
  if (wide)
    head = {"NAME", "TYPE", "REVISION", "CDS", "EDS", "LDS", "RDS", "ACK AGE", "PROTOCOL", "ADDRESS", "SOFTWARE", "CONNECTED", "STATE"};
  Table table(std::move(head));
  for (const json::value& proxy : chosen) {
    const std::string sent = whole_at(proxy, "sent_revision"), acked = whole_at(proxy, "acked_revision");
    std::vector<std::string> row = {text_at(proxy, "name") + "." + text_at(proxy, "namespace"), text_at(proxy, "type"),
                                    acked == sent ? acked : acked + " of " + sent};
    if (wide) {
      for (const char* type : {"cds", "eds", "lds", "rds"}) {
        const json::value& of = at(at(proxy, "types"), type);
        row.push_back(!flag_at(of, "requested") ? "-" : flag_at(of, "rejected") ? "NACK" : whole_at(of, "acked_revision"));
      }
    }
    row.push_back(age_text(number_at(proxy, "ack_age_seconds", -1)));
    if (wide)
      for (const char* name : {"protocol", "address", "software", "connected"})
        row.push_back(text_at(proxy, name).empty() ? "-" : text_at(proxy, name));
    row.push_back(text_at(proxy, "state"));
    table.add(std::move(row));
  }
  if (table.empty()) {
    console.say("no proxy is connected");
    return kOk;
  }
  // The state stands last, so that colours do not disturb the columns.
  std::string text = table.text(), lines;
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    std::string line = text.substr(start, end - start);
    for (const char* state : {"SYNCED", "STALE", "NACK"}) {
      const std::string word = state;
      if (!line.ends_with(" " + word)) continue;
      line = line.substr(0, line.size() - word.size()) + coloured(word, console.colour_data());
      break;
    }
    lines += line + "\n";
    start = end + 1;
  }
  console.data() << lines;
  for (const json::value& proxy : chosen) {
    const std::string nack = text_at(proxy, "nack");
    if (!nack.empty())
      console.data() << "\n" << text_at(proxy, "name") << "." << text_at(proxy, "namespace") << " refuses: " << nack << "\n";
  }
  return kOk;
}

int version(const Options& options, Server& server, const Console& console) {
  const bool whole = options.output == "json" || options.output == "yaml";
  if (!whole) console.data() << "client   weftctl " << kVersion << std::endl;
  const std::optional<json::value> answer = server.get("/v1/status");
  if (!answer) {
    print_whole(json::object{{"client", kVersion}}, options.output, console.data());
    return server.exit_code();
  }
  const std::string theirs = text_at(*answer, "version");
  const std::map<std::string, size_t> proxies = software_of(list_at(*answer, "proxies"));
  if (whole) {
    json::object counts;
    for (const auto& [software, count] : proxies) counts[software] = count;
    print_whole(json::object{{"client", kVersion}, {"server", theirs}, {"proxies", counts}}, options.output, console.data());
  } else {
    console.data() << "server   weft-control " << theirs << " at " << server.url().text() << "\n";
    for (const auto& [software, count] : proxies) console.data() << "proxies  " << count << " x " << software << "\n";
    if (proxies.empty()) console.data() << "proxies  none connected\n";
  }
  console.data().flush();
  if (theirs != kVersion)
    console.warn("weftctl is " + std::string(kVersion) + " and weft-control " + theirs + "; use the same version of both");
  for (const auto& [software, count] : proxies) {
    if (software.starts_with("weft-proxy ") && software != "weft-proxy " + theirs)
      console.warn(std::to_string(count) + (count == 1 ? " proxy runs " : " proxies run ") + software + " beside weft-control " + theirs);
  }
  return kOk;
}

}  // namespace weft::ctl
