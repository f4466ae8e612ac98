// The DNS proxy of a workload: it answers for the mesh's names and forwards all others. Istio has it in its agent; here the proxy is
// both. It has a thread of its own, so that a storm of queries holds up neither requests nor configuration.
#pragma once
#include "common/base/error.h"
#include "common/observe/metrics.h"
#include "proxy/dns_proxy/lookup_table.h"
#include "proxy/dns_proxy/name_table.h"

#include <cstdint>
#include <memory>
#include <string>

namespace weft::dns_proxy {

struct Options {
  std::string host = "localhost";  // or an address; localhost is both loopback addresses
  uint16_t port = 15053;
  std::string resolv_conf = "/etc/resolv.conf";
  Place place;
  bool table_awaited = true;  // nothing is answered before the first table is there; without a control plane none will come
};

class DnsProxy {
 public:
  // Binds, or says what it cannot bind; from then on it answers.
  static Result<std::unique_ptr<DnsProxy>> start(const Options& options, observe::Registry& metrics);
  ~DnsProxy();
  // Any thread. Serves until the next one.
  void set_table(std::shared_ptr<const NameTable> table);

 private:
  class Impl;
  explicit DnsProxy(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft::dns_proxy
