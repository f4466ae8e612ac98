// envoy.filters.http.on_demand: in Envoy it holds a request back until what it needs has been fetched. Here routes are fetched as soon as
// the scope or the listener that names them is known, so a request finds them or they do not exist; the filter has nothing to do. It is
// taken so that a configuration for both proxies need not leave it out.
#pragma once
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/routing/route.h"

#include <string>

namespace weft::filters {

struct OnDemandOptions {};

struct OnDemandRoute final : routing::FilterConfig {};

class OnDemand final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = 0;
  OnDemand(const OnDemandOptions&, const std::string&) {}
};

HttpFilterType on_demand_type();

}  // namespace weft::filters
