#include "proxy/filters/bodies/config.h"
#include "envoy/extensions/filters/common/set_filter_state/v3/value.pb.h"
#include "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.pb.h"
#include "proxy/filters/http/set_filter_state/filter.h"

namespace weft::filters {
namespace {

using SetFilterStateProto = envoy::extensions::filters::http::set_filter_state::v3::Config;

constexpr Field kSetFilterState[] = {
    {.name = "on_request_headers", .checks = kNotEmpty},
    {.name = "clear_route_cache", .note = "the route is looked for again, for those that match on filter state"},
};
constexpr Field kFilterStateValue[] = {
    {.name = "object_key", .checks = kNotEmpty, .note = "without factory_key the name of the factory, too"},
    {.name = "factory_key", .note = "envoy.string or envoy.hashable_string"},
    {.name = "format_string", .checks = kRequired},
    {"read_only", "an object can always be set again, as in Envoy since it deprecated the field"},
    {.name = "shared_with_upstream", .only = "NONE"},
    {"skip_if_empty"},
};
constexpr FieldTable kSetFilterStateTables[] = {
    fields_of("envoy.extensions.filters.http.set_filter_state.v3.Config", kSetFilterState, "", "http_filter"),
    fields_of("envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue", kFilterStateValue, "key value"),
};

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild&, const Where& where) {
  SetFilterStateProto from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no Config"), nullptr;
  SetFilterStateOptions options;
  options.clear_route = from.clear_route_cache();
  bool good = true;
  for (int i = 0; i < from.on_request_headers_size(); ++i) {
    const auto& one = from.on_request_headers(i);
    const Where at(where, "on_request_headers", i);
    const std::string& factory = one.factory_key().empty() ? one.object_key() : one.factory_key();
    SetFilterStateOptions::Item item{one.object_key(), nullptr, factory == "envoy.hashable_string", one.skip_if_empty()};
    if (!item.hashable && factory != "envoy.string") {
      Where(at, one.factory_key().empty() ? "object_key" : "factory_key")
          .unsupported("\"" + factory + "\" makes no object that this version supports; supported: envoy.string, envoy.hashable_string");
      good = false;
    }
    auto value = formatter(one.format_string(), Where(at, "format_string"), false);
    if (value)
      item.value = std::make_shared<const format::Formatter>(std::move(*value));
    else
      good = false;
    options.items.push_back(std::move(item));
  }
  if (!good) return nullptr;
  return std::make_unique<FactoryOf<SetFilterState, SetFilterStateOptions>>(instance, SetFilterState::kHooks, std::move(options));
}

}  // namespace

HttpFilterType set_filter_state_type() {
  return {"envoy.filters.http.set_filter_state",
          "envoy.extensions.filters.http.set_filter_state.v3.Config",
          "",
          [] { return all_of(kSetFilterStateTables); },
          &make,
          nullptr};
}

}  // namespace weft::filters
