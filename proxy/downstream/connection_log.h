// The line that a listener's access logs get of a connection when it is over.
#pragma once
#include "common/net/connection_facts.h"
#include "common/net/loop.h"
#include "proxy/config/values.h"
#include "proxy/format/request_info.h"

#include <memory>
#include <string>
#include <string_view>

namespace weft::downstream {

class ConnectionLog {
 public:
  ConnectionLog(std::shared_ptr<const config::Listener> listener, const net::ConnectionFacts& facts, net::Loop& loop);
  ConnectionLog(const ConnectionLog&) = delete;
  ConnectionLog& operator=(const ConnectionLog&) = delete;
  // What may be said of it meanwhile. Views in it outlive the listener.
  format::RequestInfo& info() { return info_; }
  void write(uint64_t received, uint64_t sent);

 private:
  const std::shared_ptr<const config::Listener> listener_;
  net::Loop& loop_;
  std::string remote_, local_, direct_remote_, direct_local_, server_name_;
  format::RequestInfo info_;
};

}  // namespace weft::downstream
