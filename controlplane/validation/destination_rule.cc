// DestinationRule, and the customer's older spellings of it.
#include "controlplane/validation/connection_pool.h"

#include <set>

namespace weft::validation::destination_rule {
namespace {

constexpr std::string_view kIdentity = "TLS between proxies comes with identity, in a later version; DISABLE works";

constexpr Field kPortFields[] = {{"number", Type::kInteger}};
constexpr Table kPort{kPortFields};
constexpr Field kCookieAttributeFields[] = {{"name", Type::kString}, {"value", Type::kString}};
constexpr Table kCookieAttribute{kCookieAttributeFields};
constexpr Field kCookieFields[] = {{"name", Type::kString},
                                   {"path", Type::kString},
                                   {"ttl", Type::kDuration, Use::kWorks, "0s: for the session; absent: only cookies that are there count"},
                                   {"attributes", Type::kObjects, Use::kWorks, "of the cookie that is made", &kCookieAttribute}};
constexpr Table kCookie{kCookieFields};
constexpr Field kRingFields[] = {{"minimumRingSize", Type::kInteger, Use::kWorks, "1024 when absent"}};
constexpr Table kRing{kRingFields};
constexpr Field kMaglevFields[] = {{"tableSize", Type::kInteger, Use::kWorks, "a prime up to 5000011; 65537 when absent"}};
constexpr Table kMaglev{kMaglevFields};
constexpr Field kHashFields[] = {{"httpHeaderName", Type::kString},
                                 {"httpCookie", Type::kObject, Use::kWorks, "", &kCookie},
                                 {"useSourceIp", Type::kBool},
                                 {"httpQueryParameterName", Type::kString},
                                 {"ringHash", Type::kObject, Use::kWorks, "what is used when neither is named", &kRing},
                                 {"maglev", Type::kObject, Use::kWorks, "", &kMaglev},
                                 {"minimumRingSize", Type::kInteger, Use::kOld, "write ringHash: {minimumRingSize: ...}"}};
constexpr Table kHash{kHashFields};
constexpr Field kLoadBalancerFields[] = {
    {"simple", Type::kChoice, Use::kWorks, "UNSPECIFIED is LEAST_REQUEST; LEAST_CONN warns and is LEAST_REQUEST", nullptr,
     "UNSPECIFIED LEAST_REQUEST ROUND_ROBIN RANDOM LEAST_CONN !PASSTHROUGH"},
    {"consistentHash", Type::kObject, Use::kWorks, "in place of simple; by one of the first four", &kHash},
    {"localityLbSetting", Type::kObject, Use::kRefused},
    {"zoneAwareLbSetting", Type::kObject, Use::kRefused},
    {"warmup", Type::kObject, Use::kRefused},
    {"warmupDurationSecs", Type::kDuration, Use::kRefused}};
constexpr Table kLoadBalancer{kLoadBalancerFields};
constexpr Field kOutlierFields[] = {{"consecutive5xxErrors", Type::kInteger, Use::kWorks, "0 turns this detector off"},
                                    {"consecutiveGatewayErrors", Type::kInteger, Use::kWorks, "0 turns this detector off"},
                                    {"consecutiveLocalOriginFailures", Type::kInteger},
                                    {"splitExternalLocalOriginErrors", Type::kBool},
                                    {"consecutiveErrors", Type::kInteger, Use::kOld, "write consecutive5xxErrors, which it is taken for"},
                                    {"interval", Type::kDuration},
                                    {"baseEjectionTime", Type::kDuration},
                                    {"maxEjectionPercent", Type::kInteger},
                                    {"minHealthPercent", Type::kInteger},
                                    {"outlierDetectionHttpErrorCodes", Type::kAny, Use::kRefused}};
constexpr Table kOutlier{kOutlierFields};
constexpr Field kBreakerFields[] = {{"consecutiveErrors", Type::kInteger, Use::kWorks, "taken for consecutive5xxErrors"},
                                    {"consecutive5xxErrors", Type::kInteger},
                                    {"consecutiveGatewayErrors", Type::kInteger},
                                    {"interval", Type::kDuration},
                                    {"baseEjectionTime", Type::kDuration},
                                    {"maxEjectionPercent", Type::kInteger},
                                    {"minHealthPercent", Type::kInteger}};
constexpr Table kBreaker{kBreakerFields};
constexpr Field kTlsFields[] = {{"mode", Type::kChoice, Use::kWorks, kIdentity, nullptr, "DISABLE !SIMPLE !MUTUAL !ISTIO_MUTUAL"},
                                {"clientCertificate", Type::kString, Use::kRefused, kIdentity},
                                {"privateKey", Type::kString, Use::kRefused, kIdentity},
                                {"caCertificates", Type::kString, Use::kRefused, kIdentity},
                                {"caCrl", Type::kString, Use::kRefused, kIdentity},
                                {"credentialName", Type::kString, Use::kRefused, kIdentity},
                                {"subjectAltNames", Type::kStrings, Use::kRefused, kIdentity},
                                {"sni", Type::kString, Use::kRefused, kIdentity},
                                {"insecureSkipVerify", Type::kBool, Use::kRefused, kIdentity}};
constexpr Table kTls{kTlsFields};

#define WEFT_POLICY_FIELDS                                                                                                          \
  {"loadBalancer", Type::kObject, Use::kWorks, "", &kLoadBalancer},                                                                 \
      {"connectionPool", Type::kObject, Use::kWorks, "", &kConnectionPoolTable},                                                    \
      {"outlierDetection", Type::kObject, Use::kWorks, "", &kOutlier},                                                              \
      {"circuitBreaker", Type::kObject, Use::kOld, "write outlierDetection, which it is taken for and which wins where both stand", \
       &kBreaker},                                                                                                                  \
  {                                                                                                                                 \
    "tls", Type::kObject, Use::kWorks, "", &kTls                                                                                    \
  }

constexpr Field kPortLevelFields[] = {{"port", Type::kObject, Use::kWorks, "", &kPort}, WEFT_POLICY_FIELDS};
constexpr Table kPortLevel{kPortLevelFields};
constexpr Field kPolicyFields[] = {
    WEFT_POLICY_FIELDS,
    {"portLevelSettings", Type::kObjects, Use::kWorks, "replaces the policy for its port, never merges", &kPortLevel},
    {"tunnel", Type::kObject, Use::kRefused},
    {"proxyProtocol", Type::kObject, Use::kRefused},
    {"retryBudget", Type::kObject, Use::kRefused, "use connectionPool.http.maxRetries"}};
constexpr Table kPolicy{kPolicyFields};
constexpr Field kSubsetFields[] = {
    {"name", Type::kString}, {"labels", Type::kStringMap}, {"trafficPolicy", Type::kObject, Use::kWorks, "", &kPolicy}};
constexpr Table kSubset{kSubsetFields};
constexpr Field kSpecFields[] = {{"host", Type::kString},
                                 {"trafficPolicy", Type::kObject, Use::kWorks, "", &kPolicy},
                                 {"subsets", Type::kObjects, Use::kWorks, "", &kSubset},
                                 {"exportTo", Type::kStrings},
                                 {"workloadSelector", Type::kObject, Use::kRefused}};
constexpr Table kSpec{kSpecFields};
constexpr Field kRootFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kSpec}, {"status", Type::kAny, Use::kHarmless, "written by Kubernetes"}};

model::OutlierDetection outlier(const Reader& from) {
  model::OutlierDetection out;
  out.consecutive_5xx_errors = from["consecutive5xxErrors"].integer();
  if (!from["consecutive5xxErrors"]) out.consecutive_5xx_errors = from["consecutiveErrors"].integer();
  out.consecutive_gateway_errors = from["consecutiveGatewayErrors"].integer();
  out.consecutive_local_origin_failures = from["consecutiveLocalOriginFailures"].integer();
  out.split_external_local_origin_errors = from["splitExternalLocalOriginErrors"].flag();
  out.interval = from["interval"].duration();
  out.base_ejection_time = from["baseEjectionTime"].duration();
  out.max_ejection_percent = from["maxEjectionPercent"].integer(0, 100);
  out.min_health_percent = from["minHealthPercent"].integer(0, 100);
  return out;
}

bool is_prime(uint64_t number) {
  for (uint64_t factor = 2; factor * factor <= number; ++factor)
    if (number % factor == 0) return false;
  return number > 1;
}

model::ConsistentHash hash(const Reader& from) {
  using By = model::ConsistentHash::By;
  model::ConsistentHash hash;
  int said = 0;
  if (Reader header = from["httpHeaderName"]) {
    ++said;
    hash.name = header.text();
    if (!is_header_name(hash.name)) header.error(codes::kName, "found \"" + hash.name + "\", expected the name of a header");
  }
  if (Reader cookie = from["httpCookie"]) {
    ++said;
    hash.by = By::kCookie;
    hash.name = cookie["name"].text();
    if (hash.name.empty()) cookie.missing("name", "the name of a cookie");
    hash.cookie_path = cookie["path"].text();
    hash.cookie_ttl = cookie["ttl"].duration(model::Duration(0));
    for (const Reader& item : cookie["attributes"].items()) {
      if (!is_header_name(item["name"].text())) {
        item.missing("name", "the name of an attribute, such as SameSite");
      } else if (item["value"].text().find_first_of(std::string_view("\r\n;\0", 4)) != std::string::npos) {
        item["value"].error(codes::kValue, "found a line break or a semicolon inside an attribute's value");
      } else {
        hash.cookie_attributes.emplace_back(item["name"].text(), item["value"].text());
      }
    }
  }
  if (from["useSourceIp"].flag()) {
    ++said;
    hash.by = By::kSourceIp;
  }
  if (Reader query = from["httpQueryParameterName"]) {
    ++said;
    hash.by = By::kQueryParam;
    hash.name = query.text();
    if (hash.name.empty()) query.error(codes::kName, "found an empty name, expected that of a query parameter");
  }
  if (said != 1)
    from.error(codes::kConflict, "found " + std::string(said == 0 ? "none" : "several") +
                                     " of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName, expected one");
  if (from["ringHash"] && from["maglev"]) from.error(codes::kConflict, "found ringHash and maglev, expected one of them");
  hash.maglev = bool(from["maglev"]);
  for (const Reader& size : {from["minimumRingSize"], from["ringHash"]["minimumRingSize"]})
    if (auto value = size.integer(0, 8'388'608); value && *value > 0) hash.ring_size = *value;
  if (auto value = from["maglev"]["tableSize"].integer(0, 5'000'011); value && *value > 0) {
    if (!is_prime(*value))
      from["maglev"]["tableSize"].error(codes::kValue, "found " + std::to_string(*value) + ", expected a prime number");
    hash.table_size = *value;
  }
  return hash;
}

model::PolicyBlocks blocks(const Reader& from) {
  model::PolicyBlocks blocks;
  if (Reader consistent = from["loadBalancer"]["consistentHash"]) {
    if (from["loadBalancer"]["simple"]) consistent.error(codes::kConflict, "found consistentHash beside simple, expected one of them");
    blocks.consistent_hash = hash(consistent);
  }
  if (Reader simple = from["loadBalancer"]["simple"]) {
    const std::string name = simple.text();
    if (name == "LEAST_CONN") simple.warn(codes::kOldSpelling, "LEAST_CONN is an old spelling; it works", "write LEAST_REQUEST");
    blocks.load_balancer = name == "ROUND_ROBIN" ? model::LoadBalancer::kRoundRobin
                           : name == "RANDOM"    ? model::LoadBalancer::kRandom
                                                 : model::LoadBalancer::kLeastRequest;
  }
  if (Reader connection_pool = from["connectionPool"]) blocks.connection_pool = read_connection_pool(connection_pool);
  if (Reader breaker = from["circuitBreaker"]) {
    blocks.outlier_detection = outlier(breaker);
    if (from["outlierDetection"])
      breaker.warn(codes::kNoEffect, "found circuitBreaker beside outlierDetection, which wins as a whole", "remove circuitBreaker");
  }
  if (Reader detection = from["outlierDetection"]) blocks.outlier_detection = outlier(detection);
  if (Reader tls = from["tls"]) {
    if (!tls["mode"]) tls.missing("mode", "DISABLE");
    blocks.tls = model::TlsMode::kDisable;
  }
  return blocks;
}

std::optional<model::TrafficPolicy> policy(const Reader& from) {
  if (!from) return std::nullopt;
  model::TrafficPolicy policy;
  static_cast<model::PolicyBlocks&>(policy) = blocks(from);
  for (const Reader& level : from["portLevelSettings"].items()) {
    const Reader number = level["port"]["number"];
    if (!number) level.missing("port.number", "a port number");
    auto port = port_number(number);
    model::PolicyBlocks own = blocks(level);
    if (port && !policy.port_levels.emplace(*port, std::move(own)).second)
      number.error(codes::kDuplicate, "found settings for port " + number.text() + " twice");
  }
  return policy;
}

}  // namespace

constexpr Table kTable{kRootFields};

model::Spec build(const Reader& root) {
  const Reader spec = root["spec"];
  model::DestinationRule rule;
  if (Reader host = spec["host"]; host && !host.text().empty()) {
    rule.written_host = host.text();
    check_host(host, rule.written_host, true);
    rule.host = qualified(host, rule.written_host);
  } else {
    spec.missing("host", "the name of a service");
  }
  rule.export_to = export_to(spec["exportTo"], false);
  rule.traffic_policy = policy(spec["trafficPolicy"]);
  std::set<std::string> names;
  for (const Reader& item : spec["subsets"].items()) {
    model::Subset& subset = rule.subsets.emplace_back();
    subset.name = item["name"].text();
    if (!item["name"])
      item.missing("name", "the name of the subset");
    else if (!is_dns_label(subset.name))
      item["name"].error(codes::kName, "found \"" + subset.name + "\", expected at most 63 of a-z, 0-9 and -");
    else if (!names.insert(subset.name).second)
      item["name"].error(codes::kDuplicate, "found the subset " + subset.name + " twice");
    check_labels(item["labels"]);
    subset.labels = item["labels"].text_map();
    subset.traffic_policy = policy(item["trafficPolicy"]);
  }
  return rule;
}

}  // namespace weft::validation::destination_rule
