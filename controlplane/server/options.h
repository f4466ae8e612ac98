// The command line of weft-control.
#pragma once
#include <chrono>
#include <string>
#include <vector>

namespace weft::control {

inline constexpr const char* kVersion = "0.1.0";

struct ListenAddress {
  std::string ip;
  unsigned short port = 0;
  std::string text() const;  // "127.0.0.1:15010", "[::1]:15010"
};

struct Options {
  std::string config_dir;          // watched; empty: none
  std::string store = ":memory:";  // SQLite file
  ListenAddress xds{"127.0.0.1", 15010}, http{"127.0.0.1", 15014};
  std::vector<std::string> http_names;
  std::string address_path;  // file that is told where we listen
  std::chrono::milliseconds debounce_after{100}, debounce_max{10'000};
  std::string log_level = "info";
};

struct ParsedOptions {
  Options options;
  bool run = false;  // otherwise: print `text` and exit with `exit_code`
  int exit_code = 0;
  std::string text;
};
ParsedOptions parse_options(int argc, const char* const* argv);

}  // namespace weft::control
