#include "proxy/telemetry/log_file.h"

#include "common/observe/shapes.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace weft::telemetry {
namespace {

using observe::FilesystemStat;

int open_path(const std::string& path) {
  if (path == "/dev/stdout") return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (path == "/dev/stderr") return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

}  // namespace

// --- LogFile ---

LogFile::LogFile(LogWriter& writer, std::string path, int fd, unsigned threads)
    : writer_(writer), path_(std::move(path)), fd_(fd), buffers_(threads) {}

LogFile::~LogFile() {
  std::string scratch;
  drain(scratch);
  ::close(fd_);
}

void LogFile::write(unsigned thread, std::string_view line) {
  Buffer& buffer = buffers_[thread];
  bool first, full;
  {
    std::lock_guard lock(buffer.mutex);
    if (buffer.text.size() + line.size() > kBound) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    first = buffer.text.empty();
    full = buffer.text.size() < kFlushAt && buffer.text.size() + line.size() >= kFlushAt;
    buffer.text += line;
  }
  if (full || first) writer_.wake(full);
}

void LogFile::drain(std::string& scratch) {
  for (Buffer& buffer : buffers_) {
    scratch.clear();
    {
      std::lock_guard lock(buffer.mutex);
      if (buffer.text.empty()) continue;
      std::swap(scratch, buffer.text);
    }
    write_all(scratch);
  }
}

void LogFile::write_all(std::string_view text) {
  observe::Cells* stats = writer_.stats_;
  if (stats) stats->add(FilesystemStat::kWriteBuffered);
  while (!text.empty()) {
    ssize_t n = ::write(fd_, text.data(), text.size());
    if (n > 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (n < 0 && errno == EAGAIN) {  // somebody made our stdout non-blocking
      pollfd wait{fd_, POLLOUT, 0};
      poll(&wait, 1, 1000);
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else {  // a full disk, a closed pipe: these lines are lost, the next ones may not be
      if (stats) stats->add(FilesystemStat::kWriteFailed);
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
  }
  if (stats) stats->add(FilesystemStat::kWriteCompleted);
}

// --- LogWriter ---

LogWriter::LogWriter(unsigned threads, observe::Cells* stats) : threads_(threads), stats_(stats) {
  thread_ = std::thread([this] { run(); });
}

LogWriter::~LogWriter() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

Result<std::shared_ptr<LogFile>> LogWriter::open(const std::string& path) {
  std::lock_guard lock(mutex_);
  std::erase_if(files_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<LogFile>& slot = files_[path];
  if (auto file = slot.lock()) return file;
  int fd = open_path(path);
  if (fd < 0) {
    int code = errno;
    files_.erase(path);
    return system_error("access log " + path, code);
  }
  std::shared_ptr<LogFile> file(new LogFile(*this, path, fd, threads_));
  slot = file;
  return file;
}

void LogWriter::reopen() {
  std::lock_guard lock(mutex_);
  reopen_ = at_once_ = true;
  changed_.notify_one();
}

void LogWriter::flush() {
  std::unique_lock lock(mutex_);
  uint64_t mine = ++asked_;
  at_once_ = true;
  changed_.notify_one();
  done_.wait(lock, [&] { return finished_ >= mine; });
}

void LogWriter::wake(bool at_once) {
  if (pending_.exchange(true, std::memory_order_acq_rel) && !at_once) return;
  std::lock_guard lock(mutex_);
  if (at_once) at_once_ = true;
  changed_.notify_one();
}

void LogWriter::run() {
  pthread_setname_np(pthread_self(), "weft:log");
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the main thread's; a closed pipe is an error of write()
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || at_once_ || pending_.load(std::memory_order_acquire); });
    if (!stop_ && !at_once_) {
      changed_.wait_for(lock, std::chrono::seconds(1), [this] { return stop_ || at_once_; });
      if (stats_ && !at_once_) stats_->add(FilesystemStat::kFlushedByTimer);
    }
    bool stopping = stop_, again = reopen_;
    uint64_t asked = asked_;
    at_once_ = reopen_ = false;
    pending_.store(false, std::memory_order_release);
    lock.unlock();
    write_out(again);
    lock.lock();
    finished_ = asked;
    done_.notify_all();
    if (stopping && asked_ == finished_) return;
  }
}

void LogWriter::write_out(bool reopen) {
  std::vector<std::shared_ptr<LogFile>> files;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [path, weak] : files_)
      if (auto file = weak.lock()) files.push_back(std::move(file));
  }
  std::string scratch;
  for (const auto& file : files) {
    file->drain(scratch);
    if (!reopen) continue;
    int fd = open_path(file->path_);
    if (fd < 0) {  // the old file is better than none
      if (stats_) stats_->add(FilesystemStat::kReopenFailed);
      continue;
    }
    ::close(file->fd_);
    file->fd_ = fd;
  }
}

}  // namespace weft::telemetry
