// RateLimit objects as Envoy's local rate limit filters.
#pragma once
#include "controlplane/translate/translate.h"

namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class HttpConnectionManager;
}

namespace weft::translate {

// One filter per object, at the end of the chain so far.
void add_rate_limits(envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager& out,
                     const std::vector<model::Typed<model::RateLimit>>& limits);

}  // namespace weft::translate
