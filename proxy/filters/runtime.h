// The runtime under the name that builders of filters know.
#pragma once
#include "proxy/runtime/runtime.h"

namespace weft::filters {

using runtime::Runtime;

}  // namespace weft::filters
