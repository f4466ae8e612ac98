// The admin interface's own HTTP listener, on the control thread: coroutines per connection, bounded in number, size and
// time, so that a slow or hostile client of this port can hold nothing up.
#pragma once
#include "common/base/error.h"
#include "common/base/task.h"

#include <cstdint>
#include <memory>
#include <string>

namespace weft::observe {
class Registry;
}

namespace weft::admin {

class AdminSource;

struct AdminOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;
  size_t max_connections = 64;
  size_t max_body = 64 << 10;
  std::chrono::seconds timeout{30};  // for a request to arrive, and for an answer to leave
};

class AdminServer {
 public:
  // `source` and `registry` outlive it; everything runs on `executor`'s thread.
  AdminServer(Executor executor, AdminSource& source, observe::Registry& registry, AdminOptions options);
  ~AdminServer();  // stop() and a last turn of the loop before, or nothing ever started
  Status listen();
  std::string address() const;  // as bound: "127.0.0.1:15000"
  void stop();                  // closes the listener and every connection

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the connections' coroutines, which may end after us
};

}  // namespace weft::admin
