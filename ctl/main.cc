// weftctl: arguments -> run.
#include "ctl/commands.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  const weft::ctl::Environment environment{std::cin, std::cout, std::cerr, isatty(STDOUT_FILENO) == 1, isatty(STDERR_FILENO) == 1,
                                           variable};
  const int code = weft::ctl::run({argv + 1, argv + argc}, environment);
  std::cout.flush();
  return code;
}
