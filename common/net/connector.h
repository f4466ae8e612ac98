// One attempt to connect, with a deadline. Destroying it gives the attempt up.
#pragma once
#include "common/net/loop.h"
#include "common/net/stream.h"

#include <functional>
#include <memory>
#include <optional>

namespace weft::net {

// envoy.config.core.v3.TcpKeepalive; 0 leaves the system's value.
struct TcpKeepalive {
  int probes = 0;
  int time_s = 0;
  int interval_s = 0;
};

class Connector {
 public:
  // `error` is 0 and `socket` connected, or an errno value (ETIMEDOUT when our own deadline passed). Never called from inside
  // the constructor; the Connector may be destroyed in it.
  using Done = std::function<void(int error, Socket socket)>;
  Connector(Loop& loop, const Endpoint& to, std::chrono::milliseconds deadline, const std::optional<TcpKeepalive>& keepalive, Done done);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

 private:
  struct Attempt;
  std::shared_ptr<Attempt> attempt_;
};

}  // namespace weft::net
