#include "ctl/options.h"

#include "common/base/diagnostic.h"
#include "controlplane/validation/schema.h"
#include "ctl/exit_code.h"
#include "ctl/kind_names.h"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace weft::ctl {
namespace {

// "10s", "1m", or seconds.
std::string read_timeout(const std::string& text, std::chrono::milliseconds& out) {
  const bool plain = !text.empty() && text.size() < 9 && text.find_first_not_of("0123456789") == std::string::npos;
  std::string problem;
  const auto value = validation::parse_duration(plain ? text + "s" : text, problem);
  if (!value || value->count() < 0 || *value > std::chrono::minutes(10))
    return "found \"" + text + "\", expected a duration such as 30s, at most 10m";
  out = std::chrono::duration_cast<std::chrono::milliseconds>(*value);
  return {};
}

constexpr const char* kFooter =
    "\nExit codes: 0 ok, 1 failed, 2 usage, 3 server not reachable, 4 timed out, 65 bad input, 79 findings at or above --fail-on.\n"
    "Environment: WEFT_SERVER, NO_COLOR, FORCE_COLOR.\n";

// VERB KIND NAME, or VERB KIND/NAME.
std::string read_target(const std::string& word, Options& options) {
  std::string kind = word;
  if (const size_t slash = word.find('/'); slash != std::string::npos) {
    if (!options.name.empty()) return "found both " + word + " and " + options.name + ", expected KIND NAME or KIND/NAME";
    options.name = word.substr(slash + 1);
    kind = word.substr(0, slash);
  }
  std::string problem;
  return kind_named(kind, options.kind, problem) ? std::string() : problem;
}

}  // namespace

ParsedOptions parse_options(const std::vector<std::string>& args) {
  ParsedOptions parsed;
  Options& options = parsed.options;
  std::string timeout, target;

  CLI::App app("weftctl: the command line of Weft. It talks to weft-control, and to proxies' admin pages.", "weftctl");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("weftctl ") + kVersion);
  app.add_option("--server", options.server, std::string("URL of weft-control (default: $WEFT_SERVER, else ") + kDefaultServer + ")")
      ->type_name("URL");
  app.add_option("--color", options.colour, "auto, always or never")->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_flag("-q,--quiet", options.quiet, "say nothing but errors and what was asked for");
  app.add_flag("-v,--verbose", options.verbose, "say which requests are made");
  const auto command = [&](CLI::App& parent, const char* name, const char* help) {
    CLI::App* sub = parent.add_subcommand(name, help);
    sub->fallthrough();
    return sub;
  };
  const auto output = [&](CLI::App* sub, std::set<std::string> formats) {
    sub->add_option("-o,--output", options.output, "format")->check(CLI::IsMember(std::move(formats)));
  };
  const auto files = [&](CLI::App* sub) {
    CLI::Option* option =
        sub->add_option("-f,--filename", options.files, "file, directory, or - for standard input; may be repeated")->type_name("FILE");
    option->expected(1)->take_all()->allow_extra_args(false);
    sub->add_flag("-R,--recursive", options.recursive, "directories with all below them");
    return option;
  };
  const auto name_space = [&](CLI::App* sub) {
    sub->add_option("-n,--namespace", options.ns, "namespace (default: default)")->type_name("NS");
  };

  CLI::App* apply = command(app, "apply", "create or change objects, all or none");
  files(apply)->required();
  apply->add_flag("--dry-run", options.dry_run, "say what would change, and change nothing");
  apply->add_flag("--wait", options.wait, "wait until every affected proxy has accepted");
  apply->add_option("--timeout", timeout, "of --wait (default 30s)")->type_name("DURATION");
  output(apply, {"json", "yaml", "name"});

  CLI::App* get = command(app, "get", "show objects");
  get->add_option("KIND", target, "virtualservice, vs, ..., all; or KIND/NAME")->required();
  get->add_option("NAME", options.name, "of one object");
  name_space(get);
  get->add_flag("-A,--all-namespaces", options.all_namespaces, "of every namespace");
  output(get, {"yaml", "json", "wide", "name"});

  CLI::App* remove = command(app, "delete", "delete objects, all or none");
  remove->add_option("KIND", target, "kind; or KIND/NAME");
  remove->add_option("NAME", options.name, "of the object");
  name_space(remove);
  files(remove);
  output(remove, {"json", "yaml", "name"});

  CLI::App* validate = command(app, "validate", "check files; nothing is changed");
  files(validate)->required();
  validate->add_flag("--offline", options.offline, "without a server: the files are all there is");
  validate->add_option("--fail-on", options.fail_on, "exit 79 for findings from this severity on; errors always exit 65")
      ->check(CLI::IsMember({"error", "warning", "info"}));
  output(validate, {"json", "yaml"});

  CLI::App* status = command(app, "status", "proxies: which revision they run, and what they refuse");
  status->add_option("NAME", options.name, "of one proxy");
  output(status, {"json", "yaml", "wide"});

  CLI::App* proxy = command(app, "proxy", "look into one proxy");
  proxy->require_subcommand(1);
  CLI::App* config = command(*proxy, "config", "what it was sent, or by URL of its admin page, what it runs");
  config->add_option("TYPE", options.config_type, "clusters, listeners, routes or endpoints")
      ->required()
      ->check(CLI::IsMember({"clusters", "listeners", "routes", "endpoints"}));
  config->add_option("NAME", options.name, "node id, pod, pod.namespace, or http://ADMIN:PORT")->required();
  output(config, {"table", "wide", "json", "yaml"});

  CLI::App* history = command(app, "history", "revisions and what caused them");
  history->add_option("--limit", options.limit, "how many, newest first (default 20)")->check(CLI::Range(1, 1000));
  output(history, {"json", "yaml", "wide"});

  CLI::App* diff =
      command(app, "diff", "what applying files would change: in objects, and in what proxies are sent; exit code 1 if anything");
  files(diff)->required();
  output(diff, {"json", "yaml", "wide"});

  CLI::App* rollback = command(app, "rollback", "back to an earlier revision's objects, all or none, as a new revision");
  rollback->add_option("REVISION", options.revision, "as history lists them")->required();
  rollback->add_flag("--dry-run", options.dry_run, "say what would change, and change nothing");
  rollback->add_flag("--wait", options.wait, "wait until every affected proxy has accepted");
  rollback->add_option("--timeout", timeout, "of --wait (default 30s)")->type_name("DURATION");
  output(rollback, {"json", "yaml", "wide"});

  CLI::App* analyze = command(app, "analyze", "what objects say about each other that will not work as meant, with Istio's codes");
  files(analyze);
  analyze->add_flag("--offline", options.offline, "without a server: the files are all there is");
  analyze->add_option("--fail-on", options.fail_on, "exit 79 for findings from this severity on (default error)")
      ->check(CLI::IsMember({"error", "warning", "info"}));
  output(analyze, {"json", "yaml"});

  CLI::App* route = command(app, "route", "look at routes");
  route->require_subcommand(1);
  CLI::App* route_test = command(*route, "test", "which rule takes a request, and why those before it do not");
  route_test->add_option("METHOD", options.method, "GET, POST, ...")->required();
  route_test->add_option("URL", options.url, "such as http://reviews:9080/path")->required();
  route_test->add_option("-H,--header", options.headers, "NAME: VALUE; may be repeated")->expected(1)->take_all()->allow_extra_args(false);
  route_test->add_option("--from", options.from, "the proxy that sends it: node id, pod, or pod.namespace")->required();
  output(route_test, {"json", "yaml"});

  CLI::App* version = command(app, "version", "versions of this program, the server and the proxies");
  output(version, {"json", "yaml"});

  // The first word that is neither an option nor an option's value should be a command.
  std::vector<std::string_view> words = {"apply",   "get",  "delete",   "validate", "status", "proxy",
                                         "history", "diff", "rollback", "analyze",  "route",  "version"};
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& word = args[i];
    if (word == "--server" || word == "--color") ++i;
    if (word.starts_with('-')) continue;
    if (std::find(words.begin(), words.end(), word) != words.end()) break;
    const std::string_view meant = did_you_mean(word, words);
    parsed.exit_code = kUsage;
    parsed.text = "weftctl: \"" + word + "\" is no command" + (meant.empty() ? "" : "; did you mean " + std::string(meant) + "?") +
                  "\nRun with --help for more information.\n";
    return parsed;
  }
  if (args.empty()) {
    parsed.exit_code = kUsage;
    parsed.text = app.help();
    return parsed;
  }
  const auto usage = [&](const std::string& why) {
    parsed.exit_code = kUsage;
    parsed.text = "weftctl: " + why + "\nRun with --help for more information.\n";
    return parsed;
  };
  try {
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, problem;
    const int code = app.exit(error, out, problem);
    if (code != 0) {
      const std::string text = problem.str();
      return usage(text.substr(0, text.find('\n')));
    }
    parsed.text = out.str();
    return parsed;
  }

  using Pair = std::pair<CLI::App*, Command>;
  for (const auto& [sub, which] : {Pair{apply, Command::kApply}, Pair{get, Command::kGet}, Pair{remove, Command::kDelete},
                                   Pair{validate, Command::kValidate}, Pair{status, Command::kStatus}, Pair{proxy, Command::kProxyConfig},
                                   Pair{history, Command::kHistory}, Pair{diff, Command::kDiff}, Pair{rollback, Command::kRollback},
                                   Pair{analyze, Command::kAnalyze}, Pair{route, Command::kRouteTest}, Pair{version, Command::kVersion}}) {
    if (sub->parsed()) options.command = which;
  }
  if (!timeout.empty()) {
    if (const std::string why = read_timeout(timeout, options.timeout); !why.empty()) return usage("--timeout: " + why);
  }
  if (options.dry_run && options.wait) return usage("--dry-run and --wait exclude each other");
  if (options.command == Command::kAnalyze && options.offline && options.files.empty()) return usage("analyze --offline: expected -f FILE");
  if (options.command == Command::kDelete && target.empty() == options.files.empty())
    return usage("delete: expected either KIND NAME or -f FILE");
  if (!target.empty()) {
    if (const std::string why = read_target(target, options); !why.empty()) return usage(why);
    if (options.command == Command::kDelete && (options.kind.empty() || options.name.empty())) return usage("delete: expected KIND NAME");
  }
  parsed.run = true;
  return parsed;
}

}  // namespace weft::ctl
