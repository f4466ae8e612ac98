#include "proxy/filters/matching/config.h"
#include "common/observe/shapes.h"
#include "envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata.pb.h"
#include "proxy/filters/http/header_to_metadata/filter.h"

#include <google/protobuf/struct.pb.h>

#include <algorithm>

namespace weft::filters {
namespace {

using HeaderToMetadataProto = envoy::extensions::filters::http::header_to_metadata::v3::Config;

constexpr Field kHeaderToMetadata[] = {
    {"request_rules"},
    {"response_rules"},
    {.name = "stat_prefix", .note = "empty: nothing is counted"},
};
constexpr Field kHeaderToMetadataRule[] = {
    {.name = "header", .checks = kHeaderName}, {"on_header_present"}, {"on_header_missing"}, {"remove"},
    {.name = "cookie", .checks = kHeaderName},
};
constexpr Field kHeaderToMetadataPair[] = {
    {.name = "metadata_namespace", .note = "without it the filter's name"},
    {.name = "key", .checks = kNotEmpty},
    {"value"},
    {"type"},
    {"encode"},
    {"regex_value_rewrite"},
};
constexpr FieldTable kHeaderToMetadataTables[] = {
    fields_of("envoy.extensions.filters.http.header_to_metadata.v3.Config", kHeaderToMetadata, "", "http_filter per_route"),
    fields_of("envoy.extensions.filters.http.header_to_metadata.v3.Config.Rule", kHeaderToMetadataRule),
    fields_of("envoy.extensions.filters.http.header_to_metadata.v3.Config.KeyValuePair", kHeaderToMetadataPair),
};

std::optional<format::MetadataValue> parsed_value(const std::string& bytes) {
  google::protobuf::Value value;
  if (!value.ParseFromString(bytes)) return {};
  return metadata_value(value);
}

MetadataNote note(const HeaderToMetadataProto::KeyValuePair& from, const Where& where) {
  MetadataNote to;
  to.name_space = from.metadata_namespace().empty() ? "envoy.filters.http.header_to_metadata" : from.metadata_namespace();
  to.key = from.key();
  to.value = from.value();
  if (from.has_regex_value_rewrite()) {
    if (!from.value().empty()) where.fail("Cannot specify both value and regex_value_rewrite");
    const Where at(where, "regex_value_rewrite");
    auto compiled = routing::RegexRewrite::compile(from.regex_value_rewrite().pattern().regex(), from.regex_value_rewrite().substitution());
    compiled ? void(to.rewrite = std::move(*compiled)) : at.fail(compiled.error().detail);
  }
  to.base64 = from.encode() == HeaderToMetadataProto::BASE64;
  to.parse = &parsed_value;
  if (from.type() == HeaderToMetadataProto::NUMBER) to.type = MetadataNote::Type::kNumber;
  if (from.type() == HeaderToMetadataProto::PROTOBUF_VALUE) to.type = MetadataNote::Type::kProtobufValue;
  return to;
}

std::vector<MetadataRule> metadata_rules(const google::protobuf::RepeatedPtrField<HeaderToMetadataProto::Rule>& from, const Where& parent,
                                         std::string_view field) {
  std::vector<MetadataRule> out;
  for (int i = 0; i < from.size(); ++i) {
    const Where where(parent, field, i);
    MetadataRule to;
    to.header = from[i].header();
    std::transform(to.header.begin(), to.header.end(), to.header.begin(),
                   [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    to.cookie = from[i].cookie();
    to.remove = from[i].remove();
    if (to.header.empty() == to.cookie.empty()) where.fail("needs exactly one of header, cookie");
    if (!to.cookie.empty() && to.remove) Where(where, "remove").fail("Cannot specify remove for cookie");
    if (!from[i].has_on_header_present() && !from[i].has_on_header_missing())
      where.fail("needs one of on_header_present, on_header_missing");
    if (from[i].has_on_header_present()) to.present = note(from[i].on_header_present(), Where(where, "on_header_present"));
    if (from[i].has_on_header_missing()) {
      const Where at(where, "on_header_missing");
      to.missing = note(from[i].on_header_missing(), at);
      if (to.missing->value.empty()) at.fail("Cannot specify on_header_missing rule with an empty value");
    }
    out.push_back(std::move(to));
  }
  return out;
}

HeaderToMetadataRules both_rules(const HeaderToMetadataProto& from, const FilterBuild& build, const Where& where) {
  HeaderToMetadataRules to{metadata_rules(from.request_rules(), where, "request_rules"),
                           metadata_rules(from.response_rules(), where, "response_rules"), nullptr};
  if (build.registry && !from.stat_prefix().empty()) to.stats = observe::header_to_metadata_scope(*build.registry, from.stat_prefix());
  return to;
}

std::unique_ptr<const FilterFactory> make(const std::string& instance, const std::string& bytes, const FilterBuild& build,
                                          const Where& where) {
  HeaderToMetadataProto from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no Config"), nullptr;
  return std::make_unique<FactoryOf<HeaderToMetadata, HeaderToMetadataRules>>(instance, HeaderToMetadata::kHooks,
                                                                              both_rules(from, build, where));
}

std::shared_ptr<const routing::FilterConfig> make_for_route(const std::string& bytes, const FilterBuild& build, const Where& where) {
  HeaderToMetadataProto from;
  if (!from.ParseFromString(bytes)) return where.fail("holds no Config"), nullptr;
  if (from.request_rules().empty() && from.response_rules().empty())
    where.fail("Per filter configs must at least specify either request or response rules");
  auto config = std::make_shared<HeaderToMetadataRoute>();
  config->rules = both_rules(from, build, where);
  return config;
}

}  // namespace

HttpFilterType header_to_metadata_type() {
  return {"envoy.filters.http.header_to_metadata",
          "envoy.extensions.filters.http.header_to_metadata.v3.Config",
          "envoy.extensions.filters.http.header_to_metadata.v3.Config",
          [] { return all_of(kHeaderToMetadataTables); },
          &make,
          &make_for_route};
}

}  // namespace weft::filters
