#include "proxy/filters/rate_limits/config.h"

#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/type/matcher/v3/address.pb.h"
#include "envoy/type/metadata/v3/metadata.pb.h"
#include "envoy/type/v3/ratelimit_unit.pb.h"
#include "proxy/filters/bodies/config.h"
#include "proxy/filters/matching/config.h"
#include "xds/core/v3/cidr.pb.h"

#include <google/protobuf/wrappers.pb.h>

#include <algorithm>

namespace weft::filters {
namespace {

namespace route = envoy::config::route::v3;
using Kind = routing::RateLimitAction::Kind;

std::string key_or(const std::string& key, const char* otherwise) { return key.empty() ? otherwise : key; }

std::string literal(const std::string& value, const Where& where) {
  if (value.find('%') != std::string::npos)
    Where(where, "descriptor_value").unsupported("operators are not supported here by this version, found \"" + value + "\"");
  return value;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return text;
}

routing::MetadataPath metadata_path(const envoy::type::metadata::v3::MetadataKey& from) {
  routing::MetadataPath to;
  to.name_space = from.key();
  for (const auto& segment : from.path()) to.path.push_back(segment.key());
  return to;
}

void address_match(const route::RateLimit::Action::RemoteAddressMatch& from, routing::RateLimitAction& to, const Where& where) {
  to.kind = Kind::kAddressMatch;
  to.key = key_or(from.descriptor_key(), "remote_address_match");
  to.value = from.default_value();
  to.format = text_format(from.descriptor_value(), {.omit_empty = true}, Where(where, "descriptor_value"));
  to.expect_match = !from.address_matcher().invert_match();
  const Where matcher(where, "address_matcher");
  for (int i = 0; i < from.address_matcher().ranges_size(); ++i) {
    const auto& range = from.address_matcher().ranges(i);
    if (auto made = address_range(range.address_prefix(), range.prefix_len().value(), Where(matcher, "ranges", i)))
      to.ranges.push_back(*made);
  }
}

routing::RateLimitAction action(const route::RateLimit::Action& from, std::string_view local_cluster, const Where& where) {
  using From = route::RateLimit::Action;
  routing::RateLimitAction to;
  switch (from.action_specifier_case()) {
    case From::kSourceCluster:
      to.kind = Kind::kSourceCluster;
      to.key = "source_cluster";
      to.value = local_cluster;
      break;
    case From::kDestinationCluster:
      to.kind = Kind::kDestinationCluster;
      to.key = "destination_cluster";
      break;
    case From::kRemoteAddress:
      to.kind = Kind::kRemoteAddress;
      to.key = "remote_address";
      break;
    case From::kMaskedRemoteAddress:
      to.kind = Kind::kMaskedAddress;
      to.key = "masked_remote_address";
      if (from.masked_remote_address().has_v4_prefix_mask_len())
        to.v4_bits = static_cast<uint8_t>(from.masked_remote_address().v4_prefix_mask_len().value());
      if (from.masked_remote_address().has_v6_prefix_mask_len())
        to.v6_bits = static_cast<uint8_t>(from.masked_remote_address().v6_prefix_mask_len().value());
      break;
    case From::kRequestHeaders:
      to.kind = Kind::kRequestHeader;
      to.key = from.request_headers().descriptor_key();
      to.name = lower(from.request_headers().header_name());
      to.skip_if_absent = from.request_headers().skip_if_absent();
      break;
    case From::kQueryParameters:
      to.kind = Kind::kQueryParameter;
      to.key = from.query_parameters().descriptor_key();
      to.name = from.query_parameters().query_parameter_name();
      to.skip_if_absent = from.query_parameters().skip_if_absent();
      break;
    case From::kGenericKey:
      to.key = key_or(from.generic_key().descriptor_key(), "generic_key");
      to.value = literal(from.generic_key().descriptor_value(), Where(where, "generic_key"));
      break;
    case From::kHeaderValueMatch: {
      const auto& match = from.header_value_match();
      const Where at(where, "header_value_match");
      to.kind = Kind::kHeadersMatch;
      to.key = key_or(match.descriptor_key(), "header_match");
      to.value = literal(match.descriptor_value(), at);
      to.expect_match = !match.has_expect_match() || match.expect_match().value();
      to.headers = header_matchers(match.headers(), at, "headers");
      break;
    }
    case From::kQueryParameterValueMatch: {
      const auto& match = from.query_parameter_value_match();
      const Where at(where, "query_parameter_value_match");
      to.kind = Kind::kQueryMatch;
      to.key = key_or(match.descriptor_key(), "query_match");
      to.value = literal(match.descriptor_value(), at);
      to.expect_match = !match.has_expect_match() || match.expect_match().value();
      to.query = query_matchers(match.query_parameters(), at, "query_parameters");
      break;
    }
    case From::kMetadata:
      to.kind = Kind::kMetadata;
      to.key = from.metadata().descriptor_key();
      to.value = from.metadata().default_value();
      to.metadata = metadata_path(from.metadata().metadata_key());
      to.of_route = from.metadata().source() == From::MetaData::ROUTE_ENTRY;
      to.skip_if_absent = from.metadata().skip_if_absent();
      break;
    case From::kRemoteAddressMatch: address_match(from.remote_address_match(), to, Where(where, "remote_address_match")); break;
    default: where.unsupported("this kind of action is not supported by this version"); break;
  }
  return to;
}

void hits(const route::RateLimit::HitsAddend& from, routing::RateLimitRule& to, const Where& where) {
  if (from.has_number()) to.hits = from.number().value();
  if (from.format().empty()) {
    if (!from.has_number()) where.fail("needs one of number, format");
    return;
  }
  const Where at(where, "format");
  if (from.has_number()) at.fail("must not be set beside number");
  if (from.format().size() < 2 || !from.format().starts_with('%') || !from.format().ends_with('%'))
    at.fail("must begin and end with \"%\", found \"" + from.format() + "\"");
  Result<format::Formatter> made = format::Formatter::text(from.format());
  if (made)
    to.hits_format = std::make_shared<const format::Formatter>(std::move(*made));
  else
    at.fail(made.error().detail);
}

}  // namespace

routing::RateLimitRules rate_limit_rules(const google::protobuf::RepeatedPtrField<route::RateLimit>& from, std::string_view local_cluster,
                                         const Where& parent, std::string_view field, const Runtime* runtime) {
  routing::RateLimitRules out;
  for (int i = 0; i < from.size(); ++i) {
    const Where where(parent, field, i);
    routing::RateLimitRule rule;
    rule.stage = from[i].stage().value();
    if (from[i].has_hits_addend()) hits(from[i].hits_addend(), rule, Where(where, "hits_addend"));
    const route::RateLimit::Override& limit = from[i].limit();
    if (limit.has_dynamic_metadata()) rule.limit = metadata_path(limit.dynamic_metadata().metadata_key());
    if (limit.has_rate_limit())
      rule.fixed_limit = {limit.rate_limit().requests_per_unit(), envoy::type::v3::RateLimitUnit_Name(limit.rate_limit().unit())};
    rule.gives_hits = from[i].hits_addend().is_negative_hits();
    rule.tell = from[i].x_ratelimit_option() == route::RateLimit::OFF                ? routing::TellLimit::kNever
                : from[i].x_ratelimit_option() == route::RateLimit::DRAFT_VERSION_03 ? routing::TellLimit::kAlways
                                                                                     : routing::TellLimit::kAsFilter;
    rule.on_done = from[i].apply_on_stream_done();
    if (runtime && !from[i].disable_key().empty())
      rule.enabled = fraction("ratelimit." + from[i].disable_key() + ".http_filter_enabled", {100, 100}, *runtime);
    for (int a = 0; a < from[i].actions_size(); ++a)
      rule.actions.push_back(action(from[i].actions(a), local_cluster, Where(where, "actions", a)));
    out.push_back(std::move(rule));
  }
  return out;
}

}  // namespace weft::filters
