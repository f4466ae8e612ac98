// The one listener to which all that comes in for a captured workload is redirected.
#pragma once
#include "controlplane/translate/translate.h"

namespace weft::translate {

Listener virtual_inbound(const ListenerPlan& plan);

}  // namespace weft::translate
