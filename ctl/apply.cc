// Words that change the mesh: apply and delete.
#include "ctl/commands.h"
#include "ctl/exit_code.h"
#include "ctl/input_files.h"
#include "ctl/kind_names.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <ostream>

namespace weft::ctl {
namespace {

std::string short_name(const json::value& object) { return lower_case(text_at(object, "kind")) + "/" + text_at(object, "name"); }

// "virtualservice/canary created", as kubectl says it.
void print_changes(const json::value& answer, const Options& options, const Console& console) {
  if (print_whole(answer, options.output, console.data())) return;
  const auto print = [&](const json::value& object, const std::string& what) {
    console.data() << short_name(object);
    if (options.output != "name") {
      const std::string ns = text_at(object, "namespace");
      if (!ns.empty() && ns != "default") console.data() << " in " << ns;
      console.data() << " " << what << (options.dry_run ? " (dry run)" : "");
    }
    console.data() << "\n";
  };
  for (const json::value& object : list_at(answer, "changed")) print(object, text_at(object, "change"));
  for (const json::value& object : list_at(answer, "unchanged")) print(object, "unchanged");
}

}  // namespace

std::string body_of(const NamedTexts& files) {
  json::array list;
  for (const auto& [name, text] : files) list.push_back(json::object{{"name", name}, {"text", text}});
  return json::serialize(json::object{{"files", std::move(list)}});
}

int wait_for_proxies(uint64_t revision, const Options& options, Server& server, const Console& console) {
  const std::string target = "/v1/wait?revision=" + std::to_string(revision) + "&timeout=" + std::to_string(options.timeout.count()) + "ms";
  const std::optional<Answer> answer = server.ask("GET", target, {}, {}, options.timeout + std::chrono::seconds(10));
  if (!answer) return server.exit_code();
  if (answer->status == 200) {
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%.2f", number_at(answer->body, "seconds"));
    const std::string count = whole_at(answer->body, "affected"), all = whole_at(answer->body, "proxies");
    if (all == "0") {
      console.say("no proxy is connected");
    } else if (count == "0") {
      console.say("none of the proxies is affected");
    } else {
      console.say("accepted by " + count + (count == "1" ? " affected proxy" : " affected proxies") + " after " + seconds + " s");
    }
    return kOk;
  }
  const int code = server.complain(*answer);
  for (const json::value& proxy : list_at(answer->body, "behind")) {
    const std::string nack = text_at(proxy, "nack");
    console.error("  " + text_at(proxy, "node") + " has revision " + whole_at(proxy, "acked_revision") +
                  (nack.empty() ? " and has not answered" : " and refuses: " + nack));
  }
  return code;
}

int refused(const Answer& answer, const Options& options, Server& server, const Console& console) {
  print_whole(answer.body, options.output, console.data());
  const Diagnostics errors = findings_at(answer.body, "errors");
  Diagnostics findings = findings_at(answer.body, "warnings");
  // A conflict or an absent object is a single finding that repeats the message.
  if (answer.status == 422) findings.insert(findings.end(), errors.begin(), errors.end());
  console.findings(findings);
  return server.complain(answer);
}

int apply(const Options& options, Server& server, const Console& console) {
  auto files = read_files(options.files, options.recursive, console.input());
  if (!files) {
    console.error(files.error().detail);
    return kBadInput;
  }
  const std::optional<Answer> answer =
      server.ask("POST", std::string("/v1/apply") + (options.dry_run ? "?dry_run=true" : ""), body_of(*files), "application/json");
  if (!answer) return server.exit_code();
  if (answer->status != 200) return refused(*answer, options, server, console);
  console.findings(findings_at(answer->body, "warnings"));
  print_changes(answer->body, options, console);
  console.data().flush();
  const std::string revision = whole_at(answer->body, "revision");
  if (!options.dry_run) console.say("revision " + revision + (list_at(answer->body, "changed").empty() ? " stands; nothing changed" : ""));
  if (!options.wait) return kOk;
  return wait_for_proxies(static_cast<uint64_t>(number_at(answer->body, "revision")), options, server, console);
}

int remove(const Options& options, Server& server, const Console& console) {
  std::optional<Answer> answer;
  if (options.files.empty()) {
    const std::string ns = options.kind == "Namespace" || options.kind == "GatewayClass" ? "-" : options.ns;
    answer = server.ask("DELETE", "/v1/resources/" + options.kind + "/" + percent_encode(ns) + "/" + percent_encode(options.name));
  } else {
    auto files = read_files(options.files, options.recursive, console.input());
    if (!files) {
      console.error(files.error().detail);
      return kBadInput;
    }
    answer = server.ask("POST", "/v1/delete", body_of(*files), "application/json");
  }
  if (!answer) return server.exit_code();
  if (answer->status != 200) return refused(*answer, options, server, console);
  print_changes(answer->body, options, console);
  console.say("revision " + whole_at(answer->body, "revision"));
  return kOk;
}

}  // namespace weft::ctl
