#include "proxy/filters/filter.h"

#include <algorithm>

namespace weft::filters {

ChainPlan::ChainPlan(std::vector<std::unique_ptr<const FilterFactory>> factories, RouterOptions router, const std::vector<bool>& disabled)
    : factories_(std::move(factories)), router_(router) {
  for (const auto& factory : factories_) {
    const size_t alignment = factory->alignment();
    arena_size_ = (arena_size_ + alignment - 1) / alignment * alignment;
    const auto index = static_cast<uint8_t>(entries_.size());
    entries_.push_back({factory.get(), static_cast<uint32_t>(arena_size_), index < disabled.size() && disabled[index]});
    arena_size_ += factory->size();
    const unsigned hooks = factory->hooks();
    if (hooks & kOnRequestHead) request_head_.push_back(index);
    if (hooks & kOnRequestBody) request_body_.push_back(index);
    if (hooks & kOnRequestTrailers) request_trailers_.push_back(index);
    if (hooks & kOnResponseHead) response_head_.push_back(index);
    if (hooks & kOnResponseBody) response_body_.push_back(index);
    if (hooks & (kOnResponseBody | kOnResponseBodyIfAsked)) response_body_asked_.push_back(index);
    if (hooks & kOnResponseTrailers) response_trailers_.push_back(index);
    if (hooks & kOnDone) done_.push_back(index);
  }
  // An answer meets the filter next to the router first.
  for (std::vector<uint8_t>* reversed : {&response_head_, &response_body_, &response_body_asked_, &response_trailers_})
    std::reverse(reversed->begin(), reversed->end());
}

}  // namespace weft::filters
