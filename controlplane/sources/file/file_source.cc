#include "controlplane/sources/file/file_source.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <set>

namespace weft::sources {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kEvents =
    IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::chrono::seconds kWriterPatience(2);  // for a writer that modified a file and has not closed it
constexpr std::chrono::seconds kAgain(1);           // after a look that failed
constexpr std::chrono::seconds kAnyway(10);         // file systems that tell nothing (network mounts) are looked at anyway

}  // namespace

FileSource::FileSource(std::string path, std::vector<store::Owned> owned, Sinks sinks, std::chrono::milliseconds quiet)
    : path_(std::move(path)), sinks_(std::move(sinks)), quiet_(quiet), directory_(path_, std::move(owned)) {}

FileSource::~FileSource() { stop(); }

Status FileSource::start() {
  inotify_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify_ < 0) return system_error("inotify", errno);
  // Watched before the first look, so that no change falls between the two.
  if (inotify_add_watch(inotify_, path_.c_str(), kEvents | IN_ONLYDIR) < 0) {
    const Error error = system_error("cannot watch the directory " + path_, errno);
    stop();
    return error;
  }
  wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_ < 0) return system_error("eventfd", errno);
  look();
  thread_ = std::thread([this] { run(); });
  return {};
}

void FileSource::stop() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    if (write(wake_, &one, sizeof one) < 0) std::abort();  // an eventfd takes a 1
    thread_.join();
  }
  for (int* descriptor : {&inotify_, &wake_}) {
    if (*descriptor >= 0) close(*descriptor);
    *descriptor = -1;
  }
}

bool FileSource::look() {
  auto look = directory_.look();
  if (!look) {
    Diagnostic finding;
    finding.code = "WEFT0302";
    finding.message = look.error().detail + "; what it defined before stays";
    finding.file = path_;
    sinks_.findings({std::move(finding)});
    return false;
  }
  bool taken = true;
  if (!look->batch.changes.empty()) {
    auto applied = sinks_.batch(look->batch);
    taken = applied.has_value();
    if (taken) {
      directory_.taken();
    } else {
      Diagnostic finding;
      finding.code = "WEFT0303";
      finding.message = "not taken: " + applied.error().detail;
      finding.file = path_;
      look->findings.push_back(std::move(finding));
    }
  } else {
    directory_.taken();
  }
  sinks_.findings(look->findings);
  return taken;
}

void FileSource::run() {
  std::set<std::string> writing;  // modified and not yet closed
  bool stirred = false;           // something happened since the last look; the two times say when
  Clock::time_point first_event, last_event;
  Clock::time_point looked = Clock::now();
  bool well = true;
  for (;;) {
    const auto now = Clock::now();
    Clock::time_point due = looked + (well ? kAnyway : kAgain);
    if (stirred) due = writing.empty() ? std::min(last_event + quiet_, first_event + kWriterPatience) : first_event + kWriterPatience;
    const auto wait = std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(due - now));
    pollfd descriptors[2] = {{inotify_, POLLIN, 0}, {wake_, POLLIN, 0}};
    if (poll(descriptors, 2, static_cast<int>(wait.count())) < 0 && errno != EINTR) return;
    if (descriptors[1].revents) return;

    if (descriptors[0].revents) {
      alignas(inotify_event) char buffer[16384];
      for (ssize_t size; (size = read(inotify_, buffer, sizeof buffer)) > 0;) {
        for (ssize_t at = 0; at < size;) {
          inotify_event event;
          std::memcpy(&event, buffer + at, sizeof event);
          const std::string name = event.len ? buffer + at + sizeof event : "";
          at += static_cast<ssize_t>(sizeof event + event.len);
          if (event.mask & IN_MODIFY) writing.insert(name);
          if (event.mask & (IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE)) writing.erase(name);
          last_event = Clock::now();
          if (!stirred) first_event = last_event;
          stirred = true;
        }
      }
      continue;
    }
    if (Clock::now() < due) continue;
    // The directory may have been replaced; watching the same one again changes nothing.
    inotify_add_watch(inotify_, path_.c_str(), kEvents | IN_ONLYDIR);
    well = look();
    looked = Clock::now();
    stirred = false;
    writing.clear();
  }
}

}  // namespace weft::sources
