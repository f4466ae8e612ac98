#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/filters/http/set_metadata/v3/set_metadata.pb.h"
#include "proxy/filters/http/set_metadata/filter.h"

#include <google/protobuf/struct.pb.h>

namespace weft::filters {
namespace {

using SetMetadataProto = envoy::extensions::filters::http::set_metadata::v3::Config;

constexpr Field kSetMetadata[] = {
    {.name = "metadata_namespace", .note = "with value: the older form, one entry that may overwrite"},
    {"value"},
    {"metadata"},
};
constexpr Field kSetMetadataItem[] = {
    {.name = "metadata_namespace", .checks = kNotEmpty},
    {"allow_overwrite"},
    {"value"},
    {"typed_value", "nothing here reads typed metadata"},
};
constexpr FieldTable kSetMetadataTables[] = {
    fields_of("envoy.extensions.filters.http.set_metadata.v3.Config", kSetMetadata, "", "http_filter"),
    fields_of("envoy.extensions.filters.http.set_metadata.v3.Metadata", kSetMetadataItem),
};

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                          const Where& where) {
  SetMetadataProto from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no Config"), nullptr;
  SetMetadataOptions options;
  if (from.has_value() && !from.metadata_namespace().empty())
    options.items.push_back({from.metadata_namespace(), metadata_struct(from.value()), true});
  for (const auto& item : from.metadata())
    if (item.has_value()) options.items.push_back({item.metadata_namespace(), metadata_struct(item.value()), item.allow_overwrite()});
  if (build.registry) options.stats = observe::set_metadata_scope(*build.registry, build.stat_prefix);
  return std::make_unique<FactoryOf<SetMetadata, SetMetadataOptions>>(instance, SetMetadata::kHooks, std::move(options));
}

}  // namespace

HttpFilterType set_metadata_type() {
  return {"envoy.filters.http.set_metadata",
          "envoy.extensions.filters.http.set_metadata.v3.Config",
          "",
          [] { return all_of(kSetMetadataTables); },
          &make,
          nullptr};
}

}  // namespace weft::filters
