// envoy.filters.http.custom_response: answers that a matcher picks (by status, by header) give way to one of our own, or to that of
// another place, which the request is sent to in turn. What that place answers is changed and passed on, and judged no more.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/format/formatter.h"
#include "proxy/routing/match_tree.h"
#include "proxy/routing/mutations.h"
#include "proxy/routing/route.h"
#include "proxy/routing/url.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft::filters {

// What happens to an answer: the action of the matcher.
class ResponsePolicy : public routing::MatchAction {
 public:
  // `seen`: the filter saw the request, too.
  virtual Verdict apply(FilterContext& context, bool seen) const = 0;
};

class LocalResponsePolicy final : public ResponsePolicy {
 public:
  Verdict apply(FilterContext& context, bool seen) const override;
  std::string body;
  std::shared_ptr<const format::Formatter> format;  // of the body; null: as it is
  std::optional<int> status;                        // nothing: the answer's
  std::vector<routing::HeaderToAdd> headers;
};

class RedirectResponsePolicy final : public ResponsePolicy {
 public:
  Verdict apply(FilterContext& context, bool seen) const override;
  // The other place has answered; `replaced` is the status of the answer that gave way.
  void finish(FilterContext& context, int replaced) const;
  std::optional<routing::Url> url;  // or
  routing::Route route;             // one whose redirect says where
  std::optional<int> status;        // nothing: that of the answer that gave way
  std::vector<routing::HeaderToAdd> request_headers, response_headers;
  std::shared_ptr<observe::Scope> stats;  // null when only validating
};

struct CustomResponseRules final : routing::FilterConfig {
  std::shared_ptr<const routing::MatchTree> matcher;  // null: nothing is picked
};

class CustomResponse final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnResponseHead;
  CustomResponse(const CustomResponseRules& rules, const std::string& name) : rules_(rules), name_(name) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  Verdict on_response_head(FilterContext& context, bool end) override;

 private:
  const ResponsePolicy* pick(FilterContext& context) const;
  const CustomResponseRules& rules_;
  const std::string& name_;
  bool seen_ = false;
};

HttpFilterType custom_response_type();

}  // namespace weft::filters
