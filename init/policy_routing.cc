#include "init/policy_routing.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::init {
namespace {

// One thing that can be there or not.
struct RoutingEntry {
  std::vector<std::string> list;  // shows whether it is there
  std::string shown;              // a line of it, from its start or behind a space
  std::vector<std::string> add, remove;

  std::string text() const {
    std::string line;
    for (const std::string& word : add) line += (line.empty() ? "" : " ") + word;
    return line;
  }
};

std::vector<RoutingEntry> entries_of(const CapturePlan& plan, bool v6) {
  const std::vector<std::string> ip = {"ip", "-f", v6 ? "inet6" : "inet"};
  const std::string mark = std::to_string(plan.mark), table = std::to_string(plan.route_table);
  const auto command = [&](std::initializer_list<std::string> more) {
    std::vector<std::string> words = ip;
    words.insert(words.end(), more);
    return words;
  };
  return {{command({"rule", "show"}), fmt::format("fwmark {:#x} lookup {}", plan.mark, table),
           command({"rule", "add", "fwmark", mark, "lookup", table}), command({"rule", "del", "fwmark", mark, "lookup", table})},
          {command({"route", "show", "table", table}), "local default dev lo",
           command({"route", "add", "local", "default", "dev", "lo", "table", table}),
           command({"route", "del", "local", "default", "dev", "lo", "table", table})}};
}

bool shows(const std::string& output, const std::string& wanted) {
  for (size_t at = output.find(wanted); at != std::string::npos; at = output.find(wanted, at + 1)) {
    const size_t end = at + wanted.size();
    const bool begins = at == 0 || output[at - 1] == ' ' || output[at - 1] == '\n';
    if (begins && (end == output.size() || output[end] == ' ' || output[end] == '\n')) return true;
  }
  return false;
}

Result<bool> is_there(const CommandRunner& run, const RoutingEntry& entry) {
  const auto listed = run(entry.list, {});
  if (!listed) return listed.error();
  // A table without a route is no table to `ip`; a kernel without IPv6 has no rules for it.
  return listed->code == 0 && shows(listed->output, entry.shown);
}

Status run_one(const CommandRunner& run, const std::vector<std::string>& command) {
  const auto result = run(command, {});
  if (!result) return result.error();
  if (result->code != 0) return command_error(command, *result);
  return {};
}

}  // namespace

std::vector<std::string> routing_wanted(const CapturePlan& plan) {
  std::vector<std::string> lines;
  if (!plan.policy_routing()) return lines;
  for (const bool v6 : {false, true}) {
    if (v6 && !plan.ipv6) continue;
    for (const RoutingEntry& entry : entries_of(plan, v6)) lines.push_back(entry.text());
  }
  return lines;
}

Result<std::vector<std::string>> routing_in_force(const CommandRunner& run, const CapturePlan& plan) {
  std::vector<std::string> lines;
  for (const bool v6 : {false, true}) {
    for (const RoutingEntry& entry : entries_of(plan, v6)) {
      const auto there = is_there(run, entry);
      if (!there) return there.error();
      if (*there) lines.push_back(entry.text());
    }
  }
  return lines;
}

Status replace_routing(const CommandRunner& run, const CapturePlan& plan, const std::vector<std::string>& wanted) {
  std::vector<std::vector<std::string>> added;
  for (const bool v6 : {false, true}) {
    for (const RoutingEntry& entry : entries_of(plan, v6)) {
      const auto there = is_there(run, entry);
      const bool want = std::find(wanted.begin(), wanted.end(), entry.text()) != wanted.end();
      Status done;
      if (!there)
        done = there.error();
      else if (*there != want)
        done = run_one(run, want ? entry.add : entry.remove);
      if (!done) {
        for (const std::vector<std::string>& command : added) (void)run_one(run, command);
        return done;
      }
      if (want && !*there) added.push_back(entry.remove);
    }
  }
  return {};
}

std::string routing_script(const CapturePlan& plan) {
  std::string text;
  for (const std::string& line : routing_wanted(plan)) text += line + "\n";
  return text;
}

}  // namespace weft::init
