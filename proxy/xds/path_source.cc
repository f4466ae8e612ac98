#include "proxy/xds/path_source.h"

#include <sys/inotify.h>
#include <unistd.h>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <cerrno>
#include <fstream>
#include <sstream>

namespace weft::xds {
namespace {

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}
std::string name_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

}  // namespace

struct PathSource::Watch : std::enable_shared_from_this<PathSource::Watch> {
  Watch(net::Loop& loop, std::string path) : loop(loop), path(std::move(path)), inotify(loop.executor()) {}

  void begin(const std::string& directory) {
    own_folder = directory.empty();
    const std::string folder = own_folder ? folder_of(path) : directory;
    const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0 || ::inotify_add_watch(fd, folder.c_str(), IN_MOVED_TO | (own_folder ? IN_CLOSE_WRITE : 0u)) < 0) {
      const std::string reason = system_error("cannot watch " + folder, errno).detail;
      if (fd >= 0) ::close(fd);
      loop.post([self = shared_from_this(), reason] { self->problem(reason); });
      return;
    }
    inotify.assign(fd);
    wait();
    loop.post([self = shared_from_this()] { self->read(); });
  }

  void wait() {
    inotify.async_wait(asio::posix::descriptor_base::wait_read, [self = shared_from_this()](boost::system::error_code error) {
      if (error || !self->on_text) return;
      if (self->concerns_us()) self->read();
      if (self->on_text) self->wait();
      self->loop.end_event();
    });
  }

  bool concerns_us() {
    alignas(inotify_event) char events[4096];
    bool ours = false;
    for (;;) {
      const ssize_t n = ::read(inotify.native_handle(), events, sizeof events);
      if (n <= 0) return ours;
      for (ssize_t at = 0; at < n;) {
        const auto* event = reinterpret_cast<const inotify_event*>(events + at);
        ours = ours || !own_folder || (event->len && name_of(path) == event->name);
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    }
  }

  void read() {
    if (!on_text) return;
    std::ifstream in(path, std::ios::binary);
    if (!in) return problem(system_error("cannot read " + path, errno).detail);
    std::ostringstream text;
    text << in.rdbuf();
    on_text(text.str());
  }

  void problem(const std::string& reason) {
    if (on_problem) on_problem(reason);
  }

  net::Loop& loop;
  const std::string path;
  asio::posix::basic_stream_descriptor<Executor> inotify;
  std::function<void(std::string)> on_text, on_problem;
  bool own_folder = true;
};

PathSource::PathSource(net::Loop& loop, std::string path, const std::string& watched_directory, std::function<void(std::string)> on_text,
                       std::function<void(std::string)> on_problem)
    : watch_(std::make_shared<Watch>(loop, std::move(path))) {
  watch_->on_text = std::move(on_text);
  watch_->on_problem = std::move(on_problem);
  watch_->begin(watched_directory);
}

PathSource::~PathSource() {
  watch_->on_text = watch_->on_problem = nullptr;
  boost::system::error_code ignored;
  watch_->inotify.close(ignored);
}

}  // namespace weft::xds
