// The command line of weftctl.
#pragma once
#include <chrono>
#include <string>
#include <vector>

namespace weft::ctl {

inline constexpr const char* kVersion = "0.1.0";
inline constexpr const char* kDefaultServer = "http://127.0.0.1:15014";

enum class Command : unsigned char {
  kApply,
  kGet,
  kDelete,
  kValidate,
  kStatus,
  kProxyConfig,
  kHistory,
  kDiff,
  kRollback,
  kAnalyze,
  kRouteTest,
  kVersion
};

struct Options {
  Command command = Command::kStatus;
  std::string server;           // as given; empty: WEFT_SERVER, else the default
  std::string colour = "auto";  // auto, always, never
  bool quiet = false, verbose = false;
  std::string output;  // -o

  std::vector<std::string> files;  // -f
  bool recursive = false, dry_run = false, wait = false, offline = false;
  std::chrono::milliseconds timeout{30'000};
  std::string fail_on = "error";

  std::string kind, name, ns = "default";  // kind: as its objects spell it
  bool all_namespaces = false;
  std::string config_type;  // clusters, listeners, routes, endpoints
  size_t limit = 20;
  uint64_t revision = 0;  // of rollback

  std::string method = "GET", url, from;  // of route test
  std::vector<std::string> headers;
};

struct ParsedOptions {
  Options options;
  bool run = false;  // otherwise: print `text` and exit with `exit_code`
  int exit_code = 0;
  std::string text;
};
// `args` without the program's name.
ParsedOptions parse_options(const std::vector<std::string>& args);

}  // namespace weft::ctl
