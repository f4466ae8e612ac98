// The tcp and tls routes of VirtualServices as filter chains of a captured sidecar's listeners.
#include "controlplane/translate/outbound_plan.h"

#include "envoy/config/listener/v3/listener_components.pb.h"

namespace weft::translate {

// VirtualServices have HTTP routes alone: validation refuses the others.
std::vector<FilterChain> routed_chains(const model::View&, const Client&, const TcpPlace&) { return {}; }

}  // namespace weft::translate
