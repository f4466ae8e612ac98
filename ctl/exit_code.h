// What the exit code of weftctl tells a script. Frozen.
#pragma once

namespace weft::ctl {

enum ExitCode : int {
  kOk = 0,
  kFailed = 1,        // the server or a proxy refused, or the object does not exist
  kUsage = 2,         // the command line is wrong
  kNotReachable = 3,  // no answer from the server
  kTimedOut = 4,      // --wait was over before everybody had accepted, or the server did not answer in time
  kBadInput = 65,     // a file cannot be read, or what it says is refused
  kFindings = 79,     // validate: findings at or above --fail-on
};

}  // namespace weft::ctl
