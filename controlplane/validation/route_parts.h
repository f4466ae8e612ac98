// What HTTPRoute, GRPCRoute and Gateway of the Gateway API share: tables and readers. The rules are those of the API's CRDs, CEL included.
#pragma once
#include "controlplane/validation/kinds.h"

#include <array>
#include <functional>

namespace weft::validation::gateway_api {

extern const Table kParentRefTable, kBackendRefTable, kHeaderModifierTable, kMirrorTable, kValueMatchTable;

// A backend of a route; `share` tells what becomes of the share of one that is not there.
constexpr std::array<Field, 7> backend_fields(std::string_view share, const Table* filter) {
  return {Field{"group", Type::kString, Use::kWorks, "\"\" when absent"},
          Field{"kind", Type::kString, Use::kWorks, "Service when absent; Hostname of networking.istio.io: a host that a ServiceEntry has"},
          Field{"namespace", Type::kString, Use::kWorks, "another one needs a ReferenceGrant there when a Gateway is the parent"},
          Field{"name", Type::kString},
          Field{"port", Type::kInteger},
          Field{"weight", Type::kInteger, Use::kWorks, share},
          Field{"filters", Type::kObjects, Use::kWorks, "the header modifiers; another one drops the rule (condition PartiallyInvalid)",
                filter}};
}
constexpr std::array<Field, 4> route_fields(std::string_view rules, const Table* rule) {
  return {Field{"parentRefs", Type::kObjects, Use::kWorks, "", &kParentRefTable},
          Field{"hostnames", Type::kStrings, Use::kWorks, "intersected with the listener's; without meaning for a Service"},
          Field{"rules", Type::kObjects, Use::kWorks, rules, rule},
          Field{"useDefaultGateways", Type::kString, Use::kRefused, "name the Gateway in parentRefs"}};
}

void at_most(const Reader& list, size_t most);
std::optional<uint64_t> generation(const Reader& root);
// A name as the API writes it: lower case, an optional "*." in front when `wildcard`. Reports at `at`.
bool check_hostname(const Reader& at, const std::string& text, bool wildcard);
bool check_regex(const Reader& at, const std::string& text);
void check_section_name(const Reader& at);
// h, m, s and ms only, as the API has it.
std::optional<model::Duration> duration(const Reader& at);

// All of a route but its rules, which `rule` reads one by one.
model::KubeRoute read_route(const Reader& root, const std::function<model::RouteRule(const Reader&)>& rule);
// A list of {name, type, value}; `of_headers`: names are headers, whose case does not count.
std::map<std::string, model::StringMatch> value_matches(const Reader& list, bool of_headers);

// The filter's own block is there, and no other one. `blocks`: type and field of each.
using FilterBlocks = std::span<const std::pair<std::string_view, std::string_view>>;
// The backends of a rule. Of their filters header modifiers alone; what else stands there is put into `unsupported` of the rule.
void read_backends(const Reader& list, FilterBlocks blocks, model::RouteRule& rule);
// The filters of a rule: header modifiers and mirrors, and `other` for those that not every kind has.
void read_filters(const Reader& list, FilterBlocks blocks, model::RouteRule& rule,
                  const std::function<void(const Reader& filter, std::string_view type)>& other = {});

}  // namespace weft::validation::gateway_api
