// envoy.filters.http.set_filter_state: leaves texts made of the request as objects for hash policies, routes, formats and other
// filters.
#pragma once
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/format/formatter.h"

#include <memory>
#include <string>
#include <vector>

namespace weft::filters {

struct SetFilterStateOptions {
  struct Item {
    std::string key;
    std::shared_ptr<const format::Formatter> value;
    bool hashable = false;
    bool skip_if_empty = false;
  };
  std::vector<Item> items;
  bool clear_route = false;
};

class SetFilterState final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead;
  SetFilterState(const SetFilterStateOptions& options, const std::string&) : options_(options) {}
  Verdict on_request_head(FilterContext& context, bool end) override;

 private:
  const SetFilterStateOptions& options_;
};

HttpFilterType set_filter_state_type();

}  // namespace weft::filters
