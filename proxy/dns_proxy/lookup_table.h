// The mesh's names, ready to be asked for: each host under its full name and, as Kubernetes' resolver would have it, under its short
// ones; wildcards; and all of them with the first search domain behind, which is how an application's resolver asks first.
#pragma once
#include "common/dns/message.h"
#include "proxy/dns_proxy/name_table.h"

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace weft::dns_proxy {

// Where the proxy stands: "orders" and "svc.cluster.local".
struct Place {
  std::string ns, domain;
};

class LookupTable {
 public:
  LookupTable(const NameTable& table, const Place& place);

  // The records that answer; none where the host has no address of the family asked for. Nothing: not for us to answer.
  // `search` is the first search domain, the root if there is none.
  std::optional<std::vector<dns::Record>> find(const dns::Question& question, const dns::Name& search) const;
  size_t hosts() const { return hosts_.size(); }

 private:
  struct Host {
    std::vector<std::string> v4, v6;  // as a record's data
  };
  const Host* exact(const dns::Name& name) const;

  std::vector<Host> hosts_;
  std::unordered_map<std::string, size_t> by_name_;
};

}  // namespace weft::dns_proxy
