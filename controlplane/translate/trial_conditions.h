// The conditions of a RouteMatch, each with what a request has for it.
#pragma once
#include "controlplane/translate/route_trial.h"

#include "envoy/config/route/v3/route_components.pb.h"

namespace weft::translate {

std::vector<Condition> conditions_of(const envoy::config::route::v3::RouteMatch& match, const TrialRequest& request);

}  // namespace weft::translate
