// The PROXY protocol's header, with which a proxy before us tells whose connection it passes on: version 1 is a line of text, version
// 2 binary with values of types (TLVs) behind the addresses. Read for listeners, written for clusters.
#pragma once
#include "common/net/first_bytes/verdict.h"
#include "common/net/stream.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::net {

struct ProxyHeader {
  size_t length = 0;   // in bytes: what follows is the connection's own
  int version = 2;     // 1 or 2
  bool local = false;  // the proxy speaks for itself (LOCAL, UNKNOWN): the socket's own addresses hold
  Endpoint source, destination;
  std::vector<std::pair<uint8_t, std::string>> tlvs;
};

// The longest header of version 1 with its line end, as Envoy has it (one more than the text of the protocol needs).
inline constexpr size_t kMaxProxyLine = 108;

// `bytes`: from the first of the connection on; `into` is changed by kFound alone. Families other than IPv4 and IPv6 are malformed, and so
// is an address that is nobody's: the unspecified one, a group's, all of them.
Verdict read_proxy_header(std::string_view bytes, ProxyHeader& into);

// In the header's version. Where one address is IPv6, an IPv4 one beside it is written as mapped. Empty: the TLVs are longer than
// a header can say.
std::string write_proxy_header(const ProxyHeader& header);

}  // namespace weft::net
