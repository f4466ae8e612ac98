// weft-control: flags -> server -> wait for a signal -> end.
#include "common/base/log.h"
#include "controlplane/server/options.h"
#include "controlplane/server/server.h"

#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

int main(int argc, char** argv) {
  using namespace weft;
  const control::ParsedOptions parsed = control::parse_options(argc, argv);
  if (!parsed.run) {
    std::fputs(parsed.text.c_str(), parsed.exit_code == 0 ? stdout : stderr);
    return parsed.exit_code;
  }
  log::set_all(*log::level(parsed.options.log_level));

  // Blocked in every thread, so that the wait below is the only taker.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  setenv("GRPC_VERBOSITY", "NONE", 0);  // what goes wrong comes back as an error of ours

  auto server = control::Server::start(parsed.options);
  if (!server) {
    std::fprintf(stderr, "weft-control: %s\n", server.error().detail.c_str());
    return 1;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  log::get(log::Logger::kMain).info("{}: ending", strsignal(signal));
  server->reset();
  log::get(log::Logger::kMain).flush();
  return 0;
}
