#include "init/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

extern char** environ;

namespace weft::init {
namespace {

// A pipe whose ends close themselves.
struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) ends[0] = ends[1] = -1;
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_end(int which) {
    if (ends[which] >= 0) ::close(ends[which]);
    ends[which] = -1;
  }
};

// Writes the input and reads both outputs until the program has closed them.
void converse(Pipe& input, const std::string& text, Pipe& output, Pipe& errors, CommandResult& result) {
  ::fcntl(input.ends[1], F_SETFL, O_NONBLOCK);
  size_t written = 0;
  if (text.empty()) input.close_end(1);
  while (output.ends[0] >= 0 || errors.ends[0] >= 0) {
    std::array<pollfd, 3> waits = {
        {{output.ends[0], POLLIN, 0}, {errors.ends[0], POLLIN, 0}, {input.ends[1], POLLOUT, 0}}};  // a negative one is left out
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) break;
    const auto read_from = [](Pipe& pipe, const pollfd& wait, std::string& into) {
      if (wait.revents == 0) return;
      char bytes[4096];
      const ssize_t count = ::read(pipe.ends[0], bytes, sizeof bytes);
      if (count > 0)
        into.append(bytes, static_cast<size_t>(count));
      else if (count == 0 || errno != EINTR)
        pipe.close_end(0);
    };
    read_from(output, waits[0], result.output);
    read_from(errors, waits[1], result.errors);
    if (waits[2].revents == 0) continue;
    const ssize_t count = ::write(input.ends[1], text.data() + written, text.size() - written);
    if (count > 0) written += static_cast<size_t>(count);
    if (written == text.size() || (count < 0 && errno != EAGAIN && errno != EINTR)) input.close_end(1);
  }
}

}  // namespace

Result<CommandResult> run_command(const std::vector<std::string>& arguments, const std::string& text) {
  if (!is_installed(arguments.front())) return not_found(arguments.front() + ": no such program in PATH");
  Pipe input, output, errors;
  if (input.ends[0] < 0 || output.ends[0] < 0 || errors.ends[0] < 0) return system_error("pipe", errno);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input.ends[0], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output.ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, errors.ends[1], STDERR_FILENO);
  // main ignores SIGPIPE; its children need not.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t defaults;
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t child = -1;
  const int failure = ::posix_spawnp(&child, argv.front(), &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (failure != 0) return system_error(arguments.front(), failure);
  input.close_end(0);
  output.close_end(1);
  errors.close_end(1);
  CommandResult result;
  converse(input, text, output, errors, result);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

bool is_installed(const std::string& program) {
  if (program.find('/') != std::string::npos) return ::access(program.c_str(), X_OK) == 0;
  const char* path = std::getenv("PATH");
  std::string folders = path == nullptr ? "/usr/sbin:/usr/bin:/sbin:/bin" : path;
  for (size_t at = 0; at <= folders.size();) {
    const size_t end = std::min(folders.find(':', at), folders.size());
    if (::access((folders.substr(at, end - at) + "/" + program).c_str(), X_OK) == 0) return true;
    at = end + 1;
  }
  return false;
}

Error command_error(const std::vector<std::string>& arguments, const CommandResult& result) {
  std::string line;
  for (const std::string& argument : arguments) line += (line.empty() ? "" : " ") + argument;
  std::string said = result.errors;
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return {Error::Kind::kRefused, line + " ended with code " + std::to_string(result.code) + (said.empty() ? "" : ": " + said)};
}

}  // namespace weft::init
