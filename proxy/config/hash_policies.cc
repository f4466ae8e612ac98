#include "proxy/config/hash_policies.h"

#include "envoy/config/route/v3/route_components.pb.h"
#include "proxy/filters/matching/config.h"

#include <algorithm>

namespace weft::config {
namespace {

using filters::Where;
using Policy = envoy::config::route::v3::RouteAction_HashPolicy;
using routing::HashRule;

HashRule::Header header(const Policy::Header& from, const Where& where) {
  HashRule::Header to;
  to.name = from.header_name();
  std::transform(to.name.begin(), to.name.end(), to.name.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  if (from.has_regex_rewrite()) to.rewrite = filters::substitution(from.regex_rewrite(), Where(where, "regex_rewrite"));
  return to;
}

HashRule::Cookie cookie(const Policy::Cookie& from) {
  HashRule::Cookie to;
  to.name = from.name();
  if (from.has_ttl()) to.ttl = std::chrono::seconds(from.ttl().seconds());
  to.path = from.path();
  for (const auto& attribute : from.attributes()) to.attributes.emplace_back(attribute.name(), attribute.value());
  return to;
}

}  // namespace

std::shared_ptr<const routing::HashPolicy> hash_policy(const google::protobuf::RepeatedPtrField<Policy>& from, const Where& parent) {
  if (from.empty()) return nullptr;
  std::vector<HashRule> rules;
  for (int i = 0; i < from.size(); ++i) {
    const Policy& one = from[i];
    const Where at(parent, "hash_policy", i);
    HashRule rule;
    rule.terminal = one.terminal();
    switch (one.policy_specifier_case()) {
      case Policy::kHeader: rule.of = header(one.header(), Where(at, "header")); break;
      case Policy::kCookie: rule.of = cookie(one.cookie()); break;
      case Policy::kQueryParameter: rule.of = HashRule::QueryParameter{one.query_parameter().name()}; break;
      case Policy::kFilterState: rule.of = HashRule::FilterState{one.filter_state().key()}; break;
      case Policy::kConnectionProperties:
        if (!one.connection_properties().source_ip()) continue;  // says nothing
        rule.of = HashRule::SourceIp{};
        break;
      default: at.unsupported("this kind of hash policy is not supported by this version"); continue;
    }
    rules.push_back(std::move(rule));
  }
  return std::make_shared<const routing::HashPolicy>(std::move(rules));
}

}  // namespace weft::config
