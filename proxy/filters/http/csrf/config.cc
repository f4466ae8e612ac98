#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/filters/http/csrf/v3/csrf.pb.h"
#include "proxy/filters/http/csrf/filter.h"

namespace weft::filters {
namespace {

using From = envoy::extensions::filters::http::csrf::v3::CsrfPolicy;

constexpr Field kCsrfPolicy[] = {
    {.name = "filter_enabled", .checks = kRequired},
    {"shadow_enabled"},
    {"additional_origins"},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.http.csrf.v3.CsrfPolicy", kCsrfPolicy, "", "http_filter per_route"),
};

CsrfPolicy policy(const From& from, const Runtime& runtime, const Where& where) {
  CsrfPolicy to;
  to.enabled = fraction(from.filter_enabled(), runtime);
  if (from.has_shadow_enabled()) to.shadow = fraction(from.shadow_enabled(), runtime);
  for (int i = 0; i < from.additional_origins_size(); ++i)
    if (auto matcher = string_matcher(from.additional_origins(i), Where(where, "additional_origins", i)))
      to.additional_origins.push_back(std::move(*matcher));
  return to;
}

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                          const Where& where) {
  From from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no CsrfPolicy"), nullptr;
  CsrfOptions options;
  options.policy = policy(from, build.runtime, where);
  if (build.registry) options.stats = observe::csrf_scope(*build.registry, build.stat_prefix);
  return std::make_unique<FactoryOf<Csrf, CsrfOptions>>(instance, Csrf::kHooks, std::move(options));
}

std::shared_ptr<const routing::FilterConfig> make_for_route(const std::string& bytes, const FilterBuild& build, const Where& where) {
  From from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no CsrfPolicy"), nullptr;
  auto config = std::make_shared<CsrfRoute>();
  config->policy = policy(from, build.runtime, where);
  return config;
}

}  // namespace

HttpFilterType csrf_type() {
  return {"envoy.filters.http.csrf",
          "envoy.extensions.filters.http.csrf.v3.CsrfPolicy",
          "envoy.extensions.filters.http.csrf.v3.CsrfPolicy",
          [] { return all_of(kTables); },
          &make,
          &make_for_route};
}

}  // namespace weft::filters
