// HTTPRoute of the Gateway API.
#include "controlplane/validation/route_parts.h"

#include <re2/re2.h>

#include <algorithm>

namespace weft::validation::http_route {
namespace {

using model::StringMatch;
using namespace gateway_api;

constexpr std::string_view kNoAuth = "external authorization comes with a later version";

constexpr Field kPathFields[] = {
    {"type", Type::kChoice, Use::kWorks, "PathPrefix when absent; it ends at a slash", nullptr, "Exact PathPrefix RegularExpression"},
    {"value", Type::kString, Use::kWorks, "/ when absent"}};
constexpr Table kPath{kPathFields};
constexpr Field kMatchFields[] = {
    {"path", Type::kObject, Use::kWorks, "", &kPath},
    {"headers", Type::kObjects, Use::kWorks, "", &kValueMatchTable},
    {"queryParams", Type::kObjects, Use::kWorks, "", &kValueMatchTable},
    {"method", Type::kChoice, Use::kWorks, "", nullptr, "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH"}};
constexpr Table kMatch{kMatchFields};
constexpr Field kModifierFields[] = {{"type", Type::kChoice, Use::kWorks, "", nullptr, "ReplaceFullPath ReplacePrefixMatch"},
                                     {"replaceFullPath", Type::kString},
                                     {"replacePrefixMatch", Type::kString}};
constexpr Table kModifier{kModifierFields};
constexpr Field kRedirectFields[] = {{"scheme", Type::kChoice, Use::kWorks, "", nullptr, "http https"},
                                     {"hostname", Type::kString},
                                     {"path", Type::kObject, Use::kWorks, "", &kModifier},
                                     {"port", Type::kInteger, Use::kWorks, "when absent: that of scheme, else the listener's"},
                                     {"statusCode", Type::kInteger, Use::kWorks, "301, 302, 303, 307 or 308; 302 when absent"}};
constexpr Table kRedirect{kRedirectFields};
constexpr Field kRewriteFields[] = {{"hostname", Type::kString}, {"path", Type::kObject, Use::kWorks, "", &kModifier}};
constexpr Table kRewrite{kRewriteFields};
constexpr Field kCorsFields[] = {{"allowOrigins", Type::kStrings, Use::kWorks, "an origin, one with a wildcard, or \"*\""},
                                 {"allowCredentials", Type::kBool},
                                 {"allowMethods", Type::kStrings},
                                 {"allowHeaders", Type::kStrings},
                                 {"exposeHeaders", Type::kStrings},
                                 {"maxAge", Type::kInteger, Use::kWorks, "seconds; 5 when absent"}};
constexpr Table kCors{kCorsFields};
constexpr Field kFilterFields[] = {
    {"type", Type::kChoice, Use::kWorks, "", nullptr,
     "RequestHeaderModifier ResponseHeaderModifier RequestMirror RequestRedirect URLRewrite CORS !ExtensionRef !ExternalAuth"},
    {"requestHeaderModifier", Type::kObject, Use::kWorks, "", &kHeaderModifierTable},
    {"responseHeaderModifier", Type::kObject, Use::kWorks, "", &kHeaderModifierTable},
    {"requestMirror", Type::kObject, Use::kWorks, "", &kMirrorTable},
    {"requestRedirect", Type::kObject, Use::kWorks, "", &kRedirect},
    {"urlRewrite", Type::kObject, Use::kWorks, "", &kRewrite},
    {"cors", Type::kObject, Use::kWorks, "", &kCors},
    {"extensionRef", Type::kObject, Use::kRefused, "Weft has no filters of its own to point at"},
    {"externalAuth", Type::kObject, Use::kRefused, kNoAuth}};
constexpr Table kFilter{kFilterFields};
constexpr std::pair<std::string_view, std::string_view> kBlocks[] = {{"RequestHeaderModifier", "requestHeaderModifier"},
                                                                     {"ResponseHeaderModifier", "responseHeaderModifier"},
                                                                     {"RequestMirror", "requestMirror"},
                                                                     {"RequestRedirect", "requestRedirect"},
                                                                     {"URLRewrite", "urlRewrite"},
                                                                     {"CORS", "cors"}};
constexpr auto kBackendFields = backend_fields("1 when absent; none above 0, or a backend that is not there: its share gets 500", &kFilter);
constexpr Table kBackend{kBackendFields};
constexpr Field kTimeoutsFields[] = {{"request", Type::kDuration, Use::kWorks, "0s: none"},
                                     {"backendRequest", Type::kDuration, Use::kWorks, "of a try when retry is set, else of the request"}};
constexpr Table kTimeouts{kTimeoutsFields};
constexpr Field kRetryFields[] = {{"codes", Type::kAny, Use::kWorks, "list of 400 to 599; connection errors are retried as well"},
                                  {"attempts", Type::kInteger, Use::kWorks, "2 when absent"},
                                  {"backoff", Type::kDuration}};
constexpr Table kRetry{kRetryFields};
constexpr Field kRuleFields[] = {{"name", Type::kString},
                                 {"matches", Type::kObjects, Use::kWorks, "any of them; none takes everything", &kMatch},
                                 {"filters", Type::kObjects, Use::kWorks, "", &kFilter},
                                 {"backendRefs", Type::kObjects, Use::kWorks, "none: 500, unless a filter redirects", &kBackend},
                                 {"timeouts", Type::kObject, Use::kWorks, "", &kTimeouts},
                                 {"retry", Type::kObject, Use::kWorks, "", &kRetry},
                                 {"sessionPersistence", Type::kObject, Use::kRefused}};
constexpr Table kRule{kRuleFields};
constexpr auto kSpecFields = route_fields("absent: everything, to no backend", &kRule);
constexpr Table kSpec{kSpecFields};
constexpr Field kRootFields[] = {
    WEFT_OBJECT_FIELDS, {"spec", Type::kObject, Use::kWorks, "", &kSpec}, {"status", Type::kAny, Use::kHarmless, "Weft derives its own"}};

model::HttpMatch everything() {
  model::HttpMatch match;
  match.uri = StringMatch{StringMatch::Kind::kPrefix, "/"};
  return match;
}

class Rule {
 public:
  explicit Rule(const Reader& from) : from_(from) {}

  model::RouteRule build() {
    rule_.action.name = from_["name"].text();
    rule_.action.missing_is_500 = true;
    at_most(from_["matches"], 64);
    for (const Reader& item : from_["matches"].items()) rule_.matches.push_back(match(item));
    if (rule_.matches.empty()) rule_.matches.push_back(everything());
    read_backends(from_["backendRefs"], kBlocks, rule_);
    filters(from_["filters"], rule_);
    if (rule_.action.redirect && !rule_.backends.empty())
      from_["backendRefs"].error(codes::kConflict, "found backendRefs beside a RequestRedirect filter, which sends nothing there",
                                 "remove one of them");
    times(from_, rule_.action);
    return std::move(rule_);
  }

 private:
  model::HttpMatch match(const Reader& from) {
    model::HttpMatch match = everything();
    const Reader value = from["path"]["value"];
    const std::string type = from["path"]["type"] ? from["path"]["type"].text() : "PathPrefix";
    std::string path = value ? value.text() : "/";
    if (path.size() > 1024)
      value.error(codes::kTooLarge, "found a path of " + std::to_string(path.size()) + " bytes, expected at most 1024");
    if (type == "RegularExpression") {
      check_regex(value ? value : from["path"], path);
      match.uri = StringMatch{StringMatch::Kind::kRegex, path};
    } else {
      check_path(value ? value : from["path"], path);
      if (type == "Exact") {
        match.uri = StringMatch{StringMatch::Kind::kExact, path};
      } else {
        if (path.size() > 1 && path.ends_with('/')) path.pop_back();  // "a trailing slash is ignored"
        match.uri = StringMatch{StringMatch::Kind::kPrefix, path};
        match.path_separated = path != "/";
      }
    }
    match.headers = value_matches(from["headers"], true);
    match.query_params = value_matches(from["queryParams"], false);
    if (from["method"]) match.method = StringMatch{StringMatch::Kind::kExact, from["method"].text()};
    return match;
  }

  static void check_path(const Reader& at, const std::string& path) {
    static const RE2 kCharacters("(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+");
    if (!path.starts_with('/'))
      return at.error(codes::kValue, "found \"" + path.substr(0, 100) + "\", expected a path that starts with /",
                      "write /" + path.substr(0, 100));
    for (const char* bad : {"//", "/./", "/../", "%2f", "%2F", "#"})
      if (path.find(bad) != std::string::npos)
        return at.error(codes::kValue, std::string("found ") + bad + " inside a path, which no normalised request has");
    if (path.ends_with("/..") || path.ends_with("/."))
      return at.error(codes::kValue, "found a path that ends with a dot segment, which no normalised request has");
    if (!RE2::FullMatch(path, kCharacters))
      at.error(codes::kValue,
               "found a character in the path that must be percent-encoded, expected letters, digits and -/._~!$&'()*+,;=:@");
  }

  // The text that a modifier of type ReplacePrefixMatch gets and the prefix it stands for. False: no modifier of that type, or a fault.
  bool prefix_modifier(const Reader& path, const model::RouteRule& rule, std::string& prefix, std::string& replacement) {
    const std::string type = path["type"].text();
    if (!path["type"]) {
      path.missing("type", "ReplaceFullPath or ReplacePrefixMatch");
      return false;
    }
    for (auto [of, field] : {std::pair{"ReplaceFullPath", "replaceFullPath"}, {"ReplacePrefixMatch", "replacePrefixMatch"}}) {
      if (type == of && !path[field]) path.missing(field, std::string("a path, as type is ") + of);
      if (type != of && path[field])
        path[field].error(codes::kConflict, std::string("found ") + field + " where type is " + type, std::string("write type: ") + of);
      if (path[field].text().size() > 1024) path[field].error(codes::kTooLarge, "found a path of more than 1024 bytes");
      if (path[field].text().find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
        path[field].error(codes::kValue, "found a line break inside a path");
    }
    if (type != "ReplacePrefixMatch") return false;
    if (rule.matches.size() != 1 || rule.matches[0].uri->kind != StringMatch::Kind::kPrefix) {
      path["type"].error(codes::kConflict,
                         "found ReplacePrefixMatch in a rule with " + std::to_string(rule.matches.size()) +
                             (rule.matches.size() == 1 ? " match that is no PathPrefix" : " matches") +
                             ", expected exactly one match, of type PathPrefix",
                         "make a rule for each");
      return false;
    }
    prefix = rule.matches[0].uri->value;
    replacement = path["replacePrefixMatch"].text();
    while (replacement.ends_with('/')) replacement.pop_back();
    if (!replacement.empty() && replacement.front() != '/') replacement.insert(0, 1, '/');
    return true;
  }

  static std::string substitution(std::string_view text) {
    std::string out;
    for (char c : text) out.append(c == '\\' ? "\\\\" : std::string(1, c));
    return out;
  }

  // What stands for a plain replacement of the prefix where that would leave two slashes or none.
  static std::optional<model::RegexRewrite> slash_rule(const std::string& prefix, const std::string& replacement) {
    if (prefix == "/") return model::RegexRewrite{"^/(.*)", substitution(replacement) + "/\\1"};
    if (replacement.empty()) return model::RegexRewrite{"^" + RE2::QuoteMeta(prefix) + "(/?)(.*)", "/\\2"};
    return std::nullopt;
  }

  static std::string absolute(std::string path) { return path.starts_with('/') ? path : "/" + path; }

  void filters(const Reader& list, model::RouteRule& rule) {
    read_filters(list, kBlocks, rule, [&](const Reader& filter, std::string_view type) {
      if (type == "RequestRedirect") redirect(filter["requestRedirect"], rule);
      if (type == "URLRewrite") rewrite(filter["urlRewrite"], rule);
      if (type == "CORS") cors(filter["cors"], rule.action.cors.emplace());
    });
    if (rule.action.redirect && rule.action.rewrite)
      list.error(codes::kConflict, "found RequestRedirect and URLRewrite, expected one of them");
  }

  void redirect(const Reader& from, model::RouteRule& rule) {
    model::Redirect& out = rule.action.redirect.emplace();
    out.code = 302;
    if (Reader code = from["statusCode"]) {
      out.code = code.integer().value_or(302);
      if (out.code != 301 && out.code != 302 && out.code != 303 && out.code != 307 && out.code != 308)
        code.error(codes::kChoice, "found " + code.text() + ", expected 301, 302, 303, 307 or 308");
    }
    out.scheme = from["scheme"].optional_text();
    out.authority = from["hostname"].optional_text();
    if (out.authority) check_hostname(from["hostname"], *out.authority, false);
    if (auto port = port_number(from["port"])) {
      out.port_kind = model::Redirect::Port::kFixed;
      out.port = *port;
    } else {
      out.port_kind = out.scheme ? model::Redirect::Port::kOfScheme : model::Redirect::Port::kFromRequestPort;
    }
    std::string prefix, replacement;
    if (const Reader path = from["path"]; path && prefix_modifier(path, rule, prefix, replacement)) {
      out.uri_regex = slash_rule(prefix, replacement);
      if (!out.uri_regex) out.prefix_rewrite = replacement;
    } else if (path["replaceFullPath"]) {
      out.uri = absolute(path["replaceFullPath"].text());
    }
  }

  void rewrite(const Reader& from, model::RouteRule& rule) {
    model::Rewrite& out = rule.action.rewrite.emplace();
    out.authority = from["hostname"].optional_text();
    if (out.authority) check_hostname(from["hostname"], *out.authority, false);
    std::string prefix, replacement;
    if (const Reader path = from["path"]; path && prefix_modifier(path, rule, prefix, replacement)) {
      out.uri_regex = slash_rule(prefix, replacement);
      if (!out.uri_regex) out.uri = replacement;
    } else if (path["replaceFullPath"]) {
      out.uri_regex = model::RegexRewrite{"^/.*", substitution(absolute(path["replaceFullPath"].text()))};
    }
  }

  void cors(const Reader& from, model::CorsPolicy& out) {
    static const RE2 kOrigin(R"(\*|https?://((\*\.)?([a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?)");
    static constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"};
    for (const char* field : {"allowOrigins", "allowMethods", "allowHeaders"}) {
      const std::vector<std::string> all = from[field].texts();
      if (all.size() > 1 && std::find(all.begin(), all.end(), "*") != all.end())
        from[field].error(codes::kConflict, "found \"*\" beside others, expected it alone");
    }
    at_most(from["allowOrigins"], 64);
    for (const Reader& item : from["allowOrigins"].items()) {
      const std::string origin = item.text();
      if (!RE2::FullMatch(origin, kOrigin)) {
        item.error(codes::kValue, "found \"" + origin.substr(0, 100) + "\", expected \"*\", or scheme://host[:port] with http or https");
      } else if (origin == "*") {
        out.allow_origins.push_back({StringMatch::Kind::kRegex, R"([A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]+)"});
      } else if (const size_t star = origin.find('*'); star != std::string::npos) {
        out.allow_origins.push_back(
            {StringMatch::Kind::kRegex, RE2::QuoteMeta(origin.substr(0, star)) + "[^/?#]*" + RE2::QuoteMeta(origin.substr(star + 1))});
      } else {
        out.allow_origins.push_back({StringMatch::Kind::kExact, origin});
      }
    }
    for (const Reader& item : from["allowMethods"].items())
      if (std::find(std::begin(kMethods), std::end(kMethods), item.text()) == std::end(kMethods))
        item.error(codes::kChoice, "found \"" + item.text().substr(0, 60) + "\", expected a method in capitals or \"*\"");
    for (const char* field : {"allowHeaders", "exposeHeaders"}) {
      at_most(from[field], 64);
      for (const Reader& item : from[field].items())
        if (!is_header_name(item.text()))
          item.error(codes::kName, "found \"" + item.text().substr(0, 100) + "\", expected the name of a header");
    }
    out.allow_methods = from["allowMethods"].texts();
    out.allow_headers = from["allowHeaders"].texts();
    out.expose_headers = from["exposeHeaders"].texts();
    out.max_age = std::chrono::seconds(from["maxAge"].integer(1, INT32_MAX).value_or(5));
    if (from["allowCredentials"].flag()) out.allow_credentials = true;
    out.ignore_unmatched_preflights = true;
  }

  static void times(const Reader& from, model::HttpRoute& out) {
    const Reader timeouts = from["timeouts"], retry = from["retry"];
    const auto request = duration(timeouts["request"]), backend = duration(timeouts["backendRequest"]);
    if (request && backend && request->count() > 0 && *backend > *request)
      timeouts["backendRequest"].error(codes::kConflict, "found " + timeouts["backendRequest"].text() +
                                                             ", which is longer than the request's " + timeouts["request"].text());
    if (retry) {
      model::Retries& retries = out.retries.emplace();
      retries.attempts = retry["attempts"].integer(1, INT32_MAX).value_or(2);
      retries.backoff = duration(retry["backoff"]);
      retries.retry_on = "connect-failure,refused-stream,unavailable,cancelled";
      if (retry["codes"] && retry["codes"].items().empty())
        retry["codes"].error(codes::kWrongType, "found no list, expected statuses from 400 to 599", "such as [503]");
      for (const Reader& code : retry["codes"].items())
        if (auto number = code.integer(400, 599))
          retries.retry_on += "," + std::to_string(*number);
        else if (code.text().find_first_not_of("0123456789") != std::string::npos)
          code.error(codes::kWrongType, "found \"" + code.text().substr(0, 60) + "\", expected a status from 400 to 599");
    }
    if (request && request->count() > 0) out.timeout = request;
    if (backend && backend->count() > 0) (out.retries ? out.retries->per_try_timeout : out.timeout) = backend;
  }

  Reader from_;
  model::RouteRule rule_;
};

}  // namespace

constexpr Table kTable{kRootFields};

model::Spec build(const Reader& root) {
  model::KubeRoute route = read_route(root, [](const Reader& rule) { return Rule(rule).build(); });
  const Reader rules = root["spec"]["rules"];
  if (rules && rules.items().empty())
    rules.error(codes::kMissing, "found no rule, expected at least one", "leave rules away to take everything");
  if (!rules) {
    model::RouteRule& every = route.rules.emplace_back();
    every.matches.push_back(everything());
    every.action.missing_is_500 = true;
  }
  return route;
}

}  // namespace weft::validation::http_route
