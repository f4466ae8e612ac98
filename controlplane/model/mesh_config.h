// MeshConfig as validation left it: what holds where objects say nothing themselves.
#pragma once
#include "controlplane/model/sidecar.h"

namespace weft::model {

struct MeshConfig {
  OutboundPolicy outbound_policy = OutboundPolicy::kAllowAny;
  std::vector<std::string> service_export_to, virtual_service_export_to, destination_rule_export_to;  // empty: everybody
};

}  // namespace weft::model
