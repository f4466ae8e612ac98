// The ClientHello that begins a TLS connection: whom it asks for, what it would speak, and who it looks like (JA3, JA4). Read without
// a TLS library and without answering: TLS may be terminated elsewhere.
#pragma once
#include "common/net/first_bytes/verdict.h"

#include <string>
#include <string_view>
#include <vector>

namespace weft::net {

// The largest handshake message that is read, and what a caller should give up at.
inline constexpr size_t kMaxClientHello = 16 * 1024;

struct ClientHello {
  std::string server_name;        // lower case; empty: it names none
  std::vector<std::string> alpn;  // as it lists them
  std::string ja3, ja4;           // if asked for
};

struct Fingerprints {
  bool ja3 = true, ja4 = true;
};

// `bytes`: from the first of the connection on. TLS records may cut the message anywhere. `into` is changed by kFound alone.
// A message that says it is longer than kMaxClientHello is malformed.
Verdict read_client_hello(std::string_view bytes, ClientHello& into, Fingerprints wanted = {});

}  // namespace weft::net
