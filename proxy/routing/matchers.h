// The conditions of a route: on strings, headers, query parameters, the path and chance. Values without proto; whoever
// translates the configuration compiles regular expressions first, so that a bad one is reported with its field.
#pragma once
#include "common/http/head.h"
#include "proxy/routing/regex.h"
#include "proxy/runtime/value.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::routing {

class StringMatcher {
 public:
  enum class Kind : uint8_t { kExact, kPrefix, kSuffix, kContains, kRegex };
  StringMatcher() = default;  // exactly ""
  // `kind` is not kRegex.
  StringMatcher(Kind kind, std::string text, bool ignore_case = false);
  explicit StringMatcher(Regex regex) : kind_(Kind::kRegex), regex_(std::move(regex)) {}

  bool matches(std::string_view value) const;
  Kind kind() const { return kind_; }
  const std::string& text() const { return kind_ == Kind::kRegex ? regex_.text() : text_; }

 private:
  Kind kind_ = Kind::kExact;
  bool ignore_case_ = false;
  std::string text_;  // in lower case when ignore_case_
  Regex regex_;
};

// config.route.v3.HeaderMatcher. Several lines of the name are read as one value joined by ",". ":method", ":path",
// ":authority" (and "host") and ":scheme" read the first line.
class HeaderMatcher {
 public:
  static HeaderMatcher present(std::string name, bool present = true) { return {Kind::kPresent, std::move(name), present}; }
  // start <= value < end.
  static HeaderMatcher range(std::string name, int64_t start, int64_t end);
  static HeaderMatcher string(std::string name, StringMatcher value);
  HeaderMatcher& invert(bool on = true) { return invert_ = on, *this; }
  HeaderMatcher& treat_missing_as_empty(bool on = true) { return missing_as_empty_ = on, *this; }

  bool matches(const http::Head& head) const;
  const std::string& name() const { return name_; }

 private:
  enum class Kind : uint8_t { kPresent, kRange, kString };
  enum class Source : uint8_t { kKnown, kNamed, kMethod, kPath, kScheme, kStatus };
  HeaderMatcher(Kind kind, std::string name, bool present);
  bool matches_value(std::string_view value) const;
  Kind kind_;
  Source source_ = Source::kNamed;
  http::HeaderId id_ = http::HeaderId::kOther;
  bool present_;
  bool invert_ = false;
  bool missing_as_empty_ = false;
  int64_t start_ = 0, end_ = 0;
  std::string name_;
  StringMatcher string_;
};
bool all_match(const std::vector<HeaderMatcher>& matchers, const http::Head& head);

// config.route.v3.QueryParameterMatcher: on the first parameter of that name, as it stands in the path (not decoded).
class QueryMatcher {
 public:
  static QueryMatcher present(std::string name, bool present = true);
  static QueryMatcher string(std::string name, StringMatcher value);
  // `query` is what follows the "?".
  bool matches(std::string_view query) const;

 private:
  std::string name_;
  bool by_presence_ = true;
  bool present_ = true;
  StringMatcher string_;
};

// The first cookie of that name, without its quotes; empty: there is none.
std::string_view cookie_value(const http::Head& request, std::string_view name);

// config.route.v3.CookieMatcher.
struct CookieMatcher {
  std::string name;
  StringMatcher value;
  bool invert = false;
  bool matches(const http::Head& head) const;
};

struct PathMatcher {
  enum class Kind : uint8_t { kPrefix, kExact, kRegex, kSeparatedPrefix, kConnect };  // kConnect: any CONNECT, which has no path
  PathMatcher() : PathMatcher(Kind::kPrefix, "/") {}
  PathMatcher(Kind kind, std::string text, bool case_sensitive = true)
      : kind(kind), case_sensitive(case_sensitive), text(std::move(text)) {}
  explicit PathMatcher(Regex regex) : kind(Kind::kRegex), regex(std::move(regex)) {}

  // `path` without its query.
  bool matches(std::string_view path) const;
  Kind kind;
  bool case_sensitive = true;
  std::string text;
  Regex regex;
};

// A RuntimeFractionalPercent: matches when random % denominator < numerator, unless the runtime says otherwise for its key.
struct Fraction {
  uint32_t numerator = 1;
  uint32_t denominator = 1;
  runtime::Key key = {};
  bool always() const { return !key && numerator >= denominator; }
  bool matches(uint64_t random) const {
    if (!key) return random % denominator < numerator;
    const runtime::Share now = key->share().value_or(runtime::Share{numerator, denominator});
    return random % now.denominator < now.numerator;
  }
};

// "/a/b" of "/a/b?x=1", and "x=1". A fragment belongs to neither.
std::string_view path_of(std::string_view path_and_query);
std::string_view query_of(std::string_view path_and_query);
// The first parameter of that name, as it stands in the query (not decoded); without "=" it is empty.
std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name);

bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace weft::routing
