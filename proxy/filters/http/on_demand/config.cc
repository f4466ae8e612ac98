#include "envoy/extensions/filters/http/on_demand/v3/on_demand.pb.h"
#include "proxy/filters/http/on_demand/filter.h"

namespace weft::filters {
namespace {

namespace on_demand = envoy::extensions::filters::http::on_demand::v3;

constexpr Field kOnDemand[] = {
    {.name = "odcds", .refused = "clusters are fetched before a route may name them, never for the sake of a request"},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.http.on_demand.v3.OnDemand", kOnDemand, "", "http_filter",
              "Has nothing to do: routes are fetched before they are needed"),
    fields_of("envoy.extensions.filters.http.on_demand.v3.PerRouteConfig", kOnDemand, "", "per_route"),
};

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild&, const Where& where) {
  on_demand::OnDemand from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no OnDemand"), nullptr;
  return std::make_unique<FactoryOf<OnDemand, OnDemandOptions>>(instance, OnDemand::kHooks, OnDemandOptions{});
}

std::shared_ptr<const routing::FilterConfig> make_for_route(const std::string& bytes, const FilterBuild&, const Where& where) {
  on_demand::PerRouteConfig from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no PerRouteConfig"), nullptr;
  return std::make_shared<OnDemandRoute>();
}

}  // namespace

HttpFilterType on_demand_type() {
  return {"envoy.filters.http.on_demand",
          "envoy.extensions.filters.http.on_demand.v3.OnDemand",
          "envoy.extensions.filters.http.on_demand.v3.PerRouteConfig",
          [] { return all_of(kTables); },
          &make,
          &make_for_route};
}

}  // namespace weft::filters
