#include "init/iptables_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace weft::init {
namespace {

using Kind = Target::Kind;

// On rules of ours in the kernel's chains whose target does not tell whose they are.
constexpr std::string_view kOurMark = "-m comment --comment weft-init ";

const char* protocol_name(Protocol protocol) { return protocol == Protocol::kTcp ? "tcp" : "udp"; }

// iptables-save's order: addresses, interfaces, protocol, then the modules.
std::string match_text(const Match& match) {
  std::string text;
  // A range of everything is no condition, and not kept as one.
  if (match.source && match.source->bits != 0) text += fmt::format("-s {} ", match.source->text());
  if (match.destination && match.destination->bits != 0)
    text += fmt::format("{}-d {} ", match.except_destination ? "! " : "", match.destination->text());
  if (!match.in.empty()) text += fmt::format("-i {} ", match.in);
  if (!match.out.empty()) text += fmt::format("-o {} ", match.out);
  if (match.protocol != Protocol::kAny) text += fmt::format("-p {} ", protocol_name(match.protocol));
  if (match.from_port != 0) text += fmt::format("-m {} --sport {} ", protocol_name(match.protocol), match.from_port);
  const char* except_ports = match.except_ports ? "! " : "";
  if (match.to_ports.size() == 1)
    text += fmt::format("-m {} {}--dport {} ", protocol_name(match.protocol), except_ports, match.to_ports.front());
  else if (!match.to_ports.empty())
    text += fmt::format("-m multiport {}--dports {} ", except_ports, fmt::join(match.to_ports, ","));
  for (const Owner& owner : match.owners)
    text += fmt::format("-m owner {}--{}-owner {} ", owner.except ? "! " : "", owner.group ? "gid" : "uid", owner.id);
  if (match.established) text += "-m conntrack --ctstate RELATED,ESTABLISHED ";
  if (match.invalid) text += "-m conntrack --ctstate INVALID ";
  if (match.mark) text += fmt::format("-m mark {}--mark {:#x} ", match.except_mark ? "! " : "", *match.mark);
  if (match.connection_mark) text += fmt::format("-m connmark --mark {:#x} ", *match.connection_mark);
  return text;
}

std::string target_text(const Target& target, bool v6) {
  switch (target.kind) {
    case Kind::kReturn: return "-j RETURN";
    case Kind::kAccept: return "-j ACCEPT";
    case Kind::kDrop: return "-j DROP";
    case Kind::kJump: return "-j " + target.chain;
    case Kind::kRedirect: return fmt::format("-j REDIRECT --to-ports {}", target.number);
    case Kind::kTproxy:
      return fmt::format("-j TPROXY --on-port {} --on-ip {} --tproxy-mark {:#x}/0xffffffff", target.number, v6 ? "::" : "0.0.0.0",
                         target.mark);
    case Kind::kSetMark: return fmt::format("-j MARK --set-xmark {:#x}/0xffffffff", target.number);
    case Kind::kSaveMark: return "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff";
    case Kind::kRestoreMark: return "-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff";
    case Kind::kZone: return fmt::format("-j CT --zone {}", target.number);
  }
  return {};
}

std::string_view next_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line;
}

std::string_view next_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<Table> table_named(std::string_view name) {
  for (const Table table : kTables)
    if (name_of(table) == name) return table;
  return std::nullopt;
}

// What a rule jumps to, with what may follow; empty where it has no target.
std::string_view target_of(std::string_view rule) {
  const size_t jump = rule.rfind("-j ");
  return jump == std::string_view::npos ? std::string_view() : rule.substr(jump + 3);
}

bool is_ours(std::string_view chain, std::string_view rule) {
  return is_our_chain(chain) || rule.find(kOurMark) != std::string_view::npos || is_our_chain(target_of(rule));
}

}  // namespace

std::string_view name_of(Table table) {
  constexpr std::string_view kNames[] = {"raw", "mangle", "nat"};
  return kNames[static_cast<size_t>(table)];
}

std::vector<IptablesLine> iptables_lines(const std::vector<Rule>& rules, bool v6) {
  std::vector<IptablesLine> lines;
  for (const Rule& rule : rules) {
    if (!(v6 ? rule.v6 : rule.v4)) continue;
    const bool marked = !is_our_chain(rule.chain) && rule.target.kind != Kind::kJump;
    lines.push_back(
        {rule.table, rule.chain, match_text(rule.match) + std::string(marked ? kOurMark : "") + target_text(rule.target, v6), rule.ahead});
  }
  return lines;
}

std::vector<IptablesLine> our_lines(std::string_view saved) {
  std::vector<IptablesLine> lines;
  std::optional<Table> table;
  while (!saved.empty()) {
    std::string_view line = next_line(saved);
    if (line.starts_with('*')) table = table_named(line.substr(1));
    if (!table || !line.starts_with("-A ")) continue;
    next_word(line);
    const std::string_view chain = next_word(line);
    if (is_ours(chain, line)) lines.push_back({*table, std::string(chain), std::string(line)});
  }
  return lines;
}

std::vector<std::string> our_chains(std::string_view saved) {
  std::vector<std::string> chains;
  std::optional<Table> table;
  while (!saved.empty()) {
    std::string_view line = next_line(saved);
    if (line.starts_with('*')) table = table_named(line.substr(1));
    if (!table || !line.starts_with(':')) continue;
    line.remove_prefix(1);
    if (const std::string_view chain = next_word(line); is_our_chain(chain)) chains.push_back(fmt::format("{} {}", name_of(*table), chain));
  }
  return chains;
}

std::vector<std::string> chains_of(const std::vector<IptablesLine>& lines) {
  std::vector<std::string> chains;
  const auto add = [&](Table table, std::string_view chain) {
    if (!is_our_chain(chain)) return;
    std::string text = fmt::format("{} {}", name_of(table), chain);
    if (std::find(chains.begin(), chains.end(), text) == chains.end()) chains.push_back(std::move(text));
  };
  for (const IptablesLine& line : lines) {
    add(line.table, line.chain);
    add(line.table, target_of(line.rule));
  }
  return chains;
}

std::string restore_text(const std::vector<IptablesLine>& now, const std::vector<std::string>& chains_now,
                         const std::vector<IptablesLine>& then) {
  const std::vector<std::string> wanted = chains_of(then);
  std::string text;
  for (const Table table : kTables) {
    std::string body;
    const std::string prefix = std::string(name_of(table)) + " ";
    // Naming a chain makes it, or empties it.
    for (const std::string& chain : wanted)
      if (chain.starts_with(prefix)) body += ":" + chain.substr(prefix.size()) + " - [0:0]\n";
    for (const IptablesLine& line : now)
      if (line.table == table && !is_our_chain(line.chain)) body += "-D " + line.chain + " " + line.rule + "\n";
    for (const char* command : {"-F ", "-X "})
      for (const std::string& chain : chains_now)
        if (chain.starts_with(prefix) && std::find(wanted.begin(), wanted.end(), chain) == wanted.end())
          body += command + chain.substr(prefix.size()) + "\n";
    std::map<std::string, int> ahead;
    for (const IptablesLine& line : then) {
      if (line.table != table) continue;
      if (line.ahead)
        body += fmt::format("-I {} {} {}\n", line.chain, ++ahead[line.chain], line.rule);
      else
        body += "-A " + line.chain + " " + line.rule + "\n";
    }
    if (!body.empty()) text += fmt::format("*{}\n{}COMMIT\n", name_of(table), body);
  }
  return text;
}

std::string text_of(const IptablesLine& line) { return fmt::format("{} -A {} {}", name_of(line.table), line.chain, line.rule); }

}  // namespace weft::init
