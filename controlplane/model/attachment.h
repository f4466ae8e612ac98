// What the objects of the Gateway API come to: VirtualServices and Gateways that a person could have written as well, and each object's
// status. Who attaches to whom, which hosts are left, which backends exist and may be used is decided here and nowhere else;
// translation knows nothing of it.
//
// The idea: routes are gathered in groups that compete for the same requests (one listener's host; or one service's clients), and a
// group becomes one VirtualService whose rules stand in the order of precedence that the Gateway API asks for, whatever route they
// come from.
#pragma once
#include "controlplane/model/object_status.h"
#include "controlplane/model/view.h"

#include <deque>

namespace weft::model {

// Whom a Gateway names as its controller.
inline constexpr std::string_view kController = "weft.mesh/gateway-controller", kIstioController = "istio.io/gateway-controller";

struct Attached {
  struct Rule {
    Resource resource;  // name, namespace and age of the oldest route in it
    VirtualService spec;
    bool producer = false, consumer = false;  // of a service: for all clients; for those of the route's own namespace
  };
  struct Server {
    Resource resource;
    Gateway spec;  // of one listener
  };
  std::deque<Rule> rules;
  std::deque<Server> servers;
  std::map<Key, ObjectStatus> statuses;
};

// Whether the objects have anything to do with it.
bool is_attached(const Resource& resource);
// Whether the two services are one as far as attachment looks: endpoints do not matter.
bool attaches_alike(const ServiceInfo& a, const ServiceInfo& b);
Attached attach(std::span<const ResourcePtr> resources, std::span<const ServiceInfo* const> services);

}  // namespace weft::model
