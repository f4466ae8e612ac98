// What the socket, listener filters and the connection's first bytes tell of a client's connection before anything serves it:
// what filter chains are matched by, and what clusters, filters and logs may ask for later. Made once per connection, immutable
// afterwards; a connection of a listener that needs none of it has none.
#pragma once
#include "common/net/stream.h"

#include <optional>
#include <string>
#include <vector>

namespace weft::net {

struct ConnectionFacts {
  Endpoint direct_local;   // the socket's own address
  Endpoint direct_remote;  // the socket's peer
  // What the connection is for, and from whom: as redirected traffic or a PROXY header says; else the two above.
  Endpoint local;
  Endpoint remote;
  bool local_restored = false;  // `local` is not the socket's: traffic was redirected, or a PROXY header said so

  std::string transport_protocol;      // "raw_buffer" or "tls"; empty: nobody looked
  std::string server_name;             // of a ClientHello, lower case
  std::vector<std::string> protocols;  // ALPN of a ClientHello, or what the first bytes speak ("http/1.0", "http/1.1", "h2c")
  std::string ja3, ja4;                // fingerprints of a ClientHello; empty unless asked for
  std::string path;                    // of a Unix socket, "@name" of an abstract one: in place of every address

  // Whether anything here is more than the socket itself tells.
  bool tells_more() const {
    return local_restored || local != direct_local || remote != direct_remote || !transport_protocol.empty() || !protocols.empty() ||
           !path.empty();
  }
};

}  // namespace weft::net
