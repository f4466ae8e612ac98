#include "proxy/filters/http/set_filter_state/filter.h"

#include "proxy/format/filter_state.h"
#include "proxy/format/request_info.h"

namespace weft::filters {

Verdict SetFilterState::on_request_head(FilterContext& context, bool) {
  for (const SetFilterStateOptions::Item& item : options_.items) {
    std::string text;
    item.value->append(text, context.info());
    if (text.empty() && item.skip_if_empty) continue;
    format::filter_state_of(context.info()).set(item.key, {std::move(text), item.hashable});
  }
  if (options_.clear_route) context.clear_route();
  return Verdict::kContinue;
}

}  // namespace weft::filters
