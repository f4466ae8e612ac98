#include "init/options.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>

namespace weft::init {
namespace {

constexpr const char* kDescription =
    "weft-init: writes the rules that lead a pod's traffic through its proxy.\n\n"
    "  apply      the rules that the flags ask for (the default); if they are in force already, nothing\n"
    "  check      whether they are in force, and what differs\n"
    "  clean-up   no rule of ours is left, and nothing else touched";

constexpr const char* kFooter =
    "\nistio-init's flags may be given by the environment: the name in capitals, with _ for -, such as ISTIO_INBOUND_PORTS; also\n"
    "ISTIO_META_DNS_CAPTURE, INVALID_DROP, ISTIO_DUAL_STACK, ISTIO_OUTBOUND_OWNER_GROUPS and ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE.\n"
    "Exit codes: 0 ok, 1 failed or (check) something else is in force, 2 usage, 126 validation failed.\n";

// "-b,--istio-inbound-ports" to "ISTIO_INBOUND_PORTS".
std::string variable_of(std::string_view flag) {
  flag.remove_prefix(flag.find("--") + 2);
  std::string name(flag.substr(0, flag.find(',')));
  for (char& letter : name) letter = letter == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return name;
}

struct TextFlag {
  const char* names;
  std::string CaptureFlags::*value;
  const char* help;
};
constexpr TextFlag kTextFlags[] = {
    {"-p,--envoy-port", &CaptureFlags::envoy_port, "where outbound traffic goes"},
    {"-z,--inbound-capture-port", &CaptureFlags::inbound_capture_port, "where inbound traffic goes"},
    {"-e,--inbound-tunnel-port", &CaptureFlags::inbound_tunnel_port, "the proxy's own port for tunnels, never captured"},
    {"--iptables-probe-port", &CaptureFlags::probe_port, "the port that --run-validation dials"},
    {"-u,--proxy-uid", &CaptureFlags::proxy_uid, "the proxy's users, whose traffic is not captured"},
    {"-g,--proxy-gid", &CaptureFlags::proxy_gid, "the same by group (default: as -u)"},
    {"-m,--istio-inbound-interception-mode", &CaptureFlags::mode, "REDIRECT, TPROXY (the client's address stays) or NONE"},
    {"-b,--istio-inbound-ports", &CaptureFlags::inbound_ports, "inbound ports to capture, or * for all (default: none)"},
    {"-d,--istio-local-exclude-ports", &CaptureFlags::inbound_ports_excluded, "inbound ports left out of *"},
    {"-i,--istio-service-cidr", &CaptureFlags::service_cidr, "ranges whose outbound traffic to capture, or * (default: none)"},
    {"-x,--istio-service-exclude-cidr", &CaptureFlags::service_exclude_cidr, "ranges left out of it"},
    {"-q,--istio-outbound-ports", &CaptureFlags::outbound_ports, "outbound ports to capture wherever they go"},
    {"-o,--istio-local-outbound-ports-exclude", &CaptureFlags::outbound_ports_excluded, "outbound ports never captured"},
    {"-c,--istio-exclude-interfaces", &CaptureFlags::exclude_interfaces, "interfaces whose traffic is not captured"},
    {"-k,--kube-virt-interfaces,--kubevirt-interfaces", &CaptureFlags::kube_virt_interfaces,
     "interfaces of virtual machines, whose traffic is outbound"},
    {"-t,--istio-inbound-tproxy-mark", &CaptureFlags::tproxy_mark, "the mark of TPROXY"},
    {"-r,--istio-inbound-tproxy-route-table", &CaptureFlags::tproxy_route_table, "the routing table of TPROXY"},
    {"--owner-groups-include", &CaptureFlags::owner_groups, "only these groups' outbound traffic (default: *)"},
    {"--owner-groups-exclude", &CaptureFlags::owner_groups_excluded, "groups left out of it"},
    {"--dns-servers", &CaptureFlags::dns_servers, "whose questions to take (default: those of /etc/resolv.conf)"},
};

// Switches that come from the environment as words.
bool word_is_true(const char* name, bool& value, std::string& problem) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == 0) return false;
  const std::string word(text);
  if (word == "true" || word == "1" || word == "TRUE" || word == "True" || word == "t" || word == "T")
    value = true;
  else if (word != "false" && word != "0" && word != "FALSE" && word != "False" && word != "f" && word != "F")
    problem = std::string("the environment's ") + name + ": found \"" + word + "\", expected true or false\n";
  return true;
}

Action action_word(std::vector<std::string>& arguments) {
  if (arguments.empty()) return Action::kApply;
  const std::string& word = arguments.front();
  const Action action = word == "check" ? Action::kCheck : word == "clean-up" ? Action::kCleanUp : Action::kApply;
  if (action != Action::kApply || word == "apply" || word == "istio-iptables") arguments.erase(arguments.begin());
  return action;
}

}  // namespace

ParsedOptions parse_options(std::vector<std::string> arguments) {
  ParsedOptions parsed;
  Options& options = parsed.options;
  options.action = action_word(arguments);
  bool native_nftables = false, clean_up = false, ignored = false;
  std::string ignored_text;

  CLI::App app(kDescription, "weft-init [apply|check|clean-up]");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("weft-init ") + kVersion);
  // Later of two wins, as with istio-init.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  for (const TextFlag& flag : kTextFlags)
    app.add_option(flag.names, options.capture.*flag.value, flag.help)->envname(variable_of(flag.names))->type_name("TEXT");
  struct Switch {
    const char* names;
    bool& value;
    const char* help;
    const char* variable;  // istio-init's own, where it is not the flag's name
  };
  const Switch switches[] = {
      {"--redirect-dns", options.capture.redirect_dns, "questions about names go to the proxy, port 15053", "ISTIO_META_DNS_CAPTURE"},
      {"--capture-all-dns", options.capture.capture_all_dns, "those to any server", nullptr},
      {"--drop-invalid", options.capture.drop_invalid, "packets that belong to no connection are dropped", "INVALID_DROP"},
      {"--dual-stack", options.capture.dual_stack, "IPv6 rules beside those of IPv4 (default: only where the pod has no IPv4 address)",
       "ISTIO_DUAL_STACK"},
      {"-n,--dry-run", options.dry_run, "print what would be done", nullptr},
      {"--reconcile", options.reconcile, "replace rules of ours that differ (else: refused)", nullptr},
      {"--force-apply", options.force, "apply again what is in force, replace what differs", nullptr},
      {"--skip-rule-apply", options.skip_apply, "change nothing (with --run-validation: only that)", nullptr},
      {"--run-validation", options.validate, "then try whether a connection is captured", nullptr},
      {"--cleanup-only", clean_up, "the same as clean-up", nullptr},
      {"--native-nftables", native_nftables, "the same as --backend nft", nullptr},
      {"--idempotent", ignored, "it always is", nullptr},
  };
  for (const Switch& one : switches) app.add_flag(one.names, one.value, one.help);
  app.add_option("--backend", options.backend, "auto (iptables where it is installed), iptables or nft")
      ->check(CLI::IsMember({"auto", "iptables", "nft"}));
  app.add_option("--force-iptables-binary", options.iptables_variant, "legacy or nft: the iptables of that name")
      ->check(CLI::IsMember({"", "legacy", "nft"}))
      ->envname("FORCE_IPTABLES_BINARY");
  app.add_option("--network-namespace", options.network_namespace, "the pod's, as a file such as /proc/PID/ns/net")->type_name("FILE");
  std::string patience = "5s";
  app.add_option("--probe-timeout", patience, "how long --run-validation waits, in seconds")->envname("PROBE_TIMEOUT")->type_name("5s");
  app.add_option("--log_output_level", ignored_text, "taken for the sake of istio-init's templates, without effect");

  try {
    std::reverse(arguments.begin(), arguments.end());
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    const int code = app.exit(error, out, err);
    parsed.exit_code = code == 0 ? kOk : kUsage;
    parsed.text = out.str() + err.str();
    return parsed;
  }
  std::string problems;
  for (const Switch& one : switches) {
    if (one.value || &one.value == &ignored) continue;
    std::string problem;
    if (!word_is_true(variable_of(one.names).c_str(), one.value, problem) && one.variable) word_is_true(one.variable, one.value, problem);
    problems += problem;
  }
  const auto take = [&](const char* flag, const char* variable, std::string& value) {
    if (const char* text = std::getenv(variable); text && app.get_option(flag)->count() == 0) value = text;
  };
  take("--owner-groups-include", "ISTIO_OUTBOUND_OWNER_GROUPS", options.capture.owner_groups);
  take("--owner-groups-exclude", "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", options.capture.owner_groups_excluded);
  if (clean_up && options.action == Action::kCheck) problems += "--cleanup-only: check changes nothing\n";
  if (clean_up) options.action = Action::kCleanUp;
  if (native_nftables && options.backend == "iptables") problems += "--native-nftables: --backend says iptables\n";
  if (native_nftables) options.backend = "nft";
  if (options.backend == "nft" && !options.iptables_variant.empty()) problems += "--force-iptables-binary: the backend is nft\n";
  int seconds = 0;
  const char* const end = patience.data() + patience.size() - patience.ends_with('s');
  if (const auto read = std::from_chars(patience.data(), end, seconds);
      read.ec != std::errc() || read.ptr != end || seconds < 1 || seconds > 600)
    problems += "--probe-timeout: found \"" + patience + "\", expected 1s to 600s\n";
  options.probe_timeout = std::chrono::seconds(seconds);
  if (!problems.empty()) {
    parsed.exit_code = kUsage;
    parsed.text = problems;
    return parsed;
  }
  parsed.run = true;
  return parsed;
}

}  // namespace weft::init
