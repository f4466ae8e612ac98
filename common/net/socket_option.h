// One option of a socket as the configuration gives it (envoy.config.core.v3.SocketOption): numbers that only the system knows.
#pragma once
#include <string>

namespace weft::net {

struct SocketOption {
  enum class Family : unsigned char { kAny, kV4, kV6 };

  int level = 0;
  int name = 0;
  std::string value;             // the bytes that setsockopt() takes
  Family family = Family::kAny;  // of the sockets that it is for
  bool operator==(const SocketOption&) const = default;

  // 0, or an errno value. A socket that it is not for is passed over.
  int apply(int fd, bool v6) const;
};

}  // namespace weft::net
