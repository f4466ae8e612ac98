// weft-init: flags -> plan -> rules.
#include "init/run.h"
#include "init/surroundings.h"

#include <csignal>
#include <iostream>

int main(int argc, char** argv) {
  using namespace weft::init;
  std::signal(SIGPIPE, SIG_IGN);
  const ParsedOptions parsed = parse_options({argv + 1, argv + argc});
  if (!parsed.run) {
    (parsed.exit_code == 0 ? std::cout : std::cerr) << parsed.text;
    return parsed.exit_code;
  }
  if (!parsed.options.network_namespace.empty()) {
    if (const weft::Status entered = enter_network_namespace(parsed.options.network_namespace); !entered) {
      std::cerr << "weft-init: " << entered.error().detail << "\n";
      return kFailed;
    }
  }
  return run(parsed.options, this_machine(parsed.options), std::cout, std::cerr);
}
