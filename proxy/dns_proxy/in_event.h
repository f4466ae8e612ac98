// What a socket calls is an event of its loop, from its first line to its last.
#pragma once
#include "common/net/loop.h"

namespace weft::dns_proxy {

class InEvent {
 public:
  explicit InEvent(net::Loop& loop) : loop_(loop) { loop_.begin_event(); }
  ~InEvent() { loop_.end_event(); }
  InEvent(const InEvent&) = delete;
  InEvent& operator=(const InEvent&) = delete;

 private:
  net::Loop& loop_;
};

}  // namespace weft::dns_proxy
