#include "proxy/dns_proxy/stats.h"

namespace weft::dns_proxy {
namespace {

using observe::Kind;
#define WEFT_DNS_ROW(id, name, kind, lazy) {name, Kind::kind, lazy},
constexpr observe::Metric kDnsTable[] = {WEFT_DNS_STATS(WEFT_DNS_ROW)};
const observe::Shape kDnsShape = observe::make_shape("dns", kDnsTable);

}  // namespace

observe::ScopePtr dns_scope(observe::Registry& registry) { return registry.scope(kDnsShape, "dns_"); }

}  // namespace weft::dns_proxy
