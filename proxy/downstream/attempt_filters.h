// The filters that a request passes for each attempt, once its host is chosen, and each answer of a host before anybody else judges it
// (upstream_http_filters, http_filters of a cluster). None of them waits or answers, so they run where they are called.
#pragma once
#include "proxy/filters/filter.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace weft::downstream {

class AttemptFilters {
 public:
  // `runs`: whether the filter of that name does, given what it does if no route says otherwise.
  AttemptFilters(const filters::ChainPlan& plan, const std::function<bool(std::string_view name, bool otherwise)>& runs);
  ~AttemptFilters();
  AttemptFilters(const AttemptFilters&) = delete;
  AttemptFilters& operator=(const AttemptFilters&) = delete;

  const filters::ChainPlan& plan() const { return plan_; }
  void on_request_head(filters::FilterContext& context, bool end);
  void on_request_trailers(filters::FilterContext& context, http::Head& trailers);
  void on_response_head(filters::FilterContext& context, bool end);
  void on_response_trailers(filters::FilterContext& context, http::Head& trailers);

 private:
  const filters::ChainPlan& plan_;
  std::unique_ptr<std::byte[]> arena_;
  std::vector<filters::HttpFilter*> filters_;  // null: switched off
};

}  // namespace weft::downstream
