// envoy.config.listener.v3.FilterChainMatch, and which of a listener's chains a connection belongs to. What chains ask for is sorted
// once into one table per criterion, in Envoy's order: destination port, destination address, server name, transport protocol,
// application protocol, the socket's peer, kind of source, source address, source port. A connection goes down from table to table
// and takes at each the most specific entry that it fits; it never goes back. So a thousand chains cost what ten do.
#pragma once
#include "common/net/connection_facts.h"
#include "proxy/routing/forwarded.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft::config {

// An empty list, an empty text and port 0 ask for nothing.
struct FilterChainMatch {
  enum class Source : uint8_t { kAny, kSameIpOrLoopback, kExternal };
  uint16_t destination_port = 0;
  std::vector<routing::AddressRange> prefixes;
  std::vector<std::string> server_names;  // "*.example.com" as ".example.com"
  std::string transport_protocol;
  std::vector<std::string> application_protocols;
  std::vector<routing::AddressRange> direct_source_prefixes;
  Source source = Source::kAny;
  std::vector<routing::AddressRange> source_prefixes;
  std::vector<uint16_t> source_ports;
};

class FilterChainIndex {
 public:
  FilterChainIndex();
  ~FilterChainIndex();
  FilterChainIndex(FilterChainIndex&&) noexcept;
  FilterChainIndex& operator=(FilterChainIndex&&) noexcept;

  // Nothing; or the number of an earlier chain that asks for the very same of some connections, and this one is not added whole.
  std::optional<uint32_t> add(const FilterChainMatch& match, uint32_t chain);
  // The number of the chain; nothing if no chain wants the connection.
  std::optional<uint32_t> find(const net::ConnectionFacts& facts) const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

}  // namespace weft::config
