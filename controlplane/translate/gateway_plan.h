// Which ports a router binds: those of the servers of the Gateways that select it.
#pragma once
#include "controlplane/translate/translate.h"

namespace weft::translate {

// `unprivileged`: it cannot listen below 1024.
void plan_gateways(const model::View& view, const model::Node& node, bool unprivileged, ListenerPlan& plan);

}  // namespace weft::translate
