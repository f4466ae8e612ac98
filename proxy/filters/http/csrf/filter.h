// envoy.filters.http.csrf: a request that changes something must come from a page of its own host or of one that is listed; the
// origin is what the browser says it is (Origin, else Referer). Without either there is nothing to trust, and 403.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/routing/matchers.h"
#include "proxy/routing/route.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft::filters {

// Of the chain, or of a route that says otherwise.
struct CsrfPolicy {
  routing::Fraction enabled{0, 100}, shadow{0, 1};
  std::vector<routing::StringMatcher> additional_origins;  // hosts, with their port
};

struct CsrfRoute final : routing::FilterConfig {
  CsrfPolicy policy;
};

struct CsrfOptions {
  CsrfPolicy policy;
  std::shared_ptr<observe::Scope> stats;  // null: not counted
};

// "shop.test:8080" of "https://shop.test:8080/cart"; what is no URL is taken as it stands.
std::string_view host_of_origin(std::string_view url);

class Csrf final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead;
  Csrf(const CsrfOptions& options, const std::string& name) : options_(options), name_(name) {}
  Verdict on_request_head(FilterContext& context, bool end) override;

 private:
  const CsrfOptions& options_;
  const std::string& name_;
};

HttpFilterType csrf_type();

}  // namespace weft::filters
