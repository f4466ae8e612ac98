#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/filters/network/connection_limit/v3/connection_limit.pb.h"
#include "proxy/filters/network/connection_limit/filter.h"
#include "proxy/filters/network/table.h"

namespace weft::filters {
namespace {

constexpr Field kConnectionLimit[] = {
    {.name = "stat_prefix", .checks = kNotEmpty},
    {.name = "max_connections", .checks = kRequired, .min = 1},
    {"delay"},
    {"runtime_enabled"},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit", kConnectionLimit, "", "network_filter",
              "connections of one filter chain, over all workers"),
};

std::shared_ptr<const NetworkFilter> make(const std::string& bytes, const NetworkFilterBuild& build, const Where& where) {
  envoy::extensions::filters::network::connection_limit::v3::ConnectionLimit from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no ConnectionLimit"), nullptr;
  ConnectionLimitOptions to;
  to.max_connections = from.max_connections().value();
  to.delay = std::chrono::milliseconds(from.delay().seconds() * 1000 + from.delay().nanos() / 1'000'000);
  if (from.has_runtime_enabled()) to.enabled = feature(from.runtime_enabled(), build.runtime);
  if (build.registry) to.stats = observe::connection_limit_scope(*build.registry, from.stat_prefix());
  return std::make_shared<ConnectionLimit>(std::move(to));
}

}  // namespace

NetworkFilterType connection_limit_type() {
  return {"envoy.filters.network.connection_limit", "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
          [] { return all_of(kTables); }, &make};
}

}  // namespace weft::filters
