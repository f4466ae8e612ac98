#include "init/nft_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::init {
namespace {

using Kind = Target::Kind;

// "ISTIO_IN_REDIRECT" to "istio-in-redirect", "PREROUTING" to "prerouting".
std::string nft_chain_name(std::string_view chain) {
  std::string name(chain);
  for (char& letter : name) letter = letter == '_' ? '-' : static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
  return name;
}

std::string interface_text(std::string_view name) {
  const bool any_end = name.ends_with('+');
  return fmt::format("\"{}{}\"", name.substr(0, name.size() - any_end), any_end ? "*" : "");
}

std::string nft_address(const Cidr& cidr) { return cidr.single() ? cidr.address : cidr.text(); }

std::string nft_match(const Match& match) {
  std::string text;
  const auto address = [&](const std::optional<Cidr>& cidr, const char* which, bool except) {
    if (cidr) text += fmt::format("{} {} {}{} ", cidr->v6 ? "ip6" : "ip", which, except ? "!= " : "", nft_address(*cidr));
  };
  address(match.source, "saddr", false);
  address(match.destination, "daddr", match.except_destination);
  if (!match.in.empty()) text += fmt::format("iifname {} ", interface_text(match.in));
  if (!match.out.empty()) text += fmt::format("oifname {} ", interface_text(match.out));
  const char* protocol = match.protocol == Protocol::kTcp ? "tcp" : "udp";
  const char* except_ports = match.except_ports ? "!= " : "";
  if (match.from_port != 0) text += fmt::format("{} sport {} ", protocol, match.from_port);
  if (match.to_ports.size() == 1) {
    text += fmt::format("{} dport {}{} ", protocol, except_ports, match.to_ports.front());
  } else if (!match.to_ports.empty()) {
    std::vector<uint16_t> sorted = match.to_ports;  // as a set is listed
    std::sort(sorted.begin(), sorted.end());
    text += fmt::format("{} dport {}{{ {} }} ", protocol, except_ports, fmt::join(sorted, ", "));
  }
  if (match.protocol != Protocol::kAny && match.from_port == 0 && match.to_ports.empty()) text += fmt::format("meta l4proto {} ", protocol);
  for (const Owner& owner : match.owners)
    text += fmt::format("meta {} {}{} ", owner.group ? "skgid" : "skuid", owner.except ? "!= " : "", owner.id);
  if (match.established) text += "ct state established,related ";
  if (match.invalid) text += "ct state invalid ";
  if (match.mark) text += fmt::format("meta mark {}{:#010x} ", match.except_mark ? "!= " : "", *match.mark);
  if (match.connection_mark) text += fmt::format("ct mark {:#010x} ", *match.connection_mark);
  return text;
}

std::string nft_target(const Target& target, bool v6) {
  switch (target.kind) {
    case Kind::kReturn: return "return";
    case Kind::kAccept: return "accept";
    case Kind::kDrop: return "drop";
    case Kind::kJump: return "jump " + nft_chain_name(target.chain);
    case Kind::kRedirect: return fmt::format("redirect to :{}", target.number);
    case Kind::kTproxy: return fmt::format("tproxy {} to :{} meta mark set {:#010x} accept", v6 ? "ip6" : "ip", target.number, target.mark);
    case Kind::kSetMark: return fmt::format("meta mark set {:#010x}", target.number);
    case Kind::kSaveMark: return "ct mark set meta mark";
    case Kind::kRestoreMark: return "meta mark set ct mark";
    case Kind::kZone: return fmt::format("ct zone set {}", target.number);
  }
  return {};
}

// The kernel's chains, and when they are asked. Output of mangle is of the type that looks for a route again when a mark has changed.
std::string nft_hook(Table table, std::string_view chain) {
  const char* when = chain == "OUTPUT" ? "output" : chain == "PREROUTING" ? "prerouting" : nullptr;
  if (when == nullptr) return {};
  constexpr int kPriorities[] = {-300, -150, -100};
  const char* type = table == Table::kNat ? "nat" : table == Table::kMangle && chain == "OUTPUT" ? "route" : "filter";
  return fmt::format("type {} hook {} priority {}; policy accept;", type, when, kPriorities[static_cast<size_t>(table)]);
}

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && (line.front() == '\t' || line.front() == ' ')) line.remove_prefix(1);
  while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
  return line;
}

}  // namespace

std::string_view nft_table_name(Table table) {
  constexpr std::string_view kNames[] = {"istio-proxy-raw", "istio-proxy-mangle", "istio-proxy-nat"};
  return kNames[static_cast<size_t>(table)];
}

std::vector<NftTable> nft_tables(const std::vector<Rule>& rules, bool ipv6) {
  std::vector<NftTable> tables;
  for (const Table table : kTables) {
    NftTable made{std::string(nft_table_name(table)), {}};
    const auto chain_for = [&](const std::string& name) -> NftChain& {
      const std::string own = nft_chain_name(name);
      const auto found = std::find_if(made.chains.begin(), made.chains.end(), [&](const NftChain& chain) { return chain.name == own; });
      if (found != made.chains.end()) return *found;
      return made.chains.emplace_back(NftChain{own, nft_hook(table, name), {}});
    };
    for (const Rule& rule : rules) {
      if (rule.table != table || (!rule.v4 && !ipv6)) continue;
      NftChain& chain = chain_for(rule.chain);
      const bool other_family_too = !chain.hook.empty() && !ipv6 && rule.v6;
      chain.rules.push_back((other_family_too ? "meta nfproto ipv4 " : "") + nft_match(rule.match) +
                            nft_target(rule.target, rule.v6 && !rule.v4));
      if (rule.target.kind == Kind::kJump) chain_for(rule.target.chain);
    }
    if (!made.chains.empty()) tables.push_back(std::move(made));
  }
  return tables;
}

NftTable parse_nft_table(std::string_view name, std::string_view listed) {
  NftTable table{std::string(name), {}};
  while (!listed.empty()) {
    const size_t end = listed.find('\n');
    std::string_view line = trimmed(listed.substr(0, end));
    listed = end == std::string_view::npos ? std::string_view() : listed.substr(end + 1);
    if (line.empty() || line == "}" || line.starts_with("table ")) continue;
    if (line.starts_with("chain ") && line.ends_with(" {")) {
      table.chains.push_back({std::string(line.substr(6, line.size() - 8)), {}, {}});
    } else if (!table.chains.empty()) {
      NftChain& chain = table.chains.back();
      if (line.starts_with("type ") && line.find(" hook ") != std::string_view::npos)
        chain.hook = line;
      else
        chain.rules.emplace_back(line);
    }
  }
  return table;
}

std::string nft_transaction(const std::vector<std::string>& names_now, const std::vector<NftTable>& then) {
  std::string text;
  for (const std::string& name : names_now) text += fmt::format("delete table inet {}\n", name);
  for (const NftTable& table : then) {
    text += fmt::format("table inet {} {{\n", table.name);
    for (const NftChain& chain : table.chains) {
      text += fmt::format("\tchain {} {{\n", chain.name);
      if (!chain.hook.empty()) text += fmt::format("\t\t{}\n", chain.hook);
      for (const std::string& rule : chain.rules) text += fmt::format("\t\t{}\n", rule);
      text += "\t}\n";
    }
    text += "}\n";
  }
  return text;
}

}  // namespace weft::init
