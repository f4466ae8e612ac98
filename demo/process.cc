#include "demo/process.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>

namespace weft::demo {
namespace {

// Whether nobody holds the lock of a run folder: then its demo is gone.
bool abandoned(const std::filesystem::path& folder) {
  struct stat facts {};
  if (lstat(folder.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode) || facts.st_uid != geteuid()) return false;
  const int lock = open((folder / "lock").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (lock < 0) {
    // No lock yet: perhaps just being made. A minute is long enough to tell.
    return errno == ENOENT && time(nullptr) - facts.st_mtime > 60;
  }
  const bool free = flock(lock, LOCK_EX | LOCK_NB) == 0;
  close(lock);
  return free;
}

}  // namespace

Status RunFolder::open() {
  std::error_code error;
  std::filesystem::path base = std::filesystem::temp_directory_path(error);
  if (error) base = "/tmp";
  for (std::filesystem::directory_iterator it(base, error), end; !error && it != end; it.increment(error)) {
    if (!it->path().filename().string().starts_with("weft-demo-") || !abandoned(it->path())) continue;
    std::error_code ignored;
    std::filesystem::remove_all(it->path(), ignored);
    ++swept_;
  }
  std::string name = (base / "weft-demo-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) return system_error("cannot make a folder in " + base.string(), errno);
  path_ = name;
  lock_ = ::open(file("lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0 || flock(lock_, LOCK_EX | LOCK_NB) != 0) return system_error("cannot lock " + file("lock"), errno);
  return {};
}

RunFolder::~RunFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  if (lock_ >= 0) close(lock_);
}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(log_, other.log_);
  std::swap(verdict_, other.verdict_);
  std::swap(pid_, other.pid_);
  return *this;
}

Result<Process> Process::start(std::string name, const std::vector<std::string>& arguments, const std::string& log, int inherited) {
  if (access(arguments[0].c_str(), X_OK) != 0) return system_error("cannot run " + arguments[0], errno);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (output < 0 || nothing < 0) return system_error("cannot open " + log, errno);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    // Ctrl-C goes to the demo alone, which ends its children in order; should it be killed, they go with it.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(nothing, 0);
    dup2(output, 1);
    dup2(output, 2);
    if (inherited == 3)
      fcntl(3, F_SETFD, 0);
    else if (inherited >= 0)
      dup2(inherited, 3);
    execv(argv[0], argv.data());
    _exit(127);
  }
  const int failure = errno;
  close(output);
  close(nothing);
  if (pid < 0) return system_error("cannot start " + name, failure);
  Process process;
  process.name_ = std::move(name);
  process.log_ = log;
  process.pid_ = pid;
  return process;
}

bool Process::alive() {
  if (pid_ < 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  pid_ = -1;
  verdict_ = WIFSIGNALED(status) ? std::string("killed by signal ") + strsignal(WTERMSIG(status))
                                 : "ended with code " + std::to_string(WEXITSTATUS(status));
  return false;
}

void Process::terminate() {
  if (pid_ > 0) kill(pid_, SIGTERM);
}

void Process::stop(double seconds) {
  if (pid_ < 0) return;
  terminate();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (alive() && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string Process::tail(size_t lines) const {
  std::ifstream in(log_);
  std::deque<std::string> last;
  for (std::string line; std::getline(in, line);) {
    last.push_back(line);
    if (last.size() > lines) last.pop_front();
  }
  std::string text;
  for (const std::string& line : last) text += "    " + line + "\n";
  return text;
}

}  // namespace weft::demo
