// The command line of weft-init: istio-init's flags and environment, and a word before them for what is to be done.
#pragma once
#include "init/plan.h"

#include <chrono>

namespace weft::init {

inline constexpr const char* kVersion = "0.1.0";

enum ExitCode : int {
  kOk = 0,
  kFailed = 1,             // the system refused, or (check) what is in force is something else
  kUsage = 2,              // a flag is wrong; nothing was changed
  kValidationFailed = 126  // the probe did not arrive; the number that istio-init gives
};

enum class Action : unsigned char { kApply, kCheck, kCleanUp };

struct Options {
  Action action = Action::kApply;
  CaptureFlags capture;
  std::string backend = "auto";  // auto, iptables, nft
  std::string iptables_variant;  // legacy or nft, where not the system's own choice
  std::string network_namespace;
  bool dry_run = false;
  bool reconcile = false;  // rules of ours that differ are replaced instead of refused
  bool force = false;      // applied even where it seems to be in force
  bool skip_apply = false;
  bool validate = false;
  std::chrono::milliseconds probe_timeout{5000};
};

struct ParsedOptions {
  Options options;
  bool run = false;  // otherwise: print `text` and exit with `exit_code`
  int exit_code = 0;
  std::string text;
};
// `arguments` without the program's name.
ParsedOptions parse_options(std::vector<std::string> arguments);

}  // namespace weft::init
