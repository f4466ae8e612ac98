// The endpoints of a service port or subset as a load assignment: sent by EDS, or inside a cluster whose hosts DNS finds.
#pragma once
#include "controlplane/translate/translate.h"

namespace weft::translate {

LoadAssignment load_assignment(std::string name, const model::EndpointList& endpoints, const model::Labels* subset);

// Whether EDS tells them. Routers know no original destination: to them a service without endpoints of its own has none.
inline bool has_told_endpoints(const model::ServiceInfo& service, const Scope& scope) {
  if (scope.captured && service.headless) return false;  // its clients choose a pod themselves
  return service.resolution == model::Resolution::kStatic || (service.resolution == model::Resolution::kNone && scope.router);
}

}  // namespace weft::translate
