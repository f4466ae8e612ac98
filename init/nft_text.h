// Rules as nft says them: tables of our own, `inet istio-proxy-nat` and its siblings, one for both address families.
#pragma once
#include "init/rules.h"

namespace weft::init {

// The chains of a table, in order; as `nft list table` prints them, so that one text serves for writing and for comparing.
struct NftChain {
  std::string name;
  std::string hook;  // "type nat hook output priority -100; policy accept;", empty for a chain that is jumped to
  std::vector<std::string> rules;

  bool operator==(const NftChain&) const = default;
};
struct NftTable {
  std::string name;  // "istio-proxy-nat"
  std::vector<NftChain> chains;

  bool operator==(const NftTable&) const = default;
};

// Without `ipv6` nothing of IPv6 comes into a chain of ours.
std::vector<NftTable> nft_tables(const std::vector<Rule>& rules, bool ipv6);
std::string_view nft_table_name(Table table);

// What `nft list table inet NAME` printed.
NftTable parse_nft_table(std::string_view name, std::string_view listed);

// One transaction: the tables that are there now go, those that shall be there come.
std::string nft_transaction(const std::vector<std::string>& names_now, const std::vector<NftTable>& then);

}  // namespace weft::init
