// /etc/resolv.conf: whom to ask for what is not of the mesh. Read again when the file changes, as glibc does: its state is looked at
// when somebody asks, at most once a second.
#pragma once
#include "common/base/event_clock.h"
#include "common/dns/name.h"

#include <boost/asio/ip/udp.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace weft::dns_proxy {

using Resolver = boost::asio::ip::udp::endpoint;  // over TCP it has the same address

struct ResolvConf {
  std::vector<Resolver> resolvers;
  dns::Name search;  // the first search domain; the root: none
  std::chrono::milliseconds timeout{5000};
  unsigned attempts = 2;

  bool operator==(const ResolvConf& other) const {
    return resolvers == other.resolvers && search.same(other.search) && timeout == other.timeout && attempts == other.attempts;
  }
};

// Lines that say nothing known are passed over, as every resolver does. Besides plain addresses, `[address]:port` is taken.
ResolvConf parse_resolv_conf(std::string_view text);

class ResolvConfFile {
 public:
  explicit ResolvConfFile(std::string path) : path_(std::move(path)) {}
  // True if it holds something else than before.
  bool refresh(EventClock::Time now);
  const ResolvConf& conf() const { return conf_; }
  const std::string& path() const { return path_; }

 private:
  struct State {
    bool there = false;
    int64_t modified_ns = 0, size = 0;
    uint64_t inode = 0;
    bool operator==(const State&) const = default;
  };
  std::string path_;
  ResolvConf conf_;
  State state_;
  EventClock::Time next_look_{};
};

}  // namespace weft::dns_proxy
