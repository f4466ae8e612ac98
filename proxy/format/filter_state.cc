#include "proxy/format/filter_state.h"

#include "proxy/format/request_info.h"

#include <utility>

namespace weft::format {

void FilterState::set(std::string_view key, FilterStateObject object) { objects_.insert_or_assign(std::string(key), std::move(object)); }

const FilterStateObject* FilterState::find(std::string_view key) const {
  const auto found = objects_.find(key);
  return found == objects_.end() ? nullptr : &found->second;
}

FilterState& filter_state_of(RequestInfo& info) {
  if (!info.filter_state) info.filter_state = std::make_shared<FilterState>();
  return *info.filter_state;
}

}  // namespace weft::format
