// Rules as iptables-save says them and iptables-restore takes them: one text for writing and for comparing what is in force.
#pragma once
#include "init/rules.h"

namespace weft::init {

// One line of ours within a table: "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001" without its "-A ISTIO_REDIRECT ".
struct IptablesLine {
  Table table = Table::kNat;
  std::string chain;
  std::string rule;
  bool ahead = false;

  bool operator==(const IptablesLine& other) const { return table == other.table && chain == other.chain && rule == other.rule; }
};

// What those of `rules` become that concern one address family.
std::vector<IptablesLine> iptables_lines(const std::vector<Rule>& rules, bool v6);

// The lines of ours in what iptables-save printed, ours being known by chain, by the chain they jump to, or by their mark.
std::vector<IptablesLine> our_lines(std::string_view saved);
// Chains of ours in it, as "nat ISTIO_OUTPUT"; they may be there without a rule.
std::vector<std::string> our_chains(std::string_view saved);
// Those that the lines stand in or jump to.
std::vector<std::string> chains_of(const std::vector<IptablesLine>& lines);

// The input of `iptables-restore --noflush` that leads from the first to the second, each table at once; empty if there is nothing to do.
// What is not ours is not mentioned.
std::string restore_text(const std::vector<IptablesLine>& now, const std::vector<std::string>& chains_now,
                         const std::vector<IptablesLine>& then);

std::string_view name_of(Table table);
// "nat -A ISTIO_REDIRECT ...", for people.
std::string text_of(const IptablesLine& line);

}  // namespace weft::init
