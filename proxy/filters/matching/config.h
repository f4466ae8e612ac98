// Pieces of configuration that routes, filters and access logs have in common, from proto into routing's values: matchers,
// headers to add, percentages.
#pragma once
#include "proxy/filters/runtime.h"
#include "proxy/filters/where.h"
#include "proxy/routing/forwarded.h"
#include "proxy/routing/matchers.h"
#include "proxy/routing/metadata_matcher.h"
#include "proxy/routing/mutations.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Struct;
class Value;
template <class T>
class RepeatedPtrField;
}  // namespace google::protobuf
namespace envoy::config::common::mutation_rules::v3 {
class HeaderMutation;
}
namespace envoy::config::core::v3 {
class HeaderValueOption;
class Metadata;
class RuntimeFeatureFlag;
class RuntimeFractionalPercent;
}  // namespace envoy::config::core::v3
namespace envoy::config::route::v3 {
class HeaderMatcher;
class QueryParameterMatcher;
}  // namespace envoy::config::route::v3
namespace envoy::type::matcher::v3 {
class ListStringMatcher;
class MetadataMatcher;
class RegexMatchAndSubstitute;
class RegexMatcher;
class StringMatcher;
}  // namespace envoy::type::matcher::v3
namespace envoy::type::v3 {
class FractionalPercent;
}

namespace weft::filters {

// Nothing after a complaint (a regular expression that does not compile).
std::optional<routing::Regex> regex(const envoy::type::matcher::v3::RegexMatcher& from, const Where& where);
// Never matches after a complaint.
routing::RegexRewrite substitution(const envoy::type::matcher::v3::RegexMatchAndSubstitute& from, const Where& where);
std::optional<routing::StringMatcher> string_matcher(const envoy::type::matcher::v3::StringMatcher& from, const Where& where);
std::vector<routing::StringMatcher> string_matchers(const envoy::type::matcher::v3::ListStringMatcher& from, const Where& where);
std::optional<routing::HeaderMatcher> header_matcher(const envoy::config::route::v3::HeaderMatcher& from, const Where& where);
// `where` is the list's: items are numbered.
std::vector<routing::HeaderMatcher> header_matchers(const google::protobuf::RepeatedPtrField<envoy::config::route::v3::HeaderMatcher>& from,
                                                    const Where& parent, std::string_view field);
std::vector<routing::QueryMatcher> query_matchers(
    const google::protobuf::RepeatedPtrField<envoy::config::route::v3::QueryParameterMatcher>& from, const Where& parent,
    std::string_view field);

// "10.0.0.0" and 8; nothing after a complaint about either.
std::optional<routing::AddressRange> address_range(const std::string& prefix, uint32_t bits, const Where& where);
// filter_metadata; null: there is none.
std::shared_ptr<const format::Metadata> metadata(const envoy::config::core::v3::Metadata& from);
format::MetadataStruct metadata_struct(const google::protobuf::Struct& from);
format::MetadataValue metadata_value(const google::protobuf::Value& from);
std::optional<routing::MetadataMatcher> metadata_matcher(const envoy::type::matcher::v3::MetadataMatcher& from, const Where& where);

std::optional<routing::HeaderToAdd> header_to_add(const envoy::config::core::v3::HeaderValueOption& from, const Where& where);
std::vector<routing::HeaderToAdd> headers_to_add(const google::protobuf::RepeatedPtrField<envoy::config::core::v3::HeaderValueOption>& from,
                                                 const Where& parent, std::string_view field);

// config.common.mutation_rules.v3.HeaderMutation.
std::vector<routing::HeaderStep> header_steps(
    const google::protobuf::RepeatedPtrField<envoy::config::common::mutation_rules::v3::HeaderMutation>& from, const Where& parent,
    std::string_view field);

routing::Fraction fraction(const envoy::type::v3::FractionalPercent& from);
// Follows what the runtime says for `key`; while it says nothing, `otherwise`.
routing::Fraction fraction(std::string_view key, routing::Fraction otherwise, const Runtime& runtime);
routing::Fraction fraction(const envoy::config::core::v3::RuntimeFractionalPercent& from, const Runtime& runtime);
runtime::Flag feature(const envoy::config::core::v3::RuntimeFeatureFlag& from, const Runtime& runtime);

}  // namespace weft::filters
