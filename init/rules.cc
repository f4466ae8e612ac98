#include "init/rules.h"

#include <algorithm>

namespace weft::init {
namespace {

using Kind = Target::Kind;

const Cidr kLocalhost4{false, 32, "127.0.0.1"}, kLocalhost6{true, 128, "::1"};
// What the proxy binds to when it calls its application: such connections are never captured again.
const Cidr kInboundSource4{false, 32, "127.0.0.6"}, kInboundSource6{true, 128, "::6"};

// Answers to the application and the proxy's own questions about the same name to the same server are two flows.
constexpr uint32_t kOwnQuestions = 1, kApplicationQuestions = 2;

class Writer {
 public:
  explicit Writer(const CapturePlan& plan) : plan_(plan) {}
  std::vector<Rule> write();

 private:
  Rule& add(Table table, const char* chain, Match match, Target target) {
    rules_.push_back({table, chain, std::move(match), std::move(target)});
    return rules_.back();
  }
  // One rule for each address family; `place` says where the address goes.
  void add_each(Table table, const char* chain, const Match& match, const Target& target, std::optional<Cidr> Match::*place, const Cidr& v4,
                const Cidr& v6) {
    for (const Cidr& cidr : {v4, v6}) add_for(table, chain, match, target, place, cidr);
  }
  Rule& add_for(Table table, const char* chain, Match match, const Target& target, std::optional<Cidr> Match::*place, const Cidr& cidr) {
    match.*place = cidr;
    Rule& rule = add(table, chain, std::move(match), target);
    rule.v4 = !cidr.v6;
    rule.v6 = cidr.v6;
    return rule;
  }
  bool dns() const { return plan_.dns != DnsCapture::kNone; }
  bool tproxy() const { return plan_.mode == Interception::kTproxy; }
  Table inbound_table() const { return tproxy() ? Table::kMangle : Table::kNat; }
  std::vector<Owner> proxy_owners() const;

  void exclude_interfaces();
  void virtual_interfaces();
  void inbound();
  void inbound_ports();
  void outbound();
  void outbound_of(const Owner& proxy);
  void owner_groups(const char* chain, const Match& which);
  void outbound_targets();
  void dns_queries();
  void dns_zones();
  void tproxy_marks();

  const CapturePlan& plan_;
  std::vector<Rule> rules_;
};

std::vector<Owner> Writer::proxy_owners() const {
  std::vector<Owner> owners;
  for (const uint32_t id : plan_.uids) owners.push_back({false, id});
  for (const uint32_t id : plan_.gids) owners.push_back({true, id});
  return owners;
}

void Writer::exclude_interfaces() {
  for (const std::string& name : plan_.excluded_interfaces) {
    add(Table::kNat, "PREROUTING", {.in = name}, {});
    add(Table::kNat, "OUTPUT", {.out = name}, {});
    if (!tproxy()) continue;
    add(Table::kMangle, "PREROUTING", {.in = name}, {});
    add(Table::kMangle, "OUTPUT", {.out = name}, {});
  }
}

// What comes from a virtual machine behind such an interface is outbound traffic of the pod.
void Writer::virtual_interfaces() {
  std::vector<Cidr> ranges = plan_.outbound_ranges;
  std::reverse(ranges.begin(), ranges.end());
  std::vector<std::string> names = plan_.virtual_interfaces;
  std::reverse(names.begin(), names.end());
  for (const Cidr& range : ranges)
    for (const std::string& name : names)
      add_for(Table::kNat, "PREROUTING", {.in = name}, Target::jump("ISTIO_REDIRECT"), &Match::destination, range).ahead = true;
  if (plan_.all_outbound)
    for (const std::string& name : names) add(Table::kNat, "PREROUTING", {.in = name}, Target::jump("ISTIO_REDIRECT")).ahead = true;
  for (const std::string& name : names) add(Table::kNat, "PREROUTING", {.in = name}, {}).ahead = true;
}

void Writer::inbound() {
  if (!plan_.all_inbound && plan_.inbound_ports.empty()) return;
  const Table table = inbound_table();
  add(table, "PREROUTING", {.protocol = Protocol::kTcp}, Target::jump("ISTIO_INBOUND"));
  if (tproxy()) {
    // What the proxy sends with the client's address is on its way to the application.
    add(table, "ISTIO_INBOUND", {.protocol = Protocol::kTcp, .mark = plan_.mark}, {});
    add_each(table, "ISTIO_INBOUND", {.protocol = Protocol::kTcp, .in = "lo"}, {}, &Match::source, kInboundSource4, kInboundSource6);
    // The application calling itself at the pod's address, but not through the proxy.
    add(table, "ISTIO_INBOUND", {.protocol = Protocol::kTcp, .in = "lo", .mark = kSelfCallMark, .except_mark = true}, {});
  }
  add(table, "ISTIO_INBOUND", {.protocol = Protocol::kTcp, .to_ports = {plan_.tunnel_port}}, {});
  inbound_ports();
  if (!tproxy()) return;
  add(table, "ISTIO_DIVERT", {}, {Kind::kSetMark, {}, plan_.mark});
  add(table, "ISTIO_DIVERT", {}, {Kind::kAccept});
  add_each(table, "ISTIO_TPROXY", {.protocol = Protocol::kTcp, .except_destination = true},
           {Kind::kTproxy, {}, plan_.inbound_port, plan_.mark}, &Match::destination, kLocalhost4, kLocalhost6);
}

void Writer::inbound_ports() {
  const Table table = inbound_table();
  const auto capture = [&](std::vector<uint16_t> ports) {
    if (tproxy())
      add(table, "ISTIO_INBOUND", {.protocol = Protocol::kTcp, .to_ports = ports, .established = true}, Target::jump("ISTIO_DIVERT"));
    add(table, "ISTIO_INBOUND", {.protocol = Protocol::kTcp, .to_ports = std::move(ports)},
        Target::jump(tproxy() ? "ISTIO_TPROXY" : "ISTIO_IN_REDIRECT"));
  };
  if (!plan_.all_inbound) {
    for (const uint16_t port : plan_.inbound_ports) capture({port});
    return;
  }
  for (const uint16_t port : plan_.inbound_excluded) add(table, "ISTIO_INBOUND", {.protocol = Protocol::kTcp, .to_ports = {port}}, {});
  capture({});
}

void Writer::outbound_of(const Owner& proxy) {
  const Owner others{proxy.group, proxy.id, true};
  // The application calls itself by its service: app, proxy (as client), proxy (as server), app. TPROXY does this by marks. Questions
  // about names go straight to their server.
  if (!tproxy()) {
    std::vector<uint16_t> not_to = {plan_.tunnel_port};
    if (dns()) not_to.insert(not_to.begin(), 53);
    add_each(
        Table::kNat, "ISTIO_OUTPUT",
        {.protocol = Protocol::kTcp, .out = "lo", .except_destination = true, .to_ports = not_to, .except_ports = true, .owners = {proxy}},
        Target::jump("ISTIO_IN_REDIRECT"), &Match::destination, kLocalhost4, kLocalhost6);
  }
  // The application calls itself by the pod's address. A name server may be there, too.
  const bool loopback = std::any_of(plan_.outbound_ranges.begin(), plan_.outbound_ranges.end(), [](const Cidr& c) { return c.loopback(); });
  if (!loopback && dns())
    add(Table::kNat, "ISTIO_OUTPUT", {.protocol = Protocol::kTcp, .out = "lo", .to_ports = {53}, .except_ports = true, .owners = {others}},
        {});
  else if (!loopback)
    add(Table::kNat, "ISTIO_OUTPUT", {.out = "lo", .owners = {others}}, {});
  add(Table::kNat, "ISTIO_OUTPUT", {.owners = {proxy}}, {});
}

// `which` and not of the groups whose traffic is captured: leave it alone.
void Writer::owner_groups(const char* chain, const Match& which) {
  Match none_of = which;
  for (const uint32_t id : plan_.groups) {
    if (plan_.all_groups_but) {
      Match one = which;
      one.owners = {{true, id}};
      add(Table::kNat, chain, std::move(one), {});
    } else {
      none_of.owners.push_back({true, id, true});
    }
  }
  if (!plan_.all_groups_but) add(Table::kNat, chain, std::move(none_of), {});
}

void Writer::outbound() {
  add(Table::kNat, "OUTPUT", {.protocol = Protocol::kTcp}, Target::jump("ISTIO_OUTPUT"));
  for (const uint16_t port : plan_.outbound_excluded)
    add(Table::kNat, "ISTIO_OUTPUT", {.protocol = Protocol::kTcp, .to_ports = {port}}, {});
  add_each(Table::kNat, "ISTIO_OUTPUT", {.out = "lo"}, {}, &Match::source, kInboundSource4, kInboundSource6);
  for (const Owner& proxy : proxy_owners()) outbound_of(proxy);
  owner_groups("ISTIO_OUTPUT", {});
  const Match question{.protocol = Protocol::kTcp, .to_ports = {53}};
  if (plan_.dns == DnsCapture::kAll) add(Table::kNat, "ISTIO_OUTPUT", question, Target::redirect(kDnsPort));
  for (const Cidr& server : plan_.dns_servers)
    add_for(Table::kNat, "ISTIO_OUTPUT", question, Target::redirect(kDnsPort), &Match::destination, server);
  add_each(Table::kNat, "ISTIO_OUTPUT", {}, {}, &Match::destination, kLocalhost4, kLocalhost6);
  outbound_targets();
}

void Writer::outbound_targets() {
  for (const Cidr& range : plan_.excluded_ranges) add_for(Table::kNat, "ISTIO_OUTPUT", {}, {}, &Match::destination, range);
  const Target captured = Target::jump("ISTIO_REDIRECT");
  for (const uint16_t port : plan_.outbound_ports)
    add(Table::kNat, "ISTIO_OUTPUT", {.protocol = Protocol::kTcp, .to_ports = {port}}, captured);
  if (plan_.all_outbound) add(Table::kNat, "ISTIO_OUTPUT", {}, captured);
  for (const Cidr& range : plan_.outbound_ranges) add_for(Table::kNat, "ISTIO_OUTPUT", {}, captured, &Match::destination, range);
}

void Writer::dns_queries() {
  const Match question{.protocol = Protocol::kUdp, .to_ports = {53}};
  add(Table::kNat, "OUTPUT", {.protocol = Protocol::kUdp}, Target::jump("ISTIO_OUTPUT_DNS"));
  for (const Owner& proxy : proxy_owners()) {
    Match own = question;
    own.owners = {proxy};
    add(Table::kNat, "ISTIO_OUTPUT_DNS", std::move(own), {});
  }
  owner_groups("ISTIO_OUTPUT_DNS", question);
  if (plan_.dns == DnsCapture::kAll) add(Table::kNat, "ISTIO_OUTPUT_DNS", question, Target::redirect(kDnsPort));
  for (const Cidr& server : plan_.dns_servers)
    add_for(Table::kNat, "ISTIO_OUTPUT_DNS", question, Target::redirect(kDnsPort), &Match::destination, server);
}

void Writer::dns_zones() {
  const Match question{.protocol = Protocol::kUdp, .to_ports = {53}};
  const Match answer{.protocol = Protocol::kUdp, .from_port = 53};
  add(Table::kRaw, "OUTPUT", {.protocol = Protocol::kUdp}, Target::jump("ISTIO_OUTPUT_DNS"));
  add(Table::kRaw, "PREROUTING", {.protocol = Protocol::kUdp}, Target::jump("ISTIO_INBOUND"));
  for (const Owner& proxy : proxy_owners()) {
    Match own = question;
    own.owners = {proxy};
    add(Table::kRaw, "ISTIO_OUTPUT_DNS", std::move(own), Target::zone(kOwnQuestions));
    add(Table::kRaw, "ISTIO_OUTPUT_DNS", {.protocol = Protocol::kUdp, .from_port = kDnsPort, .owners = {proxy}},
        Target::zone(kApplicationQuestions));
  }
  if (plan_.dns == DnsCapture::kAll) {
    add(Table::kRaw, "ISTIO_OUTPUT_DNS", question, Target::zone(kApplicationQuestions));
    add(Table::kRaw, "ISTIO_INBOUND", answer, Target::zone(kOwnQuestions));
  }
  for (const Cidr& server : plan_.dns_servers) {
    add_for(Table::kRaw, "ISTIO_OUTPUT_DNS", question, Target::zone(kApplicationQuestions), &Match::destination, server);
    add_for(Table::kRaw, "ISTIO_INBOUND", answer, Target::zone(kOwnQuestions), &Match::source, server);
  }
}

void Writer::tproxy_marks() {
  const Match marked{.protocol = Protocol::kTcp, .mark = plan_.mark};
  // The mark that the proxy sets on its connection to the application becomes the connection's, so that the answers, which go to
  // the client's address, come back to the proxy.
  add(Table::kMangle, "PREROUTING", marked, {Kind::kSaveMark});
  Match local = marked;
  local.out = "lo";
  add(Table::kMangle, "OUTPUT", std::move(local), {});
  for (const Owner& proxy : proxy_owners())
    add_each(Table::kMangle, "OUTPUT", {.protocol = Protocol::kTcp, .out = "lo", .except_destination = true, .owners = {proxy}},
             {Kind::kSetMark, {}, kSelfCallMark}, &Match::destination, kLocalhost4, kLocalhost6);
  add(Table::kMangle, "OUTPUT", {.protocol = Protocol::kTcp, .connection_mark = plan_.mark}, {Kind::kRestoreMark});
}

std::vector<Rule> Writer::write() {
  if (plan_.mode == Interception::kNone) return {};
  virtual_interfaces();
  exclude_interfaces();
  if (plan_.drop_invalid) {
    add(Table::kMangle, "PREROUTING", {.invalid = true}, Target::jump("ISTIO_DROP"));
    add(Table::kMangle, "ISTIO_DROP", {}, {Kind::kDrop});
  }
  add(Table::kNat, "ISTIO_REDIRECT", {.protocol = Protocol::kTcp}, Target::redirect(plan_.outbound_port));
  add(Table::kNat, "ISTIO_IN_REDIRECT", {.protocol = Protocol::kTcp}, Target::redirect(plan_.inbound_port));
  inbound();
  outbound();
  if (dns()) {
    dns_queries();
    dns_zones();
  }
  if (plan_.policy_routing()) tproxy_marks();
  return std::move(rules_);
}

}  // namespace

bool is_our_chain(std::string_view chain) { return std::find(kOurChains.begin(), kOurChains.end(), chain) != kOurChains.end(); }

std::vector<Rule> rules_of(const CapturePlan& plan) { return Writer(plan).write(); }

}  // namespace weft::init
