// A query's bytes in, a reply's bytes out, whichever way they came: names of the mesh are answered from the table, all others are
// forwarded. Lives on the DNS thread.
#pragma once
#include "proxy/dns_proxy/forwarder.h"
#include "proxy/dns_proxy/lookup_table.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace weft::dns_proxy {

class QueryService {
 public:
  // Empty: there is nothing to say.
  using Reply = std::function<void(std::string)>;
  QueryService(net::Loop& loop, Forwarder& forwarder, observe::Cells& stats) : loop_(loop), forwarder_(forwarder), stats_(stats) {}
  // Until there is one, everything is answered with SERVFAIL: who asks too early shall ask again, and not be told of another place.
  void set_table(std::shared_ptr<const LookupTable> table) { table_ = std::move(table); }

  // `port` is the sender's.
  void take_datagram(std::string_view bytes, uint16_t port, Reply reply);
  void take_stream(std::string_view bytes, Reply reply);

 private:
  void take(std::string_view bytes, bool datagram, uint16_t port, Reply reply);
  // What is wrong with a query, or kNoError.
  uint16_t fault_of(const dns::Message& query, bool datagram, uint16_t port);

  net::Loop& loop_;
  Forwarder& forwarder_;
  observe::Cells& stats_;
  std::shared_ptr<const LookupTable> table_;
  bool circle_told_ = false;
};

}  // namespace weft::dns_proxy
