// One attempt to connect, with a deadline. A host may have several addresses: they are tried as RFC 8305 says, the next one when a
// try fails or has taken too long, and the first that answers wins. Destroying it gives the attempt up.
#pragma once
#include "common/net/connect_options.h"
#include "common/net/loop.h"
#include "common/net/stream.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weft::net {

// All addresses of a host, in the order in which they are tried.
using Addresses = std::vector<Endpoint>;

class Connector {
 public:
  // How long one address is waited for before the next one is tried beside it.
  static constexpr std::chrono::milliseconds kPace{300};

  // `error` is 0 and `socket` connected, or an errno value (ETIMEDOUT when our own deadline passed). Never called from inside
  // the constructor; the Connector may be destroyed in it.
  using Done = std::function<void(int error, Socket socket)>;
  // `all`: null, or what is tried in place of `to`.
  Connector(Loop& loop, const Endpoint& to, std::shared_ptr<const Addresses> all, std::chrono::milliseconds deadline,
            const ConnectOptions& options, Done done);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  // After a failure: what went wrong at our end, before any host was asked; else empty.
  const std::string& local_failure() const;

 private:
  struct Attempt;
  std::shared_ptr<Attempt> attempt_;
};

}  // namespace weft::net
