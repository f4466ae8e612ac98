#include "proxy/server/flags.h"

#include <CLI/CLI.hpp>

#include <sstream>
#include <thread>

#ifndef WEFT_VERSION
#define WEFT_VERSION "0.1.0"
#endif

namespace weft::server {

ParsedFlags parse_flags(int argc, const char* const* argv) {
  ParsedFlags parsed;
  Flags& flags = parsed.flags;
  std::string mode = "serve", ignored;
  int ignored_number = 0;
  bool ignored_switch = false, version = false, hot_restart_version = false;
  int drain_s = 600, grace_s = 5;

  CLI::App app("weft-proxy: an L7 proxy that is configured by Envoy's xDS v3", "weft-proxy");
  app.set_help_flag("-h,--help", "print this and exit");
  app.add_flag("--version", version, "print the version and exit");
  app.add_option("-c,--config-path", flags.sources.path, "the bootstrap file (Envoy v3, YAML or JSON)");
  app.add_option("--config-yaml", flags.sources.inline_yaml, "bootstrap text, merged over the file");
  app.add_option("--mode", mode, "serve, or validate: load everything, open nothing")
      ->check(CLI::IsMember({"serve", "validate", "init_only"}));
  auto* concurrency = app.add_option("--concurrency", flags.concurrency, "worker threads (default: one per core)");
  app.add_option("-l,--log-level", flags.log_level, "trace, debug, info, warning, error, critical or off");
  app.add_option("--component-log-level", flags.component_log_level, "levels by logger: pool:debug,router:trace");
  app.add_option("--log-format", flags.log_format, "spdlog pattern");
  app.add_option("--log-path", flags.log_path, "write the log to this file");
  app.add_option("--service-node", flags.sources.service_node, "node id");
  app.add_option("--service-cluster", flags.sources.service_cluster, "node cluster");
  app.add_option("--service-zone", flags.sources.service_zone, "zone of the node's locality");
  app.add_option("--admin-address-path", flags.admin_address_path, "file to write the admin address to");
  app.add_option("--drain-time-s", drain_s, "seconds that connections of a removed listener may go on")->check(CLI::NonNegativeNumber);
  app.add_option("--shutdown-grace-s", grace_s, "seconds that requests may go on after SIGTERM")->check(CLI::NonNegativeNumber);
  app.add_flag("--allow-unknown-static-fields,--allow-unknown-fields", flags.sources.allow_unknown_static_fields,
               "do not refuse unknown fields of the bootstrap");

  const char* const none = "Envoy's; has no meaning here";
  for (const char* name :
       {"--base-id", "--restart-epoch", "--parent-shutdown-time-s", "--file-flush-interval-msec", "--file-flush-min-size-kb"})
    app.add_option(name, ignored_number, none);
  app.add_option("--drain-strategy", ignored, "gradual or immediate: connections are asked to go with their next answer either way")
      ->check(CLI::IsMember({"gradual", "immediate"}));
  for (const char* name : {"--base-id-path", "--local-address-ip-version", "--socket-path", "--socket-mode"})
    app.add_option(name, ignored, none);
  for (const char* name :
       {"--disable-hot-restart", "--use-dynamic-base-id", "--reject-unknown-dynamic-fields", "--ignore-unknown-dynamic-fields",
        "--skip-hot-restart-on-no-parent", "--skip-hot-restart-parent-stats", "--skip-deprecated-logs", "--enable-mutex-tracing",
        "--cpuset-threads",  // the default number of workers is that of the set's cores anyhow
        "--enable-fine-grain-logging", "--enable-core-dump"})
    app.add_flag(name, ignored_switch, none);
  for (const char* name : {"--stats-tag", "--disable-extensions"}) {
    app.add_option(name, ignored, "Envoy's; not implemented, so refused")->check([](const std::string& value) {
      return "not implemented (found " + value + "); leave it out";
    });
  }
  app.add_flag("--hot-restart-version", hot_restart_version, "print \"disabled\" and exit");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    parsed.exit_code = app.exit(error, out, err) == 0 ? 0 : 1;
    parsed.text = out.str() + err.str();
    return parsed;
  }
  if (version || hot_restart_version) {
    parsed.text = version ? "weft-proxy  version: " WEFT_VERSION "\n" : "disabled\n";
    return parsed;
  }
  if (flags.sources.path.empty() && flags.sources.inline_yaml.empty()) {
    parsed.exit_code = 1;
    parsed.text = "weft-proxy: no configuration: give -c FILE (an Envoy v3 bootstrap) or --config-yaml TEXT\n";
    return parsed;
  }
  flags.mode = mode == "serve" ? Flags::Mode::kServe : Flags::Mode::kValidate;
  if (concurrency->count() > 0 && flags.concurrency == 0) flags.concurrency = 1;  // as Envoy
  if (flags.concurrency == 0) flags.concurrency = std::max(1u, std::thread::hardware_concurrency());
  flags.drain_time = std::chrono::seconds(drain_s);
  flags.shutdown_grace = std::chrono::seconds(grace_s);
  parsed.run = true;
  return parsed;
}

}  // namespace weft::server
