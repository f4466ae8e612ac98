#include "proxy/config/attempt_filters.h"

#include "envoy/extensions/filters/http/upstream_codec/v3/upstream_codec.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "proxy/config/proto_loader.h"
#include "proxy/filters/table.h"

#include <string>
#include <vector>

namespace weft::config {

using Codec = envoy::extensions::filters::http::upstream_codec::v3::UpstreamCodec;

std::shared_ptr<const filters::AttemptPlan> attempt_plan(
    const google::protobuf::RepeatedPtrField<envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter>& from,
    const BuildContext& context, const filters::Where& parent, std::string_view field) {
  if (from.empty()) return nullptr;
  const filters::FilterBuild build{context.runtime, context.registry, {}, context.local_cluster};
  std::vector<std::unique_ptr<const filters::FilterFactory>> factories;
  std::vector<bool> disabled;
  for (int i = 0; i < from.size(); ++i) {
    const filters::Where at(parent, field, i), config(at, "typed_config");
    const bool last = i + 1 == from.size();
    if (from[i].has_config_discovery()) {
      filters::Where(at, "config_discovery").unsupported("is not supported here by this version");
      continue;
    }
    const std::string message(type_name(from[i].typed_config().type_url()));
    if (from[i].typed_config().Is<Codec>()) {
      if (!last) at.fail("the codec (\"" + from[i].name() + "\") must be the last filter of the chain");
      if (from[i].disabled()) filters::Where(at, "disabled").fail("must not be set on the codec");
      continue;
    }
    if (last)
      at.fail("the last filter of the chain must be the codec (" + Codec::descriptor()->full_name() + "), found \"" + from[i].name() +
              "\"");
    const filters::HttpFilterType* type = filters::find_http_filter(message);
    if (!type || !type->for_attempts) {
      std::string known;
      for (const filters::HttpFilterType& one : filters::http_filter_types())
        if (one.for_attempts) known += (known.empty() ? "" : ", ") + std::string(one.message);
      config.unsupported("extension " + message + " is not supported here by this version; supported: " + known);
      continue;
    }
    const std::string inner = "(" + std::string(short_name(message)) + ")";
    auto factory = type->make(from[i].name(), from[i].typed_config().value(), build, filters::Where(config, inner));
    if (!factory) continue;
    factories.push_back(std::move(factory));
    disabled.push_back(from[i].disabled());
  }
  if (factories.empty()) return nullptr;
  return std::make_shared<const filters::AttemptPlan>(filters::ChainPlan(std::move(factories), {}, disabled));
}

}  // namespace weft::config
