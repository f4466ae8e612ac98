// Serialised xDS messages as text for people. Their types are looked up by name among those linked in, so no generated header is needed.
#pragma once
#include "controlplane/xds/resource_type.h"

#include <string>
#include <string_view>

namespace weft::api {

// JSON with Envoy's field names, over several lines; empty when the bytes are no such message.
std::string message_text(xds::ResourceType type, std::string_view bytes, bool pretty = true);

}  // namespace weft::api
