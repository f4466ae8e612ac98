#include "proxy/filters/network/network_filter.h"

namespace weft::filters {

Passage::Passage(const NetworkFilters& filters, Arrival& arrival) : filters_(filters), thread_(arrival.thread) {
  for (const auto& filter : filters_) {
    refusal_ = filter->on_arrival(arrival);
    if (refusal_) break;
  }
  to_tell_ = std::move(arrival.to_tell_of_end);
}

Passage::~Passage() {
  for (const NetworkFilter* filter : to_tell_) filter->on_over(thread_);
}

}  // namespace weft::filters
