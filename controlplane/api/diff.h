// What a change of the world comes to: in objects, and in what each connected proxy is sent.
#pragma once
#include "controlplane/api/json.h"
#include "controlplane/model/view.h"
#include "controlplane/xds/ack_status.h"

namespace weft::api {

// {"objects":[...], "proxies":[...], "resources":[...]}; `resources` tells the changed xDS resources line by line, if `whole`.
json::object difference_json(const std::shared_ptr<const model::View>& before, const std::shared_ptr<const model::View>& after,
                             const xds::AckStatus& acks, bool whole);

}  // namespace weft::api
