// The rules of whole command lines, as both backends are given them: files under tests/golden/capture, WEFT_REFRESH=1 rewrites them.
// What istio-init writes for a plain sidecar is retyped here.
#include "init/backend.h"
#include "init/iptables_text.h"
#include "init/options.h"
#include "init/policy_routing.h"

#include <gtest/gtest.h>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace weft::init {
namespace {

using Words = std::vector<std::string>;

const Surroundings kPod{false, {"10.96.0.10", "fd00::a"}, [](const std::string& name) -> std::optional<uint32_t> {
                          return name == "builders" ? std::optional<uint32_t>(2000) : std::nullopt;
                        }};

CapturePlan plan_for(const Words& arguments) {
  const ParsedOptions parsed = parse_options(arguments);
  EXPECT_TRUE(parsed.run) << parsed.text;
  const auto plan = plan_of(parsed.options.capture, kPod);
  EXPECT_TRUE(plan.has_value()) << (plan ? "" : plan.error().detail);
  return plan ? *plan : CapturePlan();
}

Words with_sidecar(const Words& more) {
  Words all = {"-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*", "-d", "15090,15021,15020"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

struct Golden {
  const char* name;
  Words arguments;
};
void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.name; }

class Rules : public testing::TestWithParam<Golden> {};

TEST_P(Rules, AreAsKept) {
  const CapturePlan plan = plan_for(GetParam().arguments);
  const std::vector<Rule> rules = rules_of(plan);
  std::string line = "# weft-init";
  for (const std::string& word : GetParam().arguments)
    line += " " + (word.find_first_of("* ") == std::string::npos && !word.empty() ? word : "'" + word + "'");
  const std::string text = line + "\n" + routing_script(plan) + iptables_backend(run_command)->script(rules, plan.ipv6) +
                           nft_backend(run_command)->script(rules, plan.ipv6);
  const std::string path = std::string(WEFT_SOURCE_DIR) + "/tests/golden/capture/" + GetParam().name + ".txt";
  if (std::getenv("WEFT_REFRESH") != nullptr) std::ofstream(path) << text;
  std::ifstream file(path);
  std::ostringstream kept;
  kept << file.rdbuf();
  EXPECT_EQ(kept.str(), text) << path << "; WEFT_REFRESH=1 rewrites it";
}
INSTANTIATE_TEST_SUITE_P(
    Capture, Rules,
    testing::Values(Golden{"sidecar", with_sidecar({})}, Golden{"dual-stack", with_sidecar({"--dual-stack"})},
                    Golden{"outbound-exclusions",
                           with_sidecar({"--dual-stack", "-x", "10.1.0.0/16,fd01::/16", "-o", "5432,6379", "-q", "9000"})},
                    Golden{"outbound-ranges", with_sidecar({"--dual-stack", "-i", "10.96.0.0/12,fd00:1::/32,127.0.0.1/32"})},
                    Golden{"inbound-ports", with_sidecar({"-b", "8080,8443", "-d", "8443"})},
                    Golden{"tproxy", with_sidecar({"--dual-stack", "-m", "TPROXY", "-u", "1337", "-g", "1338"})},
                    Golden{"tproxy-ports", with_sidecar({"-m", "TPROXY", "-b", "8080", "-t", "1111", "-r", "100", "-c", "eth1"})},
                    Golden{"dns", with_sidecar({"--redirect-dns"})},
                    Golden{"dns-all", with_sidecar({"--dual-stack", "--redirect-dns", "--capture-all-dns"})},
                    Golden{"owners", with_sidecar({"-u", "1337,0", "-g", "3333"})},
                    Golden{"owner-groups-include", with_sidecar({"--owner-groups-include", "builders,2001", "--redirect-dns"})},
                    Golden{"owner-groups-exclude", with_sidecar({"--owner-groups-exclude", "888"})},
                    Golden{"interfaces", with_sidecar({"-k", "eth1,eth2", "-c", "net+", "--drop-invalid"})},
                    Golden{"interfaces-ranges", with_sidecar({"--dual-stack", "-k", "eth1", "-i", "10.0.0.0/8,fd00::/8"})},
                    Golden{"nothing-in-nothing-out", {}}, Golden{"none", with_sidecar({"-m", "NONE"})}),
    [](const auto& info) {
      std::string name = info.param.name;
      for (char& letter : name) letter = letter == '-' ? '_' : letter;
      return name;
    });

// The IPv4 rules of one chain of a table, as iptables-save tells them.
Words rules_in(const CapturePlan& plan, Table table, const char* chain, bool v6 = false) {
  Words found;
  for (const IptablesLine& line : iptables_lines(rules_of(plan), v6))
    if (line.table == table && line.chain == chain) found.push_back(line.rule);
  return found;
}

TEST(IstioInit, PlainSidecar) {
  const CapturePlan plan = plan_for(with_sidecar({}));
  EXPECT_EQ(rules_in(plan, Table::kNat, "PREROUTING"), Words{"-p tcp -j ISTIO_INBOUND"});
  EXPECT_EQ(rules_in(plan, Table::kNat, "OUTPUT"), Words{"-p tcp -j ISTIO_OUTPUT"});
  EXPECT_EQ(rules_in(plan, Table::kNat, "ISTIO_INBOUND"),
            (Words{"-p tcp -m tcp --dport 15008 -j RETURN", "-p tcp -m tcp --dport 15090 -j RETURN",
                   "-p tcp -m tcp --dport 15021 -j RETURN", "-p tcp -m tcp --dport 15020 -j RETURN", "-p tcp -j ISTIO_IN_REDIRECT"}));
  EXPECT_EQ(rules_in(plan, Table::kNat, "ISTIO_IN_REDIRECT"), Words{"-p tcp -j REDIRECT --to-ports 15006"});
  EXPECT_EQ(rules_in(plan, Table::kNat, "ISTIO_REDIRECT"), Words{"-p tcp -j REDIRECT --to-ports 15001"});
  EXPECT_EQ(rules_in(plan, Table::kNat, "ISTIO_OUTPUT"),
            (Words{"-s 127.0.0.6/32 -o lo -j RETURN",
                   "! -d 127.0.0.1/32 -o lo -p tcp -m tcp ! --dport 15008 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT",
                   "-o lo -m owner ! --uid-owner 1337 -j RETURN", "-m owner --uid-owner 1337 -j RETURN",
                   "! -d 127.0.0.1/32 -o lo -p tcp -m tcp ! --dport 15008 -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT",
                   "-o lo -m owner ! --gid-owner 1337 -j RETURN", "-m owner --gid-owner 1337 -j RETURN", "-d 127.0.0.1/32 -j RETURN",
                   "-j ISTIO_REDIRECT"}));
  EXPECT_EQ(rules_in(plan, Table::kNat, "ISTIO_OUTPUT", true).front(), "-s ::6/128 -o lo -j RETURN");
  for (const Table table : {Table::kMangle, Table::kRaw})
    for (const Rule& rule : rules_of(plan)) EXPECT_NE(rule.table, table);
}

TEST(IstioInit, Tproxy) {
  const CapturePlan plan = plan_for(with_sidecar({"-m", "TPROXY", "--dual-stack"}));
  EXPECT_EQ(
      rules_in(plan, Table::kMangle, "ISTIO_INBOUND"),
      (Words{"-p tcp -m mark --mark 0x539 -j RETURN", "-s 127.0.0.6/32 -i lo -p tcp -j RETURN",
             "-i lo -p tcp -m mark ! --mark 0x53a -j RETURN", "-p tcp -m tcp --dport 15008 -j RETURN",
             "-p tcp -m tcp --dport 15090 -j RETURN", "-p tcp -m tcp --dport 15021 -j RETURN", "-p tcp -m tcp --dport 15020 -j RETURN",
             "-p tcp -m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT", "-p tcp -j ISTIO_TPROXY"}));
  EXPECT_EQ(rules_in(plan, Table::kMangle, "ISTIO_TPROXY"),
            Words{"! -d 127.0.0.1/32 -p tcp -j TPROXY --on-port 15006 --on-ip 0.0.0.0 --tproxy-mark 0x539/0xffffffff"});
  EXPECT_EQ(rules_in(plan, Table::kMangle, "ISTIO_DIVERT"), (Words{"-j MARK --set-xmark 0x539/0xffffffff", "-j ACCEPT"}));
  EXPECT_TRUE(rules_in(plan, Table::kNat, "PREROUTING").empty());
  EXPECT_EQ(routing_wanted(plan),
            (Words{"ip -f inet rule add fwmark 1337 lookup 133", "ip -f inet route add local default dev lo table 133",
                   "ip -f inet6 rule add fwmark 1337 lookup 133", "ip -f inet6 route add local default dev lo table 133"}));
}

}  // namespace
}  // namespace weft::init
