// The place in which weft-init runs: its network namespace, addresses, name servers and rights.
#pragma once
#include "common/base/error.h"
#include "init/plan.h"

namespace weft::init {

// From here on this process is in the network namespace of that file (/proc/PID/ns/net, /run/netns/NAME).
Status enter_network_namespace(const std::string& path);

Surroundings look_around(const std::string& resolv_conf = "/etc/resolv.conf");
std::vector<std::string> nameservers_of(std::string_view resolv_conf);

// The first address of this family that others can reach.
std::optional<std::string> reachable_address(bool v6);

// Says which capability is missing for changing rules.
Status may_change_rules();

}  // namespace weft::init
