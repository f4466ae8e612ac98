#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit.pb.h"
#include "proxy/filters/network/local_ratelimit/filter.h"
#include "proxy/filters/network/table.h"

namespace weft::filters {
namespace {

constexpr Field kConnectionRate[] = {
    {.name = "stat_prefix", .checks = kNotEmpty},
    {.name = "token_bucket", .checks = kRequired},
    {"runtime_enabled"},
};
constexpr FieldTable kTables[] = {
    fields_of("envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit", kConnectionRate, "", "network_filter",
              "connections of one filter chain, over all workers"),
};

std::shared_ptr<const NetworkFilter> make(const std::string& bytes, const NetworkFilterBuild& build, const Where& where) {
  envoy::extensions::filters::network::local_ratelimit::v3::LocalRateLimit from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no LocalRateLimit"), nullptr;
  const auto& bucket = from.token_bucket();
  const double seconds = static_cast<double>(bucket.fill_interval().seconds()) + bucket.fill_interval().nanos() * 1e-9;
  ConnectionRateOptions to;
  to.bucket =
      std::make_shared<TokenBucket>(bucket.max_tokens(), (bucket.has_tokens_per_fill() ? bucket.tokens_per_fill().value() : 1) / seconds);
  if (from.has_runtime_enabled()) to.enabled = feature(from.runtime_enabled(), build.runtime);
  if (build.registry) to.stats = observe::connection_rate_scope(*build.registry, from.stat_prefix());
  return std::make_shared<ConnectionRate>(std::move(to));
}

}  // namespace

NetworkFilterType network_local_ratelimit_type() {
  return {"envoy.filters.network.local_ratelimit", "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit",
          [] { return all_of(kTables); }, &make};
}

}  // namespace weft::filters
