#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "proxy/filters/http/cors/filter.h"

#include <google/protobuf/wrappers.pb.h>

namespace weft::filters {
namespace {

namespace cors = envoy::extensions::filters::http::cors::v3;

constexpr Field kCorsPolicy[] = {
    {"allow_origin_string_match"},
    {.name = "allow_methods", .checks = kHeaderValue},
    {.name = "allow_headers", .checks = kHeaderValue},
    {.name = "expose_headers", .checks = kHeaderValue},
    {.name = "max_age", .checks = kHeaderValue},
    {"allow_credentials"},
    {"filter_enabled"},
    {"shadow_enabled"},
    {"allow_private_network_access"},
    {"forward_not_matching_preflights"},
};
constexpr FieldTable kTables[] = {
    no_fields_of("envoy.extensions.filters.http.cors.v3.Cors", "http_filter", "What is allowed stands with routes, as CorsPolicy"),
    fields_of("envoy.extensions.filters.http.cors.v3.CorsPolicy", kCorsPolicy, "", "per_route"),
};

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string&, const FilterBuild& build, const Where&) {
  CorsOptions options;
  if (build.registry) options.stats = observe::cors_scope(*build.registry, build.stat_prefix);
  return std::make_unique<FactoryOf<Cors, CorsOptions>>(instance, Cors::kHooks, std::move(options));
}

std::shared_ptr<const routing::FilterConfig> make_for_route(const std::string& bytes, const FilterBuild& build, const Where& where) {
  cors::CorsPolicy from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no CorsPolicy"), nullptr;
  auto to = std::make_shared<CorsPolicy>();
  for (int i = 0; i < from.allow_origin_string_match_size(); ++i)
    if (auto matcher = string_matcher(from.allow_origin_string_match(i), Where(where, "allow_origin_string_match", i)))
      to->allow_origins.push_back(std::move(*matcher));
  to->allow_methods = from.allow_methods();
  to->allow_headers = from.allow_headers();
  to->expose_headers = from.expose_headers();
  to->max_age = from.max_age();
  if (from.has_allow_credentials()) to->allow_credentials = from.allow_credentials().value();
  if (from.has_allow_private_network_access()) to->allow_private_network = from.allow_private_network_access().value();
  if (from.has_forward_not_matching_preflights()) to->forward_not_matching = from.forward_not_matching_preflights().value();
  if (from.has_filter_enabled()) to->enabled = fraction(from.filter_enabled(), build.runtime);
  if (from.has_shadow_enabled()) to->shadow = fraction(from.shadow_enabled(), build.runtime);
  return to;
}

}  // namespace

HttpFilterType cors_type() {
  return {"envoy.filters.http.cors",
          "envoy.extensions.filters.http.cors.v3.Cors",
          "envoy.extensions.filters.http.cors.v3.CorsPolicy",
          [] { return all_of(kTables); },
          &make,
          &make_for_route};
}

}  // namespace weft::filters
