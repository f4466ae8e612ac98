#include "common/net/loop.h"

#include "common/net/connection.h"

#include <sys/random.h>
#include <boost/asio/defer.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace weft::net {

Loop::Loop(unsigned thread) : work_(io_.get_executor()), wheel_(io_.get_executor(), clock_), thread_(thread) {
  wheel_.after_each_turn([this] { end_event(); });
  if (::getrandom(random_, sizeof random_, 0) != sizeof random_) {
    random_[0] = reinterpret_cast<uintptr_t>(this);
    random_[1] = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
  random_[0] |= 1;  // xorshift must not start at zero
}

Loop::~Loop() {
  while (!retired_.empty()) {  // the dying may retire others
    std::vector<std::unique_ptr<Retirable>> dying;
    dying.swap(retired_);
  }
}

void Loop::run() { io_.run(); }

void Loop::stop() { work_.reset(); }

uint64_t Loop::random() {  // xorshift128+
  uint64_t x = random_[0];
  const uint64_t y = random_[1];
  random_[0] = y;
  x ^= x << 23;
  random_[1] = x ^ y ^ (x >> 17) ^ (y >> 26);
  return random_[1] + y;
}

void Loop::post(std::function<void()> function) {
  asio::post(io_, [this, function = std::move(function)] {
    begin_event();
    function();
    end_event();
  });
}

void Loop::mark_dirty(Connection& connection, bool gathers) {
  if (!gathers) return dirty_.push_back(&connection);
  gathering_.push_back(&connection);
  if (std::exchange(gathering_ends_, true)) return;
  // What is deferred comes behind all that one look at the sockets has found ready.
  asio::defer(io_, [this] {
    begin_event();
    gathering_ends_ = false;
    dirty_.insert(dirty_.end(), gathering_.begin(), gathering_.end());
    gathering_.clear();
    end_event();
  });
}

void Loop::forget(Connection& connection) {
  std::erase(dirty_, &connection);
  std::erase(gathering_, &connection);
  std::replace(flushing_.begin(), flushing_.end(), &connection, static_cast<Connection*>(nullptr));
}

void Loop::end_event() {
  if (ending_) return;
  ending_ = true;
  // Flushing may wake a paused sender, which dirties others; destroying may close connections.
  do {
    flushing_.swap(dirty_);
    for (size_t i = 0; i < flushing_.size(); ++i)
      if (Connection* connection = flushing_[i]) connection->flush_marked();
    flushing_.clear();
    if (dirty_.empty() && !retired_.empty()) {
      std::vector<std::unique_ptr<Retirable>> dying;
      dying.swap(retired_);
    }
    if (dirty_.empty() && retired_.empty()) {
      for (const auto& hook : hooks_) hook();  // may let go of the last that held something
    }
  } while (!dirty_.empty() || !retired_.empty());
  ending_ = false;
  clock_.end_event();
}

}  // namespace weft::net
