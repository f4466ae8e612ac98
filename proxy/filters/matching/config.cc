#include "proxy/filters/matching/config.h"

#include "envoy/config/common/mutation_rules/v3/mutation_rules.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/type/matcher/v3/metadata.pb.h"
#include "envoy/type/matcher/v3/regex.pb.h"
#include "envoy/type/matcher/v3/string.pb.h"
#include "envoy/type/v3/percent.pb.h"

#include <google/protobuf/struct.pb.h>

#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace weft::filters {

using routing::HeaderMatcher;
using routing::StringMatcher;
namespace route = envoy::config::route::v3;

std::optional<routing::Regex> regex(const envoy::type::matcher::v3::RegexMatcher& from, const Where& where) {
  Result<routing::Regex> compiled = routing::Regex::compile(from.regex());
  if (compiled) return std::move(*compiled);
  Where(where, "regex").fail(compiled.error().detail);
  return {};
}

routing::RegexRewrite substitution(const envoy::type::matcher::v3::RegexMatchAndSubstitute& from, const Where& where) {
  auto compiled = routing::RegexRewrite::compile(from.pattern().regex(), from.substitution());
  if (compiled) return std::move(*compiled);
  where.fail(compiled.error().detail);
  return {};
}

std::optional<StringMatcher> string_matcher(const envoy::type::matcher::v3::StringMatcher& from, const Where& where) {
  using From = envoy::type::matcher::v3::StringMatcher;
  switch (from.match_pattern_case()) {
    case From::kExact: return StringMatcher(StringMatcher::Kind::kExact, from.exact(), from.ignore_case());
    case From::kPrefix: return StringMatcher(StringMatcher::Kind::kPrefix, from.prefix(), from.ignore_case());
    case From::kSuffix: return StringMatcher(StringMatcher::Kind::kSuffix, from.suffix(), from.ignore_case());
    case From::kContains: return StringMatcher(StringMatcher::Kind::kContains, from.contains(), from.ignore_case());
    case From::kSafeRegex: {
      if (from.ignore_case()) {
        Where(where, "ignore_case").fail("has no effect on safe_regex");
        return {};
      }
      auto compiled = regex(from.safe_regex(), Where(where, "safe_regex"));
      if (!compiled) return {};
      return StringMatcher(std::move(*compiled));
    }
    default: where.unsupported("this kind of string matcher is not supported"); return {};
  }
}

std::vector<StringMatcher> string_matchers(const envoy::type::matcher::v3::ListStringMatcher& from, const Where& where) {
  std::vector<StringMatcher> out;
  for (int i = 0; i < from.patterns_size(); ++i)
    if (auto matcher = string_matcher(from.patterns(i), Where(where, "patterns", i))) out.push_back(std::move(*matcher));
  return out;
}

std::optional<HeaderMatcher> header_matcher(const route::HeaderMatcher& from, const Where& where) {
  std::optional<HeaderMatcher> out;
  auto with = [&](StringMatcher::Kind kind, const std::string& text) {
    out = HeaderMatcher::string(from.name(), StringMatcher(kind, text));
  };
  switch (from.header_match_specifier_case()) {
    case route::HeaderMatcher::kExactMatch: with(StringMatcher::Kind::kExact, from.exact_match()); break;
    case route::HeaderMatcher::kPrefixMatch: with(StringMatcher::Kind::kPrefix, from.prefix_match()); break;
    case route::HeaderMatcher::kSuffixMatch: with(StringMatcher::Kind::kSuffix, from.suffix_match()); break;
    case route::HeaderMatcher::kContainsMatch: with(StringMatcher::Kind::kContains, from.contains_match()); break;
    case route::HeaderMatcher::kSafeRegexMatch: {
      auto compiled = regex(from.safe_regex_match(), Where(where, "safe_regex_match"));
      if (compiled) out = HeaderMatcher::string(from.name(), StringMatcher(std::move(*compiled)));
      break;
    }
    case route::HeaderMatcher::kStringMatch: {
      auto matcher = string_matcher(from.string_match(), Where(where, "string_match"));
      if (matcher) out = HeaderMatcher::string(from.name(), std::move(*matcher));
      break;
    }
    case route::HeaderMatcher::kRangeMatch:
      out = HeaderMatcher::range(from.name(), from.range_match().start(), from.range_match().end());
      break;
    case route::HeaderMatcher::kPresentMatch: out = HeaderMatcher::present(from.name(), from.present_match()); break;
    case route::HeaderMatcher::HEADER_MATCH_SPECIFIER_NOT_SET: out = HeaderMatcher::present(from.name()); break;
  }
  if (out) out->invert(from.invert_match()).treat_missing_as_empty(from.treat_missing_header_as_empty());
  return out;
}

std::vector<HeaderMatcher> header_matchers(const google::protobuf::RepeatedPtrField<route::HeaderMatcher>& from, const Where& parent,
                                           std::string_view field) {
  std::vector<HeaderMatcher> out;
  for (int i = 0; i < from.size(); ++i)
    if (auto matcher = header_matcher(from[i], Where(parent, field, i))) out.push_back(std::move(*matcher));
  return out;
}

std::vector<routing::QueryMatcher> query_matchers(const google::protobuf::RepeatedPtrField<route::QueryParameterMatcher>& from,
                                                  const Where& parent, std::string_view field) {
  std::vector<routing::QueryMatcher> out;
  for (int i = 0; i < from.size(); ++i) {
    const route::QueryParameterMatcher& query = from[i];
    if (query.has_string_match()) {
      const Where at(parent, field, i);
      if (auto matcher = string_matcher(query.string_match(), Where(at, "string_match")))
        out.push_back(routing::QueryMatcher::string(query.name(), std::move(*matcher)));
    } else {
      const bool given = query.query_parameter_match_specifier_case() == route::QueryParameterMatcher::kPresentMatch;
      out.push_back(routing::QueryMatcher::present(query.name(), given ? query.present_match() : true));
    }
  }
  return out;
}

namespace {

constexpr int kDeepestMatcher = 20;

std::optional<routing::ValueMatcher> value_matcher(const envoy::type::matcher::v3::ValueMatcher& from, const Where& where, int depth = 0) {
  using From = envoy::type::matcher::v3::ValueMatcher;
  using Kind = routing::ValueMatcher::Kind;
  routing::ValueMatcher to;
  if (depth > kDeepestMatcher) return where.fail("nested too deep"), std::nullopt;
  switch (from.match_pattern_case()) {
    case From::kNullMatch: to.kind = Kind::kNull; break;
    case From::kDoubleMatch:
      to.kind = from.double_match().has_range() ? Kind::kRange : Kind::kNumber;
      to.start = from.double_match().has_range() ? from.double_match().range().start() : from.double_match().exact();
      to.end = from.double_match().range().end();
      break;
    case From::kStringMatch: {
      to.kind = Kind::kString;
      auto text = string_matcher(from.string_match(), Where(where, "string_match"));
      if (!text) return {};
      to.string = std::move(*text);
      break;
    }
    case From::kBoolMatch:
      to.kind = Kind::kBool;
      to.flag = from.bool_match();
      break;
    case From::kPresentMatch: to.flag = from.present_match(); break;
    case From::kListMatch: {
      to.kind = Kind::kAnyOfList;
      auto one = value_matcher(from.list_match().one_of(), Where(where, "list_match"), depth + 1);
      if (!one) return {};
      to.of.push_back(std::move(*one));
      break;
    }
    case From::kOrMatch: {
      to.kind = Kind::kOr;
      const Where at(where, "or_match");
      for (int i = 0; i < from.or_match().value_matchers_size(); ++i) {
        auto one = value_matcher(from.or_match().value_matchers(i), Where(at, "value_matchers", i), depth + 1);
        if (!one) return {};
        to.of.push_back(std::move(*one));
      }
      break;
    }
    default: where.unsupported("this kind of value matcher is not supported"); return {};
  }
  return to;
}

}  // namespace

std::optional<routing::AddressRange> address_range(const std::string& prefix, uint32_t bits, const Where& where) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(prefix, error);
  if (error) return Where(where, "address_prefix").fail("malformed IP address: \"" + prefix + "\""), std::nullopt;
  if (bits > (address.is_v4() ? 32u : 128u)) return Where(where, "prefix_len").fail("is longer than the address"), std::nullopt;
  return routing::AddressRange{address, static_cast<uint8_t>(bits)};
}

std::shared_ptr<const format::Metadata> metadata(const envoy::config::core::v3::Metadata& from) {
  if (from.filter_metadata().empty()) return nullptr;
  auto to = std::make_shared<format::Metadata>();
  for (const auto& [name_space, values] : from.filter_metadata()) to->set(name_space, metadata_struct(values));
  return to;
}

format::MetadataStruct metadata_struct(const google::protobuf::Struct& from) {
  format::MetadataStruct to;
  for (const auto& [key, value] : from.fields()) to.emplace(key, metadata_value(value));
  return to;
}

format::MetadataValue metadata_value(const google::protobuf::Value& from) {
  format::MetadataValue to;
  switch (from.kind_case()) {
    case google::protobuf::Value::kBoolValue: to.of = from.bool_value(); break;
    case google::protobuf::Value::kNumberValue: to.of = from.number_value(); break;
    case google::protobuf::Value::kStringValue: to.of = from.string_value(); break;
    case google::protobuf::Value::kStructValue: to.of = metadata_struct(from.struct_value()); break;
    case google::protobuf::Value::kListValue: {
      format::MetadataList list;
      for (const auto& item : from.list_value().values()) list.push_back(metadata_value(item));
      to.of = std::move(list);
      break;
    }
    default: break;
  }
  return to;
}

std::optional<routing::MetadataMatcher> metadata_matcher(const envoy::type::matcher::v3::MetadataMatcher& from, const Where& where) {
  routing::MetadataMatcher to;
  to.name_space = from.filter();
  for (const auto& segment : from.path()) to.path.push_back(segment.key());
  auto value = value_matcher(from.value(), Where(where, "value"));
  if (!value) return {};
  to.value = std::move(*value);
  to.invert = from.invert();
  return to;
}

std::optional<routing::HeaderToAdd> header_to_add(const envoy::config::core::v3::HeaderValueOption& from, const Where& where) {
  using From = envoy::config::core::v3::HeaderValueOption;
  using Append = routing::HeaderToAdd::Append;
  Append append = Append::kAppendIfExistsOrAdd;
  switch (from.append_action()) {
    case From::ADD_IF_ABSENT: append = Append::kAddIfAbsent; break;
    case From::OVERWRITE_IF_EXISTS_OR_ADD: append = Append::kOverwriteIfExistsOrAdd; break;
    case From::OVERWRITE_IF_EXISTS: append = Append::kOverwriteIfExists; break;
    default: break;
  }
  if (from.has_append()) {
    if (from.append_action() != From::APPEND_IF_EXISTS_OR_ADD) where.fail("append and append_action must not both be set");
    append = from.append().value() ? Append::kAppendIfExistsOrAdd : Append::kOverwriteIfExistsOrAdd;
  }
  auto made = routing::HeaderToAdd::make(from.header().key(), from.header().value(), append, from.keep_empty_value());
  if (made) return std::move(*made);
  Where(where, "header").fail(made.error().detail);
  return {};
}

std::vector<routing::HeaderToAdd> headers_to_add(const google::protobuf::RepeatedPtrField<envoy::config::core::v3::HeaderValueOption>& from,
                                                 const Where& parent, std::string_view field) {
  std::vector<routing::HeaderToAdd> out;
  for (int i = 0; i < from.size(); ++i)
    if (auto header = header_to_add(from[i], Where(parent, field, i))) out.push_back(std::move(*header));
  return out;
}

std::vector<routing::HeaderStep> header_steps(
    const google::protobuf::RepeatedPtrField<envoy::config::common::mutation_rules::v3::HeaderMutation>& from, const Where& parent,
    std::string_view field) {
  std::vector<routing::HeaderStep> to;
  for (int i = 0; i < from.size(); ++i) {
    const Where where(parent, field, i);
    if (from[i].has_append()) {
      if (auto header = header_to_add(from[i].append(), Where(where, "append"))) to.emplace_back(std::move(*header));
    } else if (from[i].has_remove_on_match()) {
      const Where match(where, "remove_on_match");
      if (auto names = string_matcher(from[i].remove_on_match().key_matcher(), Where(match, "key_matcher")))
        to.emplace_back(routing::HeadersToRemove{std::move(*names)});
    } else {
      std::string name = from[i].remove();
      const Status allowed = routing::check_removable(name);
      if (!allowed) Where(where, "remove").fail(allowed.error().detail);
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
      to.emplace_back(routing::HeaderToRemove{std::move(name)});
    }
  }
  return to;
}

routing::Fraction fraction(const envoy::type::v3::FractionalPercent& from) {
  using From = envoy::type::v3::FractionalPercent;
  const uint32_t denominator = from.denominator() == From::MILLION ? 1'000'000 : from.denominator() == From::TEN_THOUSAND ? 10'000 : 100;
  return {from.numerator(), denominator};
}

routing::Fraction fraction(std::string_view key, routing::Fraction otherwise, const Runtime& runtime) {
  otherwise.key = runtime.value(key);
  return otherwise;
}

routing::Fraction fraction(const envoy::config::core::v3::RuntimeFractionalPercent& from, const Runtime& runtime) {
  return fraction(from.runtime_key(), fraction(from.default_value()), runtime);
}

runtime::Flag feature(const envoy::config::core::v3::RuntimeFeatureFlag& from, const Runtime& runtime) {
  return runtime.flag(from.runtime_key(), from.default_value().value());
}

}  // namespace weft::filters
