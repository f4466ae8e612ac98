// RateLimit of weft.dev: plain words for what Istio's users write an EnvoyFilter for.
#include "controlplane/validation/kinds.h"
#include "controlplane/validation/virtual_service.h"

#include <set>

namespace weft::validation::rate_limit {
namespace {

constexpr Field kMatchFields[] = {{"uri", Type::kMatch, Use::kWorks, "without the query"},
                                  {"ignoreUriCase", Type::kBool},
                                  {"method", Type::kMatch},
                                  {"authority", Type::kMatch},
                                  {"headers", Type::kMatchMap},
                                  {"withoutHeaders", Type::kMatchMap},
                                  {"queryParams", Type::kMatchMap}};
constexpr Table kMatch{kMatchFields};
constexpr Field kPerFields[] = {{"header", Type::kString, Use::kWorks, "a request without it is not counted by the rule"},
                                {"queryParam", Type::kString, Use::kWorks, "a request without it is not counted by the rule"},
                                {"remoteAddress", Type::kBool, Use::kWorks, "of the client, trusted hops considered"}};
constexpr Table kPer{kPerFields};
constexpr Field kRuleFields[] = {{"name", Type::kString, Use::kWorks, "rule-0, rule-1, ... when absent"},
                                 {"match", Type::kObject, Use::kWorks, "as in a VirtualService; absent: every request", &kMatch},
                                 {"per", Type::kObjects, Use::kWorks, "a bucket for each value, or each combination of values", &kPer},
                                 {"requests", Type::kInteger},
                                 {"unit", Type::kChoice, Use::kWorks, "", nullptr, "SECOND MINUTE HOUR DAY"},
                                 {"burst", Type::kInteger, Use::kWorks, "how many may come at once; requests when absent"}};
constexpr Table kRule{kRuleFields};
constexpr Field kTargetFields[] = {{"kind", Type::kChoice, Use::kWorks, "", nullptr, "Service Gateway"},
                                   {"group", Type::kString, Use::kWorks, "none for Service; either API's for Gateway"},
                                   {"name", Type::kString, Use::kWorks, "of this object's namespace"}};
constexpr Table kTarget{kTargetFields};
constexpr Field kSelectorFields[] = {{"matchLabels", Type::kStringMap}};
constexpr Table kSelector{kSelectorFields};
constexpr Field kSpecFields[] = {
    {"selector", Type::kObject, Use::kWorks,
     "absent, and no targetRefs: every workload of the namespace; in istio-system, of every namespace", &kSelector},
    {"targetRefs", Type::kObjects, Use::kWorks, "in place of selector: the workloads of a Service, or all that a Gateway takes", &kTarget},
    {"rules", Type::kObjects, Use::kWorks, "each request must find a token in the bucket of every rule that matches it", &kRule},
    {"status", Type::kInteger, Use::kWorks, "of refused requests, 400 to 599; 429 when absent"},
    {"headers", Type::kBool, Use::kWorks, "tell clients by x-ratelimit-limit, -remaining and -reset"},
    {"maxValues", Type::kInteger, Use::kWorks, "how many buckets a per keeps, oldest out first; 1000 when absent"},
    {"dryRun", Type::kBool, Use::kWorks, "count what would be refused, and refuse nothing"}};
constexpr Table kSpec{kSpecFields};
constexpr Field kRootFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kSpec}, {"status", Type::kAny, Use::kHarmless, "written by Kubernetes"}};

std::chrono::seconds unit_named(const std::string& name) {
  return std::chrono::seconds(name == "MINUTE" ? 60 : name == "HOUR" ? 3600 : name == "DAY" ? 86'400 : 1);
}

model::RateLimitKey key_of(const Reader& from) {
  using Kind = model::RateLimitKey::Kind;
  model::RateLimitKey key;
  const Reader header = from["header"], query = from["queryParam"], remote = from["remoteAddress"];
  if (int(bool(header)) + int(bool(query)) + int(bool(remote)) != 1) {
    from.error(
        codes::kConflict,
        "found " + std::string(header || query || remote ? "several" : "none") + " of header, queryParam and remoteAddress, expected one",
        "write each as an item of its own");
    return key;
  }
  if (header) {
    key.name = header.text();
    if (!is_header_name(key.name)) header.error(codes::kName, "found \"" + key.name + "\", expected the name of a header");
  } else if (query) {
    key.kind = Kind::kQueryParam;
    key.name = query.text();
    if (key.name.empty()) query.error(codes::kName, "found an empty name, expected that of a query parameter");
  } else {
    key.kind = Kind::kRemoteAddress;
    if (!remote.flag()) remote.error(codes::kValue, "found false, expected true", "remove it");
  }
  return key;
}

model::RateLimitRule rule_of(const Reader& from, size_t index, std::set<std::string>& names) {
  model::RateLimitRule rule;
  rule.name = from["name"] ? from["name"].text() : "rule-" + std::to_string(index);
  if (!is_dns_label(rule.name)) from["name"].error(codes::kName, "found \"" + rule.name + "\", expected a DNS label such as writes");
  if (!names.insert(rule.name).second) from["name"].error(codes::kDuplicate, "found the rule " + rule.name + " twice");
  if (Reader match = from["match"]) rule.match = virtual_service::read_match(match);
  for (const Reader& item : from["per"].items()) rule.per.push_back(key_of(item));
  if (rule.per.size() > 5) from["per"].error(codes::kTooLarge, "found " + std::to_string(rule.per.size()) + " items, expected at most 5");
  if (!from["requests"]) from.missing("requests", "how many requests may come in each unit");
  if (!from["unit"]) from.missing("unit", "SECOND, MINUTE, HOUR or DAY");
  rule.requests = from["requests"].integer(1, 1'000'000'000).value_or(1);
  rule.unit = unit_named(from["unit"].text());
  rule.burst = from["burst"].integer(1, 1'000'000'000).value_or(rule.requests);
  return rule;
}

void targets(const Reader& spec, model::RateLimit& out) {
  const Reader list = spec["targetRefs"];
  if (list && spec["selector"]) list.error(codes::kConflict, "found targetRefs and selector, expected one of them");
  for (const Reader& item : list.items()) {
    model::RateLimit::Target& target = out.targets.emplace_back();
    if (!item["kind"]) item.missing("kind", "Service or Gateway");
    target.kind = item["kind"].text();
    target.name = item["name"].text();
    if (target.name.empty()) item.missing("name", "the name of the " + (target.kind.empty() ? std::string("object") : target.kind));
    const std::string group = item["group"].text();
    const bool gateway = target.kind == "Gateway";
    if (!group.empty() && !(gateway && (group == "networking.istio.io" || group == "gateway.networking.k8s.io")))
      item["group"].error(codes::kValue,
                          "found \"" + group + "\", expected " + (gateway ? "networking.istio.io or gateway.networking.k8s.io" : "none"));
  }
}

}  // namespace

constexpr Table kTable{kRootFields};

model::Spec build(const Reader& root) {
  const Reader spec = root["spec"];
  model::RateLimit limit;
  check_labels(spec["selector"]["matchLabels"]);
  limit.selector = spec["selector"]["matchLabels"].text_map();
  targets(spec, limit);
  std::set<std::string> names;
  for (const Reader& item : spec["rules"].items()) limit.rules.push_back(rule_of(item, limit.rules.size(), names));
  if (limit.rules.empty()) spec.missing("rules", "at least one rule");
  limit.status = spec["status"].integer(400, 599).value_or(429);
  limit.headers = spec["headers"].flag();
  limit.dry_run = spec["dryRun"].flag();
  limit.max_values = spec["maxValues"].integer(1, 1'000'000).value_or(1000);
  return limit;
}

}  // namespace weft::validation::rate_limit
