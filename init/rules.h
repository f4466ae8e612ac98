// The rules of a plan as data: what istio-init would write, table by table, in the order in which they stand. Two printers make text
// of them (iptables_text.h, nft_text.h); nothing else knows what a rule means.
#pragma once
#include "init/plan.h"

#include <array>

namespace weft::init {

enum class Table : unsigned char { kRaw, kMangle, kNat };
inline constexpr std::array kTables = {Table::kRaw, Table::kMangle, Table::kNat};

// The chains that are ours alone. Rules of ours in the kernel's own chains (PREROUTING, OUTPUT) jump to one of these or are marked.
inline constexpr std::array<const char*, 8> kOurChains = {"ISTIO_INBOUND",    "ISTIO_IN_REDIRECT", "ISTIO_REDIRECT", "ISTIO_OUTPUT",
                                                          "ISTIO_OUTPUT_DNS", "ISTIO_TPROXY",      "ISTIO_DIVERT",   "ISTIO_DROP"};
bool is_our_chain(std::string_view chain);

enum class Protocol : unsigned char { kAny, kTcp, kUdp };

// Who sends: a user or a group.
struct Owner {
  bool group = false;
  uint32_t id = 0;
  bool except = false;
};

// All that is set has to hold.
struct Match {
  Protocol protocol = Protocol::kAny;
  std::string in, out;  // interfaces; a final + stands for any end
  std::optional<Cidr> source, destination;
  bool except_destination = false;
  std::vector<uint16_t> to_ports;
  bool except_ports = false;
  uint16_t from_port = 0;
  std::vector<Owner> owners;
  bool established = false, invalid = false;  // of conntrack's states
  std::optional<uint32_t> mark;
  bool except_mark = false;
  std::optional<uint32_t> connection_mark;
};

struct Target {
  enum class Kind : unsigned char { kReturn, kAccept, kDrop, kJump, kRedirect, kTproxy, kSetMark, kSaveMark, kRestoreMark, kZone };
  Kind kind = Kind::kReturn;
  std::string chain;    // kJump
  uint32_t number = 0;  // the port, the mark or the zone
  uint32_t mark = 0;    // kTproxy

  static Target jump(std::string chain) { return {Kind::kJump, std::move(chain)}; }
  static Target redirect(uint16_t port) { return {Kind::kRedirect, {}, port}; }
  static Target zone(uint32_t number) { return {Kind::kZone, {}, number}; }
};

struct Rule {
  Table table = Table::kNat;
  std::string chain;
  Match match;
  Target target;
  bool v4 = true, v6 = true;
  bool ahead = false;  // before what others have in a chain of the kernel, not behind it
};

// Empty where the plan captures nothing.
std::vector<Rule> rules_of(const CapturePlan& plan);

}  // namespace weft::init
