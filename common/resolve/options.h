// What is asked of a resolver of names, and how it asks: values that the configuration of clusters is made of.
#pragma once
#include "common/net/stream.h"

#include <chrono>
#include <cstdint>
#include <vector>

namespace weft::resolve {

// Which addresses of a name are wanted: one family alone, one and the other only if the first has none (kAuto: IPv6 first), or all.
enum class Family : uint8_t { kAuto, kV4Only, kV6Only, kV4Preferred, kAll };

struct Options {
  bool by_system = false;              // getaddrinfo() on threads of its own, instead of DNS by c-ares
  std::vector<net::Endpoint> servers;  // empty: those of the system
  bool servers_as_fallback = false;    // only where the system has none
  bool use_tcp = false;
  bool no_search = false;          // names are whole: the system's search domains are left out
  bool filter_unroutable = false;  // addresses of a family that no interface has are dropped
  bool rotate = false;
  std::chrono::seconds timeout{5};  // of one question to one server
  uint32_t tries = 4;
  uint32_t edns_size = 0;  // 0: without EDNS
  // by_system:
  uint32_t retries = 0;  // when the system says "try again"; 0: for ever
  uint32_t threads = 1;
  bool operator==(const Options&) const = default;
};

}  // namespace weft::resolve
