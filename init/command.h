// Running the system's programs (iptables-restore, nft, ip): arguments and input in, exit code and both outputs back.
#pragma once
#include "common/base/error.h"

#include <functional>
#include <string>
#include <vector>

namespace weft::init {

struct CommandResult {
  int code = 0;
  std::string output, errors;
};

// An error only where the program could not be run at all: kNotFound where it is not installed.
using CommandRunner = std::function<Result<CommandResult>(const std::vector<std::string>& arguments, const std::string& input)>;

// The process ignores SIGPIPE: a program need not read its input.
Result<CommandResult> run_command(const std::vector<std::string>& arguments, const std::string& input);

// Whether a program of this name is in the PATH.
bool is_installed(const std::string& program);

// What is to be told of a command that ended with an error.
Error command_error(const std::vector<std::string>& arguments, const CommandResult& result);

}  // namespace weft::init
