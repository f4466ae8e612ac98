// What the control plane says about hosts of the mesh (NDS), as plain values.
#pragma once
#include "common/dns/name.h"

#include <boost/asio/ip/address.hpp>

#include <string>
#include <vector>

namespace weft::dns_proxy {

struct NameTable {
  struct Host {
    dns::Name name;  // a wildcard's first label is *
    std::vector<boost::asio::ip::address> addresses;
    bool kubernetes = false;              // it goes by short names, too
    std::string text, shortname, ns;      // `text`: the name as it came
    std::vector<dns::Name> alternatives;  // that the control plane names itself
  };
  std::vector<Host> hosts;  // by name
};

}  // namespace weft::dns_proxy
