// links: proxy_config
// Any text as a bootstrap file. It loads, or every complaint says what is wrong; never both, never neither.
#include "proxy/config/bootstrap.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weft::config::BootstrapSources sources;
  sources.inline_yaml.assign(reinterpret_cast<const char*>(data), size);
  weft::Diagnostics problems;
  const auto bootstrap = weft::config::load_bootstrap(sources, problems);
  if ((bootstrap == nullptr) != weft::has_errors(problems)) {
    std::fprintf(stderr, "broken rule: loaded or refused with a reason\n%s", weft::render(problems).c_str());
    std::abort();
  }
  for (const weft::Diagnostic& problem : problems) {
    if (problem.message.empty()) {
      std::fprintf(stderr, "broken rule: a refusal says why (%s)\n", problem.field.c_str());
      std::abort();
    }
  }
  return 0;
}
