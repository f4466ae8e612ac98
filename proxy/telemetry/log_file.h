// Files that access log lines go to. A worker appends to its own buffer; one background thread takes the buffers, when one
// has 64 KiB or a second after its first line, and writes them: a slow disk holds no request up. A buffer that is not taken
// in time grows to a bound, then lines are dropped and counted. Each buffer has a lock that is contended once a second.
#pragma once
#include "common/base/error.h"
#include "common/observe/metrics.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace weft::telemetry {

class LogWriter;

// One open file, shared by all access logs that name its path. Closed after its last line when its last owner lets go.
class LogFile {
 public:
  static constexpr size_t kFlushAt = 64 << 10;
  static constexpr size_t kBound = 1 << 20;  // per thread
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  // `thread` is the caller's index (control 0, worker n is n + 1). A whole line, newline included.
  void write(unsigned thread, std::string_view line);
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  const std::string& path() const { return path_; }

 private:
  friend class LogWriter;
  struct Buffer {
    std::mutex mutex;
    std::string text;
  };
  LogFile(LogWriter& writer, std::string path, int fd, unsigned threads);
  void drain(std::string& scratch);
  void write_all(std::string_view text);
  LogWriter& writer_;
  std::string path_;
  int fd_;  // the writer's thread alone, once it runs
  std::vector<Buffer> buffers_;
  std::atomic<uint64_t> dropped_{0};
};

// Owns the background thread; outlives every LogFile. open() and reopen() from any thread.
class LogWriter {
 public:
  // `stats`: cells of the filesystem shape that the background thread may write, or null.
  explicit LogWriter(unsigned threads, observe::Cells* stats = nullptr);
  ~LogWriter();  // writes what is there
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Created if it is not there, appended to. "/dev/stdout" and "/dev/stderr" are this process' own, whatever they are.
  Result<std::shared_ptr<LogFile>> open(const std::string& path);
  // Opens every file anew (after a rotation), once what was logged before is in the old one.
  void reopen();
  // Waits until all that was logged before this call is written; for the end of the process and for tests.
  void flush();

 private:
  friend class LogFile;
  void wake(bool at_once);
  void run();
  void write_out(bool reopen);
  unsigned threads_;
  observe::Cells* stats_;
  std::atomic<bool> pending_{false};  // a line waits for the next round
  std::mutex mutex_;                  // all that follows
  std::condition_variable changed_, done_;
  std::map<std::string, std::weak_ptr<LogFile>> files_;
  bool at_once_ = false, reopen_ = false, stop_ = false;
  uint64_t asked_ = 0, finished_ = 0;
  std::thread thread_;
};

}  // namespace weft::telemetry
