// The DNS proxy: whether and where it runs, from the node's metadata as Istio has it there, and the name table that NDS brings.
#pragma once
#include "proxy/dns_proxy/dns_proxy.h"
#include "proxy/filters/where.h"

#include <memory>
#include <optional>

namespace envoy::config::core::v3 {
class Node;
}
namespace istio::networking::nds::v1 {
class NameTable;
}

namespace weft::config {

using filters::Where;

// Nothing unless metadata DNS_CAPTURE is true. `has_ads`: a name table may come.
std::optional<dns_proxy::Options> dns_options(const envoy::config::core::v3::Node& node, bool has_ads, const Where& where);

// Null if something in it is wrong.
std::shared_ptr<const dns_proxy::NameTable> build_name_table(const istio::networking::nds::v1::NameTable& from, const Where& where);

}  // namespace weft::config
