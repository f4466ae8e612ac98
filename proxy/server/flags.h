// The command line, with Envoy's names. Flags that have no meaning here (hot restart's) are taken and ignored.
#pragma once
#include "proxy/config/bootstrap.h"

#include <chrono>
#include <string>

namespace weft::server {

struct Flags {
  enum class Mode { kServe, kValidate };
  config::BootstrapSources sources;
  Mode mode = Mode::kServe;
  unsigned concurrency = 0;  // workers; 0 asks for one per core
  std::string log_level = "info";
  std::string component_log_level;  // "pool:debug,router:trace"
  std::string log_format;
  std::string log_path;
  std::string admin_address_path;          // file that gets the admin's "ip:port"
  std::chrono::seconds drain_time{600};    // how long a removed listener's connections may go on
  std::chrono::seconds shutdown_grace{5};  // how long requests may go on after SIGTERM
};

struct ParsedFlags {
  Flags flags;
  bool run = false;  // otherwise: print `text` and exit with `exit_code`
  int exit_code = 0;
  std::string text;
};
ParsedFlags parse_flags(int argc, const char* const* argv);

}  // namespace weft::server
