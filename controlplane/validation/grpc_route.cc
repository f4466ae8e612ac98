// GRPCRoute of the Gateway API: a method of a service is a path of two parts.
#include "controlplane/validation/route_parts.h"

#include <re2/re2.h>

namespace weft::validation::grpc_route {
namespace {

using model::StringMatch;
using namespace gateway_api;

constexpr Field kMethodFields[] = {{"type", Type::kChoice, Use::kWorks, "Exact when absent", nullptr, "Exact RegularExpression"},
                                   {"service", Type::kString},
                                   {"method", Type::kString}};
constexpr Table kMethod{kMethodFields};
constexpr Field kMatchFields[] = {{"method", Type::kObject, Use::kWorks, "", &kMethod},
                                  {"headers", Type::kObjects, Use::kWorks, "", &kValueMatchTable}};
constexpr Table kMatch{kMatchFields};
constexpr Field kFilterFields[] = {
    {"type", Type::kChoice, Use::kWorks, "", nullptr, "RequestHeaderModifier ResponseHeaderModifier RequestMirror !ExtensionRef"},
    {"requestHeaderModifier", Type::kObject, Use::kWorks, "", &kHeaderModifierTable},
    {"responseHeaderModifier", Type::kObject, Use::kWorks, "", &kHeaderModifierTable},
    {"requestMirror", Type::kObject, Use::kWorks, "", &kMirrorTable},
    {"extensionRef", Type::kObject, Use::kRefused, "Weft has no filters of its own to point at"}};
constexpr Table kFilter{kFilterFields};
constexpr std::pair<std::string_view, std::string_view> kBlocks[] = {{"RequestHeaderModifier", "requestHeaderModifier"},
                                                                     {"ResponseHeaderModifier", "responseHeaderModifier"},
                                                                     {"RequestMirror", "requestMirror"}};
constexpr auto kBackendFields =
    backend_fields("1 when absent; none above 0, or a backend that is not there: its share gets UNAVAILABLE", &kFilter);
constexpr Table kBackend{kBackendFields};
constexpr Field kRuleFields[] = {{"name", Type::kString},
                                 {"matches", Type::kObjects, Use::kWorks, "any of them; none takes everything", &kMatch},
                                 {"filters", Type::kObjects, Use::kWorks, "", &kFilter},
                                 {"backendRefs", Type::kObjects, Use::kWorks, "none: UNAVAILABLE", &kBackend},
                                 {"sessionPersistence", Type::kObject, Use::kRefused}};
constexpr Table kRule{kRuleFields};
constexpr auto kSpecFields = route_fields("", &kRule);
constexpr Table kSpec{kSpecFields};
constexpr Field kRootFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kSpec}, {"status", Type::kAny, Use::kHarmless, "Weft derives its own"}};

std::optional<StringMatch> path_of(const Reader& method) {
  using Kind = StringMatch::Kind;
  static const RE2 kService(R"((?i)\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*)"), kName("[A-Za-z_][A-Za-z_0-9]*");
  const std::string service = method["service"].text(), name = method["method"].text();
  for (const char* field : {"service", "method"})
    if (method[field].text().size() > 1024) method[field].error(codes::kTooLarge, "found more than 1024 bytes");
  if (service.empty() && name.empty()) {
    method.error(codes::kMissing, "found neither service nor method, expected one or both of them");
    return std::nullopt;
  }
  if (method["type"].text() == "RegularExpression") {
    for (const char* field : {"service", "method"})
      if (method[field]) check_regex(method[field], method[field].text());
    return StringMatch{Kind::kRegex, "/" + (service.empty() ? "[^/]+" : service) + "/" + (name.empty() ? "[^/]+" : name)};
  }
  if (!service.empty() && !RE2::FullMatch(service, kService))
    method["service"].error(codes::kName,
                            "found \"" + service.substr(0, 100) + "\", expected the full name of a service such as shop.v1.Orders");
  if (!name.empty() && !RE2::FullMatch(name, kName))
    method["method"].error(codes::kName, "found \"" + name.substr(0, 100) + "\", expected the name of a method");
  if (name.empty()) return StringMatch{Kind::kPrefix, "/" + service + "/"};
  if (service.empty()) return StringMatch{Kind::kRegex, "/[^/]+/" + name};
  return StringMatch{Kind::kExact, "/" + service + "/" + name};
}

model::RouteRule rule_of(const Reader& from) {
  model::RouteRule rule;
  rule.action.name = from["name"].text();
  at_most(from["matches"], 64);
  for (const Reader& item : from["matches"].items()) {
    model::HttpMatch& match = rule.matches.emplace_back();
    if (item["method"]) match.uri = path_of(item["method"]);
    match.headers = value_matches(item["headers"], true);
  }
  if (rule.matches.empty()) rule.matches.emplace_back();
  read_backends(from["backendRefs"], kBlocks, rule);
  read_filters(from["filters"], kBlocks, rule);
  return rule;
}

}  // namespace

constexpr Table kTable{kRootFields};

model::Spec build(const Reader& root) {
  model::KubeRoute route = read_route(root, rule_of);
  route.grpc = true;
  return route;
}

}  // namespace weft::validation::grpc_route
