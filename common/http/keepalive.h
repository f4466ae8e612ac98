// Asks the peer of an HTTP/2 connection now and then whether it is there, by PING, and tells when it does not answer: what TCP
// alone would notice after minutes. Owned by the connection; the clock is its loop's wheel.
#pragma once
#include "common/base/timing_wheel.h"
#include "common/http/codec.h"

#include <chrono>
#include <functional>

namespace weft::net {
class Loop;
}

namespace weft::http {

class Keepalive {
 public:
  // `on_dead` is called once, and may destroy this after the present event.
  Keepalive(net::Loop& loop, const KeepaliveOptions& options, Codec& codec, std::function<void()> on_dead);
  // Bytes came: the peer lives, whatever it says.
  void on_bytes();
  void on_answered();
  // A stream begins. After a long silence it is worth asking first.
  void on_stream();
  void stop();

 private:
  void ask();
  void on_unanswered();
  void wait();
  net::Loop& loop_;
  const KeepaliveOptions options_;
  Codec& codec_;
  std::function<void()> on_dead_;
  std::chrono::steady_clock::time_point heard_;
  Timeout<Keepalive, &Keepalive::ask> interval_{*this};
  Timeout<Keepalive, &Keepalive::on_unanswered> patience_{*this};
};

}  // namespace weft::http
