// Where queries come in: a datagram socket and a listening socket on one address. Bound before the DNS thread runs, so that an address
// that cannot be had is told at once; used on that thread alone.
#pragma once
#include "common/net/listener_socket.h"
#include "proxy/dns_proxy/query_service.h"

#include <memory>

namespace weft::dns_proxy {

struct BoundPorts {
  Resolver address;  // with the kernel's port where 0 was asked for
  int datagrams = -1;
  net::ListeningSockets streams;
};
// The error names the address.
Result<BoundPorts> bind_ports(const Resolver& address);
void close_ports(const BoundPorts& ports);

// Answers each datagram to where it came from. What comes faster than it is read is dropped by the kernel.
class DatagramPort {
 public:
  DatagramPort(net::Loop& loop, QueryService& service, const BoundPorts& ports);
  ~DatagramPort();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// Messages behind their lengths, several on a connection, answered as the answers come.
class StreamPort {
 public:
  StreamPort(net::Loop& loop, QueryService& service, const BoundPorts& ports);
  ~StreamPort();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace weft::dns_proxy
