// weft-demo: the mesh at work on this machine (`./dev demo`), and, as `weft-demo service ...`, the small services in it.
#include "demo/options.h"
#include "demo/service.h"
#include "demo/show.h"

#include <csignal>
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments[0] == "service") {
    weft::demo::ServiceOptions service;
    if (!weft::demo::parse_service({arguments.begin() + 1, arguments.end()}, service)) return 2;
    return weft::demo::serve(service);
  }
  const weft::Result<weft::demo::Options> options = weft::demo::parse_options(arguments);
  if (!options) {
    std::fprintf(stderr, "weft-demo: %s\n", options.error().detail.c_str());
    return 2;
  }
  if (options->help) {
    std::fputs(weft::demo::kUsage, stdout);
    return 0;
  }
  // Signals are taken between two frames, so that everything is ended in order.
  sigset_t taken;
  sigemptyset(&taken);
  for (int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&taken, number);
  sigprocmask(SIG_BLOCK, &taken, nullptr);
  signal(SIGPIPE, SIG_IGN);

  weft::demo::RunFolder folder;
  if (weft::Status opened = folder.open(); !opened) {
    std::fprintf(stderr, "weft-demo: %s\n", opened.error().detail.c_str());
    return 1;
  }
  return weft::demo::Show(*options, folder).run();
}
