// Flags, environment and annotations to plans; what is wrong is named, all of it.
#include "init/annotations.h"
#include "init/options.h"
#include "init/surroundings.h"

#include <gtest/gtest.h>
#include <cstdlib>

namespace weft::init {
namespace {

using Words = std::vector<std::string>;

CaptureFlags flags_for(const Words& arguments) {
  const ParsedOptions parsed = parse_options(arguments);
  EXPECT_TRUE(parsed.run) << parsed.text;
  return parsed.options.capture;
}

std::string problems_of(const Words& arguments, const Surroundings& surroundings = {}) {
  const auto plan = plan_of(flags_for(arguments), surroundings);
  return plan ? "" : plan.error().detail;
}

// An environment variable for as long as a test needs it.
struct Variable {
  const char* name;
  Variable(const char* called, const char* value) : name(called) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name); }
};

TEST(Cidr, IsMaskedAndWrittenOneWay) {
  EXPECT_EQ(parse_cidr("10.1.2.3/8")->text(), "10.0.0.0/8");
  EXPECT_EQ(parse_cidr("10.1.2.3")->text(), "10.1.2.3/32");
  EXPECT_EQ(parse_cidr("0.0.0.0/0")->text(), "0.0.0.0/0");
  EXPECT_EQ(parse_cidr("FD00:0:0::1/16")->text(), "fd00::/16");
  EXPECT_EQ(parse_cidr("::1")->text(), "::1/128");
  for (const char* bad : {"", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/8x", "fd00::/129", "x", "10.0.0.1 ", "/8", "10.0.0.0/-1"})
    EXPECT_FALSE(parse_cidr(bad)) << bad;
}

TEST(Plan, DefaultsAreIstiosAndCaptureNothing) {
  const auto plan = plan_of({}, {});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->outbound_port, 15001);
  EXPECT_EQ(plan->inbound_port, 15006);
  EXPECT_EQ(plan->uids, std::vector<uint32_t>{1337});
  EXPECT_EQ(plan->gids, std::vector<uint32_t>{1337});
  EXPECT_FALSE(plan->all_inbound);
  EXPECT_FALSE(plan->all_outbound);
  EXPECT_FALSE(plan->ipv6);
}

TEST(Plan, EveryBadFlagIsNamed) {
  EXPECT_EQ(problems_of({"-p", "0", "-b", "80,x", "-i", "10.0.0.0/40", "-m", "redirect", "-c", "eth0;rm", "-u", "root", "-r", "253"}),
            "--envoy-port: found \"0\", expected a port from 1 to 65535\n"
            "--proxy-uid: found \"root\", expected numbers of users or groups, separated by commas\n"
            "--proxy-gid: found \"root\", expected numbers of users or groups, separated by commas\n"
            "--istio-inbound-interception-mode: found \"redirect\", expected REDIRECT, TPROXY or NONE\n"
            "--istio-inbound-ports: found \"x\", expected \"*\", or ports from 1 to 65535 separated by commas\n"
            "--istio-service-cidr: found \"10.0.0.0/40\", expected \"*\", or address ranges such as 10.0.0.0/8 or fd00::/8 separated by "
            "commas\n"
            "--istio-exclude-interfaces: found \"eth0;rm\", expected names of network interfaces, separated by commas\n"
            "--istio-inbound-tproxy-route-table: found \"253\", expected a number from 1 to 252");
  EXPECT_EQ(problems_of({"-z", "15001"}), "--inbound-capture-port: found 15001, which --envoy-port has already");
  EXPECT_EQ(problems_of({"-x", "*"}),
            "--istio-service-exclude-cidr: found \"*\", expected address ranges such as 10.0.0.0/8 or fd00::/8, "
            "separated by commas");
  EXPECT_EQ(problems_of({"-t", "1338"}),
            "--istio-inbound-tproxy-mark: found \"1338\", expected another number: 1338 marks the proxy's calls to its own pod");
  EXPECT_EQ(problems_of({"--owner-groups-include", "nobody-knows"}),
            "--owner-groups-include: found \"nobody-knows\", expected names or numbers of groups that exist, separated by commas");
  EXPECT_EQ(problems_of({"--owner-groups-include", "1", "--owner-groups-exclude", "2"}),
            "--owner-groups-exclude: has a meaning only where --owner-groups-include is \"*\"");
}

TEST(Plan, Dns) {
  EXPECT_EQ(problems_of({"--capture-all-dns"}), "--capture-all-dns: has a meaning only together with --redirect-dns");
  EXPECT_EQ(problems_of({"--redirect-dns"}),
            "--redirect-dns: resolv.conf names no server; give --dns-servers, or --capture-all-dns for all of them");
  EXPECT_EQ(problems_of({"--redirect-dns", "--dns-servers", "10.0.0.0/8"}),
            "--dns-servers: found \"10.0.0.0/8\", expected addresses, separated by commas");
  Surroundings pod;
  pod.nameservers = nameservers_of("# comment\nsearch a.b c\nnameserver 10.96.0.10\n nameserver\tfe80::1%eth0\noptions ndots:5\n");
  EXPECT_EQ(pod.nameservers, (Words{"10.96.0.10", "fe80::1%eth0"}));
  const auto plan = plan_of(flags_for({"--redirect-dns"}), pod);
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->dns_servers.size(), 2U);
  EXPECT_EQ(plan->dns_servers[1].text(), "fe80::1/128");
}

TEST(Options, ActionsAndEnvironment) {
  EXPECT_EQ(parse_options({"check", "-b", "*"}).options.action, Action::kCheck);
  EXPECT_EQ(parse_options({"clean-up"}).options.action, Action::kCleanUp);
  EXPECT_EQ(parse_options({"--cleanup-only"}).options.action, Action::kCleanUp);
  EXPECT_EQ(parse_options({"istio-iptables", "-b", "80"}).options.capture.inbound_ports, "80");
  const Variable ports("ISTIO_INBOUND_PORTS", "81,82"), dns("ISTIO_META_DNS_CAPTURE", "true"), dry("DRY_RUN", "true");
  const Variable groups("ISTIO_OUTBOUND_OWNER_GROUPS", "7");
  const Options options = parse_options({}).options;
  EXPECT_EQ(options.capture.inbound_ports, "81,82");
  EXPECT_TRUE(options.capture.redirect_dns);
  EXPECT_TRUE(options.dry_run);
  EXPECT_EQ(options.capture.owner_groups, "7");
  EXPECT_EQ(parse_options({"-b", "90"}).options.capture.inbound_ports, "90");
  const Variable bad("DROP_INVALID", "perhaps");
  const ParsedOptions refused = parse_options({});
  EXPECT_FALSE(refused.run);
  EXPECT_EQ(refused.exit_code, kUsage);
  EXPECT_EQ(refused.text, "the environment's DROP_INVALID: found \"perhaps\", expected true or false\n");
}

TEST(Options, UnknownAndContradictory) {
  const ParsedOptions unknown = parse_options({"--istio-inbound-port", "80"});
  EXPECT_FALSE(unknown.run);
  EXPECT_EQ(unknown.exit_code, kUsage);
  EXPECT_NE(unknown.text.find("--istio-inbound-port"), std::string::npos) << unknown.text;
  EXPECT_EQ(parse_options({"--native-nftables", "--backend", "iptables"}).text, "--native-nftables: --backend says iptables\n");
  EXPECT_EQ(parse_options({"--probe-timeout", "soon"}).text, "--probe-timeout: found \"soon\", expected 1s to 600s\n");
  EXPECT_EQ(parse_options({"--probe-timeout", "7s"}).options.probe_timeout, std::chrono::seconds(7));
  EXPECT_EQ(parse_options({"--help"}).exit_code, kOk);
}

TEST(Annotations, AreFlags) {
  const auto flags = flags_of({{"sidecar.istio.io/interceptionMode", "TPROXY"},
                               {"traffic.sidecar.istio.io/includeInboundPorts", "80,81"},
                               {"traffic.sidecar.istio.io/excludeInboundPorts", "8081"},
                               {"traffic.sidecar.istio.io/includeOutboundIPRanges", "10.0.0.0/8"},
                               {"traffic.sidecar.istio.io/excludeOutboundIPRanges", "10.1.0.0/16"},
                               {"traffic.sidecar.istio.io/includeOutboundPorts", "9000"},
                               {"traffic.sidecar.istio.io/excludeOutboundPorts", "5432"},
                               {"traffic.sidecar.istio.io/excludeInterfaces", "eth1"},
                               {"istio.io/reroute-virtual-interfaces", "k6t-eth0"},
                               {"sidecar.istio.io/logLevel", "debug"}});
  ASSERT_TRUE(flags);
  const Words arguments = arguments_of(*flags);
  EXPECT_EQ(arguments, (Words{"-m", "TPROXY", "-i", "10.0.0.0/8", "-x", "10.1.0.0/16", "-b", "80,81", "-d", "15090,15021,8081,15020", "-q",
                              "9000", "-o", "5432", "-c", "eth1", "-k", "k6t-eth0"}));
  // And back by the command line.
  EXPECT_EQ(flags_for(arguments), *flags);
}

TEST(Annotations, DefaultsAndEmptyLists) {
  EXPECT_EQ(arguments_of(*flags_of({})), (Words{"-i", "*", "-b", "*", "-d", "15090,15021,15020"}));
  EXPECT_EQ(flags_of({{"traffic.sidecar.istio.io/includeInboundPorts", ""}})->inbound_ports, "");
  EXPECT_EQ(flags_of({{"status.sidecar.istio.io/port", "0"}})->inbound_ports_excluded, "15090,15021");
  EXPECT_EQ(flags_of({{"status.sidecar.istio.io/port", "15099"}})->inbound_ports_excluded, "15090,15021,15099");
}

TEST(Annotations, BadValuesAreNamed) {
  const auto told = [](const char* name, const char* value) {
    const auto flags = flags_of({{name, value}});
    return flags ? std::string("taken") : flags.error().detail;
  };
  EXPECT_EQ(told("traffic.sidecar.istio.io/excludeOutboundPorts", "http"),
            "traffic.sidecar.istio.io/excludeOutboundPorts: found \"http\", expected ports from 1 to 65535, separated by commas");
  EXPECT_EQ(told("sidecar.istio.io/interceptionMode", "BOTH"),
            "sidecar.istio.io/interceptionMode: found \"BOTH\", expected REDIRECT, TPROXY or NONE");
  EXPECT_EQ(told("status.sidecar.istio.io/port", "x"), "status.sidecar.istio.io/port: found \"x\", expected a port from 1 to 65535, or 0");
}

}  // namespace
}  // namespace weft::init
