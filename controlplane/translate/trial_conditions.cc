#include "controlplane/translate/trial_conditions.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>

namespace weft::translate {
namespace {

namespace route = envoy::config::route::v3;
using envoy::type::matcher::v3::StringMatcher;

std::string folded(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

bool full_match(const std::string& regex, const std::string& text) {
  const RE2 pattern(regex, RE2::Quiet);
  return pattern.ok() && RE2::FullMatch(text, pattern);
}

// "is \"x\"" and whether `text` is.
std::pair<std::string, bool> compared(const StringMatcher& match, const std::string& text) {
  const bool fold = match.ignore_case();
  const std::string value = fold ? folded(text) : text, tail = fold ? " (in any case)" : "";
  auto own = [&](const std::string& wanted) { return fold ? folded(wanted) : wanted; };
  switch (match.match_pattern_case()) {
    case StringMatcher::kExact: return {"is " + quoted(match.exact()) + tail, value == own(match.exact())};
    case StringMatcher::kPrefix: return {"starts with " + quoted(match.prefix()) + tail, value.starts_with(own(match.prefix()))};
    case StringMatcher::kSuffix: return {"ends with " + quoted(match.suffix()) + tail, value.ends_with(own(match.suffix()))};
    case StringMatcher::kContains:
      return {"contains " + quoted(match.contains()) + tail, value.find(own(match.contains())) != std::string::npos};
    case StringMatcher::kSafeRegex: return {"matches " + match.safe_regex().regex(), full_match(match.safe_regex().regex(), text)};
    default: return {"is as a matcher of another kind says", false};
  }
}

Condition path_condition(const route::RouteMatch& match, const std::string& path) {
  const bool any_case = match.has_case_sensitive() && !match.case_sensitive().value();
  const std::string own = any_case ? folded(path) : path, tail = any_case ? " (in any case)" : "";
  auto wanted = [&](const std::string& text) { return any_case ? folded(text) : text; };
  switch (match.path_specifier_case()) {
    case route::RouteMatch::kPrefix: return {"path starts with " + match.prefix() + tail, path, own.starts_with(wanted(match.prefix()))};
    case route::RouteMatch::kPath: return {"path is " + match.path() + tail, path, own == wanted(match.path())};
    case route::RouteMatch::kSafeRegex:
      return {"path matches " + match.safe_regex().regex(), path, full_match(match.safe_regex().regex(), path)};
    case route::RouteMatch::kPathSeparatedPrefix: {
      const std::string prefix = wanted(match.path_separated_prefix());
      return {"path is or lies below " + match.path_separated_prefix() + tail, path,
              own.starts_with(prefix) && (own.size() == prefix.size() || own[prefix.size()] == '/')};
    }
    case route::RouteMatch::kConnectMatcher: return {"method is CONNECT", path, false};
    default: return {"path is as a matcher of another kind says", path, false, false};
  }
}

std::optional<std::string> header_of(const TrialRequest& request, const std::string& name) {
  if (name == ":method") return request.method;
  if (name == ":path") return request.path;
  if (name == ":authority" || name == "host") return request.authority;
  if (name == ":scheme") return request.scheme;
  std::optional<std::string> joined;
  for (const auto& [own, value] : request.headers)
    if (own == folded(name)) joined = joined ? *joined + "," + value : value;
  return joined;
}

std::string name_of_header(const std::string& name) { return name.starts_with(':') ? name.substr(1) : "header " + name; }

bool in_range(const route::HeaderMatcher& match, const std::string& text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= match.range_match().start() &&
         number < match.range_match().end();
}

Condition header_condition(const route::HeaderMatcher& match, const TrialRequest& request) {
  std::optional<std::string> value = header_of(request, match.name());
  Condition out;
  out.found = value ? quoted(*value) : "absent";
  const bool invert = match.invert_match();
  const std::string name = name_of_header(match.name());
  if (match.has_present_match() || match.header_match_specifier_case() == route::HeaderMatcher::HEADER_MATCH_SPECIFIER_NOT_SET) {
    const bool wanted = (!match.has_present_match() || match.present_match()) != invert;
    out.text = name + (wanted ? " is there" : " is not there");
    out.holds = value.has_value() == wanted;
    return out;
  }
  if (!value && match.treat_missing_header_as_empty()) value = "";
  std::pair<std::string, bool> result{"is as a matcher of another kind says", false};
  if (match.has_string_match()) result = compared(match.string_match(), value.value_or(""));
  if (match.has_range_match())
    result = {"is from " + std::to_string(match.range_match().start()) + " to below " + std::to_string(match.range_match().end()),
              in_range(match, value.value_or(""))};
  out.text = (invert ? "not: " : "") + name + " " + result.first;
  out.holds = value && result.second != invert;
  return out;
}

std::optional<std::string> query_value(const std::string& path, const std::string& name) {
  const size_t mark = path.find('?');
  if (mark == std::string::npos) return std::nullopt;
  for (size_t at = mark + 1; at <= path.size();) {
    const size_t end = std::min(path.find('&', at), path.size());
    const std::string part = path.substr(at, end - at);
    const size_t equals = part.find('=');
    if (part.substr(0, equals) == name) return equals == std::string::npos ? "" : part.substr(equals + 1);
    at = end + 1;
  }
  return std::nullopt;
}

Condition query_condition(const route::QueryParameterMatcher& match, const std::string& path) {
  const std::optional<std::string> value = query_value(path, match.name());
  Condition out;
  out.found = value ? quoted(*value) : "absent";
  if (match.has_string_match()) {
    auto [text, holds] = compared(match.string_match(), value.value_or(""));
    out.text = "query parameter " + match.name() + " " + text;
    out.holds = value && holds;
  } else {
    out.text = "query parameter " + match.name() + " is there";
    out.holds = value.has_value();
  }
  return out;
}

}  // namespace

std::vector<Condition> conditions_of(const route::RouteMatch& match, const TrialRequest& request) {
  std::vector<Condition> all;
  all.push_back(path_condition(match, request.path.substr(0, request.path.find('?'))));
  for (const auto& header : match.headers()) all.push_back(header_condition(header, request));
  for (const auto& parameter : match.query_parameters()) all.push_back(query_condition(parameter, request.path));
  if (match.has_grpc()) {
    const std::string type = header_of(request, "content-type").value_or("");
    all.push_back({"it is a gRPC request", type.empty() ? "no content-type" : type,
                   type == "application/grpc" || type.starts_with("application/grpc+")});
  }
  if (match.has_runtime_fraction()) all.push_back({"it is among the share of requests that this route takes", "by chance", true, false});
  for (const auto& metadata : match.dynamic_metadata())
    all.push_back({"metadata of " + metadata.filter() + " is as asked for", "known to a live request only", false, false});
  return all;
}

}  // namespace weft::translate
