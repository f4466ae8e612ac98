#include "proxy/downstream/attempt_filters.h"

namespace weft::downstream {

AttemptFilters::AttemptFilters(const filters::ChainPlan& plan, const std::function<bool(std::string_view name, bool otherwise)>& runs)
    : plan_(plan), arena_(std::make_unique<std::byte[]>(plan.arena_size())) {
  for (const filters::ChainPlan::Entry& entry : plan.entries())
    filters_.push_back(runs(entry.factory->name(), !entry.disabled) ? entry.factory->create(arena_.get() + entry.offset) : nullptr);
}

AttemptFilters::~AttemptFilters() {
  for (filters::HttpFilter* filter : filters_)
    if (filter) filter->~HttpFilter();
}

void AttemptFilters::on_request_head(filters::FilterContext& context, bool end) {
  for (uint8_t i : plan_.request_head())
    if (filters_[i]) filters_[i]->on_request_head(context, end);
}

void AttemptFilters::on_request_trailers(filters::FilterContext& context, http::Head& trailers) {
  for (uint8_t i : plan_.request_trailers())
    if (filters_[i]) filters_[i]->on_request_trailers(context, trailers);
}

void AttemptFilters::on_response_head(filters::FilterContext& context, bool end) {
  for (uint8_t i : plan_.response_head())
    if (filters_[i]) filters_[i]->on_response_head(context, end);
}

void AttemptFilters::on_response_trailers(filters::FilterContext& context, http::Head& trailers) {
  for (uint8_t i : plan_.response_trailers())
    if (filters_[i]) filters_[i]->on_response_trailers(context, trailers);
}

}  // namespace weft::downstream
