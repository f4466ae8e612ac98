#include "ctl/commands.h"
#include "ctl/exit_code.h"

#include <ostream>

namespace weft::ctl {

int run(const std::vector<std::string>& args, const Environment& environment) {
  const ParsedOptions parsed = parse_options(args);
  if (!parsed.run) {
    (parsed.exit_code == kOk ? environment.out : environment.err) << parsed.text;
    return parsed.exit_code;
  }
  const Options& options = parsed.options;
  const Console console(environment, options);
  std::string where = options.server.empty() ? environment.variable("WEFT_SERVER") : options.server;
  if (where.empty()) where = kDefaultServer;
  auto url = parse_url(where);
  if (!url) {
    console.error((options.server.empty() ? "WEFT_SERVER: " : "--server: ") + url.error().detail);
    return kUsage;
  }
  Server server(*url, console);
  switch (options.command) {
    case Command::kApply: return apply(options, server, console);
    case Command::kGet: return get(options, server, console);
    case Command::kDelete: return remove(options, server, console);
    case Command::kValidate: return validate(options, server, console);
    case Command::kStatus: return status(options, server, console);
    case Command::kProxyConfig: return proxy_config(options, server, console);
    case Command::kHistory: return history(options, server, console);
    case Command::kDiff: return diff(options, server, console);
    case Command::kRollback: return rollback(options, server, console);
    case Command::kAnalyze: return analyze(options, server, console);
    case Command::kRouteTest: return route_test(options, server, console);
    case Command::kVersion: return version(options, server, console);
  }
  return kUsage;
}

}  // namespace weft::ctl
