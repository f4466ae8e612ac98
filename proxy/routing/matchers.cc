#include "proxy/routing/matchers.h"

#include <algorithm>
#include <charconv>

namespace weft::routing {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), lower);
  return text;
}

// `expected` is in lower case.
bool equals_lowered(std::string_view value, std::string_view expected) {
  return value.size() == expected.size() &&
         std::equal(value.begin(), value.end(), expected.begin(), [](char a, char b) { return lower(a) == b; });
}

bool contains_lowered(std::string_view value, std::string_view expected) {
  return std::search(value.begin(), value.end(), expected.begin(), expected.end(), [](char a, char b) { return lower(a) == b; }) !=
             value.end() ||
         expected.empty();
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view path_of(std::string_view path_and_query) { return path_and_query.substr(0, path_and_query.find_first_of("?#")); }

std::string_view query_of(std::string_view path_and_query) {
  path_and_query = path_and_query.substr(0, path_and_query.find('#'));
  size_t mark = path_and_query.find('?');
  return mark == std::string_view::npos ? std::string_view() : path_and_query.substr(mark + 1);
}

StringMatcher::StringMatcher(Kind kind, std::string text, bool ignore_case)
    : kind_(kind), ignore_case_(ignore_case), text_(ignore_case ? lowered(std::move(text)) : std::move(text)) {}

bool StringMatcher::matches(std::string_view value) const {
  switch (kind_) {
    case Kind::kExact: return ignore_case_ ? equals_lowered(value, text_) : value == text_;
    case Kind::kPrefix: return ignore_case_ ? equals_lowered(value.substr(0, text_.size()), text_) : value.starts_with(text_);
    case Kind::kSuffix:
      if (value.size() < text_.size()) return false;
      return ignore_case_ ? equals_lowered(value.substr(value.size() - text_.size()), text_) : value.ends_with(text_);
    case Kind::kContains: return ignore_case_ ? contains_lowered(value, text_) : value.find(text_) != std::string_view::npos;
    case Kind::kRegex: return regex_.full_match(value);
  }
  return false;
}

HeaderMatcher::HeaderMatcher(Kind kind, std::string name, bool present) : kind_(kind), present_(present), name_(lowered(std::move(name))) {
  if (name_ == ":method") {
    source_ = Source::kMethod;
  } else if (name_ == ":path") {
    source_ = Source::kPath;
  } else if (name_ == ":scheme") {
    source_ = Source::kScheme;
  } else if (name_ == ":status") {
    source_ = Source::kStatus;
  } else {
    id_ = name_ == ":authority" ? http::HeaderId::kHost : http::intern(name_);
    source_ = id_ == http::HeaderId::kOther ? Source::kNamed : Source::kKnown;
  }
}

HeaderMatcher HeaderMatcher::range(std::string name, int64_t start, int64_t end) {
  HeaderMatcher matcher(Kind::kRange, std::move(name), true);
  matcher.start_ = start;
  matcher.end_ = end;
  return matcher;
}

HeaderMatcher HeaderMatcher::string(std::string name, StringMatcher value) {
  HeaderMatcher matcher(Kind::kString, std::move(name), true);
  matcher.string_ = std::move(value);
  return matcher;
}

bool HeaderMatcher::matches_value(std::string_view value) const {
  switch (kind_) {
    case Kind::kPresent: return present_;
    case Kind::kString: return string_.matches(value);
    case Kind::kRange: {
      int64_t number = 0;
      std::string_view digits = value.starts_with('+') ? value.substr(1) : value;
      auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      return error == std::errc() && end == digits.data() + digits.size() && number >= start_ && number < end_;
    }
  }
  return false;
}

bool HeaderMatcher::matches(const http::Head& head) const {
  bool found = true;
  std::string_view value;
  std::string scratch;
  char status[4];
  switch (source_) {
    case Source::kMethod: value = head.method(), found = !value.empty(); break;
    case Source::kPath: value = head.path(), found = !value.empty(); break;
    case Source::kScheme: value = head.scheme(), found = !value.empty(); break;
    case Source::kStatus: {
      auto [end, error] = std::to_chars(status, status + sizeof status, head.status());
      value = {status, static_cast<size_t>(end - status)};
      found = error == std::errc() && head.status() != 0;
      break;
    }
    case Source::kKnown:
      found = head.has(id_);
      if (found) value = head.joined(http::name_of(id_), scratch);
      break;
    case Source::kNamed:
      found = head.find(name_) != nullptr;
      if (found) value = head.joined(name_, scratch);
      break;
  }
  if (found || missing_as_empty_) return matches_value(value) != invert_;
  // What is absent fails every matcher, inverted ones too; only presence is a statement about absence.
  return kind_ == Kind::kPresent && present_ == invert_;
}

bool all_match(const std::vector<HeaderMatcher>& matchers, const http::Head& head) {
  for (const HeaderMatcher& matcher : matchers)
    if (!matcher.matches(head)) return false;
  return true;
}

QueryMatcher QueryMatcher::present(std::string name, bool present) {
  QueryMatcher matcher;
  matcher.name_ = std::move(name);
  matcher.present_ = present;
  return matcher;
}

QueryMatcher QueryMatcher::string(std::string name, StringMatcher value) {
  QueryMatcher matcher;
  matcher.name_ = std::move(name);
  matcher.by_presence_ = false;
  matcher.string_ = std::move(value);
  return matcher;
}

std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    size_t end = std::min(query.find('&'), query.size());
    std::string_view parameter = query.substr(0, end);
    size_t equals = std::min(parameter.find('='), parameter.size());
    if (parameter.substr(0, equals) == name) return parameter.substr(std::min(equals + 1, parameter.size()));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

bool QueryMatcher::matches(std::string_view query) const {
  const std::optional<std::string_view> value = query_parameter(query, name_);
  return by_presence_ ? value.has_value() == present_ : value && string_.matches(*value);
}

std::string_view cookie_value(const http::Head& request, std::string_view name) {
  for (const http::Header& line : request.headers()) {
    if (line.removed || line.id != http::HeaderId::kCookie) continue;
    for (std::string_view rest = line.value(); !rest.empty();) {
      const size_t end = std::min(rest.find(';'), rest.size());
      std::string_view cookie = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      cookie.remove_prefix(std::min(cookie.find_first_not_of(' '), cookie.size()));
      const size_t equals = cookie.find('=');
      if (equals == std::string_view::npos || cookie.substr(0, equals) != name) continue;
      std::string_view value = cookie.substr(equals + 1);
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
      return value;
    }
  }
  return {};
}

bool CookieMatcher::matches(const http::Head& head) const {
  const std::string_view found = cookie_value(head, name);
  return (!found.empty() && value.matches(found)) != invert;
}

bool PathMatcher::matches(std::string_view path) const {
  auto begins = [&] {
    std::string_view front = path.substr(0, text.size());
    return case_sensitive ? front == text : equals_ignoring_case(front, text);
  };
  switch (kind) {
    case Kind::kPrefix: return begins();
    case Kind::kExact: return path.size() == text.size() && begins();
    case Kind::kSeparatedPrefix: return begins() && (path.size() == text.size() || path[text.size()] == '/');
    case Kind::kRegex: return regex.full_match(path);
    case Kind::kConnect: break;
  }
  return false;
}

}  // namespace weft::routing
