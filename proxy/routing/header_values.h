// A header's values as Envoy's header map has them: one for each line, but of the headers that it keeps as one line, that line.
#pragma once
#include "common/http/head.h"

#include <string>
#include <string_view>
#include <vector>

namespace weft::routing {

// `name` in lower case; ":method", ":path", ":authority" and ":scheme" read the first line. `scratch` holds what had to be joined.
std::vector<std::string_view> header_values(const http::Head& request, std::string_view name, std::string& scratch);

}  // namespace weft::routing
