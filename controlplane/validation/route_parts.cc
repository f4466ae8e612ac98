#include "controlplane/validation/route_parts.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace weft::validation::gateway_api {
namespace {

constexpr size_t kMaxMatches = 128, kMaxParents = 32, kMaxHostnames = 16, kMaxHeaders = 16, kMaxRegex = 1024;
constexpr uint32_t kMaxWeight = 1'000'000;

constexpr Field kParentRefFields[] = {
    {"group", Type::kString, Use::kWorks,
     "gateway.networking.k8s.io when absent; \"\" for a Service, networking.istio.io for a ServiceEntry"},
    {"kind", Type::kString, Use::kWorks, "Gateway when absent; Service and ServiceEntry: clients inside the mesh"},
    {"namespace", Type::kString, Use::kWorks, "that of the route when absent"},
    {"name", Type::kString},
    {"sectionName", Type::kString, Use::kWorks, "a listener of the Gateway, a port of the Service by name"},
    {"port", Type::kInteger}};
constexpr Field kBackendRefFields[] = {
    {"group", Type::kString},
    {"kind", Type::kString, Use::kWorks, "Service when absent; Hostname of networking.istio.io: a host that a ServiceEntry has"},
    {"namespace", Type::kString, Use::kWorks, "another one needs a ReferenceGrant there when a Gateway is the parent"},
    {"name", Type::kString},
    {"port", Type::kInteger}};
constexpr Field kHeaderFields[] = {{"name", Type::kString}, {"value", Type::kString}};
constexpr Table kHeader{kHeaderFields};
constexpr Field kHeaderModifierFields[] = {
    {"set", Type::kObjects, Use::kWorks, "", &kHeader}, {"add", Type::kObjects, Use::kWorks, "", &kHeader}, {"remove", Type::kStrings}};
constexpr Field kFractionFields[] = {{"numerator", Type::kInteger}, {"denominator", Type::kInteger, Use::kWorks, "100 when absent"}};
constexpr Table kFraction{kFractionFields};
constexpr Field kMirrorFields[] = {{"backendRef", Type::kObject, Use::kWorks, "", &kBackendRefTable},
                                   {"percent", Type::kInteger, Use::kWorks, "all requests when neither this nor fraction is there"},
                                   {"fraction", Type::kObject, Use::kWorks, "", &kFraction}};
constexpr Field kValueMatchFields[] = {{"name", Type::kString},
                                       {"type", Type::kChoice, Use::kWorks, "Exact when absent", nullptr, "Exact RegularExpression"},
                                       {"value", Type::kString}};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_kind(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::isalpha(static_cast<unsigned char>(text.front())) && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) || c == '-'; });
}

// The four words that tell which object is meant.
template <class Ref>
void reference(const Reader& from, Ref& out, std::string_view group, std::string_view kind) {
  out.group = from["group"] ? from["group"].text() : std::string(group);
  out.kind = from["kind"] ? from["kind"].text() : std::string(kind);
  out.ns_written = bool(from["namespace"]);
  out.ns = out.ns_written ? from["namespace"].text() : from.subject().ns;
  out.name = from["name"].text();
  if (!out.group.empty() && !is_dns_name(out.group))
    from["group"].error(codes::kName, "found \"" + out.group.substr(0, 100) + "\", expected the group of an API or \"\"");
  if (!is_kind(out.kind)) from["kind"].error(codes::kName, "found \"" + out.kind.substr(0, 100) + "\", expected the name of a kind");
  if (out.ns_written && !is_dns_label(out.ns))
    from["namespace"].error(codes::kName, "found \"" + out.ns.substr(0, 100) + "\", expected the name of a namespace");
  if (out.name.empty())
    from.missing("name", "the name of an object");
  else if (out.name.size() > 253)
    from["name"].error(codes::kTooLarge, "found a name of " + std::to_string(out.name.size()) + " bytes, expected at most 253");
  out.port = port_number(from["port"]);
}

bool is_header_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); });
}

void headers(const Reader& list, std::map<std::string, std::string>& out) {
  at_most(list, kMaxHeaders);
  for (const Reader& item : list.items()) {
    const std::string name = item["name"].text(), value = item["value"].text();
    if (!item["name"])
      item.missing("name", "the name of a header");
    else if (!is_header_name(name))
      item["name"].error(codes::kName, "found \"" + name.substr(0, 100) + "\", expected the name of a header");
    if (!item["value"] || value.empty()) item.missing("value", "a value");
    if (!is_header_text(value)) item["value"].error(codes::kValue, "found a control character inside a header's value");
    if (value.size() > 4096)
      item["value"].error(codes::kTooLarge, "found a value of " + std::to_string(value.size()) + " bytes, expected at most 4096");
    if (!out.emplace(lower(name), value).second)
      item["name"].error(codes::kDuplicate, "found the header " + name + " twice; case makes no difference", "keep one of them");
  }
}

}  // namespace

constexpr Table kParentRefTable{kParentRefFields};
constexpr Table kBackendRefTable{kBackendRefFields};
constexpr Table kHeaderModifierTable{kHeaderModifierFields};
constexpr Table kMirrorTable{kMirrorFields};
constexpr Table kValueMatchTable{kValueMatchFields};

void at_most(const Reader& list, size_t most) {
  if (const size_t count = list.items().size(); count > most)
    list.error(codes::kTooLarge, "found " + std::to_string(count) + " of them, expected at most " + std::to_string(most));
}

std::optional<uint64_t> generation(const Reader& root) {
  const std::string text = root["metadata"]["generation"].text();
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool check_hostname(const Reader& at, const std::string& text, bool wildcard) {
  const std::string_view name = wildcard && text.starts_with("*.") ? std::string_view(text).substr(2) : std::string_view(text);
  if (is_ip(text)) {
    at.error(codes::kHost, "found the address " + text + ", expected a host name");
    return false;
  }
  if (is_dns_name(name)) return true;
  at.error(codes::kHost,
           "found \"" + text.substr(0, 260) + "\", expected a host name in lower case" + (wildcard ? ", perhaps with \"*.\" in front" : ""),
           text == "*" ? "leave it away to take every host" : "");
  return false;
}

bool check_regex(const Reader& at, const std::string& text) {
  if (text.size() > kMaxRegex) {
    at.error(codes::kTooLarge, "found a regular expression of " + std::to_string(text.size()) + " bytes, expected at most 1024");
    return false;
  }
  const RE2 regex(text, RE2::Quiet);
  if (text.empty() || !regex.ok()) {
    at.error(codes::kRegex,
             text.empty() ? "found an empty regular expression" : "found a regular expression that RE2 does not take: " + regex.error(),
             "look-around and back-references do not exist in RE2; see github.com/google/re2/wiki/Syntax");
    return false;
  }
  return true;
}

void check_section_name(const Reader& at) {
  if (at && !is_dns_name(at.text()))
    at.error(codes::kName, "found \"" + at.text().substr(0, 100) + "\", expected letters in lower case, digits, - and .");
}

std::optional<model::Duration> duration(const Reader& at) {
  if (!at) return std::nullopt;
  static const RE2 kForm("([0-9]{1,5}(h|m|s|ms)){1,4}");
  if (!RE2::FullMatch(at.text(), kForm)) {
    at.error(codes::kValue, "found " + at.text().substr(0, 60) + ", expected up to four numbers, each with h, m, s or ms",
             "such as 1h30m or 500ms");
    return std::nullopt;
  }
  return at.duration(model::Duration(0));
}

namespace {

std::vector<model::ParentRef> parents(const Reader& spec) {
  const Reader list = spec["parentRefs"];
  at_most(list, kMaxParents);
  std::vector<model::ParentRef> out;
  for (const Reader& item : list.items()) {
    model::ParentRef& ref = out.emplace_back();
    reference(item, ref, model::kGatewayApi, "Gateway");
    check_section_name(item["sectionName"]);
    ref.section = item["sectionName"].text();
    const bool gateway = ref.group == model::kGatewayApi && ref.kind == "Gateway",
               service = (ref.group.empty() || ref.group == "core") && ref.kind == "Service";
    if (!gateway && !service && !(ref.group == "networking.istio.io" && ref.kind == "ServiceEntry"))
      item.warn(codes::kNoEffect, "found the parent " + ref.kind + " of the group \"" + ref.group + "\", which Weft is no controller of",
                ref.kind == "Service" ? "write group: \"\"" : "parents are Gateway, Service and ServiceEntry");
    for (const model::ParentRef& other : std::span(out).first(out.size() - 1)) {
      if (other.group != ref.group || other.kind != ref.kind || other.name != ref.name || other.ns_written != ref.ns_written ||
          other.ns != ref.ns)
        continue;
      if (other.section.empty() != ref.section.empty() || other.port.has_value() != ref.port.has_value())
        item.error(codes::kConflict, "found the same parent with and without sectionName or port; it must be specified in both");
      else if (other.section == ref.section && other.port == ref.port)
        item.error(codes::kDuplicate, "found the same parent twice; sectionName or port must be unique", "remove one of them");
    }
  }
  if (out.empty()) spec.warn(codes::kNoEffect, "found no parentRefs, so the route is attached to nothing", "name a Gateway or a Service");
  return out;
}

std::vector<std::string> hostnames(const Reader& spec) {
  at_most(spec["hostnames"], kMaxHostnames);
  std::vector<std::string> out;
  for (const Reader& item : spec["hostnames"].items()) {
    if (check_hostname(item, item.text(), true) && std::find(out.begin(), out.end(), item.text()) == out.end()) out.push_back(item.text());
  }
  return out;
}

void rule_names(const Reader& rules) {
  at_most(rules, 16);
  std::set<std::string> names;
  for (const Reader& rule : rules.items()) {
    check_section_name(rule["name"]);
    if (rule["name"] && !names.insert(rule["name"].text()).second)
      rule["name"].error(codes::kDuplicate, "found the rule " + rule["name"].text() + " twice; names are unique within a route");
  }
}

model::BackendRef backend_ref(const Reader& from) {
  model::BackendRef ref;
  reference(from, ref, "", "Service");
  const bool service = ref.group.empty() && ref.kind == "Service";
  if (service && ref.name.find('.') != std::string::npos)
    from["name"].error(codes::kName, "found \"" + ref.name.substr(0, 100) + "\", expected the name of a Service, not its host name",
                       "write name: " + ref.name.substr(0, ref.name.find('.')));
  if (!ref.port && (service || ref.kind == "Hostname") && !from["port"]) from.missing("port", "the port of the Service");
  if (ref.kind == "Hostname" && ref.ns_written)
    from["namespace"].error(codes::kConflict, "found namespace beside a Hostname, which has none");
  return ref;
}

model::HeaderOperations header_operations(const Reader& from) {
  model::HeaderOperations operations;
  headers(from["set"], operations.set);
  headers(from["add"], operations.add);
  at_most(from["remove"], kMaxHeaders);
  for (const Reader& item : from["remove"].items()) {
    if (!is_header_name(item.text()))
      item.error(codes::kName, "found \"" + item.text().substr(0, 100) + "\", expected the name of a header");
    operations.remove.push_back(item.text());
  }
  return operations;
}

model::RouteMirror mirror(const Reader& from) {
  model::RouteMirror mirror;
  if (from["backendRef"])
    mirror.to = backend_ref(from["backendRef"]);
  else
    from.missing("backendRef", "where to mirror to");
  const Reader fraction = from["fraction"];
  if (fraction && from["percent"]) from.error(codes::kConflict, "found percent and fraction, expected one of them");
  if (auto percent = from["percent"].integer(0, 100)) mirror.percentage = *percent;
  if (fraction) {
    if (!fraction["numerator"]) fraction.missing("numerator", "a number");
    const uint32_t numerator = fraction["numerator"].integer(0, INT32_MAX).value_or(0);
    const uint32_t denominator = fraction["denominator"].integer(1, INT32_MAX).value_or(100);
    if (numerator > denominator)
      fraction.error(codes::kValue,
                     "found the numerator " + std::to_string(numerator) + " above the denominator " + std::to_string(denominator));
    mirror.percentage = 100.0 * numerator / denominator;
  }
  return mirror;
}

}  // namespace

model::KubeRoute read_route(const Reader& root, const std::function<model::RouteRule(const Reader&)>& rule) {
  const Reader spec = root["spec"], rules = spec["rules"];
  model::KubeRoute route;
  route.generation = generation(root);
  route.parents = parents(spec);
  route.hostnames = hostnames(spec);
  rule_names(rules);
  size_t matches = 0;
  for (const Reader& item : rules.items()) {
    route.rules.push_back(rule(item));
    matches += route.rules.back().matches.size();
  }
  if (matches > kMaxMatches)
    rules.error(codes::kTooLarge, "found " + std::to_string(matches) + " matches in all rules, expected at most 128", "write two routes");
  return route;
}

std::map<std::string, model::StringMatch> value_matches(const Reader& list, bool of_headers) {
  at_most(list, kMaxHeaders);
  std::map<std::string, model::StringMatch> out;
  for (const Reader& item : list.items()) {
    const std::string name = item["name"].text(), value = item["value"].text();
    if (!item["name"])
      item.missing("name", of_headers ? "the name of a header" : "the name of a query parameter");
    else if (!is_header_name(name))
      item["name"].error(codes::kName, "found \"" + name.substr(0, 100) + "\", expected a name of letters, digits and !#$%&'*+-.^_`|~");
    if (!item["value"] || value.empty()) item.missing("value", "a value");
    if (value.size() > (of_headers ? 4096u : 1024u))
      item["value"].error(codes::kTooLarge, "found a value of " + std::to_string(value.size()) + " bytes, expected at most " +
                                                (of_headers ? "4096" : "1024"));
    model::StringMatch match{model::StringMatch::Kind::kExact, value};
    if (item["type"].text() == "RegularExpression" && !value.empty()) {
      match.kind = model::StringMatch::Kind::kRegex;
      check_regex(item["value"], value);
    }
    if (out.emplace(of_headers ? lower(name) : name, match).second) continue;
    item["name"].error(codes::kDuplicate, "found " + name + " twice" + (of_headers ? "; case makes no difference" : ""),
                       "keep one of them");
  }
  return out;
}

namespace {

bool check_filter(const Reader& filter, FilterBlocks blocks) {
  const std::string type = filter["type"].text();
  if (!filter["type"]) {
    filter.missing("type", "what the filter is");
    return false;
  }
  bool good = true;
  for (const auto& [of, field] : blocks) {
    if (filter[field] && of != type) {
      filter[field].error(codes::kConflict, "found " + std::string(field) + " in a filter of type " + type,
                          "write type: " + std::string(of));
      good = false;
    }
    if (!filter[field] && of == type) {
      filter.missing(field, "what a filter of type " + type + " does");
      good = false;
    }
  }
  return good;
}

void once(const Reader& filter, std::string_view type, std::vector<std::string>& seen) {
  if (std::find(seen.begin(), seen.end(), type) != seen.end())
    filter.error(codes::kDuplicate, "found the filter " + std::string(type) + " twice; it cannot be repeated", "write one with both");
  seen.emplace_back(type);
}

model::Headers backend_filters(const Reader& list, FilterBlocks blocks, std::string& unsupported) {
  at_most(list, 16);
  model::Headers headers;
  std::vector<std::string> seen;
  for (const Reader& filter : list.items()) {
    if (!check_filter(filter, blocks)) continue;
    const std::string type = filter["type"].text();
    if (type != "RequestMirror") once(filter, type, seen);
    if (type == "RequestHeaderModifier") {
      headers.request = header_operations(filter["requestHeaderModifier"]);
    } else if (type == "ResponseHeaderModifier") {
      headers.response = header_operations(filter["responseHeaderModifier"]);
    } else {
      const std::string why = filter.path() + ".type: " + type + " works only in the filters of a rule";
      filter["type"].warn(codes::kNotServed, why + "; the rule is dropped", "write it into the rule's filters");
      if (unsupported.empty()) unsupported = why;
    }
  }
  return headers;
}

}  // namespace

void read_backends(const Reader& list, FilterBlocks blocks, model::RouteRule& rule) {
  at_most(list, 16);
  for (const Reader& item : list.items()) {
    model::RouteBackend& backend = rule.backends.emplace_back();
    backend.to = backend_ref(item);
    backend.weight = item["weight"].integer(0, kMaxWeight).value_or(1);
    backend.headers = backend_filters(item["filters"], blocks, rule.unsupported);
  }
}

void read_filters(const Reader& list, FilterBlocks blocks, model::RouteRule& rule,
                  const std::function<void(const Reader& filter, std::string_view type)>& other) {
  at_most(list, 16);
  std::vector<std::string> seen;
  for (const Reader& filter : list.items()) {
    if (!check_filter(filter, blocks)) continue;
    const std::string type = filter["type"].text();
    if (type == "RequestMirror") {
      rule.mirrors.push_back(mirror(filter["requestMirror"]));
      continue;
    }
    once(filter, type, seen);
    if (type == "RequestHeaderModifier") {
      rule.action.headers.request = header_operations(filter["requestHeaderModifier"]);
    } else if (type == "ResponseHeaderModifier") {
      rule.action.headers.response = header_operations(filter["responseHeaderModifier"]);
    } else if (other) {
      other(filter, type);
    }
  }
}

}  // namespace weft::validation::gateway_api
