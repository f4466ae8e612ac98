// weft-proxy: flags -> bootstrap -> server.
#include "common/net/interfaces.h"
#include "common/observe/metrics.h"
#include "proxy/config/bootstrap.h"
#include "proxy/server/flags.h"
#include "proxy/server/server.h"
#include "proxy/telemetry/log_file.h"

#include <malloc.h>

#include <cstdio>

int main(int argc, char** argv) {
  using namespace weft;
  const server::ParsedFlags parsed = server::parse_flags(argc, argv);
  if (!parsed.run) {
    std::fputs(parsed.text.c_str(), parsed.exit_code == 0 ? stdout : stderr);
    return parsed.exit_code;
  }
  const server::Flags& flags = parsed.flags;
  if (Status logging = server::set_up_logging(flags); !logging) {
    std::fprintf(stderr, "weft-proxy: %s\n", logging.error().detail.c_str());
    return 1;
  }

  const bool serve = flags.mode == server::Flags::Mode::kServe;
  observe::Registry metrics(flags.concurrency + 1);
  telemetry::LogWriter logs(flags.concurrency + 1);
  Diagnostics problems;
  const auto bootstrap = config::load_bootstrap(
      flags.sources, problems, serve ? config::BootstrapServices{&metrics, &logs, net::machine_address()} : config::BootstrapServices{});
  std::fputs(render(problems).c_str(), stderr);
  if (!bootstrap) return 1;
  std::fputs(render(bootstrap->warnings).c_str(), stderr);
  if (!serve) {
    std::printf("configuration '%s' OK\n", flags.sources.path.c_str());
    return 0;
  }
  // By default a worker's heap shrinks after each burst and grows with the next; what nobody needs goes back in Worker::on_ebb().
  ::mallopt(M_TRIM_THRESHOLD, 512 << 10);
  return server::Server(flags, *bootstrap, metrics, logs).run();
}
