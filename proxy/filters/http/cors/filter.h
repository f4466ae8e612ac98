// envoy.filters.http.cors: answers browsers' preflight requests in place of the upstream and marks responses that a page of
// another origin may read (fetch.spec.whatwg.org, "CORS protocol"). What is allowed stands with routes alone; a policy that is
// silent about something leaves it to the next more general one.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/routing/matchers.h"
#include "proxy/routing/route.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::filters {

// Empty text, an empty list and nothing: not said here.
struct CorsPolicy final : routing::FilterConfig {
  std::vector<routing::StringMatcher> allow_origins;
  std::string allow_methods, allow_headers, expose_headers, max_age;
  std::optional<bool> allow_credentials, allow_private_network, forward_not_matching;
  // The most specific policy decides whether it acts, or only counts.
  routing::Fraction enabled{1, 1}, shadow{0, 1};
};

struct CorsOptions {
  std::shared_ptr<observe::Scope> stats;  // null: not counted
};

class Cors final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnResponseHead;
  Cors(const CorsOptions& options, const std::string& name) : options_(options), name_(name) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  Verdict on_response_head(FilterContext& context, bool end) override;

 private:
  std::string_view text(FilterContext& context, std::string CorsPolicy::*member) const;
  bool flag(FilterContext& context, std::optional<bool> CorsPolicy::*member, bool otherwise) const;
  bool allows(FilterContext& context, std::string_view origin) const;
  Verdict answer_preflight(FilterContext& context, bool allowed) const;

  const CorsOptions& options_;
  const std::string& name_;
  std::string origin_;  // of a request whose response may be read by it; empty: none such
};

HttpFilterType cors_type();

}  // namespace weft::filters
