// What HTTPRoute, GRPCRoute and Gateway of the Gateway API share: tables and readers. The rules are those of the API's CRDs, CEL included.
#pragma once
#include "controlplane/validation/kinds.h"

namespace weft::validation::gateway_api {

extern const Table kParentRefTable, kBackendRefTable, kHeaderModifierTable, kMirrorTable, kValueMatchTable;

void at_most(const Reader& list, size_t most);
std::optional<uint64_t> generation(const Reader& root);
// A name as the API writes it: lower case, an optional "*." in front when `wildcard`. Reports at `at`.
bool check_hostname(const Reader& at, const std::string& text, bool wildcard);
bool check_regex(const Reader& at, const std::string& text);
void check_section_name(const Reader& at);
// h, m, s and ms only, as the API has it.
std::optional<model::Duration> duration(const Reader& at);

std::vector<model::ParentRef> parents(const Reader& spec);
std::vector<std::string> hostnames(const Reader& spec);
void rule_names(const Reader& rules);
model::BackendRef backend_ref(const Reader& from);
uint32_t backend_weight(const Reader& from);
model::HeaderOperations header_operations(const Reader& from);
model::RouteMirror mirror(const Reader& from);
// A list of {name, type, value}; `of_headers`: names are headers, whose case does not count.
std::map<std::string, model::StringMatch> value_matches(const Reader& list, bool of_headers);

// The filter's own block is there, and no other one. `blocks`: type and field of each.
using FilterBlocks = std::span<const std::pair<std::string_view, std::string_view>>;
bool check_filter(const Reader& filter, FilterBlocks blocks);
// A type that the API lets stand only once.
void once(const Reader& filter, std::string_view type, std::vector<std::string>& seen);
// Request and response header modifiers of a backend; what else stands there is put into `unsupported`.
model::Headers backend_filters(const Reader& list, FilterBlocks blocks, std::string& unsupported);

}  // namespace weft::validation::gateway_api
