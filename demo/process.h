// The programs the demo starts, and the folder they live in. Nothing of it survives the demo: a child dies with its parent even
// when the parent is killed, and a folder left by a crash is swept by the next run.
#pragma once
#include "common/base/error.h"

#include <sys/types.h>
#include <string>
#include <vector>

namespace weft::demo {

// A folder under the temporary directory that is locked while the demo runs and removed when it ends.
class RunFolder {
 public:
  RunFolder() = default;
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  // Removes what crashed runs of this user left, then makes a folder of its own.
  Status open();
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  size_t swept() const { return swept_; }

 private:
  std::string path_;
  int lock_ = -1;
  size_t swept_ = 0;
};

class Process {
 public:
  Process() = default;
  Process(Process&& other) noexcept { *this = std::move(other); }
  Process& operator=(Process&& other) noexcept;
  ~Process() { stop(0); }

  // `arguments[0]` is the program. Output goes to `log`; `inherited` (or -1) stays open in the child as descriptor 3.
  static Result<Process> start(std::string name, const std::vector<std::string>& arguments, const std::string& log, int inherited = -1);

  const std::string& name() const { return name_; }
  const std::string& log() const { return log_; }
  pid_t pid() const { return pid_; }
  // False once it has ended; `verdict()` then says how.
  bool alive();
  const std::string& verdict() const { return verdict_; }
  // SIGTERM; `reap` or `stop` waits.
  void terminate();
  // Waits up to `seconds` for the end, then kills.
  void stop(double seconds);
  // The last lines of its log.
  std::string tail(size_t lines = 12) const;

 private:
  std::string name_, log_, verdict_;
  pid_t pid_ = -1;
};

}  // namespace weft::demo
