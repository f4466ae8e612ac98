// Virtual addresses for hosts of ServiceEntries that have none, so that a client that resolves such a host over the DNS proxy gets
// something that only this host goes by. A pure function of who there is: every control plane gives the same.
#pragma once
#include "controlplane/model/view.h"

#include <span>
#include <unordered_map>

namespace weft::model {

// 240.240.0.0/16 and 2001:2::/48, spread by a hash of namespace and host; of those that meet, the oldest stays where it is. `services`
// are oldest first. The same host in several namespaces has one address.
std::unordered_map<const ServiceInfo*, AutomaticAddresses> assign_addresses(std::span<const ServiceInfo* const> services);

}  // namespace weft::model
