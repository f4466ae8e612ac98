// RE2 behind a value: linear time whatever the peer sends, compiled once, shared by every copy.
#pragma once
#include "common/base/error.h"

#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace weft::routing {

class Regex {
 public:
  Regex() = default;
  // The error has Envoy's words: "missing ): ...".
  static Result<Regex> compile(std::string_view text);
  bool full_match(std::string_view subject) const;
  explicit operator bool() const { return compiled_ != nullptr; }
  const std::string& text() const;

 private:
  friend class RegexRewrite;
  std::shared_ptr<const re2::RE2> compiled_;
};

// type.matcher.v3.RegexMatchAndSubstitute: every match is replaced; "\1" stands for a group.
class RegexRewrite {
 public:
  RegexRewrite() = default;
  static Result<RegexRewrite> compile(std::string_view pattern, std::string_view substitution);
  std::string apply(std::string_view subject) const;
  explicit operator bool() const { return static_cast<bool>(regex_); }

 private:
  Regex regex_;
  std::string substitution_;
};

}  // namespace weft::routing
