// How connections to a cluster's hosts are made: keepalive probes, the address and the options of the socket at our end.
#pragma once
#include "common/net/socket_option.h"
#include "common/net/stream.h"

#include <optional>
#include <string>
#include <vector>

namespace weft::net {

// envoy.config.core.v3.TcpKeepalive; what is not set is the system's.
struct TcpKeepalive {
  std::optional<int> probes, time_s, interval_s;
  bool operator==(const TcpKeepalive&) const = default;
};

// envoy.config.core.v3.BindConfig: at most one address of each family.
struct BindOptions {
  struct Source {
    Endpoint address;
    std::optional<std::vector<SocketOption>> options;  // in place of BindOptions::options
    bool operator==(const Source&) const = default;
  };
  std::vector<Source> sources;
  bool freebind = false;
  std::vector<SocketOption> options;
  bool operator==(const BindOptions&) const = default;

  // What fits that host; as in Envoy the first one, which will fail, where none does. Null: the system chooses.
  const Source* source_for(const Endpoint& host) const;
};

struct ConnectOptions {
  std::optional<TcpKeepalive> keepalive;
  std::optional<BindOptions> bind;
  bool operator==(const ConnectOptions&) const = default;
};

// What ConnectOptions ask for, done to a fresh socket. Empty, or what failed, in Envoy's words.
std::string prepare_socket(int fd, const Endpoint& host, const ConnectOptions& options);

}  // namespace weft::net
