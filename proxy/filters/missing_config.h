// What stands in a chain for a filter whose configuration was to come over ECDS, has not come and has no default: every request is
// answered with 500, since what the filter was to guard is not guarded.
#pragma once
#include "proxy/filters/filter.h"

#include <memory>
#include <string>

namespace weft::filters {

std::unique_ptr<const FilterFactory> missing_config(std::string name);

}  // namespace weft::filters
